"""What a conversion found is what it wrote and what it dropped, whatever the format, the faults and the
options; counted by others."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.counting import Count, accounts_of, assert_law, in_set, in_source, options_of, spoiled
from tests.helpers.sets import parsed
from tests.helpers.small_sets import (
    FULL_WRITERS,
    WRITERS,
    Scene,
    coco,
    csv,
    save_picture,
    save_pictures,
    tfrecord,
)
from tfrec_tools.annotations import policies
from tfrec_tools.conversion import jobs
from tfrec_tools.conversion.convert import convert, validate
from tfrec_tools.conversion.options import ValidateOptions
from tfrec_tools.conversion.plan import make_plan
from tfrec_tools.dataset import staging
from tfrec_tools.dataset.publish import Refused
from tfrec_tools.errors import InputError
from tfrec_tools.tfrecords import framing

MISSING, CUT = "e.jpg", "f.jpg"
SCENES: Sequence[Scene] = [
    ("b.jpg", 96, 64, [("dog", 10, 7, 50, 61), ("cat", -9, 0, 40, 30), ("cat", 200, 10, 210, 20)]),
    ("a.png", 70, 90, [("cat", 3.5, 4.25, 33, 77)]),
    ("c.jpg", 77, 49, [("dog", 11, 13, 19, 23), ("dog", 30, 30, 30, 40)]),
    ("d.jpg", 60, 40, []),
    (MISSING, 61, 40, [("cat", 1, 1, 9, 9)]),
    (CUT, 62, 40, [("dog", 1, 1, 9, 9), ("cat", 2, 2, 20, 20)]),
]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"on": "box-outside=drop-box"},
    {"on": ("box-outside=drop-image", "box-empty=drop-image")},
    {"on": ("box-outside=keep", "box-empty=keep")},
    {"no_negatives": True, "on": "box-empty=drop-image"},
    {"labeled": "cat,dog,fox"},
    {"split": "train=0.5,val=0.5", "seed": 3},
    {"rescale": True, "max_side": 32, "on": "box-tiny=drop-box", "min_side": 3},
    {"shards": 2, "compression": "gzip"},
    {"verify_images": "decode", "masks": "png"},
]


def pictures(folder: Path, scenes: Sequence[Scene] = SCENES) -> None:
    for name, width, height, _ in scenes:
        save_picture(folder / "images" / name, width, height)


def spoiled_source(folder: Path, kind: str, scenes: Sequence[Scene] = SCENES) -> Path:
    """A source of a format, one of whose images is missing and one cut off; records have their own."""
    folder.mkdir(exist_ok=True)
    if kind in WRITERS:
        pictures(folder, scenes)
    path = FULL_WRITERS[kind](folder, scenes)
    spoiled(folder, MISSING, CUT)
    return path


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("kind", FULL_WRITERS)
def test_all_that_is_found_is_written_or_dropped(tmp_path: Path, kind: str, options: dict[str, Any]) -> None:
    source = spoiled_source(tmp_path / "of", kind)
    manifest = convert(options_of(source, tmp_path / "out/new", **options)).manifest
    assert_law(manifest, tmp_path / "out/new", in_source(source))


def test_each_code_is_counted_by_itself(tmp_path: Path) -> None:
    source = spoiled_source(tmp_path / "of", "coco")
    on = ("box-outside=drop-box", "box-empty=drop-image")
    (account,) = accounts_of(convert(options_of(source, tmp_path / "a/new", on=on[:1])).manifest)
    assert account.dropped == {"box-outside": 1, "box-empty": 2, "image-missing": 1, "image-damaged": 2}
    assert account.images_dropped == {"image-missing": 1, "image-damaged": 1}
    options = options_of(source, tmp_path / "b/new", on=on, no_negatives=True)
    (account,) = accounts_of(convert(options).manifest)
    assert account.dropped == {"box-empty": 5, "image-missing": 1, "image-damaged": 2}
    assert account.images_dropped == {
        "no-negatives": 1, "image-missing": 1, "image-damaged": 1, "box-empty": 2,
    }  # fmt: skip


@pytest.mark.parametrize(("shards", "workers"), [(1, 1), (3, 2)])
def test_workers_and_shards_change_no_account(tmp_path: Path, shards: int, workers: int) -> None:
    source = spoiled_source(tmp_path / "of", "voc")
    expected = convert(options_of(source, tmp_path / "a/new")).manifest
    found = convert(options_of(source, tmp_path / "b/new", shards=shards, workers=workers)).manifest
    assert accounts_of(found) == accounts_of(expected)
    assert_law(found, tmp_path / "b/new", in_source(source))


def replaced(old: str, new: str) -> Callable[[Path], None]:
    """Edits the first of a source's files that has such a text, in its first place."""

    def edit(path: Path) -> None:
        files = sorted(path.parent.glob("labels/*/*")) if path.suffix == ".yaml" else sorted(path.glob("*"))
        file = next(file for file in files or [path] if old in file.read_text())
        file.write_text(file.read_text().replace(old, new, 1))

    return edit


