"""`tfrec validate` and the policies of `tfrec convert` from outside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.command import fault, tfrec
from tests.helpers.small_sets import coco, csv, save_picture
from tfrec_tools.annotations import policies
from tfrec_tools.dataset.options import PolicyOptions
from tfrec_tools.system.options import declarations


@pytest.fixture
def source(tmp_path: Path) -> Path:
    save_picture(tmp_path / "images/a.jpg")
    boxes = [("cat", -5, 1, 20, 30), ("cat", 7, 7, 7, 7), ("Cat", 1, 1, 20, 30)]
    return csv(tmp_path, [("a.jpg", 60, 40, boxes)])


def test_validate_reports_and_writes_nothing(tmp_path: Path, source: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    out, _ = tfrec("validate", source)
    for text in ("1 image, 2 boxes", "3 issues", "box-outside", "box-empty", "class-similar"):
        assert text in out
    assert sorted(tmp_path.rglob("*")) == before


def test_validate_as_json_and_as_files(tmp_path: Path, source: Path) -> None:
    out, _ = tfrec("validate", source, "--json", "--report", tmp_path / "r/issues.jsonl")
    document = json.loads(out)
    assert (document["images"], document["boxes"], document["refused"]) == (1, {"cat": 1, "Cat": 1}, 0)
    assert {issue["code"] for issue in document["issues"]} == {"box-outside", "box-empty", "class-similar"}
    lines = (tmp_path / "r/issues.jsonl").read_text().splitlines()
    assert list(map(json.loads, lines)) == document["issues"]
    tfrec("validate", source, "--report", tmp_path / "r/page.html")
    assert "box-outside" in (tmp_path / "r/page.html").read_text()
    assert "expected .html or .jsonl" in fault("validate", source, "--report", tmp_path / "r/x.txt")


def test_strict_reports_everything_and_writes_nothing(tmp_path: Path, source: Path) -> None:
    out, _ = tfrec("validate", source, "--policy", "strict", code=1)
    assert "box-outside" in out
    words = ("convert", source, "--out", tmp_path / "out/new", "--policy", "strict")
    out, err = tfrec(*words, code=1)
    assert "box-empty" in out
    assert "box-outside: a.jpg: cat [-5, 1, 20, 30] leans over" in err
    flags = "--on box-outside=fix --on box-empty=drop-box"
    assert err.endswith(f"(and 1 more that may not be); nothing was written; {flags} would go on\n")
    assert not list((tmp_path / "out").iterdir())
    allowed = [f"--on={code}" for code in ("box-outside=fix", "box-empty=drop-box", "box-duplicate=keep")]
    tfrec(*words, *allowed)


def test_an_image_that_is_damaged_ends_it_or_is_dropped(tmp_path: Path) -> None:
    save_picture(tmp_path / "images/a.jpg")
    (tmp_path / "images/b.jpg").write_bytes(b"\xff\xd8\xff")
    source = coco(tmp_path, [(name, 60, 40, [("cat", 1, 1, 9, 9)]) for name in ("a.jpg", "b.jpg")])
    out, err = tfrec("convert", source, "--out", tmp_path / "out/new", code=1)
    assert "image-damaged" in err
    assert "b.jpg: the image ends inside its header" in err
    out, _ = tfrec("convert", source, "--out", tmp_path / "out/new", "--policy", "lenient", "--json")
    assert (json.loads(out)["images"], json.loads(out)["issues"]) == (1, {"image-damaged": 1})


def test_splits_shards_and_compression(tmp_path: Path) -> None:
    scenes = [(f"{i}.jpg", 60, 40, [("cat", 1, 1, 9, 9)]) for i in range(8)]
    for name, *_ in scenes:
        save_picture(tmp_path / "images" / name)
    words = ("--split", "a=0.5,b=0.5", "--shards", "2", "--compression", "gzip", "--seed", "5")
    out, _ = tfrec("convert", coco(tmp_path, scenes), "--out", tmp_path / "out/new", *words)
    assert "in a" in out
    names = sorted(path.name for path in (tmp_path / "out").glob("*.tfrecord*"))
    assert names == [f"new-{split}-0000{i}-of-00002.tfrecord.gz" for split in "ab" for i in range(2)]
    assert "sound" in tfrec("verify", tmp_path / "out/new")[0]
    assert "8 images, 8 boxes" in tfrec("inspect", tmp_path / "out/new")[0]
    assert not (tmp_path / "out/dataset_info.json").exists()


def test_words_that_are_none(tmp_path: Path, source: Path) -> None:
    words = ("convert", source, "--out", tmp_path / "out/new")
    assert "'box-odd' is no issue code" in fault(*words, "--on", "box-odd=fix")
    assert "sum to 0.9" in fault(*words, "--split", "a=0.5,b=0.4")
    assert "no image falls to" in fault(*words, "--split", "a=0.5,b=0.5")
    _, err = tfrec(*words, "--shards", "none", code=2)
    assert "neither auto nor a number" in err


def test_the_presets_on_offer_are_those_that_exist() -> None:
    (declared,) = (option for option in declarations(PolicyOptions) if option.name == "policy")
    assert declared.choices == tuple(policies.PRESETS)
