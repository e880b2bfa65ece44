"""`tfrec inspect` and `tfrec verify`: what is counted, and every kind of damage that is found."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import poses
from tests.helpers.command import fault, tfrec
from tests.helpers.pages import cards
from tests.helpers.small_sets import SCENES, coco, save_pictures
from tfrec_tools import preview
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.dataset import shards, stats, verify
from tfrec_tools.dataset.manifest import read_manifest
from tfrec_tools.dataset.options import InspectOptions, VerifyOptions
from tfrec_tools.drawing import gallery
from tfrec_tools.drawing.gallery import Head
from tfrec_tools.errors import InputError
from tfrec_tools.tfrecords import example, framing


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A set of two splits: DIR/NAME."""
    save_pictures(tmp_path / "images")
    convert(ConvertOptions(coco(tmp_path), tmp_path / "out/new", split="train=0.5,val=0.5"))
    return tmp_path / "out/new"


def faults(prefix: Path) -> list[str]:
    return [line for verified in verify.verify(VerifyOptions(prefix)) for line in verified.faults]


def shard_of(prefix: Path, split: str) -> Path:
    (path,) = shards.record_files([f"{prefix}-{split}"])
    return path


def test_what_is_counted(made: Path) -> None:
    found = stats.inspect(InspectOptions(str(made)))
    assert (found.images, found.boxes, found.files) == (3, 5, 2)
    assert found.classes == {"dog": 3, "cat": 2}
    assert found.images_per_class == {"dog": 2, "cat": 2}
    assert found.per_image == {1: 1, 2: 2}
    assert found.sizes_wh == dict.fromkeys([scene[1:3] for scene in SCENES], 1)
    assert found.formats == {"jpeg": 2, "png": 1}
    assert found.areas == {"small": 1, "medium": 4}
    assert found.splits.keys() == {"train", "val"}
    assert found.first is not None


def test_labeled_keypoints_are_counted_and_drawn(tmp_path: Path) -> None:
    convert(ConvertOptions(poses.coco(tmp_path), tmp_path / "out/new"))
    found = stats.inspect(InspectOptions(str(tmp_path / "out/new")))
    assert +found.keypoints == {"person": 2, "dog": 2}
    out, _ = tfrec("inspect", tmp_path / "out/new", "--json")
    counts = {each["name"]: each["keypoints"] for each in json.loads(out)["classes"]}
    assert counts == {"person": 2, "dog": 2, "car": 0}
    shown = preview.of_records([str(tmp_path / "out/new")], 2)
    drawn = [box[8:] for card in cards(gallery.render(Head("t"), shown).html) for box in card["boxes"]]
    assert [tuple(point) for points in drawn if points for point in points[0]] == [
        (16, 8),
        (32, 8),
        (40, 16),
        (64, 32),
    ]


def test_names_come_from_ids_where_records_have_none(made: Path) -> None:
    parsed = example.parse_example(next(framing.read(shard_of(made, "train"))), "x")
    nameless = type(parsed)(
        type(parsed.record)(
            **{f: getattr(parsed.record, f) for f in parsed.record.__slots__}
            | {"names": ("",) * len(parsed.record.names)}
        ),
        parsed.image,
        parsed.label_ids,
        parsed.labeled_ids,
    )
    assert stats.class_names(nameless, {1: "dog", 2: "cat"}) == parsed.record.names
    assert stats.class_names(nameless, {})[0].startswith("id ")


def test_inspect_prints_one_screen_and_json(made: Path) -> None:
    out, _ = tfrec("inspect", made)
    for text in (
        "3 images, 5 boxes; every CRC is right",
        "splits: ",
        "boxes in an image: 1 in 1, 2 to 4 in 2",
        "sizes of images: ",
        "\u2502 dog   \u2502     3 \u2502      2 \u2502",
        "first record: ",
        "Works with: finetune --train, evaluate",
        f"Next: tfrec preview {made} --out page.html\n",
    ):
        assert text in out
    assert len(out.splitlines()) <= 20
    document = json.loads(tfrec("inspect", made, "--json")[0])
    assert document["boxes_per_image"] == {"1": 1, "2": 2}
    assert document["classes"][0] == {"name": "dog", "boxes": 3, "images": 2, "keypoints": 0}


def test_inspect_of_a_damaged_file(made: Path) -> None:
    path = shard_of(made, "val")
    path.write_bytes(path.read_bytes()[:-3])
    assert "the file ends inside its CRC" in fault("inspect", path)


def test_real_tfod_records(shared: Path) -> None:
    found = stats.inspect(InspectOptions(str(shared / "data/raccoon/data/test.record")))
    assert (found.images, found.boxes, dict(found.classes)) == (40, 44, {"raccoon": 44})


def test_a_sound_set(made: Path) -> None:
    assert faults(made) == []
    out, _ = tfrec("verify", made.parent)
    assert out == f"{made}: sound\n"