def listed_twice(path: Path) -> None:
    document = json.loads(path.read_text())
    document["images"] += document["images"][:2]
    path.write_text(json.dumps(document))


def junk_record(path: Path) -> None:
    framing.write(path, [*framing.read(path), b"\xff\xff"])


BOX = "<bndbox><xmin>10</xmin><ymin>7</ymin><xmax>50</xmax><ymax>61</ymax></bndbox>"
FAULTS: list[tuple[str, str, Callable[[Path], None]]] = [
    ("coco", "box-missing", replaced(', "bbox": [10, 7, 40, 54]', "")),
    ("coco", "class-unknown", replaced('"category_id": 3', '"category_id": 99')),
    ("coco", "image-unknown", replaced('"image_id": 100', '"image_id": 7')),
    ("coco", "image-duplicate", listed_twice),
    ("voc", "box-missing", replaced(BOX, "")),
    ("voc", "class-unknown", replaced("<name>dog</name>", "<name></name>")),
    ("voc", "annotation-damaged", replaced("</annotation>", "")),
    ("voc", "annotation-damaged", replaced("<object>", "<object")),
    ("csv", "box-missing", replaced(",10,7,50,61", ",10,7,,61")),
    ("csv", "class-unknown", replaced(",dog,", ",,")),
    ("csv", "image-unknown", replaced("a.png,", ",")),
    ("yolo", "class-unknown", replaced("0 0.", "9 0.")),
    ("yolo", "annotation-damaged", replaced("0 0.", "zero 0.")),
    ("tfrecord", "annotation-damaged", junk_record),
]


CASES = [
    (*fault, action)
    for fault in FAULTS
    for action in ("", "drop-image")
    if not action or action in policies.choices(fault[1])
]


@pytest.mark.parametrize(("kind", "code", "edit", "action"), CASES, ids=lambda value: str(value)[:20])
def test_what_a_reader_drops_is_counted(
    tmp_path: Path, kind: str, code: str, edit: Callable[[Path], None], action: str
) -> None:
    pictures(tmp_path)
    source = FULL_WRITERS[kind](tmp_path, SCENES)
    edit(source)
    options = options_of(source, tmp_path / "out/new", on=f"{code}={action}" if action else ())
    manifest = convert(options).manifest
    assert_law(manifest, tmp_path / "out/new", in_source(source))
    (account,) = accounts_of(manifest)
    assert code in {**account.dropped, **account.images_dropped}
    if action or code in ("annotation-damaged", "image-duplicate"):
        assert account.images_dropped[code] == (2 if edit is listed_twice else 1)


def of_class(scenes: Sequence[Scene], name: str) -> list[Scene]:
    return [(*scene[:3], [(name, *box[1:]) for box in scene[3]]) for scene in scenes]


def by_class(folder: Path) -> list[int]:
    names = [name for one in parsed(folder) for name in one.record.names]
    return [names.count("dog"), names.count("cat")]


JOINED: list[dict[str, Any]] = [
    {},
    {"on": "box-outside=drop-box"},
    {"on": "box-outside=drop-image"},
    {"on": "image-shared=keep"},
    {"on": "exif-kept=drop-image", "no_negatives": True, "split": "a=0.5,b=0.5"},
]


@pytest.mark.parametrize("options", JOINED, ids=str)
@pytest.mark.parametrize("kinds", [("coco", "voc"), ("csv", "coco"), ("yolo", "csv"), ("voc", "tfrecord")])
def test_each_of_joined_sources_has_its_own_account(
    tmp_path: Path, kinds: tuple[str, str], options: dict[str, Any]
) -> None:
    """The first has dogs only and the second cats, so that the classes say whose boxes were written."""
    first = [(*scene[:3], scene[3][:1] if scene[0] == "b.jpg" else scene[3]) for scene in SCENES]
    dogs = spoiled_source(tmp_path / "first", kinds[0], of_class(first, "dog"))
    cats = spoiled_source(tmp_path / "second", kinds[1], of_class(SCENES, "cat"))
    manifest = convert(options_of((dogs, cats), tmp_path / "out/new", **options)).manifest
    assert_law(manifest, tmp_path / "out/new", in_source(dogs), in_source(cats))
    assert [account.written for account in accounts_of(manifest)] == by_class(tmp_path / "out")
    assert ("image-shared" in accounts_of(manifest)[1].images_dropped) == ("keep" not in str(options))


