"""File names that are no UTF-8, or none at all: written as escapes and reported, never a traceback."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.command import fault, tfrec
from tests.helpers.sets import parsed
from tests.helpers.small_sets import coco, csv, save_picture, voc_xml
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.dataset.publish import Refused
from tfrec_tools.errors import readable

ODD = [b"\xff\xfe", "Plättchen ".encode() + b"\xe9"]


def decoded(name: bytes) -> str:
    return os.fsdecode(name)


def voc(folder: Path, name: str) -> Path:
    save_picture(folder / "images" / f"{name}.jpg")
    annotations = folder / "Annotations"
    annotations.mkdir()
    (annotations / f"{name}.xml").write_text(
        voc_xml("", 60, 40, [("cat", 1, 1, 30, 30), ("cat", 9, 9, 70, 20)])
    )
    return annotations


def yolo(folder: Path, name: str) -> Path:
    save_picture(folder / "images/train" / f"{name}.jpg")
    (folder / "labels/train").mkdir(parents=True)
    (folder / "labels/train" / f"{name}.txt").write_text("0 .5 .5 .4 .5\n0 .9 .9 .4 .5\n")
    (folder / "data.yaml").write_text("train: images/train\nnames: [cat]\n")
    return folder / "data.yaml"


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("write", [voc, yolo])
def test_bytes_that_are_no_utf_8_are_escaped_and_reported(
    tmp_path: Path, name: bytes, write: Callable[[Path, str], Path]
) -> None:
    out, err = tfrec("convert", write(tmp_path, decoded(name)), "--out", tmp_path / "out/new")
    assert err == ""
    assert "filename-escaped" in out
    (one,) = parsed(tmp_path / "out")
    expected = f"{readable(decoded(name))}.jpg"
    assert one.record.filename.endswith(expected)
    assert "\\x" in expected
    issues = [json.loads(line) for line in (tmp_path / "out/new.issues.jsonl").read_text().splitlines()]
    assert {issue["code"] for issue in issues} == {"filename-escaped", "box-outside"}
    assert all("\\x" in issue["message"] for issue in issues)
    for words in (["verify", tmp_path / "out"], ["inspect", tmp_path / "out/new"]):
        tfrec(*words)


def test_folders_that_are_no_utf_8(tmp_path: Path) -> None:
    """The folder of everything, of the source, of the images."""
    name = b"caf\xe9"
    folder = tmp_path / decoded(name)
    save_picture(folder / "images/a.jpg")
    source = csv(folder, [("a.jpg", 60, 40, [("cat", 1, 1, 30, 70)])])
    tfrec("convert", source, "--images", folder / "images", "--out", folder / "out/new")
    tfrec("validate", source, "--report", folder / "report.html")
    manifest = json.loads((folder / "out/new.manifest.json").read_text())
    assert "\\x" in manifest["sources"][0]["path"]
    assert "\\x" in manifest["options"]["images"]
    assert tfrec("verify", folder / "out")[0].endswith(": sound\n")
    assert "is written into files, and this one is no UTF-8" in fault(
        "convert", source, "--out", tmp_path / f"out/{decoded(name)}"
    )
    tfrec("merge-labels", folder / "out/new.label_map.pbtxt", "--out", folder / "m.pbtxt")
    tfrec("remap", folder / "out/new", "--labels", folder / "m.pbtxt", "--out", folder / "again/new")


@pytest.mark.parametrize("name", [".", "..", "/", "", "./", "a/..", "\\", "...", "?"])
def test_names_that_name_no_file(tmp_path: Path, name: str) -> None:
    save_picture(tmp_path / "images/b.jpg")
    sources = [coco(tmp_path, [(name, 60, 40, [("cat", 1, 1, 30, 30)])])]
    annotations = tmp_path / "Annotations"
    annotations.mkdir()
    (annotations / "a.xml").write_text(voc_xml(name, 60, 40, [("cat", 1, 1, 30, 30)]))
    for source in (*sources, annotations):
        with pytest.raises(Refused, match="image-missing"):
            convert(ConvertOptions(source, tmp_path / "out/new"))


def test_a_name_does_not_command_the_terminal(tmp_path: Path) -> None:
    letters = "\x1b\x07\x08\x7f\x9b"
    name = "".join(f"c{letter}[31mat" for letter in letters)
    shown = "".join(f"c\\u{ord(letter):04x}[31mat" for letter in letters)
    save_picture(tmp_path / "images/a.jpg")
    source = csv(tmp_path, [("a.jpg", 60, 40, [(name, -5, 1, 30, 30)])])
    for words in (("convert", source, "--out", tmp_path / "out/new"), ("inspect", tmp_path / "out/new")):
        out, err = tfrec(*words)
        assert shown in out.replace("\n", "")
        assert set(letters).isdisjoint(out + err)
    found = convert(ConvertOptions(source, tmp_path / "out/two")).manifest.names
    assert found == (name,)
    _, err = tfrec("convert", source, "--out", tmp_path / "three", "--on", "box-outside=error", code=1)
    assert shown in err
    assert set(letters).isdisjoint(err)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1:strict"])
def test_a_console_that_cannot_say_a_name(
    tmp_path: Path, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every stream of every command, and JSON stays JSON."""
    names = ["Plättchen", "猫", "😀", "œuf"]
    save_picture(tmp_path / "images/猫.jpg")
    source = csv(tmp_path, [("猫.jpg", 60, 40, [(name, 1, 1, 30, 70) for name in names])])
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    codec = encoding.partition(":")[0].replace("ascii", "utf-8")  # click writes UTF-8 where it says ASCII
    labels = tmp_path / "m.json"
    for words in (
        ["convert", source, "--out", tmp_path / "out/new"],
        ["validate", source],
        ["inspect", tmp_path / "out/new"],
        ["merge-labels", tmp_path / "out/new.label_map.pbtxt", "--out", labels],
    ):
        out, _ = tfrec(*words, encoding=codec)
        assert "tt" in out
    out, _ = tfrec("inspect", tmp_path / "out/new", "--json", encoding=codec)
    assert {row["name"] for row in json.loads(out)["classes"]} == set(names)
    (tmp_path / "images/猫.jpg").unlink()
    _, err = tfrec("convert", source, "--out", tmp_path / "out/two", code=1, encoding=codec)
    assert "image-missing" in err
    assert "Traceback" not in err
