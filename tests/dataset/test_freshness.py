"""Image files that are changed after, or while, a set is made of them: the same command never keeps old
pixels and calls the set finished, and never makes anew what is the same."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.helpers.sets import contents
from tests.helpers.small_sets import SCENES, coco, save_picture
from tfrec_tools.annotations import records
from tfrec_tools.conversion import jobs
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.dataset import freshness
from tfrec_tools.dataset.publish import Finished
from tfrec_tools.errors import InputError
from tfrec_tools.system import regular_files

BMP = [("a.bmp", 60, 40, [("cat", 1, 1, 30, 39)]), *SCENES]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for name, width, height, _ in BMP:
        save_picture(tmp_path / "images" / name, width, height)
    return coco(tmp_path, BMP)


def again(source: Path, **more: Any) -> Finished:
    return convert(ConvertOptions(source, source.parent / "out/new", shards=2, workers=1, **more))


def repainted(path: Path, *, keep_time: bool = False) -> None:
    """Another image of as many bytes."""
    before = path.stat()
    Image.new("RGB", (60, 40), "red").save(path)
    assert path.stat().st_size == before.st_size
    if keep_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def touched(path: Path, ns: int = 10**18) -> None:
    os.utime(path, ns=(ns, ns))


def test_a_bmp_of_the_same_length(source: Path) -> None:
    again(source)
    repainted(source.parent / "images/a.bmp")
    touched(source.parent / "images/a.bmp")
    with pytest.raises(InputError, match=r'image "a.bmp" was changed after the set .* --overwrite, or'):
        again(source)
    assert not (source.parent / "out/.new.part").exists()
    assert not again(source, overwrite=True).again
    assert again(source).again


def test_an_orientation_edited_in_place(source: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 1
    path = save_picture(source.parent / "images/b.jpg", 96, 64, exif=exif)
    again(source)
    data = bytearray(path.read_bytes())
    at = data.index(b"\x12\x01", data.index(b"Exif")) if b"II*" in data else data.index(b"\x01\x12")
    (place,) = [i for i in range(at + 8, at + 10) if data[i] == 1]
    data[place] = 3
    path.write_bytes(data)
    touched(path)
    with pytest.raises(InputError, match=r'image "b.jpg" was changed'):
        again(source)


def test_an_old_time_of_change_is_another_one_too(source: Path) -> None:
    again(source)
    other = source.parent / "old.bmp"
    Image.new("RGB", (60, 40), "red").save(other)
    touched(other, 10**17)
    shutil.copy2(other, source.parent / "images/a.bmp")
    with pytest.raises(InputError, match=r'"a.bmp" was changed'):
        again(source)


def test_touched_files_of_the_same_bytes_rebuild_nothing(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again(source)
    out = source.parent / "out"
    before, times = contents(out), {path: path.stat().st_mtime_ns for path in out.glob("new*")}
    touched(source.parent / "images/a.bmp")
    read = list[str]()
    load = jobs.load_checked

    def noting(record: Any, *rest: Any) -> Any:
        read.append(record.filename)
        return load(record, *rest)

    monkeypatch.setattr(jobs, "load_checked", noting)
    assert again(source).again
    assert "a.bmp" in read
    assert len(read) < len(BMP)  # the other shard was left alone
    read.clear()
    assert again(source).again
    assert read == []
    assert (contents(out), {path: path.stat().st_mtime_ns for path in out.glob("new*")}) == (before, times)


@pytest.mark.parametrize("damage", ["missing", "damaged", "of another set"])
def test_without_its_state_all_images_are_read_once(source: Path, damage: str) -> None:
    again(source)
    state = freshness.state_path(source.parent / "out/new")
    whole = state.read_bytes()
    repainted(source.parent / "images/a.bmp", keep_time=True)
    assert again(source).again  # what only `verify --against` sees: neither size nor time are others
    if damage == "missing":
        state.unlink()
    else:
        state.write_bytes(b"\xff{" if damage == "damaged" else whole.replace(b'256":"', b'256":"0'))
    with pytest.raises(InputError, match=r'"a.bmp" was changed'):
        again(source)


def test_the_manifest_knows_no_times(source: Path) -> None:
    again(source)
    first = contents(source.parent / "out")
    for path in (source.parent / "images").iterdir():
        touched(path)
    again(source, overwrite=True)
    assert contents(source.parent / "out") == first


@pytest.mark.parametrize("when", ["planned", "opened"])
def test_an_image_swapped_before_it_was_read(
    source: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    image = source.parent / "images/a.bmp"
    part = regular_files.read_part if when == "planned" else regular_files._read

    def swapping(*given: Any) -> Any:
        read = part(*given) if when == "opened" else None
        repainted(image)
        touched(image)
        return read if when == "opened" else part(*given)

    if when == "planned":
        monkeypatch.setattr(records, "read_part", swapping)
    else:
        monkeypatch.setattr(regular_files, "_read", swapping)
    with pytest.raises(InputError, match=r"a\.bmp: was changed while the set was made"):
        convert(ConvertOptions(source, source.parent / "out/new", shards=2, workers=1))
    assert list((source.parent / "out").iterdir()) == []


def test_an_image_swapped_after_it_was_read_is_seen_by_the_next_run(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = jobs.load_checked

    def swapping(record: Any, *rest: Any) -> Any:
        loaded = load(record, *rest)
        if record.filename == "a.bmp":
            repainted(source.parent / "images/a.bmp")
            touched(source.parent / "images/a.bmp")
        return loaded

    monkeypatch.setattr(jobs, "load_checked", swapping)
    convert(ConvertOptions(source, source.parent / "out/new", shards=2, workers=1))
    monkeypatch.undo()
    with pytest.raises(InputError, match=r'"a.bmp" was changed after the set was finished'):
        again(source)
