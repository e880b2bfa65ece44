"""`tfrec remap` as a whole: sets of records join under a merged map, pictures untouched, every set whole."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.command import tfrec, write_map
from tests.helpers.sets import contents
from tests.helpers.small_sets import save_picture
from tfrec_tools.annotations.records import image_record
from tfrec_tools.dataset import engine, shards, staging, verify
from tfrec_tools.dataset.options import VerifyOptions
from tfrec_tools.dataset.publish import Finished, Refused
from tfrec_tools.errors import InputError
from tfrec_tools.images.loading import EncodedImage
from tfrec_tools.labels.label_map import from_names
from tfrec_tools.labels.pbtxt import read_label_map
from tfrec_tools.remapping import examples
from tfrec_tools.remapping import remap as remapping
from tfrec_tools.remapping.classes import classes_of
from tfrec_tools.remapping.options import RemapOptions
from tfrec_tools.tfrecords import framing
from tfrec_tools.tfrecords.example import Parsed, encode_example, parse_example


def remap(records: Any, labels: Path, out: Path, **more: Any) -> Finished:
    return remapping.remap(RemapOptions(records, out, labels=labels, **more))


def record(
    folder: Path, name: str, *classes: str, ids: dict[str, int] | None = None, image_id: str | None = None
) -> bytes:
    data = save_picture(folder / "pictures" / f"{name}.png").read_bytes()
    of = image_record(
        image_id=image_id or name,
        filename=f"{name}.png",
        source=name,
        names=classes,
        boxes_xyxy=[(1, 2, 30, 40)] * len(classes),
    )
    return encode_example(
        of, EncodedImage(data, "png", 60, 40), ids or from_names(dict.fromkeys(classes)).id_by_name
    )


def coco(folder: Path, classes: Sequence[str], first: int, count: int = 6) -> Path:
    """Pictures with a box of each class, and how COCO says so."""
    images, annotations = [], []
    for i in range(first, first + count):
        save_picture(folder / "images" / f"{i:03d}.png", 60 + i, 40)
        images.append({"id": i, "file_name": f"{i:03d}.png", "width": 60 + i, "height": 40})
        annotations += [
            {"id": 100 * i + k, "image_id": i, "category_id": k, "bbox": [k, 2, 20, 30]}
            for k in range(1, len(classes) + 1)
        ]
    categories = [{"id": k, "name": name} for k, name in enumerate(classes, 1)]
    path = folder / "instances.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sets, old of cat and dog in two splits, new of dog and bird; and their maps merged."""
    folder = tmp_path_factory.mktemp("sets")
    for name, classes, first in (("old", ["cat", "dog"], 0), ("new", ["dog", "bird"], 6)):
        (folder / f"of_{name}").mkdir()
        source = coco(folder / f"of_{name}", classes, first)
        tfrec("convert", source, "--out", folder / name, "--split", "train=0.5,val=0.5")
        tfrec("convert", source, "--out", folder / f"{name}_whole")
    maps = [folder / f"{name}.label_map.pbtxt" for name in ("old", "new")]
    tfrec("merge-labels", *maps, "--out", folder / "merged.pbtxt")
    return folder


def parsed(folder: Path, pattern: str = "all") -> dict[str, Parsed]:
    files = shards.record_files([str(folder / pattern)])
    return {
        found.record.filename: found
        for file in files
        for found in (parse_example(data, "") for data in framing.read(file))
    }


def sound(prefix: Path) -> bool:
    return all(not verified.faults for verified in verify.verify(VerifyOptions(prefix)))


