"""The label map of records is one, whoever asks: the manifest's, else the only .pbtxt beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

import tfrec_tools as tfrec
from tests.helpers.small_sets import coco, save_picture, save_pictures
from tfrec_tools import preview
from tfrec_tools.annotations.records import image_record
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.dataset import label_maps, shards
from tfrec_tools.errors import InputError
from tfrec_tools.formats import registry
from tfrec_tools.images.loading import EncodedImage
from tfrec_tools.remapping.sources import find_sets
from tfrec_tools.tfrecords import framing
from tfrec_tools.tfrecords.example import encode_example


@pytest.fixture
def nameless(tmp_path: Path) -> Path:
    """A record with a box of id 2 that has no name."""
    data = save_picture(tmp_path / "a.png").read_bytes()
    record = image_record(image_id="1", filename="a.png", source="", names=("",), boxes_xyxy=[(1, 1, 9, 9)])
    path = tmp_path / "x.record"
    framing.write(path, [encode_example(record, EncodedImage(data, "png", 60, 40), {"": 2})])
    return path


def test_all_that_read_records_find_the_same_map(nameless: Path) -> None:
    (nameless.parent / "any.pbtxt").write_text("item { id: 2 name: 'cat' }")
    assert label_maps.names_of(nameless, None) == ({2: "cat"}, "any.pbtxt")
    assert tfrec.inspect(nameless).classes == {"cat": 1}
    assert tfrec.load(nameless).classes == {2: "cat"}
    assert preview.of_records([str(nameless)], 1).images[0]().record.names == ("cat",)
    assert registry.read(nameless).classes == ("cat",)
    assert find_sets([str(nameless)], None)[0].own == {2: "cat"}


def test_of_two_maps_beside_records_none_is_theirs(nameless: Path) -> None:
    for name in ("cat", "dog"):
        (nameless.parent / f"{name}.pbtxt").write_text(f"item {{ id: 2 name: '{name}' }}")
    assert label_maps.names_of(nameless, None) == ({}, "")
    assert tfrec.inspect(nameless).classes == {"id 2": 1}
    with pytest.raises(InputError, match="no box has a class name, in the records or in a label map; give"):
        registry.read(nameless)


def test_a_manifest_goes_before_a_label_map(tmp_path: Path) -> None:
    save_pictures(tmp_path / "images")
    convert(ConvertOptions(coco(tmp_path), tmp_path / "out/new"))
    (tmp_path / "out/new.label_map.pbtxt").write_text("item { id: 1 name: 'hen' }")
    (file,) = shards.record_files([tmp_path / "out/new"])
    assert label_maps.names_of(file, shards.manifest_of(file)) == (
        {1: "dog", 2: "cat"},
        "new.manifest.json",
    )
