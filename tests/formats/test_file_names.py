"""What the addresses of images say of their files."""

from __future__ import annotations

import pytest

from tfrec_tools.formats.file_names import of_address


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("x/a.jpg", "x/a.jpg"),
        ("x/a#1?%20.jpg", "x/a#1?%20.jpg"),
        ("C:\\x\\a.jpg", "C:\\x\\a.jpg"),
        ("https://host/x/a%20b.jpg?size=1#top", "x/a b.jpg"),
        ("http://host:8080//x/a.jpg", "x/a.jpg"),
        ("http://[host/a.jpg", "http://[host/a.jpg"),
        ("file:///home/me/a%20b.jpg", "home/me/a b.jpg"),
        ("s3://bucket/x/a#1.jpg", "x/a#1.jpg"),
        ("gs://bucket/x/a%20b?.jpg", "x/a%20b?.jpg"),
        ("S3://bucket/a.jpg", "a.jpg"),
        ("s3://bucket", ""),
    ],
)
def test_addresses_of_the_web_have_escapes_and_keys_of_stores_have_none(address: str, expected: str) -> None:
    assert of_address(address) == expected
