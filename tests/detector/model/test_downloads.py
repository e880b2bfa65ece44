"""Where redirects lead: from https nowhere else."""

from __future__ import annotations

import urllib.request
from email.message import Message
from io import BytesIO
from urllib.error import URLError

import pytest

from tfrec_tools.detector.model.downloads import _HttpsStays, https_stays


def redirected(old: str, new: str) -> str:
    request = urllib.request.Request(old)  # noqa: S310  nothing is opened
    made = _HttpsStays().redirect_request(request, BytesIO(), 302, "Found", Message(), new)
    return str(made.full_url)


@pytest.mark.parametrize("new", ["http://example.org/b", "ftp://example.org/b", "HTTP://example.org/b"])
def test_from_https_to_another_kind(new: str) -> None:
    with pytest.raises(URLError, match=r"https://example.org/a redirects to .*, expected an address that"):
        redirected("https://example.org/a", new)


def test_others_are_followed() -> None:
    assert redirected("https://example.org/a", "https://b.org/a") == "https://b.org/a"
    assert redirected("http://localhost/a", "http://localhost/b") == "http://localhost/b"


def test_the_opener_is_everybodys_and_comes_back() -> None:
    before = getattr(urllib.request, "_opener")  # noqa: B009
    with https_stays():
        handlers = getattr(urllib.request, "_opener").handlers  # noqa: B009
        redirecting = [each for each in handlers if isinstance(each, urllib.request.HTTPRedirectHandler)]
        assert [type(each) for each in redirecting] == [_HttpsStays]
    assert getattr(urllib.request, "_opener") is before  # noqa: B009
