"""What is extracted and converted again are the same records, as far as the format can say them."""

from __future__ import annotations

import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from tests.helpers.extracting import IDS, converted, encoded, extracted, records_file
from tests.helpers.places import SHARED
from tests.helpers.sets import parsed
from tfrec_tools.annotations.records import ImageRecord, image_record
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.formats.writers import WRITERS
from tfrec_tools.images.loading import EncodedImage
from tfrec_tools.tfrecords.example import Parsed

FLAGS = ("crowd", "difficult", "truncated", "occluded", "group_of")
SIZES_WH = [(96, 64), (70, 90), (333, 97), (1000, 7)]
NAMES = ["a.jpg", "A.JPG", "b/a.png", "../../up.jpg", "c:\\d e.jpg", "", "x.bmp", "a", "train/._a.jpg"]
Pair = tuple[ImageRecord, EncodedImage]


@st.composite
def pairs(draw: st.DrawFn) -> list[Pair]:
    """Images with boxes, at least one of them."""
    return [draw(pair(mark, 0 if mark else 1)) for mark in range(draw(st.integers(1, 4)))]


@st.composite
def pair(draw: st.DrawFn, mark: int, least: int) -> Pair:
    width, height = draw(st.sampled_from(SIZES_WH))
    rows = draw(st.lists(box(width, height), min_size=least, max_size=4))
    flags: Any = [draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))) for _ in FLAGS]
    count = st.lists(st.sampled_from(["", "Left"]), min_size=len(rows), max_size=len(rows))
    names = tuple(draw(st.sampled_from(sorted(IDS))) for _ in rows)
    labeled = draw(st.none() | st.frozensets(st.sampled_from(sorted(IDS)), min_size=1))
    record = image_record(
        image_id=draw(st.sampled_from([str(mark), "same", str(10**15 + mark)])),
        filename=draw(st.sampled_from(NAMES)),
        source="s",
        width=width,
        height=height,
        boxes_xyxy=rows,
        names=names,
        area=draw(st.none() | st.just([draw(st.floats(1, 1e4)) for _ in rows])),
        poses=tuple(draw(count)),
        labeled=labeled,
        weights=draw(st.just(()) | st.just(tuple(draw(st.sampled_from([0.0, 0.5, 1.0])) for _ in rows))),
        **dict(zip(FLAGS, flags, strict=True)),
    )
    return record, encoded(width, height, mark, draw(st.sampled_from(["jpeg", "png"])))


@st.composite
def box(draw: st.DrawFn, width: int, height: int) -> tuple[float, ...]:
    """In whole pixels, or anywhere; also along the edges."""
    low, high = zip(*(draw(side(length)) for length in (width, height)), strict=True)
    return (*low, *high)


@st.composite
def side(draw: st.DrawFn, length: int) -> tuple[float, float]:
    whole = st.integers(0, length).map(float)
    ends = st.tuples(*[whole | st.floats(0, length)] * 2).filter(lambda pair: abs(pair[0] - pair[1]) > 1e-3)
    low, high = sorted(draw(ends))
    return low, high


def fractions(record: ImageRecord) -> NDArray[np.float32]:
    sides = np.array([record.width, record.height] * 2, np.float64)
    return (record.boxes_xyxy / sides).astype(np.float32)


def assert_same(kind: str, before: Parsed, after: Parsed) -> int:
    """Returns of how many boxes an edge is not the same to the bit."""
    old, new = before.record, after.record
    says = WRITERS[kind].says
    if not old.masks or kind != "yolo-segment":
        np.testing.assert_allclose(fractions(new), fractions(old), rtol=0, atol=1e-15)
    assert (new.names, after.label_ids) == (old.names, before.label_ids)
    for flag in says.intersection(FLAGS):
        np.testing.assert_array_equal(getattr(new, flag), getattr(old, flag), flag)
    if "pose" in says:
        assert new.poses == old.poses
    if "area" in says:
        assert new.area.astype(np.float32).tolist() == old.area.astype(np.float32).tolist()
    if "mask" in says:
        assert new.masks == old.masks
    if "weight" in says:
        assert new.weights == old.weights
    if WRITERS[kind].labeled:
        assert new.labeled == old.labeled
    return int((fractions(new) != fractions(old)).any(axis=1).sum())