def test_a_box_that_two_sources_have_is_dropped_from_the_second(tmp_path: Path) -> None:
    one, two, three = (spoiled_source(tmp_path / name, "coco") for name in ("1", "2", "3"))
    manifest = convert(options_of((one, two, three), tmp_path / "out/new")).manifest
    assert_law(manifest, tmp_path / "out/new", *map(in_source, (one, two, three)))
    first, *others = accounts_of(manifest)
    assert (first.written, first.images_written) == (4, 4)
    assert [(other.images_written, other.images_dropped["image-shared"]) for other in others] == [(0, 5)] * 2
    assert all(other.written >= 0 for other in others)


def test_an_image_that_is_lost_is_lost_to_each_source(tmp_path: Path) -> None:
    """A shared image that is cut off, or dropped for a box of the other source."""
    for name in ("1", "2"):
        save_picture(tmp_path / name / "images/s.jpg", 60, 40)
        save_picture(tmp_path / name / f"images/{name}.jpg", 60 + int(name), 40)
    of_one = [("s.jpg", 60, 40, [("dog", 1, 1, 9, 9)]), ("1.jpg", 61, 40, [("dog", 1, 1, 9, 9)])]
    of_two = [("s.jpg", 60, 40, [("cat", -5, 1, 9, 9)] * 2), ("2.jpg", 62, 40, [("cat", 1, 1, 9, 9)])]
    sources = coco(tmp_path / "1", of_one), csv(tmp_path / "2", of_two)
    options = options_of(sources, tmp_path / "a/new", on="box-outside=drop-image")
    one, two = accounts_of(convert(options).manifest)
    assert (one.dropped, one.images_dropped) == ({"box-outside": 1}, {"box-outside": 1})
    assert (two.dropped, two.images_dropped) == ({"box-outside": 2}, {"image-shared": 1})
    for name in ("1", "2"):
        spoiled(tmp_path / name, "", "s.jpg")
    one, two = accounts_of(convert(options_of(sources, tmp_path / "b/new")).manifest)
    assert (one.dropped, one.images_dropped) == ({"image-damaged": 1}, {"image-damaged": 1})
    assert (two.dropped, two.images_dropped) == ({"image-damaged": 2}, {"image-shared": 1})


class Stopped(BaseException):
    """As a kill: nothing of ours handles it."""


