"""The law of accounts where a set is finished, remapped, verified and shown; and what breaks it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.command import write_map
from tests.helpers.counting import Count, accounts_of, assert_law, in_records, in_set, in_source, options_of
from tests.helpers.small_sets import FULL_WRITERS, SCENES, coco, csv, save_pictures
from tfrec_tools._pb2 import example_pb2
from tfrec_tools.annotations.accounts import Account, Tally
from tfrec_tools.annotations.records import Source
from tfrec_tools.cli.app import app
from tfrec_tools.conversion import jobs as conversion_jobs
from tfrec_tools.conversion import sharing
from tfrec_tools.conversion.convert import convert
from tfrec_tools.dataset import shards, verify
from tfrec_tools.dataset.manifest import Manifest, format_manifest, read_manifest, sealed
from tfrec_tools.dataset.options import VerifyOptions
from tfrec_tools.dataset.staging import ShardResult
from tfrec_tools.errors import AccountError
from tfrec_tools.formats.table import FORMATS
from tfrec_tools.remapping import jobs as remap_jobs
from tfrec_tools.remapping import remap as remapping
from tfrec_tools.remapping.options import RemapOptions
from tfrec_tools.tfrecords import framing

FAULTY = [
    *SCENES,
    ("d.jpg", 60, 40, [("cat", -5, 1, 20, 30), ("cat", 7, 7, 7, 7), ("dog", 80, 1, 90, 9)]),
    ("e.jpg", 61, 40, []),
]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """COCO of 5 images and 8 boxes, two of which are empty."""
    save_pictures(tmp_path / "images")
    for name in ("d.jpg", "e.jpg"):
        data = (tmp_path / "images/c.jpg").read_bytes()
        (tmp_path / "images" / name).write_bytes(data)
    return coco(tmp_path, FAULTY)


@pytest.fixture
def made(tmp_path: Path, source: Path) -> Path:
    """A set of that: DIR/NAME."""
    convert(options_of(source, tmp_path / "made/set", shards=2))
    return tmp_path / "made/set"


def run(*words: object, code: int = 0) -> None:
    """Runs the command in this process."""
    with pytest.raises(SystemExit) as ended:
        app([str(word) for word in words])
    assert (ended.value.code or 0) == code


def nothing_in(out: Path) -> bool:
    return not out.parent.exists() or not list(out.parent.iterdir())


# What falsifies a count: a field of a reader's account, or what the jobs say of an image.

ACCOUNTS: list[dict[str, Any]] = [
    {"found": 1},
    {"found": -1},
    {"images": 1},
    {"images": -1},
    {"dropped": {"box-missing": 1}},
    {"images_dropped": {"image-duplicate": 1}},
]


def falsified(account: Account, change: dict[str, Any]) -> Account:
    changed: dict[str, Any] = {}
    for name, by in change.items():
        honest = getattr(account, name)
        changed[name] = honest + by if isinstance(by, int) else {**honest, **by}
    return replace(account, **changed)


def patch_readers(monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]) -> None:
    def lying(read: Callable[..., Source]) -> Callable[..., Source]:
        def reader(*args: Any) -> Source:
            found = read(*args)
            return replace(found, account=falsified(found.account, change))

        return reader

    for form in FORMATS.values():
        module = import_module(f"tfrec_tools.formats.{form.module}")
        monkeypatch.setattr(module, "read", lying(module.read))


@pytest.mark.parametrize("change", ACCOUNTS, ids=str)
@pytest.mark.parametrize("kind", FULL_WRITERS)
def test_a_reader_that_miscounts_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, change: dict[str, Any]
) -> None:
    save_pictures(tmp_path / "images")
    path = FULL_WRITERS[kind](tmp_path, SCENES)
    patch_readers(monkeypatch, change)
    with pytest.raises(AccountError, match="does not add up"):
        convert(options_of(path, tmp_path / "out/new"))
    assert nothing_in(tmp_path / "out/new")


TALLIES = [
    Tally(images=1),
    Tally(boxes=1),
    Tally(lost_images={"box-tiny": 1}),
    Tally(lost_boxes={"box-tiny": 1}),
]


@pytest.mark.parametrize("more", TALLIES, ids=str)
def test_jobs_that_miscount_are_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Path, more: Tally
) -> None:
    honest = conversion_jobs._tallies

    def lying(*args: Any) -> list[tuple[int, Tally]]:
        return [(number, tally + more) for number, tally in honest(*args)]

    monkeypatch.setattr(conversion_jobs, "_tallies", lying)
    with pytest.raises(AccountError, match="nothing was written"):
        convert(options_of(source, tmp_path / "out/new"))
    assert nothing_in(tmp_path / "out/new")


def test_two_sources_whose_miscounts_cancel_out_are_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Path
) -> None:
    """What one source says too much the other says too little."""
    save_pictures(tmp_path / "2/images")
    other = coco(tmp_path / "2")
    honest = conversion_jobs._tallies

    def swapped(*args: Any) -> list[tuple[int, Tally]]:
        return [(1 - number, tally) for number, tally in honest(*args)]

    monkeypatch.setattr(conversion_jobs, "_tallies", swapped)
    with pytest.raises(AccountError):
        convert(options_of((source, other), tmp_path / "out/new", on="image-shared=keep"))
    assert nothing_in(tmp_path / "out/new")


def test_an_image_that_gets_lost_between_rooms_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Path
) -> None:
    honest = sharing.tell_apart
    monkeypatch.setattr(sharing, "tell_apart", lambda items, paths: honest(items[1:], paths))
    with pytest.raises(AccountError):
        convert(options_of(source, tmp_path / "out/new"))
    assert nothing_in(tmp_path / "out/new")


def test_the_command_says_it_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], source: Path
) -> None:
    patch_readers(monkeypatch, {"found": 1})
    for words in (("convert", source, "--out", tmp_path / "out/new"), ("validate", source)):
        run(*words, code=1)
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.count("\n") == 1
        assert "the account of its annotations does not add up: 9 found, 8 written, 0 dropped" in printed.err
    assert nothing_in(tmp_path / "out/new")


def remap(records: Path | list[Path], labels: Path, out: Path, **more: Any) -> Manifest:
    return remapping.remap(RemapOptions(records, out, labels=labels, workers=1, **more)).manifest


def left_out(folder: Path, of: Path, *names: str) -> Path:
    """The label map of a set without some of its classes, which a table beside it names."""
    out = folder / f"without_{'_'.join(names)}.pbtxt"
    ignore = [word for name in names for word in ("--ignore", name)]
    run("merge-labels", shards.label_map_path(of), *ignore, "--out", out)
    return out


def test_a_chain_of_remaps_adds_up(tmp_path: Path, made: Path) -> None:
    first = remap(made, write_map(tmp_path / "m.pbtxt", "fox", "dog", "cat"), tmp_path / "a/set", shards=3)
    assert_law(first, tmp_path / "a/set", in_set(made))
    assert accounts_of(first)[0].dropped == {}
    second = remap(tmp_path / "a/set", left_out(tmp_path, tmp_path / "a/set", "cat"), tmp_path / "b/set")
    assert_law(second, tmp_path / "b/set", in_set(tmp_path / "a/set"))
    (account,) = accounts_of(second)
    assert account.dropped == {"class-left-out": 3}
    assert (account.images_dropped, account.written) == ({}, 3)
    third = remap(
        tmp_path / "b/set", left_out(tmp_path, tmp_path / "b/set", "dog"), tmp_path / "c/set", labeled="fox"
    )
    assert_law(third, tmp_path / "c/set", in_set(tmp_path / "b/set"))
    assert accounts_of(third)[0].dropped == {"class-left-out": 3}
    assert (third.boxes, third.images, third.negatives) == (0, 5, 5)


def test_a_stopped_remap_goes_on_with_its_own_sets_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: Path
) -> None:
    """Two sets of the same classes, in another order after the stop; a shard has one image."""
    save_pictures(tmp_path / "2/images")
    convert(options_of(csv(tmp_path / "2"), tmp_path / "second/set", labels=shards.label_map_path(made)))
    labels, out = left_out(tmp_path, made, "cat"), tmp_path / "out/set"
    sets = [made, tmp_path / "second/set"]
    expected = remap(sets, labels, tmp_path / "whole/set", shards=8)
    done, perform = list[str](), remap_jobs._perform

    def stopping(job: remap_jobs.RemapJob, *rest: Any) -> ShardResult:
        if len(done) == 4:
            raise KeyboardInterrupt
        done.append(job.file)
        return perform(job, *rest)

    for again in (sets, sets[::-1]):
        done.clear()
        with monkeypatch.context() as patch:
            patch.setattr(remap_jobs, "_perform", stopping)
            with pytest.raises(KeyboardInterrupt):
                remap(sets, labels, out, shards=8)
        manifest = remap(again, labels, out, shards=8)
        assert accounts_of(manifest) == accounts_of(expected)[:: 1 if again is sets else -1]
        assert_law(manifest, out, *map(in_set, again))
        shutil.rmtree(out.parent)


def short_column(data: bytes) -> bytes:
    """An Example with fewer class names than boxes."""
    example = example_pb2.Example.FromString(data)
    example.features.feature["image/object/class/text"].bytes_list.value.pop()
    return example.SerializeToString()


@pytest.mark.parametrize("damage", [short_column, lambda _: b"\xff\xff", lambda data: data[: len(data) // 2]])
def test_damaged_records_are_counted_with_their_boxes(
    tmp_path: Path, made: Path, damage: Callable[[bytes], bytes]
) -> None:
    whole = [data for file in shards.record_files([str(made)]) for data in framing.read(file)]
    whole.sort(key=lambda data: in_records_of(tmp_path, data), reverse=True)
    old = tmp_path / "old.record"
    framing.write(old, [damage(whole[0]), *whole[1:]])
    labels = write_map(tmp_path / "m.pbtxt", "dog", "cat")
    more = {"record_labels": labels, "on": "annotation-damaged=drop-image"}
    manifest = remap(old, labels, tmp_path / "out/set", **more)
    (account,) = accounts_of(manifest)
    assert account.images_dropped == {"annotation-damaged": 1}
    assert account.dropped == ({"annotation-damaged": 2} if damage is short_column else {})
    boxes = 6 if damage is short_column else 4
    assert_law(manifest, tmp_path / "out/set", Count(boxes, 5))
    converted = convert(options_of(old, tmp_path / "c/set", record_labels=labels)).manifest
    assert (accounts_of(converted)[0].found, accounts_of(converted)[0].images) == (boxes, 5)


def in_records_of(folder: Path, data: bytes) -> Count:
    framing.write(folder / "one.tfrecord", [data])
    return in_records(folder / "one.tfrecord")


def test_a_class_that_disagrees_is_counted(tmp_path: Path, made: Path) -> None:
    """Images that the policy drops for it, with all their boxes."""
    labels = write_map(tmp_path / "m.pbtxt", "dog", "cat")
    swapped = write_map(tmp_path / "swapped.pbtxt", "cat", "dog")
    manifest = remap(
        made, labels, tmp_path / "out/set", record_labels=swapped, on="class-mismatch=drop-image"
    )
    assert_law(manifest, tmp_path / "out/set", in_set(made))
    assert accounts_of(manifest)[0].images_dropped == {"class-mismatch": 4}


@pytest.mark.parametrize("more", TALLIES[1:], ids=str)
def test_a_remap_that_miscounts_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: Path, more: Tally
) -> None:
    honest = remap_jobs._perform

    def lying(*args: Any) -> ShardResult:
        done = honest(*args)
        return replace(done, tallies={number: tally + more for number, tally in done.tallies.items()})

    monkeypatch.setattr(remap_jobs, "_perform", lying)
    with pytest.raises(AccountError):
        remap(made, write_map(tmp_path / "m.pbtxt", "dog", "cat"), tmp_path / "out/set")
    assert nothing_in(tmp_path / "out/set")


def faults(prefix: Path) -> list[str]:
    return [line for verified in verify.verify(VerifyOptions(prefix)) for line in verified.faults]


def with_account(manifest: Manifest, **changes: Any) -> Manifest:
    (source,) = manifest.sources
    (account,) = accounts_of(manifest)
    return replace(manifest, sources=(replace(source, accounting=replace(account, **changes)),))


MANIFESTS: list[tuple[Callable[[Manifest], Manifest], str]] = [
    (lambda one: with_account(one, found=9), "does not add up"),
    (lambda one: with_account(one, images=6), "does not add up"),
    (lambda one: with_account(one, dropped={}), "does not add up"),
    (lambda one: with_account(one, images_dropped={"image-missing": 1}), "does not add up"),
    (lambda one: with_account(one, written=-1, dropped={"box-empty": 9}), "does not add up"),
    (lambda one: with_account(one, written=9, dropped={"box-empty": -1}), "does not add up"),
    (lambda one: with_account(one, written=7, found=9), "6 boxes, but 7 in the accounts of its sources"),
    (lambda one: with_account(one, images_written=6, images=6), "5 images, but 6 in the accounts"),
    (lambda one: with_account(replace(one, boxes=7), written=7, found=9), "the records of its shards have 6"),
    (
        lambda one: with_account(replace(one, images=6), images_written=6, images=6),
        "6 images, but its shards have 5 records",
    ),
]


@pytest.mark.parametrize(("change", "expected"), MANIFESTS)
def test_verify_tells_of_an_account_that_is_not_what_is_there(
    made: Path, change: Callable[[Manifest], Manifest], expected: str
) -> None:
    assert faults(made) == []
    path = shards.manifest_path(made)
    path.write_bytes(format_manifest(sealed(change(read_manifest(path)))))
    lines = faults(made)
    assert expected in lines[0]
    assert all(line.startswith(f"{path}: ") for line in lines)


def test_verify_ends_with_1(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = shards.manifest_path(made)
    path.write_bytes(format_manifest(sealed(with_account(read_manifest(path), found=9))))
    run("verify", made, code=1)
    printed = capsys.readouterr()
    assert "the account of" in printed.out
    assert printed.err.startswith("tfrec: error: 1 fault found")


LINE = "8 annotated objects in 1 file = 6 written + 2 dropped (2 box-empty); 5 images = 5 written"


def test_every_command_shows_the_account(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: Path
) -> None:
    out = tmp_path / "out/new"
    for words in (("validate", source), ("convert", source, "--out", out), ("inspect", out)):
        run(*words)
        lines = capsys.readouterr().out.splitlines()
        assert lines.count(f"{source}: {LINE}") == 1, words
    of_manifest = json.loads(shards.manifest_path(out).read_bytes())["sources"]
    run("convert", source, "--out", out, "--json")
    of_convert = json.loads(capsys.readouterr().out)["sources"]
    run("inspect", out, "--json")
    of_inspect = json.loads(capsys.readouterr().out)["sources"]
    assert of_convert == of_manifest
    assert of_inspect == [{"path": str(source), "accounting": of_manifest[0]["accounting"]}]
    found = in_source(source)
    assert (of_manifest[0]["accounting"]["found"], of_manifest[0]["accounting"]["images"]) == found


def test_inspect_shows_the_accounts_of_each_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: Path
) -> None:
    """Two sets of one source, with other policies."""
    for name, on in (("a", ()), ("b", "box-empty=drop-image")):
        convert(options_of(source, tmp_path / f"out/{name}", on=on))
    run("inspect", tmp_path / "out/a", tmp_path / "out/b")
    out = capsys.readouterr().out
    assert LINE in out
    assert re.search(r"= 5 written \+ 3 dropped \(3 box-empty\); 5 images = 4 written \+ 1 dropped", out)