def test_sets_join_and_each_is_labelled_for_its_own_classes(tmp_path: Path, sets: Path) -> None:
    inputs = [str(sets / "old_whole"), str(sets / "new_whole")]
    manifest = remap(inputs, sets / "merged.pbtxt", tmp_path / "all").manifest
    before = {name: of.image.data for part in inputs for name, of in parsed(sets, part).items()}
    after = parsed(tmp_path)
    assert {name: of.image.data for name, of in after.items()} == before
    assert after["003.png"].record.labeled == {"cat", "dog"}
    assert after["007.png"].record.labeled == {"dog", "bird"}
    assert after["007.png"].label_ids == (2, 3)
    assert after["007.png"].record.names == ("dog", "bird")
    assert (manifest.images, manifest.boxes) == (12, 24)
    assert [one.labeled for one in manifest.sources] == [("cat", "dog"), ("dog", "bird")]
    assert sound(tmp_path / "all")
    assert {"dataset_info.json", "features.json"} < {path.name for path in tmp_path.iterdir()}


def test_the_same_bytes_whatever_the_workers_and_wherever_it_lies(tmp_path: Path, sets: Path) -> None:
    shutil.copytree(sets, tmp_path / "elsewhere", ignore=shutil.ignore_patterns("images"))
    for name, folder, workers in (("a", sets, 1), ("b", sets, 2), ("c", tmp_path / "elsewhere", 2)):
        inputs = [str(folder / "old_whole"), str(folder / "new_whole")]
        merged = folder / "merged.pbtxt"
        remap(inputs, merged, tmp_path / name / "all", shards=3, workers=workers, seed=4)
    files = [
        {name: data for name, data in contents(tmp_path / run_).items() if name.endswith(".tfrecord")}
        for run_ in "abc"
    ]
    assert files[0] == files[1] == files[2]
    names = [list(parsed(tmp_path / one)) for one in "ab"]
    remap(inputs, merged, tmp_path / "d/all", shards=3, seed=5)
    assert names[0] == names[1] != list(parsed(tmp_path / "d"))


def test_splits_stay_splits(tmp_path: Path, sets: Path) -> None:
    remap([str(sets / "old"), str(sets / "new")], sets / "merged.pbtxt", tmp_path / "all")
    for split in ("train", "val"):
        of_both = parsed(sets, f"old-{split}").keys() | parsed(sets, f"new-{split}").keys()
        assert parsed(tmp_path, f"all-{split}").keys() == of_both
    assert sound(tmp_path / "all")
    with pytest.raises(InputError, match=r"is of no split, but old-train-.* is of 'train'"):
        remap([str(sets / "old"), str(sets / "new_whole")], sets / "merged.pbtxt", tmp_path / "no")