@pytest.mark.parametrize("kind", WRITERS)
@settings(max_examples=8, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(pairs())
def test_an_extraction_converts_to_the_same_records(kind: str, made: list[Pair]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = records_file(folder / "records", made)
        done = extracted(path, kind, folder / "out")
        again = {item.image.data: item for item in converted(done, folder / "again/set")}
        before = {item.image.data: item for item in parsed(path.parent, path.name)}
        assert again.keys() == before.keys() == {image.data for _, image in made}
        edges = sum(assert_same(kind, item, again[data]) for data, item in before.items())
        differing = {
            flag: sum(int(getattr(item.record, flag).sum()) for item in before.values()) for flag in FLAGS
        }
        differing |= {
            "filename": sum(again[d].record.filename != item.record.filename for d, item in before.items()),
            "source_id": sum(again[d].record.image_id != item.record.image_id for d, item in before.items()),
        }
        differing["edges"] = edges
        unsaid = done.summary.unsaid
        assert {what: unsaid.get(what, 0) for what in differing} == {
            what: 0 if what in WRITERS[kind].says else count for what, count in differing.items()
        }


def png_of(pixels: Any) -> bytes:
    out = BytesIO()
    Image.fromarray(np.array(pixels, np.uint8)).save(out, "PNG")
    return out.getvalue()


def test_masks_come_back_to_the_byte(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    masks = [rng.integers(0, 2, (64, 96)), np.zeros((64, 96)), np.ones((64, 96))]
    record = image_record(
        image_id="7",
        filename="a.jpg",
        source="s",
        boxes_xyxy=[(0, 0, 96, 64), (1, 1, 5, 5), (2, 2, 90, 60)],
        names=("cat", "zebra", "cat"),
        masks=tuple(map(png_of, masks)),
        crowd=[True, False, False],
    )
    path = records_file(tmp_path / "records", [(record, encoded(96, 64, 0))])
    done = extracted(path, "coco", tmp_path / "out")
    assert done.summary.unsaid == {}
    (again,) = converted(done, tmp_path / "again/set")
    assert again.record.masks == record.masks
    outlined = extracted(path, "yolo-segment", tmp_path / "outlined")
    assert outlined.summary.unsaid == {"crowd": 1, "box": 1, "filename": 1, "source_id": 1}
    (again,) = converted(outlined, tmp_path / "outlined-again/set")
    assert again.record.masks == record.masks
    assert extracted(path, "voc", tmp_path / "voc").summary.unsaid["mask"] == 3
    bare = extracted(path, "coco", tmp_path / "bare", no_masks=True)
    assert "--masks" not in bare.convert


@pytest.mark.slow
@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize(
    ("source", "options"),
    [
        ("coco_tiny_38/annotations", {"images": "coco_tiny_38/images", "masks": "png"}),
        ("voc2012_100/data/database/gts/pascalvoc_format", {"images": "voc2012_100/data/database/images"}),
        ("raccoon/data/test.record", {}),
    ],
)
def test_real_data_comes_back(tmp_path: Path, kind: str, source: str, options: dict[str, Any]) -> None:
    if not SHARED.is_dir():
        pytest.skip("needs shared/data, which is not part of the repository")
    where = SHARED / "data" / source
    path = next(where.glob("*.json"), where)
    if "images" in options:
        options = options | {"images": str(SHARED / "data" / options["images"])}
    convert(ConvertOptions(path, tmp_path / "records/set", workers=1, no_fsync=True, **options))
    again = converted(extracted(tmp_path / "records/set", kind, tmp_path / "out"), tmp_path / "again/set")
    before = {item.image.data: item for item in parsed(tmp_path / "records", "set")}
    assert before.keys() == {item.image.data for item in again}
    for item in again:
        differing = assert_same(kind, before[item.image.data], item)
        assert not differing or (kind == "yolo-segment" and item.record.masks)
