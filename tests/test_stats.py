"""`tfrec inspect` and `tfrec verify`: what is counted, and every kind of damage that is found."""

from __future__ import annotations

import json

import pytest

from tests.small_sets import SCENES, coco, save_pictures
from tests.test_cli import fault, tfrec
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.plan import Options
from tfrec_tools.dataset import shards, stats, verify
from tfrec_tools.tfrecords import example, framing


@pytest.fixture
def made(tmp_path):
    """A set of two splits: DIR/NAME."""
    save_pictures(tmp_path / "images")
    convert(Options(coco(tmp_path), tmp_path / "out/new", split="train=0.5,val=0.5"))
    return tmp_path / "out/new"


def quiet(done, total):
    pass


def faults(prefix):
    return list(verify.faults(prefix, quiet))


def shard_of(prefix, split):
    (path,) = shards.record_files([f"{prefix}-{split}"])
    return path


def test_what_is_counted(made):
    found = stats.inspect(shards.record_files([str(made)]), quiet)
    assert (found.images, found.boxes, found.files) == (3, 5, 2)
    assert found.classes == {"dog": 3, "cat": 2}
    assert found.having == {"dog": 2, "cat": 2}
    assert found.per_image == {1: 1, 2: 2}
    assert found.sizes_wh == dict.fromkeys([scene[1:3] for scene in SCENES], 1)
    assert found.formats == {"jpeg": 2, "png": 1}
    assert found.areas == {"small": 1, "medium": 4}
    assert found.splits.keys() == {"train", "val"}
    assert found.first is not None


def test_names_come_from_ids_where_records_have_none(made):
    parsed = example.parse_example(next(framing.read(shard_of(made, "train"))), "x")
    nameless = type(parsed)(
        type(parsed.record)(
            **{f: getattr(parsed.record, f) for f in parsed.record.__slots__}
            | {"names": ("",) * len(parsed.record.names)}
        ),
        parsed.picture,
        parsed.label_ids,
        parsed.labeled_ids,
    )
    assert stats.class_names(nameless, {1: "dog", 2: "cat"}) == parsed.record.names
    assert stats.class_names(nameless, {})[0].startswith("id ")


def test_inspect_prints_tables_and_json(made):
    out, _ = tfrec("inspect", made)
    for text in ("3 images, 5 boxes; every CRC is right", "train", "dog", "First record", "image/filename"):
        assert text in out
    document = json.loads(tfrec("inspect", made, "--json")[0])
    assert document["boxes_per_image"] == {"1": 1, "2": 2}
    assert document["classes"][0] == {"name": "dog", "boxes": 3, "images": 2}


def test_inspect_of_a_damaged_file(made):
    path = shard_of(made, "val")
    path.write_bytes(path.read_bytes()[:-3])
    assert "the file ends inside its CRC" in fault("inspect", path)


def test_real_tfod_records(shared):
    found = stats.inspect([shared / "data/raccoon/data/test.record"], quiet)
    assert (found.images, found.boxes, dict(found.classes)) == (40, 44, {"raccoon": 44})


def test_a_sound_set(made):
    assert faults(made) == []
    out, _ = tfrec("verify", made.parent)
    assert out == f"{made}: sound\n"


def test_damage_is_found(made):
    path = shard_of(made, "train")
    whole = path.read_bytes()
    path.write_bytes(whole[:-30] + bytes([whole[-30] ^ 1]) + whole[-29:])
    lines = faults(made)
    assert "CRC-32C is not that of the manifest" in lines[0]
    assert "the CRC of its data is wrong" in lines[1]
    path.write_bytes(whole[:-1])
    assert f"has {len(whole) - 1} bytes, the manifest says {len(whole)}" in faults(made)[0]
    path.unlink()
    assert faults(made) == [f"{path}: is missing"]


def test_a_shard_that_was_written_anew_is_found(made):
    path = shard_of(made, "train")
    framing.write(path, [data.replace(b"dog", b"cow") for data in framing.read(path)])
    framing.write(shard_of(made, "val"), [])
    lines = " ".join(faults(made))
    assert "the SHA-256 of its records is not that of the manifest" in lines
    assert "has 0 records, the manifest says" in lines


def test_a_picture_that_is_not_the_one_hashed(made):
    path = shard_of(made, "train")
    records = [bytearray(data) for data in framing.read(path)]
    records[0][len(records[0]) // 2] ^= 1
    framing.write(path, map(bytes, records))
    assert any("its picture is not the one of its image/key/sha256" in line for line in faults(made))


def test_what_does_not_belong_and_what_is_missing(made):
    extra = made.with_name("new-train-00000-of-00007.tfrecord")
    extra.touch()
    shards.label_map_path(made).unlink()
    assert faults(made) == [
        f"{extra}: is not listed in new.manifest.json",
        f"{shards.label_map_path(made)}: is missing",
    ]
    out, err = tfrec("verify", made, code=1)
    assert out.startswith(f"{made}: 2 fault(s)\n")
    assert err == "tfrec: error: 2 fault(s) found; convert again with --overwrite\n"


def test_no_set_to_verify(tmp_path):
    assert "no .manifest.json in it" in fault("verify", tmp_path)
    assert "a set without its manifest is unfinished" in fault("verify", tmp_path / "out/other")