def test_the_same_command_again_does_nothing_and_a_stopped_one_goes_on(
    tmp_path: Path, sets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = [str(sets / "old_whole"), str(sets / "new_whole")]
    options = RemapOptions(inputs, tmp_path / "out/all", labels=sets / "merged.pbtxt", shards=4, workers=1)
    set_plan = remapping._set_plan(options)
    folder = staging.folder_of(options.prefix)
    folder.mkdir(parents=True)
    for job in set_plan.jobs[:3]:
        job.perform(lambda: None, folder)
    written, write = list[Path](), framing.write

    def noting(path: Path, *rest: Any) -> framing.Written:
        written.append(path)
        return write(path, *rest)

    monkeypatch.setattr(framing, "write", noting)
    first = remapping.remap(options)
    assert len(written) == 1
    again = remapping.remap(options)
    assert (first.again, again.again, again.manifest) == (False, True, first.manifest)
    with pytest.raises(InputError, match="exists already"):
        remap(inputs, sets / "merged.pbtxt", tmp_path / "out/all", shards=2)
    remap(inputs, sets / "merged.pbtxt", tmp_path / "out/all", shards=2, overwrite=True)
    assert sound(tmp_path / "out/all")


def test_a_set_is_not_overwritten_by_its_own_remapping(sets: Path) -> None:
    with pytest.raises(InputError, match="is also a source"):
        remap([str(sets / "old")], sets / "merged.pbtxt", sets / "old", overwrite=True)


def test_gzip_in_and_out(tmp_path: Path, sets: Path) -> None:
    (plain,) = shards.record_files([str(sets / "old_whole")])
    (tmp_path / "in").mkdir()
    (tmp_path / "in/x.record.gz").write_bytes(gzip.compress(plain.read_bytes()))
    shutil.copy(sets / "old.label_map.pbtxt", tmp_path / "in")
    words = ("--labels", sets / "merged.pbtxt", "--compression", "gzip", "--json")
    out, _ = tfrec("remap", tmp_path / "in/x.record.gz", *words, "--out", tmp_path / "out/all")
    assert json.loads(out)["options"]["compression"] == "gzip"
    assert parsed(tmp_path / "out").keys() == parsed(sets, "old_whole").keys()
    assert sound(tmp_path / "out/all")


def test_renamed_and_left_out_as_the_table_says(tmp_path: Path, sets: Path) -> None:
    maps = [sets / f"{name}.label_map.pbtxt" for name in ("old", "new")]
    rules = ("--rename", "cat=animal", "--rename", "dog=animal", "--ignore", "bird")
    tfrec("merge-labels", *maps, "--renumber", *rules, "--out", tmp_path / "m.pbtxt")
    inputs = [str(sets / "old_whole"), str(sets / "new_whole")]
    remap(inputs, tmp_path / "m.pbtxt", tmp_path / "out/all")
    after = parsed(tmp_path / "out")
    assert after["003.png"].record.names == ("animal", "animal")
    assert after["007.png"].record.names == ("animal",)
    assert after["007.png"].record.labeled is None  # all classes of the new map
    (tmp_path / "m.id_tables.json").rename(tmp_path / "table.json")
    with pytest.raises(InputError, match=r"record \d+: class '\w+' is not in .*m.pbtxt, which has animal"):
        remap(inputs, tmp_path / "m.pbtxt", tmp_path / "no/all")
    assert not list((tmp_path / "no").iterdir())
    again = remap(inputs, tmp_path / "m.pbtxt", tmp_path / "b/all", table=tmp_path / "table.json")
    assert again.manifest.names == ("animal",)
    with pytest.raises(InputError, match=r"'animal' and id 1, but .* has no such class; it is of another"):
        remap(inputs, sets / "merged.pbtxt", tmp_path / "no/all", table=tmp_path / "table.json")


def test_a_table_that_makes_two_of_one_class(tmp_path: Path, sets: Path) -> None:
    kept = {"name": "dog", "old_id": 2, "new_id": 2, "new_name": "dog"}
    sources = [
        {"path": "a", "classes": [kept], "dropped": []},
        {"path": "b", "classes": [], "dropped": [{"name": "dog", "old_id": 1}]},
    ]
    (tmp_path / "t.json").write_text(json.dumps({"sources": sources}))
    with pytest.raises(InputError, match="'dog' becomes 'dog' in one source and None in another"):
        remap([str(sets / "old_whole")], sets / "merged.pbtxt", tmp_path / "o", table=tmp_path / "t.json")


def test_labeled_for_all_sets_or_for_each(tmp_path: Path, sets: Path) -> None:
    inputs = [str(sets / "old_whole"), str(sets / "new_whole")]
    each = ["cat", "cat,bird"]
    remap(inputs, sets / "merged.pbtxt", tmp_path / "a/all", labeled=each)
    after = parsed(tmp_path / "a")
    assert after["003.png"].record.labeled == {"cat", "dog"}  # it has a box of dog
    assert after["007.png"].record.labeled is None  # of all, with its boxes
    with pytest.raises(InputError, match="given 3 times for 2 sets"):
        remap(inputs, sets / "merged.pbtxt", tmp_path / "b/all", labeled=["cat"] * 3)
    with pytest.raises(InputError, match=r"'cow' is no class of .*merged.pbtxt: cat, dog, bird"):
        remap(inputs, sets / "merged.pbtxt", tmp_path / "b/all", labeled="cow")


def test_ids_that_two_sets_use_are_told_apart(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        framing.write(tmp_path / name / "x.tfrecord", [record(tmp_path, name, "cat", image_id="7")])
    labels = write_map(tmp_path / "m.pbtxt", "cat")
    inputs = [str(tmp_path / name) for name in "ab"]
    finished = remap(inputs, labels, tmp_path / "out/all")
    assert [issue.code for issue in finished.issues] == ["image-id-shared"]
    ids = {found.record.image_id for found in parsed(tmp_path / "out").values()}
    assert len(ids) == 2
    assert all(image_id.isdecimal() for image_id in ids)


def test_ids_that_two_records_of_a_set_use_are_told_apart(tmp_path: Path) -> None:
    records = [record(tmp_path, str(number), "cat", image_id="7") for number in range(3)]
    framing.write(tmp_path / "x.tfrecord", [*records, record(tmp_path, "other", "cat", image_id="8")])
    finished = remap(
        [str(tmp_path / "x.tfrecord")], write_map(tmp_path / "m.pbtxt", "cat"), tmp_path / "out/all"
    )
    assert [issue.code for issue in finished.issues] == ["image-id-shared"]
    ids = [found.record.image_id for found in parsed(tmp_path / "out").values()]
    assert len(set(ids)) == 4
    assert "8" in ids


def test_names_that_are_not_their_ids(tmp_path: Path) -> None:
    wrong = record(tmp_path, "wrong", "cat", "dog", ids={"cat": 2, "dog": 1})
    framing.write(tmp_path / "x.tfrecord", [record(tmp_path, "right", "dog", ids={"dog": 2}), wrong])
    labels = write_map(tmp_path / "old.pbtxt", "cat", "dog")
    inputs = [str(tmp_path / "x.tfrecord")]
    finished = remap(inputs, labels, tmp_path / "a/all")
    assert [(issue.source, issue.box, issue.code) for issue in finished.issues] == [
        ("x.tfrecord record 1", 0, "class-mismatch"),
        ("x.tfrecord record 1", 1, "class-mismatch"),
    ]
    message = "id 2 is 'dog' in old.pbtxt, but the record calls it 'cat'"
    assert finished.issues[0].message == message
    assert parsed(tmp_path / "a")["wrong.png"].label_ids == (1, 2)
    dropped = remap(inputs, labels, tmp_path / "b/all", on="class-mismatch=drop-image")
    assert (dropped.manifest.images, dropped.manifest.issues) == (1, {"class-mismatch": 2})
    words = ("remap", *inputs, "--labels", labels, "--out", tmp_path / "c/all")
    out, said = tfrec(*words, "--on", "class-mismatch=error", "--json", code=1)
    assert json.loads(out)["error"]["found"] == message
    assert message in said
    assert "nothing was written" in said
    assert not list((tmp_path / "c").iterdir())


def test_damaged_records_and_files(tmp_path: Path) -> None:
    good = record(tmp_path, "good", "cat")
    framing.write(tmp_path / "x.tfrecord", [b"\xff\xff", good])
    labels = write_map(tmp_path / "old.pbtxt", "cat")
    with pytest.raises(Refused, match=r"x.tfrecord record 0: annotation-damaged: is no tf.train.Example"):
        remap([str(tmp_path / "x.tfrecord")], labels, tmp_path / "a/all")
    finished = remap([str(tmp_path / "x.tfrecord")], labels, tmp_path / "a/all", policy="lenient")
    assert finished.manifest.images == 1
    framing.write(tmp_path / "x.tfrecord", [good, good])
    whole = (tmp_path / "x.tfrecord").read_bytes()
    for name, data, reason in (
        ("cut", whole[:-2], "record 1 at byte .*: the file ends inside its CRC: 2 of 4"),
        ("short", whole[:-90], "record 1 at byte .*: the file ends inside its data"),
        ("header", whole[: len(whole) // 2 + 5], "record 1 at byte .*: the file ends inside its header"),
        ("bit", whole[:99] + bytes([whole[99] ^ 1]) + whole[100:], "record 0: the CRC of its data is wrong"),
        ("no", b"this is no file of records", "damaged or no TFRecord file"),
        ("empty", b"", "hold no examples"),
    ):
        (tmp_path / f"{name}.tfrecord").write_bytes(data)
        with pytest.raises(InputError, match=reason):
            remap([str(tmp_path / f"{name}.tfrecord")], labels, tmp_path / "b/all")
        assert not list((tmp_path / "b").iterdir() if (tmp_path / "b").exists() else ())


@pytest.mark.parametrize("workers", [1, 2])
def test_large_pictures_between_short_and_long_features(tmp_path: Path, workers: int) -> None:
    """Their bytes are read by themselves, wherever they stand; all comes out as of whole Examples."""
    names = ["cat", "dog", *(f"class {i} of a long name" for i in range(300))]
    ids = from_names(names).id_by_name
    records = []
    for number, (labeled, boxes, size) in enumerate(
        [(2, 1, 9000), (302, 1, 9000), (2, 300, 9000), (302, 300, 200_000), (2, 1, 4000), (2, 0, 5000)]
    ):
        of = image_record(
            image_id=str(number),
            filename="x",
            source="x",
            names=("dog",) * boxes,
            boxes_xyxy=[(1, 2, 30, 40)] * boxes,
            labeled=frozenset(names[:labeled]),
        )
        picture = EncodedImage(bytes([number]) * size, "jpeg", 60, 40)
        records.append(encode_example(of, picture, {**ids, "more": 999}))
    for half in (0, 1):
        framing.write(tmp_path / f"x-0000{half}-of-00002.tfrecord", records[half::2])
    own = write_map(tmp_path / "old.pbtxt", *names)
    (maps := tmp_path / "maps").mkdir()
    new = write_map(maps / "new.pbtxt", "more", *reversed(names))
    finished = remap([str(tmp_path / "x")], new, tmp_path / "out/all", workers=workers, shards=2)
    of_set = classes_of(read_label_map(own).name_by_id, own.name, {}, read_label_map(new), (), None)
    found = [data for file in sorted((tmp_path / "out").glob("*.tfrecord")) for data in framing.read(file)]
    assert sorted(found) == sorted(examples.remap(data, of_set).data for data in records)
    assert sound(tmp_path / "out/all")
    assert finished.manifest.images == len(records)
    path = tmp_path / "x-00001-of-00002.tfrecord"
    data = path.read_bytes()
    path.write_bytes(data.replace(b"\x03" * 1000, b"\x03" * 999 + b"\x02", 1))
    with pytest.raises(
        InputError, match=r"x-00001-of-00002.tfrecord: record 1: the CRC of its data is wrong"
    ):
        remap([str(tmp_path / "x")], new, tmp_path / "no/all", workers=workers)


def test_a_real_tfod_record(tmp_path: Path, shared: Path) -> None:
    raccoon, training = shared / "data/raccoon/data/test.record", shared / "data/raccoon/training"
    cards = shared / "data/playing_cards/training/labelmap.pbtxt"
    tfrec("merge-labels", cards, training, "--out", tmp_path / "merged.pbtxt")
    words = ("--labels", tmp_path / "merged.pbtxt", "--record-labels", training)
    tfrec("remap", raccoon, *words, "--out", tmp_path / "out/all")
    before = [parse_example(data, "") for data in framing.read(raccoon)]
    after = parsed(tmp_path / "out")
    assert len(after) == len({of.record.filename for of in before})
    for of in before:
        found = after[of.record.filename]
        assert hashlib.sha256(found.image.data).digest() == hashlib.sha256(of.image.data).digest()
        assert found.record.names == of.record.names
        assert found.record.labeled == {"raccoon"}
        assert set(found.label_ids) == {7}
        assert (found.record.boxes_xyxy == of.record.boxes_xyxy).all()
    assert tfrec("verify", tmp_path / "out/all")[0].strip().endswith("sound")
    tfrec("inspect", tmp_path / "out/all")
    assert not (tmp_path / "out/features.json").exists()  # TFDS needs image/key/sha256, which these lack


def test_run_takes_what_does_a_job() -> None:
    assert engine.run([], None, lambda *_: None) == []
