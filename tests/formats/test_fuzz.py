"""Every format there and back, and every format damaged: what comes is a Source or a fault with a name."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.helpers.small_sets import FULL_WRITERS, SCENES, Box, Scene, coco, csv, save_picture, voc
from tests.helpers.sources import assert_balanced
from tfrec_tools._pb2 import example_pb2
from tfrec_tools.annotations.accounts import Account
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ByteRange, ImageRecord, Source
from tfrec_tools.errors import InputError, LabelConflict
from tfrec_tools.formats import registry
from tfrec_tools.formats.options import ReadOptions
from tfrec_tools.images import loading, lookup, masks
from tfrec_tools.images.loading import Canvas, ImageOptions
from tfrec_tools.tfrecords.framing import write

SIZES = {name: (width, height) for name, width, height, _ in SCENES}
FRACTION = st.floats(0, 1, width=32).filter(lambda value: value == 0 or value > 1e-4)
BOX = st.tuples(st.sampled_from(["dog", "cat"]), FRACTION, FRACTION, FRACTION, FRACTION)
THOROUGH = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
HOSTILE = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
PIECES = st.sampled_from(
    [b"", b"0", b"-1", b"NaN", b'"', b"{", b"]", b"\n", b",", b"\xff\xfe", b"\0", b"1e999", b"<x>"]
)
Edit = tuple[float, int, bytes]  # where, how much, by what
EDIT = st.tuples(st.floats(0, 1), st.integers(0, 40), PIECES | st.binary(max_size=6))


@pytest.fixture(scope="module")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """A new folder at each call."""
    base, count = tmp_path_factory.mktemp("sets"), itertools.count()

    def make() -> Path:
        folder = base / str(next(count))
        folder.mkdir()
        return folder

    return make


def scene_of(scene: Scene, boxes: Sequence[Box]) -> Scene:
    """The scene with boxes from fractions, ordered so that each has its minimum first."""
    name, width, height, _ = scene
    placed = [
        (label, min(x1, x2) * width, min(y1, y2) * height, max(x1, x2) * width, max(y1, y2) * height)
        for label, x1, y1, x2, y2 in boxes
    ]
    return name, width, height, placed


def boxes_in_pixels(record: ImageRecord) -> tuple[str, tuple[str, ...], NDArray[np.float64]]:
    name = record.filename.rsplit("/")[-1]
    scale = np.array(SIZES[name] * 2) if record.relative else 1
    return name, record.names, record.boxes_xyxy * scale


@pytest.mark.parametrize("kind", FULL_WRITERS)
@THOROUGH
@given(boxes=st.tuples(*[st.lists(BOX, min_size=1, max_size=4)] * 3))
def test_there_and_back(kind: str, boxes: tuple[list[Box], ...], numbered: Callable[[], Path]) -> None:
    scenes = [scene_of(scene, of) for scene, of in zip(SCENES, boxes, strict=True)]
    path = FULL_WRITERS[kind](numbered(), scenes)
    found = {
        name: (names, pixels)
        for name, names, pixels in map(
            boxes_in_pixels, registry.read(path, options=ReadOptions(coordinates="pixels")).records
        )
    }
    assert found.keys() == SIZES.keys()
    for name, _, _, placed in scenes:
        names, pixels = found[name]
        assert names == tuple(box[0] for box in placed)
        expected = np.array([box[1:] for box in placed])
        np.testing.assert_allclose(pixels, expected, rtol=1e-6, atol=1e-5)


def damaged(data: bytes, edits: Sequence[Edit]) -> bytes:
    for place, length, piece in edits:
        at = int(place * len(data))
        data = data[:at] + piece + data[at + length :]
    return data


@pytest.mark.parametrize("kind", FULL_WRITERS)
@HOSTILE
@given(edits=st.lists(EDIT, min_size=1, max_size=4), cut=st.floats(0, 4))
def test_a_damaged_file_never_ends_in_a_traceback(
    kind: str, edits: list[Edit], cut: float, numbered: Callable[[], Path]
) -> None:
    path = FULL_WRITERS[kind](numbered())
    victim = path / "a.xml" if kind == "voc" else path
    if kind == "yolo" and len(edits) % 2:
        victim = path.parent / "labels/val/a.txt"
    data = damaged(victim.read_bytes(), edits)
    victim.write_bytes(data[: int(cut * len(data))])
    try:
        source = registry.read(path, kind, ReadOptions(masks=True, voc_origin=1))
    except (InputError, LabelConflict) as fault:
        source = Source((), [], (Issue("annotation-damaged", "", None, str(fault), False),), Account(1, 0))
    for record in source.records:
        assert record.boxes_xyxy.shape == (len(record.names), 4)
        record.filename.encode()
    assert all("\n" not in issue.message for issue in source.issues)
    if source.account is not None:
        assert_balanced(source)


def read_or_line(path: Path, kind: str, options: ReadOptions | None = None) -> Source | None:
    """The source, or None where it is refused, by one line."""
    try:
        return registry.read(path, kind, options or ReadOptions())
    except InputError as fault:
        refusal = str(fault)
    assert "\n" not in refusal
    return None


# Structure: what stands where it should not, is another kind of thing, twice, or not at all.
VALUES: list[Any] = [
    *(None, True, -1, 0, 0.5, 1e300, 2**70, "", "1", "x", ".", "cat", [], {}, [1, 2, 3], [1, 2, 3, 4]),
    *(["1", 2, 3, 4], [None] * 4, {"id": 1}, {"bbox": [1, 2, 3, 4]}, [[1, 2, 3, 4, 5, 6]], [[]]),
    {"size": [4, 4], "counts": [1, 3, 12]},
    {"size": [4, 4], "counts": "137"},
]
KEYS = ["id", "image_id", "category_id", "bbox", "segmentation", "segments_info", "file_name", "name", "x"]
NODES = st.lists(
    st.tuples(
        st.integers(0, 10**6),
        st.sampled_from(["remove", "repeat", "set", "rename", "move"]),
        st.sampled_from(VALUES),
        st.sampled_from(KEYS),
    ),
    min_size=1,
    max_size=5,
)


def places_in(node: Any) -> list[tuple[Any, Any]]:
    """(container, key) of everything in a document but its top level, whose lack is refused."""
    pairs = list(
        node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    )
    below = [place for _, value in pairs for place in places_in(value)]
    return [(node, key) for key, _ in pairs] + below


def shaken(document: Any, edits: Sequence[tuple[int, str, Any, str]]) -> None:
    for at, what, value, name in edits:
        places = [place for key in ("images", "annotations") for place in places_in(document[key])]
        if not places:
            return
        container, key = places[at % len(places)]
        if what == "set":
            container[key] = json.loads(json.dumps(value))
        elif what == "remove":
            del container[key]
        elif what == "move":
            document["annotations"].append(container[key])
        elif isinstance(container, list):
            container.append(container[key])
        else:
            container[name] = container[key]


@HOSTILE
@given(edits=NODES)
def test_coco_of_any_structure_adds_up(
    edits: list[tuple[int, str, Any, str]], numbered: Callable[[], Path]
) -> None:
    """Counted by the elements of the array; none is panoptic with several segments."""
    path = coco(numbered())
    document = json.loads(path.read_text())
    shaken(document, edits)
    path.write_text(json.dumps(document))
    source = read_or_line(path, "coco", ReadOptions(masks=True))
    if source is None:
        return
    assert source.account is not None
    assert source.account.found == sum(
        max(1, len(one.get("segments_info", ())))
        if isinstance(one, dict) and isinstance(one.get("segments_info"), list) and not boxed(one)
        else 1
        for one in json.loads(path.read_text())["annotations"]
    )
    assert_balanced(source)
    lookup.places(source.records, path.parent)


def boxed(annotation: dict[str, Any]) -> bool:
    box = annotation.get("bbox")
    return (
        isinstance(box, list)
        and len(box) == 4
        and all(isinstance(value, int | float) and not isinstance(value, bool) for value in box)
    )


TAGS = [
    "object",
    "Object",
    "objects",
    "bndbox",
    "robndbox",
    "polygon",
    "points",
    "part",
    "name",
    "xmin",
    "x1",
    "cx",
    "size",
]
XML_EDITS = st.lists(
    st.tuples(
        st.integers(0, 10**6),
        st.sampled_from(["rename", "remove", "repeat", "move", "attribute", "text", "wrap"]),
        st.integers(0, 10**6),
        st.sampled_from(TAGS),
    ),
    min_size=1,
    max_size=6,
)


def shaken_xml(text: str, edits: Sequence[tuple[int, str, int, str]]) -> str:
    root = ElementTree.fromstring(text)
    for at, what, other, tag in edits:
        parents = {child: parent for parent in root.iter() for child in parent}
        elements = list(parents)
        element, target = elements[at % len(elements)], elements[other % len(elements)]
        parent = parents[element]
        if what == "rename":
            element.tag = tag
        elif what == "remove":
            parent.remove(element)
        elif what == "repeat":
            target.append(copy.deepcopy(element))
        elif what == "move" and element not in target.iter() and target not in element.iter():
            parent.remove(element)
            target.append(element)
        elif what == "attribute":
            target.set(tag, element.text or "")
        elif what == "text":
            element.text = ["", "nan", "1e999", "3,5", "cat", "-1"][other % 6]
        elif what == "wrap":
            parent.remove(element)
            ElementTree.SubElement(parent, tag).append(element)
        if not len(root):
            break
    return ElementTree.tostring(root, encoding="unicode")


@settings(HOSTILE, max_examples=400)
@given(edits=XML_EDITS)
def test_voc_of_any_structure_adds_up(
    edits: list[tuple[int, str, int, str]], numbered: Callable[[], Path]
) -> None:
    """At least every <bndbox> that is not in a part is found."""
    path = voc(numbered()) / "b.xml"
    text = shaken_xml(path.read_text(), edits)
    path.write_text(text)
    source = read_or_line(path, "voc")
    if source is None:
        return
    assert_balanced(source)
    assert source.account is not None
    assert source.account.found >= plain_boxes(ElementTree.fromstring(text))


def plain_boxes(element: ElementTree.Element) -> int:
    """How many <bndbox> elements stand below, not in parts nor in one another."""
    if element.tag == "part":
        return 0
    if element.tag == "bndbox":
        return 1
    if element.tag in ("robndbox", "polygon", "points") or len({"cx", "x1"} & {one.tag for one in element}):
        return 0
    return sum(map(plain_boxes, element))


CELLS = [
    "",
    "nan",
    "0",
    "1",
    "0.5",
    "30",
    "-1",
    "inf",
    "No finding",
    "cat",
    "a.jpg",
    ".",
    "./a.jpg",
    '"x,y"',
    "1_0",
]
ROWS = st.lists(st.lists(st.sampled_from(CELLS), min_size=0, max_size=9), min_size=0, max_size=8)


@HOSTILE
@given(rows=ROWS, unit=st.sampled_from(["pixels", "fractions", None]))
def test_csv_of_any_cells_adds_up(
    rows: list[list[str]], unit: str | None, numbered: Callable[[], Path]
) -> None:
    path = csv(numbered())
    written = [",".join(row) for row in rows]
    with path.open("a") as file:
        file.writelines(f"{line}\n" for line in written)
    source = read_or_line(path, "csv", ReadOptions(coordinates=unit))
    if source is None:
        return
    boxed_rows = len(path.read_text().splitlines()) - 1 - sum(map(is_empty, rows))
    assert source.account is not None
    assert source.account.found == boxed_rows
    assert_balanced(source)
    lookup.places(source.records, path.parent)


def is_empty(row: Sequence[str]) -> bool:
    """Whether a row of filename, width, height, class and corners says that nothing is there."""
    cells = [*row, *[""] * 8][3:8]
    nothing = cells[0].lower() in ("", "nan", "no finding")
    corners = cells[1:]
    lacks = all(cell in ("", "nan") for cell in corners) or all(cell == "0" for cell in corners)
    return not any([*row, ""][:8]) or (nothing and lacks)


BOXES = st.lists(st.tuples(st.sampled_from(["cat", ""]), st.integers(0, 3)), max_size=5)


@HOSTILE
@given(of_records=st.lists(BOXES, min_size=1, max_size=4), cut=st.integers(0, 30))
def test_tfrecords_of_any_boxes_add_up(
    of_records: list[list[tuple[str, int]]], cut: int, numbered: Callable[[], Path]
) -> None:
    """Of the first, a column lacks some values."""
    path = numbered() / "x.tfrecord"
    examples, count = [], 0
    for number, boxes in enumerate(of_records):
        example = example_pb2.Example()
        features = example.features.feature
        for key in ("width", "height"):
            features[f"image/{key}"].int64_list.value.append(40)
        features["image/encoded"].bytes_list.value.append(b"\x89PNG")
        for edge in ("xmin", "ymin", "xmax", "ymax"):
            features[f"image/object/bbox/{edge}"].float_list.value.extend([0.5] * len(boxes))
        features["image/object/class/text"].bytes_list.value.extend(name.encode() for name, _ in boxes)
        features["image/object/class/label"].int64_list.value.extend(label for _, label in boxes)
        if number == 0:
            del features["image/object/bbox/xmax"].float_list.value[cut:]
        count += len(boxes)
        examples.append(example.SerializeToString())
    write(path, examples)
    source = read_or_line(path, "tfrecord")
    if source is None:
        return
    assert source.account is not None
    assert source.account.found == count
    assert_balanced(source)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.gif", "a.bmp", "a.tif", "a.webp"])
@HOSTILE
@given(
    edits=st.lists(EDIT, min_size=1, max_size=4), cut=st.floats(0, 4), verify=st.sampled_from(loading.VERIFY)
)
def test_a_damaged_picture_is_an_issue(
    name: str, edits: list[Edit], cut: float, verify: str, numbered: Callable[[], Path]
) -> None:
    path = save_picture(numbered() / name)
    data = damaged(path.read_bytes(), edits)
    path.write_bytes(data[: int(cut * len(data))])
    loaded = loading.load(ByteRange(path), Canvas("s", (60, 40)), ImageOptions(verify=verify, max_side=50))
    refused = {"image-damaged", "image-huge"} & {issue.code for issue in loaded.issues}
    assert (loaded.image is None) == bool(refused)


@HOSTILE
@given(edits=st.lists(EDIT, min_size=1, max_size=4), packed=st.booleans())
def test_a_damaged_mask_has_a_name(edits: list[Edit], packed: bool) -> None:
    mask = b'{"size": [40, 60], "counts": "PPYo1000000000"}' if packed else b"[[10, 5, 30, 5, 30, 25]]"
    with suppress(InputError):
        assert masks.to_png(damaged(mask, edits), "s", (60, 40), (60, 40)).startswith(b"\x89PNG")
