"""Sources in ZIP archives, as tools offer them for download: read where they lie."""

from __future__ import annotations

import re
import stat
import zipfile
from pathlib import Path

import pytest

from tests.helpers.sets import contents
from tests.helpers.small_sets import FULL_WRITERS, save_pictures
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.errors import InputError
from tfrec_tools.system import archive_path, stores


def packed(folder: Path, archive: Path, above: str = "") -> Path:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.rglob("*")):
            file.write(path, above + path.relative_to(folder).as_posix())
    return archive


@pytest.mark.parametrize(
    ("kind", "above"), [*((kind, "") for kind in FULL_WRITERS), ("yolo", "data 1/deep/")]
)
def test_the_set_is_that_of_the_folder(tmp_path: Path, kind: str, above: str) -> None:
    folder = tmp_path / "bucket"
    save_pictures(folder / "images")
    source = FULL_WRITERS[kind](folder)
    archive = packed(folder, tmp_path / "download.zip", above)
    inside = archive / above / source.relative_to(folder)
    convert(ConvertOptions(source, tmp_path / "here/set", shards=2, workers=1))
    convert(ConvertOptions(inside, tmp_path / "there/set", shards=2, workers=1 + (kind == "voc")))
    here, there = contents(tmp_path / "here"), contents(tmp_path / "there")
    assert {name for name in here if name.endswith((".tfrecord", ".pbtxt"))} > set()
    for name in here:
        if name.endswith((".tfrecord", ".pbtxt", ".jsonl")):
            assert there[name] == here[name], name
    assert convert(ConvertOptions(inside, tmp_path / "there/set", shards=2)).again


def test_a_changed_archive_is_another_source(tmp_path: Path) -> None:
    folder = tmp_path / "bucket"
    save_pictures(folder / "images")
    FULL_WRITERS["voc"](folder)
    archive = packed(folder, tmp_path / "download.zip")
    convert(ConvertOptions(archive, tmp_path / "out/set"))
    (folder / "images/a.png").write_bytes((folder / "images/a.png").read_bytes() + b"more")
    packed(folder, archive)
    with pytest.raises(InputError, match="exists already"):
        convert(ConvertOptions(archive, tmp_path / "out/set"))


def member(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


HOSTILE = {
    "leads out of the archive": (member("../a.xml"), b"x"),
    "C:/a.xml: leads out": (member("C:\\a.xml"), b"x"),
    "/etc/a.xml: leads out": (member("/etc/a.xml"), b"x"),
    "is a link": (member("a.xml", stat.S_IFLNK | 0o777), b"/etc/passwd"),
    "which no data set is": (member("a.xml"), bytes(archive_path._MAX_PACKED_WELL + 1)),
}


@pytest.mark.parametrize("said", HOSTILE)
def test_members_that_nobody_makes_in_good_faith(tmp_path: Path, said: str) -> None:
    info, data = HOSTILE[said]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(info, data)
    with pytest.raises(InputError, match=re.escape(said)) as caught:
        stores.located(tmp_path / "a.zip")
    assert str(caught.value).startswith(f"{tmp_path}/a.zip: ")
    assert "\n" not in str(caught.value)


def test_a_name_twice_and_a_file_that_is_a_folder(tmp_path: Path) -> None:
    for names, said in ((("a/b", "a//b"), "stands twice"), (("a", "a/b"), "is a file and a folder")):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
            for name in names:
                file.writestr(member(name), b"x")
        with pytest.raises(InputError, match=said):
            stores.located(tmp_path / "a.zip")


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"Rar!\x1a\x07", bytes(100)])
def test_what_is_no_archive(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(InputError, match=r"a\.zip: cannot be read as a ZIP archive \(.*\)$"):
        stores.located(tmp_path / "a.zip")


def test_a_cut_or_damaged_member_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "bucket"
    save_pictures(folder / "images")
    FULL_WRITERS["voc"](folder)
    archive = packed(folder, tmp_path / "download.zip")
    with zipfile.ZipFile(archive) as file:
        at = file.getinfo("images/a.png").header_offset + 50
    data = bytearray(archive.read_bytes())
    data[at : at + 20] = bytes(20)
    archive.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.png"):
        convert(ConvertOptions(archive, tmp_path / "out/set"))
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").glob("[!.]*"))
