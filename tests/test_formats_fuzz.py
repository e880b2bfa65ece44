"""Every format there and back, and every format damaged: what comes is a Source or a fault with a name."""

from __future__ import annotations

import itertools
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.small_sets import FULL_WRITERS, SCENES, save_picture
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import Place, Source
from tfrec_tools.errors import InputError, LabelConflict
from tfrec_tools.formats import registry
from tfrec_tools.formats.options import ReadOptions
from tfrec_tools.images import loading, masks
from tfrec_tools.images.loading import Rules

SIZES = {name: (width, height) for name, width, height, _ in SCENES}
FRACTION = st.floats(0, 1, width=32).filter(lambda value: value == 0 or value > 1e-4)
BOX = st.tuples(st.sampled_from(["dog", "cat"]), FRACTION, FRACTION, FRACTION, FRACTION)
THOROUGH = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
HOSTILE = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
PIECES = st.sampled_from(
    [b"", b"0", b"-1", b"NaN", b'"', b"{", b"]", b"\n", b",", b"\xff\xfe", b"\0", b"1e999", b"<x>"]
)
EDIT = st.tuples(st.floats(0, 1), st.integers(0, 40), PIECES | st.binary(max_size=6))


@pytest.fixture(scope="module")
def numbered(tmp_path_factory):
    """A new folder at each call."""
    base, count = tmp_path_factory.mktemp("sets"), itertools.count()

    def make():
        folder = base / str(next(count))
        folder.mkdir()
        return folder

    return make


def scene_of(scene, boxes):
    """The scene with boxes from fractions, ordered so that each has its minimum first."""
    name, width, height, _ = scene
    placed = [
        (
            label,
            *(min(a, b) * s for a, b, s in ((x1, x2, width), (y1, y2, height))),
            *(max(a, b) * s for a, b, s in ((x1, x2, width), (y1, y2, height))),
        )
        for label, x1, y1, x2, y2 in boxes
    ]
    return name, width, height, placed


def boxes_in_pixels(record):
    name = record.filename.rsplit("/")[-1]
    scale = np.array(SIZES[name] * 2) if record.relative else 1
    return name, record.names, record.boxes_xyxy * scale


@pytest.mark.parametrize("kind", FULL_WRITERS)
@THOROUGH
@given(boxes=st.tuples(*[st.lists(BOX, min_size=1, max_size=4)] * 3))
def test_there_and_back(kind, boxes, numbered):
    scenes = [scene_of(scene, of) for scene, of in zip(SCENES, boxes, strict=True)]
    path = FULL_WRITERS[kind](numbered(), scenes)
    found = {
        name: (names, pixels) for name, names, pixels in map(boxes_in_pixels, registry.read(path).records)
    }
    assert found.keys() == SIZES.keys()
    largest = max(edge for scene in scenes for box in scene[3] for edge in box[1:])
    for name, _, _, placed in scenes:
        names, pixels = found[name]
        assert names == tuple(box[0] for box in placed)
        if kind != "csv" or largest > 1.5:  # else they look like fractions
            expected = np.array([box[1:] for box in placed])
            np.testing.assert_allclose(pixels, expected, rtol=1e-6, atol=1e-5)


def damaged(data, edits):
    for place, length, piece in edits:
        at = int(place * len(data))
        data = data[:at] + piece + data[at + length :]
    return data


@pytest.mark.parametrize("kind", FULL_WRITERS)
@HOSTILE
@given(edits=st.lists(EDIT, min_size=1, max_size=4), cut=st.floats(0, 4))
def test_a_damaged_file_never_ends_in_a_traceback(kind, edits, cut, numbered):
    path = FULL_WRITERS[kind](numbered())
    victim = path / "a.xml" if kind == "voc" else path
    if kind == "yolo" and len(edits) % 2:
        victim = path.parent / "labels/val/a.txt"
    data = damaged(victim.read_bytes(), edits)
    victim.write_bytes(data[: int(cut * len(data))])
    try:
        source = registry.read(path, kind, ReadOptions(masks=True, voc_origin=1))
    except (InputError, LabelConflict) as fault:
        source = Source((), [], (Issue("annotation-damaged", "", None, str(fault), False),))
    for record in source.records:
        assert record.boxes_xyxy.shape == (len(record.names), 4)
        record.filename.encode()
    assert all("\n" not in issue.message for issue in source.issues)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.gif", "a.bmp", "a.tif", "a.webp"])
@HOSTILE
@given(
    edits=st.lists(EDIT, min_size=1, max_size=4), cut=st.floats(0, 4), verify=st.sampled_from(loading.VERIFY)
)
def test_a_damaged_picture_is_an_issue(name, edits, cut, verify, numbered):
    path = save_picture(numbered() / name)
    data = damaged(path.read_bytes(), edits)
    path.write_bytes(data[: int(cut * len(data))])
    loaded = loading.load(Place(path), (60, 40), "s", Rules(verify=verify, max_side=50))
    assert (loaded.picture is None) == ("image-damaged" in [issue.code for issue in loaded.issues])


@HOSTILE
@given(edits=st.lists(EDIT, min_size=1, max_size=4), packed=st.booleans())
def test_a_damaged_mask_has_a_name(edits, packed):
    mask = b'{"size": [40, 60], "counts": "PPYo1000000000"}' if packed else b"[[10, 5, 30, 5, 30, 25]]"
    with suppress(InputError):
        assert masks.to_png(damaged(mask, edits), "s", (60, 40), (60, 40)).startswith(b"\x89PNG")