def test_damage_is_found(made: Path) -> None:
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


def test_a_shard_that_was_written_anew_is_found(made: Path) -> None:
    path = shard_of(made, "train")
    framing.write(path, [data.replace(b"dog", b"cow") for data in framing.read(path)])
    framing.write(shard_of(made, "val"), [])
    lines = " ".join(faults(made))
    assert "the SHA-256 of its records is not that of the manifest" in lines
    assert "has 0 records, the manifest says" in lines


SWAPS = {"dog": "cat", "cat": "dog"}
LABEL_MAPS: list[tuple[Callable[[str], str], str]] = [
    (lambda text: re.sub("dog|cat", lambda one: SWAPS[one[0]], text), "1 is 'cat', the manifest says 'dog'"),
    (lambda text: text.replace("id: 2", "id: 3"), "id 2 is None, the manifest says 'cat'"),
    (lambda text: text.replace("cat", "Cat"), "id 2 is 'Cat', the manifest says 'cat'"),
    (lambda text: text + "item { id: 9 name: 'cow' }", "id 9 is 'cow', the manifest has no such class"),
    (lambda text: text + "# mine\n", "its SHA-256 is not that of the manifest"),
    (lambda text: text + "item {", "not a label map"),
    (lambda text: text.replace("dog", "cat"), "name 'cat' stands 2 times"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), LABEL_MAPS)
def test_a_label_map_that_was_changed_is_found(
    made: Path, change: Callable[[str], str], expected: str
) -> None:
    path = shards.label_map_path(made)
    path.write_text(change(path.read_text()))
    lines = faults(made)
    assert all(line.startswith(f"{path}: ") for line in lines)
    assert expected in lines[0]


MANIFESTS: list[Callable[[dict[str, Any]], object]] = [
    lambda document: document["classes"][0].update(name="cow"),
    lambda document: document["classes"].reverse(),
    lambda document: document.update(images=4),
    lambda document: document["shards"][0].update(split="val"),
    lambda document: document["options"].update(seed="7"),
    lambda document: document.update(of_a_later_version=1),
]


@pytest.mark.parametrize("change", MANIFESTS)
def test_a_manifest_that_was_changed_is_found(made: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = shards.manifest_path(made)
    document = json.loads(path.read_bytes())
    path.write_text(json.dumps(document))  # laid out in another way
    assert faults(made) == []
    change(document)
    path.write_text(json.dumps(document))
    assert faults(made)[-1] == f"{path}: what it says is not what was written: its SHA-256 is another"


@pytest.mark.parametrize("name", ["", ".", "../secret", "/etc/passwd", "a/b", "a\\b", "a\0"])
def test_a_manifest_names_only_files_beside_it(made: Path, name: str) -> None:
    path = shards.manifest_path(made)
    document = json.loads(path.read_bytes())
    for place, part in (("shards[0].file", document["shards"][0]), ("label_map", document)):
        key = place.rpartition(".")[2]
        kept, part[key] = part[key], name
        path.write_text(json.dumps(document))
        with pytest.raises(InputError) as caught:
            read_manifest(path)
        reason = f"is {name!r}, expected the name of a file beside the manifest"
        assert str(caught.value) == f"{path}: {place}: {reason}"
        part[key] = kept


def test_sets_of_earlier_versions_have_no_checksums(made: Path) -> None:
    path = shards.manifest_path(made)
    document = json.loads(path.read_bytes())
    del document["label_map_sha256"], document["manifest_sha256"]
    path.write_text(json.dumps(document))
    assert faults(made) == []
    document["classes"][0]["name"] = "cow"
    path.write_text(json.dumps(document))
    assert "id 1 is 'dog', the manifest says 'cow'" in faults(made)[0]


def test_a_picture_that_is_not_the_one_hashed(made: Path) -> None:
    path = shard_of(made, "train")
    records = [bytearray(data) for data in framing.read(path)]
    records[0][len(records[0]) // 2] ^= 1
    framing.write(path, map(bytes, records))
    assert any("its image is not the one of its image/key/sha256" in line for line in faults(made))


def test_what_does_not_belong_and_what_is_missing(made: Path) -> None:
    extra = made.with_name("new-train-00000-of-00007.tfrecord")
    extra.touch()
    shards.label_map_path(made).unlink()
    assert faults(made) == [
        f"{extra}: is not listed in new.manifest.json",
        f"{shards.label_map_path(made)}: is missing",
    ]
    out, err = tfrec("verify", made, code=1)
    assert out.startswith(f"{made}: 2 faults\n")
    assert err == "tfrec: error: 2 faults found; convert again with --overwrite\n"


def test_no_set_to_verify(tmp_path: Path) -> None:
    assert "no .manifest.json in it" in fault("verify", tmp_path)
    assert "a set without its manifest is unfinished" in fault("verify", tmp_path / "out/other")
