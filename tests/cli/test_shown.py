"""Control characters in names are seen, and do nothing, on a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.command import fault, tfrec
from tests.helpers.small_sets import save_picture
from tfrec_tools.cli.shown import shown

ESCAPE = "\x1b]0;owned\x07"


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a\tb\nc \u00e4 \u732b", "a\tb\nc \u00e4 \u732b"),
        ("\x1b[2J", "\\u001b[2J"),
        ("\x9b\x7f\r\x00", "\\u009b\\u007f\\u000d\\u0000"),
        ("a\u202egpj.exe", "a\\u202egpj.exe"),
    ],
)
def test_what_is_shown(text: str, seen: str) -> None:
    assert shown(text) == seen


def test_names_with_escapes_are_shown_escaped(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.jpg")
    name = f"cat{ESCAPE}"
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [-9, 1, 20, 20], "area": 400, "iscrowd": 0}
    image = {"id": 1, "file_name": "a.jpg", "width": 60, "height": 40}
    document = {"images": [image], "annotations": [box], "categories": [{"id": 1, "name": name}]}
    (tmp_path / "a.json").write_text(json.dumps(document))
    out, err = tfrec("convert", "a.json", "--images", ".", "--out", "o/s", cwd=tmp_path)
    out += tfrec("inspect", "o/s", cwd=tmp_path)[0]
    assert "cat\\u001b" in out
    assert "\x1b" not in out + err
    reason = fault("convert", f"x{ESCAPE}.json", "--out", "o/s", cwd=tmp_path)
    assert "x\\u001b" in reason
    assert "\x1b" not in reason
