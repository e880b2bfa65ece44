"""`tfrec verify --against`: what a set and its source differ in."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tfrec_tools
from tests.helpers.command import fault, tfrec, write_map
from tests.helpers.small_sets import SCENES, coco, save_picture, save_pictures
from tfrec_tools.conversion.comparison import verified
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.dataset.options import VerifyOptions
from tfrec_tools.errors import InputError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    save_pictures(tmp_path / "images")
    return coco(tmp_path)


def differences(source: Path, **more: Any) -> list[tuple[str, str]]:
    (one,) = verified(VerifyOptions(source.parent / "out/new", against=source, **more))
    assert one.faults == ()
    return [(found.kind, found.name) for found in one.differences]


def changed(source: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads(source.read_text())
    change(document)
    source.write_text(json.dumps(document))


OPTIONS: list[dict[str, Any]] = [
    {},
    {"split": "train=0.5,val=0.5", "seed": 7, "shards": 1, "compression": "gzip"},
    {
        "max_side": 48,
        "jpeg_quality": 80,
        "min_side": 2.5,
        "on": ["box-tiny=drop-box", "size-mismatch=drop-image"],
    },
    {"labeled": "traffic light,cat,dog", "no_negatives": True, "rescale": True, "verify_images": "decode"},
    {"labels": "map.pbtxt", "images": "images", "policy": "lenient"},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_the_same_source_with_any_options(
    source: Path, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(source.parent)
    write_map(source.parent / "map.pbtxt", "cat", "dog")
    convert(ConvertOptions(source, source.parent / "out/new", **options))
    assert differences(source) == []


CHANGES: list[tuple[Callable[[Path], object], list[tuple[str, str]]]] = [
    (lambda at: save_picture(at.parent / "images/b.jpg", 96, 64, quality=40), [("image", "b.jpg")]),
    (
        lambda at: changed(at, lambda document: document["annotations"][0]["bbox"].__setitem__(0, 12)),
        [("annotations", "b.jpg")],
    ),
    (lambda at: changed(at, lambda document: document["images"].pop(1)), [("removed", "a.png")]),
    (
        lambda at: changed(
            at, lambda now: now["images"].append(now["images"][0] | {"id": 1, "file_name": "d.jpg"})
        ),
        [("added", "d.jpg")],
    ),
    (
        lambda at: changed(at, lambda document: document["categories"][0].update(name="lion")),
        [("class", "id 2"), ("annotations", "b.jpg"), ("annotations", "a.png")] ,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), CHANGES)
def test_what_differs(
    source: Path, change: Callable[[Path], object], expected: list[tuple[str, str]]
) -> None:
    convert(ConvertOptions(source, source.parent / "out/new"))
    save_picture(source.parent / "images/d.jpg", 96, 64)
    change(source)
    assert sorted(differences(source)) == sorted(expected)


def test_an_image_of_the_same_size_and_time(source: Path) -> None:
    convert(ConvertOptions(source, source.parent / "out/new"))
    path = source.parent / "images/a.png"
    before = path.stat()
    data = path.read_bytes()
    save_picture(path, 70, 90, mode="L")
    path.write_bytes(path.read_bytes().ljust(len(data), b"\0"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert ("image", "a.png") in differences(source)


def test_the_command_and_its_json(source: Path) -> None:
    out = source.parent / "out/new"
    convert(ConvertOptions(source, out, images=source.parent / "images"))
    assert tfrec("verify", out, "--against", source)[0] == f"{out}: sound\n{out}: as the source says\n"
    (source.parent / "images").rename(source.parent / "moved")
    assert "the folder of the images is not there any more; give --images" in fault(
        "verify", out, "--against", source
    )
    save_picture(source.parent / "moved/b.jpg", 96, 64, quality=40)
    words = ("verify", out, "--against", source, "--images", source.parent / "moved")
    printed, err = tfrec(*words, "--json", code=1)
    assert json.loads(printed) == [
        {
            "set": str(out),
            "faults": [],
            "differences": [
                {"kind": "image", "name": "b.jpg", "message": "the image is another one than in the set"}
            ],
        }
    ]
    assert err == "tfrec: error: 1 difference from the source; convert again with --overwrite\n"
    assert "  image: b.jpg: " in tfrec(*words, code=1)[0]
    (one,) = tfrec_tools.verify(out, against=source, images=source.parent / "moved")
    assert [found.name for found in one.differences] == ["b.jpg"]


def test_what_cannot_be_compared(source: Path) -> None:
    out = source.parent / "out/new"
    convert(ConvertOptions(source, out))
    with pytest.raises(InputError, match=r"given 2 times, but the set is of 1 source"):
        verified(VerifyOptions(out, against=[source, source]))
    with pytest.raises(InputError, match="is for --against"):
        verified(VerifyOptions(out, images="images"))
    convert(ConvertOptions(source, out.with_name("other")))
    with pytest.raises(InputError, match="holds 2 sets; --against is for one"):
        verified(VerifyOptions(out.parent, against=source))
    tfrec("remap", out, "--labels", f"{out}.label_map.pbtxt", "--out", source.parent / "re/new")
    with pytest.raises(InputError, match="not of a set that `tfrec convert` made"):
        verified(VerifyOptions(source.parent / "re/new", against=source))


def test_several_sources(source: Path) -> None:
    other = source.parent / "more"
    save_picture(other / "images/e.jpg", 77, 49)
    second = coco(other, [("e.jpg", 77, 49, [*SCENES[2][3]])])
    convert(ConvertOptions([source, second], source.parent / "out/new", labeled=["cat,dog", "dog"]))
    one = VerifyOptions(source.parent / "out/new", against=[source, second])
    assert [found.differences for found in verified(one)] == [()]