@pytest.mark.parametrize("after", [1, 2])
def test_a_stopped_conversion_has_the_same_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    sources = [spoiled_source(tmp_path / "1", "coco"), spoiled_source(tmp_path / "2", "csv")]
    more: dict[str, Any] = {"shards": 3, "on": ("box-outside=drop-box", "image-shared=keep")}
    expected = convert(options_of(sources, tmp_path / "whole/new", **more)).manifest
    options = options_of(sources, tmp_path / "out/new", **more)
    done, perform = list[str](), jobs._perform

    def stopping(job: jobs.ConversionJob, *rest: Any) -> staging.ShardResult:
        if len(done) == after:
            raise Stopped
        done.append(job.file)
        return perform(job, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(jobs, "_perform", stopping)
        with pytest.raises(Stopped):
            convert(options)
    assert len(staging.noted(staging.folder_of(options.prefix))) == after
    manifest = convert(options).manifest
    assert accounts_of(manifest) == accounts_of(expected)
    assert_law(manifest, options.prefix, *map(in_source, sources))


def test_shards_of_sources_in_another_order_are_not_taken_over(tmp_path: Path) -> None:
    """The same images, but each is of the other source."""
    dogs, cats = [("a.jpg", 60, 40, [("dog", -5, 1, 9, 9)])], [("b.jpg", 61, 40, [("cat", 1, 1, 9, 9)] * 2)]
    for name, scenes in (("1", dogs), ("2", cats)):
        pictures(tmp_path / name, scenes)
    sources = csv(tmp_path / "1", dogs), csv(tmp_path / "2", cats)
    (tmp_path / "map.pbtxt").write_text("item{id:1 name:'dog'} item{id:2 name:'cat'}")
    more = {"labels": tmp_path / "map.pbtxt", "on": "box-outside=drop-box"}
    stopped = options_of(sources, tmp_path / "out/new", **more)
    folder = staging.folder_of(stopped.prefix)
    folder.mkdir(parents=True)
    for job in make_plan(stopped).jobs:
        job.perform(lambda: None, folder)
    manifest = convert(options_of(sources[::-1], stopped.prefix, **more)).manifest
    assert [(account.found, account.written) for account in accounts_of(manifest)] == [(2, 2), (1, 0)]


@pytest.mark.parametrize("kind", FULL_WRITERS)
def test_the_dry_run_has_the_same_account(tmp_path: Path, kind: str) -> None:
    source = spoiled_source(tmp_path / "of", kind)
    options: dict[str, Any] = {"policy": "lenient", "workers": 1, "on": "box-outside=drop-image"}
    checked = validate(ValidateOptions(source, **options))
    manifest = convert(options_of(source, tmp_path / "out/new", **options)).manifest
    assert list(checked.accounts) == accounts_of(manifest)


def test_spellings_of_one_image_are_counted(tmp_path: Path) -> None:
    """Rows of a CSV name it in three ways; all their boxes are those of one image."""
    save_picture(tmp_path / "images/a.jpg")
    rows = [
        f"{name},cat,{i},{i},{i + 20},{i + 20}" for i, name in enumerate(["./a.jpg", "A.JPG", "images/a.jpg"])
    ]
    source = tmp_path / "labels.csv"
    source.write_text("\n".join(["filename,class,xmin,ymin,xmax,ymax", *rows]))
    manifest = convert(options_of(source, tmp_path / "out/new")).manifest
    (account,) = accounts_of(manifest)
    assert (account.found, account.written, account.dropped) == (3, 3, {})
    assert account.images == 1 + sum(account.images_dropped.values())
    assert account.images_dropped.keys() == {"image-duplicate"}
    assert in_set(tmp_path / "out/new") == Count(3, 1)


NUMBER = st.sampled_from([-8.0, 0.0, 5.0, 20.0, 39.5, 60.0, 75.0])
BOXES = st.lists(st.tuples(st.sampled_from(["dog", "cat"]), NUMBER, NUMBER, NUMBER, NUMBER), max_size=4)
IMAGES = st.lists(
    st.tuples(BOXES, st.sampled_from(["sound", "sound", "missing", "cut", "twice"])), min_size=1, max_size=4
)
CHOSEN = ("box-outside", "box-empty", "box-inverted", "box-tiny", "box-whole", "box-duplicate", "exif-kept")
POLICIES = st.fixed_dictionaries(
    {}, optional={code: st.sampled_from([*policies.choices(code)][:-1]) for code in CHOSEN}
)  # fmt: skip


def random_coco(folder: Path, images: Sequence[tuple[Any, str]], unknown: bool) -> Path:
    scenes: list[Scene] = [(f"{i}.jpg", 60 + i, 40, boxes) for i, (boxes, _) in enumerate(images)]
    pictures(folder, scenes)
    path = coco(folder, scenes)
    document = json.loads(path.read_text())
    for number, (_, state) in enumerate(images):
        name = f"{number}.jpg"
        spoiled(folder, name * (state == "missing"), name * (state == "cut"))
        if state == "twice":
            document["images"].append(document["images"][number])
    for annotation in document["annotations"][:unknown]:
        annotation["image_id"] = 7
    path.write_text(json.dumps(document))
    return path


@settings(max_examples=30)
@given(images=IMAGES, chosen=POLICIES, no_negatives=st.booleans(), unknown=st.booleans())
def test_whatever_is_wrong_it_adds_up(
    images: list[tuple[Any, str]], chosen: dict[str, str], no_negatives: bool, unknown: bool
) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        source = random_coco(folder, images, unknown)
        on = [f"{code}={action}" for code, action in chosen.items()]
        out = folder / "out/new"
        try:
            manifest = convert(options_of(source, out, on=on, no_negatives=no_negatives)).manifest
        except (InputError, Refused):
            assert in_set(out) == Count(0, 0)
        else:
            assert_law(manifest, out, in_source(source))


def test_a_records_own_source_is_counted_as_another(tmp_path: Path) -> None:
    """A set that was converted is a source again; what it holds is what was written."""
    save_pictures(tmp_path / "images")
    convert(options_of(coco(tmp_path), tmp_path / "old/set", shards=2))
    manifest = convert(options_of(tmp_path / "old/set", tmp_path / "out/new")).manifest
    assert_law(manifest, tmp_path / "out/new", in_set(tmp_path / "old/set"))
    (tmp_path / "both").mkdir()
    both = tfrecord(tmp_path / "both"), shutil.copytree(tmp_path / "old", tmp_path / "copy") / "set"
    manifest = convert(options_of(both, tmp_path / "joined/new")).manifest
    assert_law(manifest, tmp_path / "joined/new", in_source(both[0]), in_set(both[1]))
