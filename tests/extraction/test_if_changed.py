"""The same extraction again: nothing where nothing changed; anew, with --if-changed, where something did."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.extracting import encoded, extracted, records_file
from tfrec_tools.annotations.records import image_record
from tfrec_tools.dataset import staging
from tfrec_tools.errors import InputError
from tfrec_tools.extraction import extract as story
from tfrec_tools.extraction.standing import FILES, SUMMARY


def records(folder: Path, name: str = "cat") -> Path:
    pairs = []
    for i in range(3):
        facts: Any = {"width": 20, "height": 20, "boxes_xyxy": [[1, 2, 3, 4]], "names": (name,)}
        record = image_record(image_id=str(i), filename=f"{i}.jpg", source=f"{i}.jpg", **facts)
        pairs.append((record, encoded(20, 20, i)))
    return records_file(folder, pairs, {"cat": 1, "owl": 2})


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def anew(source: Path, out: Path, to: str = "coco", **more: Any) -> tuple[str, list[str]]:
    done = extracted(source, to, out, if_changed=True, **more)
    return done.outcome, [change.what for change in done.changed]


def test_nothing_or_anything_changed(tmp_path: Path) -> None:
    source, out = records(tmp_path / "records"), tmp_path / "out"
    assert anew(source, out) == ("made", [])
    first = files(out)
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    os.utime(source, ns=(10**18, 10**18))
    assert anew(source, out) == ("unchanged", [])
    assert extracted(source, "coco", out).outcome == "unchanged"
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == times
    records(tmp_path / "records", "owl")
    with pytest.raises(InputError, match=r"is there already, of other input \(records or label map are not"):
        extracted(source, "coco", out)
    assert anew(source, out) == ("rebuilt", ["input"])
    assert anew(source, out, "voc") == ("rebuilt", ["options"])
    records(tmp_path / "records")
    assert anew(source, out) == ("rebuilt", ["options"])
    assert files(out) == first
    (out / "images/1.jpg").unlink()
    assert anew(source, out) == ("rebuilt", ["output"])
    assert files(out) == first
    assert not staging.folder_of(out).exists()


def test_files_that_it_did_not_write_stay(tmp_path: Path) -> None:
    source, out = records(tmp_path / "records"), tmp_path / "out"
    anew(source, out)
    (out / "images/thesis.txt").write_text("mine")
    assert anew(source, out) == ("unchanged", [])
    with pytest.raises(
        InputError, match=r"holds images/thesis.txt, which the extraction did not write; move"
    ):
        anew(source, out, "voc")
    assert (out / "images/thesis.txt").read_text() == "mine"
    (out / "images/thesis.txt").unlink()
    (out / FILES).unlink()
    with pytest.raises(InputError, match=r"it has no extraction\.files that can be read"):
        extracted(source, "coco", out)


@pytest.mark.parametrize("step", ["away", "there"])
def test_killed_while_they_change_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    source, out = records(tmp_path / "records"), tmp_path / "out"
    anew(source, tmp_path / "whole", "voc")
    anew(source, out)
    first = files(out)

    class Killed(BaseException):
        pass

    def dying(content: Path, target: Path, old: Path) -> None:
        target.rename(old)
        if step == "there":
            content.rename(target)
        raise Killed

    monkeypatch.setattr(story, "_publish", dying)
    with pytest.raises(Killed):
        anew(source, out, "voc")
    monkeypatch.undo()
    if step == "away":  # who wants what was there before has it again
        assert anew(source, out) == ("unchanged", [])
        assert files(out) == first
    assert anew(source, out, "voc") == (("rebuilt", ["options"]) if step == "away" else ("unchanged", []))
    assert files(out) == files(tmp_path / "whole")
    assert not staging.folder_of(out).exists()
    assert (out / SUMMARY).is_file()
