"""COCO: ids of every kind, what stands beside the boxes, and everything that can be wrong with a file."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.helpers.small_sets import coco
from tests.helpers.sources import assert_balanced, faults
from tfrec_tools.annotations.accounts import Account
from tfrec_tools.annotations.records import Source
from tfrec_tools.errors import InputError
from tfrec_tools.formats import coco as coco_reader
from tfrec_tools.formats import coco_parts, json_arrays, registry
from tfrec_tools.formats.coco_schema import Odd
from tfrec_tools.formats.coco_shapes import box_around
from tfrec_tools.formats.options import ReadOptions
from tfrec_tools.images import lookup
from tfrec_tools.images.masks import to_pixels, to_png

CAT = ({"id": 1, "name": "cat"},)


def coco_of(
    tmp_path: Path,
    images: Iterable[dict[str, Any]] = (),
    annotations: Iterable[dict[str, Any]] = (),
    categories: Iterable[dict[str, Any]] = CAT,
) -> Path:
    path = tmp_path / "instances.json"
    box = {"bbox": [1, 2, 3, 4]}
    path.write_text(
        json.dumps(
            {
                "info": {"any": [1, {"x": None}]},
                "images": [{"file_name": f"{i}.jpg"} | image for i, image in enumerate(images)],
                "annotations": [box | annotation for annotation in annotations],
                "categories": list(categories),
            }
        )
    )
    return path


def read_coco(path: Path) -> Source:
    return registry.read(path, "coco")


def test_what_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.json").mkdir()
    with pytest.raises(
        InputError, match=r"a.json: cannot be read \(Is a directory\), expected COCO instances"
    ):
        coco_reader.read(tmp_path / "a.json")


def test_coco_ids_of_every_kind(tmp_path: Path) -> None:
    images: list[dict[str, Any]] = [{"id": 1}, {"id": "2"}, {"id": 3.0}, {"id": "x7"}]
    annotations: list[dict[str, Any]] = [
        {"image_id": "1", "category_id": 1.0},
        {"image_id": 2, "category_id": "1"},
        {"image_id": 3, "category_id": 1},
        {"image_id": "x7", "category_id": 1},
    ]
    source = read_coco(coco_of(tmp_path, images, annotations))
    assert [(record.image_id, record.names) for record in source.records] == [
        (key, ("cat",)) for key in ("1", "2", "3", "x7")
    ]


def test_coco_crowd_area_negatives_and_missing_sizes(tmp_path: Path) -> None:
    annotations: list[dict[str, Any]] = [
        {
            "image_id": 1,
            "category_id": 1,
            "iscrowd": 1,
            "area": 2.5,
            "segmentation": {"counts": "x", "size": [1, 2]},
        },
        {"image_id": 1, "category_id": 1},
    ]
    first, second = read_coco(coco_of(tmp_path, [{"id": 1, "width": 60.0}, {"id": 2}], annotations)).records
    assert first.crowd.tolist() == [True, False]
    np.testing.assert_array_equal(first.area, [2.5, np.nan])
    assert (first.width, first.height, second.names) == (60, 0, ())


def test_coco_nan_and_infinity_are_read(tmp_path: Path) -> None:
    annotations = [{"image_id": 1, "category_id": 1, "bbox": [1, float("nan"), float("inf"), 4]}]
    (record,) = read_coco(coco_of(tmp_path, [{"id": 1}], annotations)).records
    np.testing.assert_array_equal(record.boxes_xyxy, [[1, np.nan, np.inf, np.nan]])


def test_coco_byte_order_mark(tmp_path: Path) -> None:
    path = coco(tmp_path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(read_coco(path).records) == 3


def test_coco_annotations_without_image_or_category(tmp_path: Path) -> None:
    annotations = [
        {"image_id": 1, "category_id": 1},
        {"image_id": 9, "category_id": 1},
        {"image_id": 1, "category_id": 5},
    ]
    source = read_coco(coco_of(tmp_path, [{"id": 1}], annotations))
    assert [(issue.code, issue.source) for issue in source.issues] == [
        ("image-unknown", "instances.json annotations[1]"),
        ("class-unknown", "instances.json annotations[2]"),
    ]
    assert source.records[0].names == ("cat",)


def test_coco_double_image_id(tmp_path: Path) -> None:
    source = read_coco(coco_of(tmp_path, [{"id": 1}, {"id": 1}]))
    assert [record.filename for record in source.records] == ["0.jpg"]
    assert [(issue.code, issue.source) for issue in source.issues] == [
        ("image-duplicate", "instances.json images[1]")
    ]


@pytest.mark.parametrize("odd", [{}, {"category_id": 9}, {"bbox": None}, {"image_id": "1"}])
@pytest.mark.parametrize("repeats", [1, 2])
def test_coco_annotations_of_an_id_that_two_files_have_are_refused(
    tmp_path: Path, odd: dict[str, Any], repeats: int
) -> None:
    images: list[dict[str, Any]] = [{"id": 2}]
    images += [*[{"id": 1, "file_name": "a.jpg"}] * repeats, {"id": 1.0, "file_name": "b.jpg"}]
    path = coco_of(tmp_path, images, [ONE | {"image_id": 2}, ONE | odd])
    said = rf"annotations\[1\]: image_id 1 is 'a.jpg' in images\[1\] and 'b.jpg' in images\[{1 + repeats}\]"
    with pytest.raises(InputError, match=said):
        read_coco(path)


@pytest.mark.parametrize("other", [{}, {"width": 7}, {"file_name": "https://x.org/1.jpg"}])
def test_coco_entries_of_one_file_are_one_image(tmp_path: Path, other: dict[str, Any]) -> None:
    images: list[dict[str, Any]] = [{"id": 2}, {"id": 1}, {"id": 1, "file_name": "1.jpg"} | other]
    source = read_coco(coco_of(tmp_path, images, [ONE]))
    assert [len(record.names) for record in source.records] == [0, 1]
    assert faults(source) == ["image-duplicate"]


def test_coco_category_zero(tmp_path: Path) -> None:
    root = {"id": 0, "name": "cells", "supercategory": "none"}
    real = [
        {"id": 1, "name": "rbc", "supercategory": "cells"},
        {"id": 2, "name": "wbc", "supercategory": "cells"},
    ]
    source = read_coco(coco_of(tmp_path, [{"id": 1}], [], [root, *real]))
    assert source.classes == ("rbc", "wbc")
    assert [issue.code for issue in source.issues] == ["class-superfluous"]
    used = read_coco(coco_of(tmp_path, [{"id": 1}], [{"image_id": 1, "category_id": 0}], [root, *real]))
    assert (used.classes, used.issues) == (("cells", "rbc", "wbc"), ())
    assert used.records[0].names == ("cells",)
    no_root = read_coco(
        coco_of(tmp_path, [{"id": 1}], [], [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}])
    )
    assert no_root.classes == ("cat", "dog")


def test_coco_order_of_ids_is_by_number(tmp_path: Path) -> None:
    categories: list[dict[str, Any]] = [
        {"id": 10, "name": "j"},
        {"id": "9", "name": "i"},
        {"id": "b", "name": "z"},
        {"id": 2, "name": "b"},
    ]
    assert read_coco(coco_of(tmp_path, [], [], categories)).classes == ("b", "i", "j", "z")


def test_coco_same_name_twice_is_one_class(tmp_path: Path) -> None:
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": " cat\n"}]
    source = read_coco(coco_of(tmp_path, [{"id": 1}], [{"image_id": 1, "category_id": 2}], categories))
    assert source.classes == ("cat",)
    assert [issue.code for issue in source.issues] == ["class-untrimmed", "class-duplicate"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda _: "", "is empty"),
        (lambda text: text[: len(text) // 2], r"line 1, column \d+ \(byte \d+\): broken JSON"),
        (lambda _: "[]", "not COCO instances: Expected object, got array"),
        (lambda text: text.replace("annotations", "annos"), "missing required field annotations"),
        (
            lambda text: text.replace('"annotations": [', '"annotations": 3, "others": ['),
            "annotations: not COCO instances: Expected array",
        ),
        (lambda text: text[:-1] + ', "annotations": []}', 'the key "annotations" stands more than once'),
        (lambda text: '{"images": [{"id": 9}], ' + text[1:], 'the key "images" stands more than once'),
        (
            lambda text: '{"x, \\"": {"x": NaN}, "x, \\"": 1, ' + text[1:],
            'the key "x, .*" stands more than once',
        ),
        (lambda text: text.replace('"name": "dog"', '"name": " "'), "name of category id 3 is empty"),
        (
            lambda text: text.replace('{"id": 3, "name"', '{"id": 17, "name"'),
            "category id 17 stands for 'cat' and 'dog'",
        ),
    ],
)
def test_coco_that_cannot_be_read(tmp_path: Path, change: Callable[[str], str], reason: str) -> None:
    path = coco(tmp_path)
    path.write_text(change(path.read_text()))
    with pytest.raises(InputError, match=f"instances.json: .*{reason}"):
        read_coco(path)


def test_coco_masks_come_as_they_stand_in_the_file(tmp_path: Path) -> None:
    path = coco(tmp_path)
    document = json.loads(path.read_text())
    document["annotations"][0]["segmentation"] = [[1, 2, 3.5, 4, 5, 6]]
    path.write_text(json.dumps(document))
    record = registry.read(path, options=ReadOptions(masks=True)).records[0]
    assert record.masks == (b"[[1, 2, 3.5, 4, 5, 6]]", b"")
    assert registry.read(path).records[0].masks == ()


@pytest.mark.parametrize("size", [1, 50, 300])
def test_coco_in_slices_of_any_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    path = coco(tmp_path)
    document = json.loads(path.read_text())
    for annotation in document["annotations"]:
        annotation["attributes"] = [{"a": "} , {"}, {"b": [{"c": 1}, {"d": {}}]}]
        annotation["caption"] = 'quote \\" }, { "'
    path.write_text(json.dumps(document, indent=1))
    whole = registry.read(path)
    monkeypatch.setattr(json_arrays, "_SLICE_BYTES", size)
    sliced = registry.read(path)
    assert sliced.classes == whole.classes
    for one, other in zip(sliced.records, whole.records, strict=True):
        assert (one.names, one.filename) == (other.names, other.filename)
        np.testing.assert_array_equal(one.boxes_xyxy, other.boxes_xyxy)
    path.write_text(path.read_text().replace('"bbox"', '"box"').replace('"box"', '"bbox"', 3))
    odd = registry.read(path)
    assert [issue.message.partition(":")[0] for issue in odd.issues] == ["annotations[3]", "annotations[4]"]
    assert_balanced(odd)


def test_coco_nonnumbers_are_told_from_texts(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(
        '{"images": [{"id": 1, "file_name": "NaN, Infinity.jpg"}], "categories": [{"id": 1, "name": "NaN"}],'
        ' "annotations": [{"image_id": 1, "category_id": 1, "bbox": [NaN, -Infinity ,Infinity,1], "area"'
        ": NaN}]}"
    )
    source = registry.read(path)
    (record,) = source.records
    assert (record.filename, record.names) == ("NaN, Infinity.jpg", ("NaN",))
    np.testing.assert_array_equal(record.boxes_xyxy, [[np.nan, -np.inf, np.nan, -np.inf]])
    assert math.isnan(record.area[0])


def test_coco_repeated_annotation_ids_are_one_issue(tmp_path: Path) -> None:
    path = coco(tmp_path)
    path.write_text(path.read_text().replace('"id": 1,', '"id": 0,'))
    source = registry.read(path)
    assert faults(source) == ["annotation-id-duplicate"]
    assert sum(len(record.names) for record in source.records) == 5


POLYGON = [[30, 20, 70, 20, 70, 60], [40, 25, 45, 25, 45, 30]]
RUNS = {"size": [80, 100], "counts": [2420, 40, 3080, 40, 2420]}  # columns 30 and 69, rows 20 to 59
ONE: dict[str, Any] = {"image_id": 1, "category_id": 1}
ABSENT = object()
NO_BOXES = [
    *(ABSENT, None, [], [1, 2, 3], [1, 2, 3, 4, 5], ["1", "2", "3", "four"], "1 2 3 4", {"x": 1}, 7),
    *([[1, 2], [3, 4]], [True, 1, 2, 3], [None, 1, 2, 3]),
]


@pytest.mark.parametrize("nan", [False, True])
@pytest.mark.parametrize("box", NO_BOXES)
@pytest.mark.parametrize(
    ("shape", "code"),
    [
        (POLYGON, "box-derived"),
        (POLYGON[0], "box-derived"),
        (RUNS, "box-derived"),
        (ABSENT, "box-missing"),
        ([], "box-missing"),
        ([[1, 2]], "box-missing"),
        ({"size": [0, 0], "counts": "x"}, "box-missing"),
        ("x", "box-missing"),
    ],
)
def test_coco_without_a_box_takes_it_from_the_shape(
    tmp_path: Path, box: object, shape: object, code: str, nan: bool
) -> None:
    """Also in a file that writes NaN."""
    odd = ONE | {"bbox": box, "segmentation": shape} | ({"area": math.nan} if nan else {})
    odd = {key: value for key, value in odd.items() if value is not ABSENT}
    path = coco_of(tmp_path, [{"id": 2}, {"id": 1}], [ONE, odd, ONE])
    if box is ABSENT:  # coco_of gives every annotation one
        document = json.loads(path.read_text())
        del document["annotations"][1]["bbox"]
        path.write_text(json.dumps(document))
    source = read_coco(path)
    _, record = source.records
    expected = [[1, 2, 4, 6], [30, 20, 70, 60], [1, 2, 4, 6]]
    assert record.boxes_xyxy.tolist() == (expected if code == "box-derived" else expected[::2])
    ((found, at, number, message),) = [(one.code, one.source, one.box, one.message) for one in source.issues]
    assert (found, at) == (code, record.source)
    assert number == (1 if code == "box-derived" else None)
    assert message.startswith("annotations[1]: ")
    assert source.account == Account(1, 3, {code: 1} if code == "box-missing" else {}, images=2)


SEEN = [10, 20, 2, 0, 0, 0, 30, 15, 1, 99, 99, 0]  # visibility 0: nobody set it


@pytest.mark.parametrize("nan", [False, True])
@pytest.mark.parametrize(
    ("keypoints", "box"),
    [
        (SEEN, [10, 15, 30, 20]),
        ([0, 0, 0], None),
        ([], None),
        ("x", None),
        ([1, 2], None),
        (["1", 2, 2], None),
    ],
)
def test_coco_takes_boxes_from_keypoints_when_asked(
    tmp_path: Path, keypoints: object, box: list[float] | None, nan: bool
) -> None:
    path = coco_of(tmp_path, [{"id": 1}], [ONE | {"bbox": [], "keypoints": keypoints, "num_keypoints": 2}])
    if nan:
        path.write_text(path.read_text().replace('"num_keypoints": 2', '"area": NaN'))
    (issue,) = read_coco(path).issues
    assert issue.code == "box-missing"
    assert ("--boxes-from keypoints" in issue.message) == (box is not None)
    options = ReadOptions(boxes_from="keypoints")
    source = registry.read(path, "coco", options)
    assert source.records[0].boxes_xyxy.tolist() == ([box] if box else [])
    assert faults(source) == ["box-derived" if box else "box-missing"]
    (odd,) = coco_parts.read(
        path, list(coco_parts.index(path)[2])[1], [], replace(options, keypoints=False)
    ).parts
    assert [item.code for item in odd[1].odd.values() if isinstance(item, Odd)] == faults(source)


@pytest.mark.parametrize(
    ("odd", "code", "at"),
    [
        ({"category_id": None}, "class-unknown", "annotations[1]"),
        ({"image_id": None}, "image-unknown", "annotations[1]"),
        ({"image_id": [1]}, "image-unknown", "annotations[1]"),
        ({"category_id": True}, "class-unknown", "annotations[1]"),
        ({"id": None, "iscrowd": "0", "area": "big"}, "", ""),
        (None, "annotation-unread", "annotations[1]"),
        ([1, 2, 3, 4], "annotation-unread", "annotations[1]"),
        (7, "annotation-unread", "annotations[1]"),
    ],
)
def test_coco_one_odd_annotation_stops_nothing(tmp_path: Path, odd: Any, code: str, at: str) -> None:
    path = coco_of(tmp_path, [{"id": 1}], [ONE, ONE, ONE])
    document = json.loads(path.read_text())
    document["annotations"][1] = document["annotations"][1] | odd if isinstance(odd, dict) else odd
    path.write_text(json.dumps(document))
    source = read_coco(path)
    assert [(issue.code, issue.source) for issue in source.issues] == (
        [(code, f"instances.json {at}")] if code else []
    )
    assert len(source.records[0].names) == (2 if code else 3)
    assert not source.records[0].crowd.any()
    assert_balanced(source)


@pytest.mark.parametrize("absent", ["image_id", "category_id"])
def test_coco_absent_ids(tmp_path: Path, absent: str) -> None:
    odd = {key: value for key, value in ONE.items() if key != absent}
    nameless = {"name": "dog", "id": None}
    source = read_coco(coco_of(tmp_path, [{"id": 1}], [ONE, odd], [*CAT, nameless]))
    code = "image-unknown" if absent == "image_id" else "class-unknown"
    assert faults(source) == ["class-unknown", code]
    assert source.account == Account(1, 2, {code: 1}, images=1)


def test_coco_images_without_ids_or_names(tmp_path: Path) -> None:
    images: list[dict[str, Any]] = [
        {"id": 1}, {"id": None}, {"file_name": "x.jpg"}, {"id": 4, "file_name": None},
        {"id": 5, "file_name": "."}, {"id": 6, "file_name": "a/.."}, {"id": 7, "file_name": "a\0.jpg"},
    ]  # fmt: skip
    source = read_coco(coco_of(tmp_path, images, [ONE, ONE | {"image_id": 4}, ONE | {"image_id": None}]))
    assert [record.filename for record in source.records] == ["0.jpg", "1.jpg", "x.jpg", "", "", "", ""]
    assert [len(record.names) for record in source.records] == [1, 0, 0, 1, 0, 0, 0]
    assert len({record.image_id for record in source.records}) == 7
    assert faults(source) == ["image-unannotated", "image-unannotated", "image-unknown"]
    _, issues = lookup.places(source.records, tmp_path)
    assert len(issues) == 7
    assert_balanced(source)
    with pytest.raises(InputError, match="no image has an id"):
        read_coco(coco_of(tmp_path, [{"id": None}, {}], []))


def test_coco_annotations_of_other_kinds(tmp_path: Path) -> None:
    panoptic = {"image_id": 1, "file_name": "1.png", "segments_info": [{"id": 1, "category_id": 1}] * 3}
    path = coco_of(tmp_path, [{"id": 1}], [ONE])
    document = json.loads(path.read_text())
    document["annotations"] += [panoptic, {"image_id": 1, "caption": "a cat"}, panoptic | {"image_id": 9}]
    document["keypoint_annotations"] = [ONE, ONE, {"any": 1}, 3]
    document["videos"] = [{"id": 1, "name": "v"}]
    path.write_text(json.dumps(document))
    source = read_coco(path)
    assert [(issue.code, issue.source) for issue in source.issues] == [
        ("annotation-unread", "instances.json images[0]"),
        ("annotation-unread", "instances.json images[0]"),
        ("annotation-unread", "instances.json annotations[3]"),
        ("annotation-unread", "instances.json"),
    ]
    assert source.account == Account(1, 1 + 3 + 1 + 3 + 2, {"annotation-unread": 9}, images=1)
    assert_balanced(source)


@given(
    st.integers(1, 9).flatmap(
        lambda height: st.integers(1, 9).flatmap(
            lambda width: st.lists(st.booleans(), min_size=height * width, max_size=height * width).map(
                lambda bits: np.array(bits, np.uint8).reshape(height, width)
            )
        )
    )
)
@settings(deadline=None)
def test_the_box_around_a_mask_is_that_of_its_pixels(mask: NDArray[np.uint8]) -> None:
    """Packed and plain, against pycocotools' packing and the pixels themselves."""
    from pycocotools import mask as coco_mask

    rows, columns = np.nonzero(mask)
    expected = None
    if len(rows):
        left, top = columns.min(), rows.min()
        expected = (left, top, columns.max() + 1 - left, rows.max() + 1 - top)
    packed = coco_mask.encode(np.asfortranarray(mask))
    flat = mask.T.ravel()
    counts, value = [0], 0
    for pixel in flat.tolist():
        if pixel != value:
            counts.append(0)
            value = pixel
        counts[-1] += 1
    size = list(mask.shape)
    assert box_around({"size": size, "counts": packed["counts"].decode()}) == expected
    assert box_around({"size": size, "counts": counts}) == expected


def test_an_image_may_say_what_it_was_annotated_for(tmp_path: Path) -> None:
    said = [None, ["dog"], ["dog", "cow", "cat"], [], "dog", [3]]
    images = [{"id": i, "file_name": f"{i}.jpg", "labeled": labeled} for i, labeled in enumerate(said)]
    path = coco_of(tmp_path, images, categories=[*CAT, {"id": 2, "name": "dog"}])
    source = registry.read(path)
    both = {"cat", "dog"}
    assert [record.labeled for record in source.records] == [both, {"dog"}, both, both, both, both]
    assert [(issue.code, issue.source) for issue in source.issues] == [
        ("class-unknown", "instances.json images[2]")
    ]
    assert "labeled names 'cow', not in categories" in source.issues[0].message
    path = coco_of(tmp_path, [{"id": 1, "file_name": "a.jpg", "labeled": ["cow"]}])
    with pytest.raises(InputError, match=r"images\[0\]: labeled is 'cow', of which none is in categories"):
        registry.read(path)


def test_results_are_no_annotations(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text('[{"image_id": 1, "category_id": 2, "bbox": [1, 2, 3, 4], "score": 0.5}]')
    with pytest.raises(InputError, match="is a list of COCO results, which are predictions"):
        registry.read(path)


def test_annotations_may_have_weights(tmp_path: Path) -> None:
    images = [{"id": i, "file_name": f"{i}.jpg"} for i in range(3)]
    weights: list[Any] = [0.5, None, "x"]
    said = [{"image_id": i, "category_id": 1, "training_weight": w} for i, w in enumerate(weights)]
    path = coco_of(tmp_path, images, [*said, {"image_id": 0, "category_id": 1, "weight": 80}])
    assert [record.weights for record in registry.read(path).records] == [(0.5, 1), (), ()]


FRACTIONS = [[0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1], [-0.01, 0.5, 0.2, 0.501]]


@pytest.mark.parametrize(
    "boxes", [FRACTIONS, FRACTIONS[1:2], [*FRACTIONS, [math.nan, 1, 9, 9]], [*FRACTIONS * 50, [9, 9, 9, 9]]]
)
@pytest.mark.parametrize("coordinates", [None, "pixels", "fractions"])
def test_coco_boxes_that_may_be_fractions_are_refused_until_it_is_said(
    tmp_path: Path, boxes: list[list[float]], coordinates: str | None
) -> None:
    path = coco_of(tmp_path, [{"id": 1}, {"id": 2}], [ONE | {"bbox": box} for box in boxes])
    if coordinates is None:
        with pytest.raises(InputError, match="boxes lie between 0 and 1, expected pixels; say --coordinates"):
            read_coco(path)
        return
    source = registry.read(path, "coco", ReadOptions(coordinates=coordinates))
    assert {record.relative for record in source.records} == {coordinates == "fractions"}
    corners = np.array([[x, y, x + width, y + height] for x, y, width, height in boxes])
    np.testing.assert_array_equal(source.records[0].boxes_xyxy, corners)


@pytest.mark.parametrize(
    "boxes",
    [
        [],
        [[0, 0, 0, 0]],
        [[0, 0, 1, 2]],
        [[0.5, 0.5, 0.5, -0.1]],
        [[math.nan, 0, 1, 1]],
        [*FRACTIONS, [9, 9, 9, 9]],
    ],
)
def test_coco_boxes_that_are_no_fractions_are_pixels(tmp_path: Path, boxes: list[list[float]]) -> None:
    source = read_coco(coco_of(tmp_path, [{"id": 1}], [ONE | {"bbox": box} for box in boxes]))
    assert not source.records[0].relative
    assert len(source.records[0].names) == len(boxes)


@pytest.mark.parametrize(("area", "pixels"), [(0.25, 0.25), (500.0, 0.25), (None, math.nan)])
@pytest.mark.parametrize("sized", [True, False])
def test_coco_areas_and_masks_of_fractions(
    tmp_path: Path, area: float | None, pixels: float, sized: bool
) -> None:
    """A file may have the areas of its fractions in pixels."""
    polygon = [0.5, 0.25, 1, 0.25, 1, 0.75, 0.5, 0.75]
    size = {"width": 50, "height": 40} if sized else {}
    annotation = ONE | {"bbox": [0.5, 0.25, 0.5, 0.5], "area": area, "segmentation": [polygon]}
    path = coco_of(tmp_path, [{"id": 1} | size], [annotation])
    (record,) = registry.read(path, "coco", ReadOptions(coordinates="fractions", masks=True)).records
    known = sized or area != 500
    np.testing.assert_array_equal(record.area, [pixels if known else math.nan])
    mask = np.zeros((20, 40), np.uint8)
    mask[5:15, 20:40] = 1
    png = to_png(record.masks[0], "a", (40, 20), (40, 20), relative=True)
    np.testing.assert_array_equal(to_pixels(png, "a", (40, 20)), mask)


TWICE: list[tuple[str, str, Any]] = [
    *(
        ("annotations", key, value)
        for key, value in (ONE | {"bbox": [1, 2, 3, 4], "area": 2, "id": 7}).items()
    ),
    *(
        ("annotations", key, 1)
        for key in ("iscrowd", "ignore", "training_weight", "segmentation", "keypoints")
    ),
    *(("images", key, "9") for key in ("id", "file_name", "width", "height", "labeled")),
    *(("categories", key, "x") for key in ("id", "name", "supercategory")),
]


@pytest.mark.parametrize("blank", ["", " ", "  "])
@pytest.mark.parametrize("at", ["first", "last", "apart"])
@pytest.mark.parametrize(("array", "key", "value"), TWICE)
def test_coco_keys_that_stand_twice_in_an_object_are_refused(
    tmp_path: Path, array: str, key: str, value: Any, at: str, blank: str
) -> None:
    """Also where the others of its kind have none."""
    images, boxes = [{"id": number, "width": 9} for number in range(1, 4)], [ONE | {"id": 1, "area": 3}] * 3
    path = coco_of(tmp_path, images, boxes, [{"id": number, "name": f"c{number}"} for number in range(1, 4)])
    document = json.loads(path.read_text())
    item = {name: inner for name, inner in document[array][1].items() if name != key}
    pairs = [*item.items(), (key, value)]
    pairs = [(key, value), *pairs] if at == "apart" else [*pairs, (key, value)]
    if at == "first":
        pairs.reverse()
    twice = ", ".join(f"{json.dumps(name)}: {json.dumps(inner)}" for name, inner in pairs)
    document[array][1] = "HERE"
    text = json.dumps(document).replace('"HERE"', f"{{{twice}}}")
    path.write_text(text.replace('":', f'"{blank}:'))
    with pytest.raises(InputError, match=rf"{array}\[1\]: the key '{key}' stands twice in one object"):
        read_coco(path)
    with pytest.raises(InputError, match=f"the key '{key}' stands twice"):
        list(coco_parts.index(path)[2])


@pytest.mark.parametrize(
    "said",
    [
        {"attributes": {"id": 1, "bbox": 2, "area": 3}},
        {"note": '"id": 1, "bbox": "bbox": {"x": 1}'},
        {"segmentation": {"size": [1, 2], "counts": "a:b"}},
        {"damage_id": 3, "bbox": None, "x\\": 1},
    ],
)
@pytest.mark.parametrize("nan", [False, True])
def test_coco_keys_that_stand_once_in_each_object_are_read(
    tmp_path: Path, said: dict[str, Any], nan: bool
) -> None:
    area = {"area": math.nan} if nan else {}
    path = coco_of(tmp_path, [{"id": 1}], [ONE | area, dict(reversed((ONE | said).items())), said | ONE, ONE])
    assert len(read_coco(path).records[0].names) == (2 if "bbox" in said else 4)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("boxes", [1, 2])
def test_coco_nan_is_no_id_and_no_name(tmp_path: Path, number: float, boxes: int) -> None:
    """Also where all else is as it should be, and where there are things called n, nan and inf."""
    images: list[dict[str, Any]] = [{"id": key, "file_name": f"{key}.jpg"} for key in (1, "n", "nan", "inf")]
    images += [{"id": number, "file_name": "x.jpg", "width": number}, {"id": 2, "file_name": number}]
    classes: list[dict[str, Any]] = [*CAT, {"id": number, "name": "dog"}]
    classes += [{"id": name, "name": name} for name in ("n", "nan")]
    annotations = [ONE, ONE | {"image_id": number}, ONE | {"category_id": number}, ONE | {"id": number}]
    path = coco_of(tmp_path, images, annotations + [ONE | {"bbox": None}] * (boxes - 1), classes)
    source = read_coco(path)
    assert [record.filename for record in source.records][4:] == ["x.jpg", ""]
    assert [len(record.names) for record in source.records] == [2, 0, 0, 0, 0, 0]
    codes = ["class-unknown", "image-unannotated", "image-unknown", "class-unknown"]
    assert faults(source) == codes + ["box-missing"] * (boxes - 1)
    assert [issue.message for issue in source.issues][2:4] == [
        f"image_id {number} is not in images", f"category_id {number} is not in categories"
    ]  # fmt: skip
    assert_balanced(source)
    with pytest.raises(InputError, match="the name of category id 7 is empty"):
        read_coco(coco_of(tmp_path, images, [], [*CAT, {"id": 7, "name": number}]))


@pytest.mark.parametrize("digits", [1, 19, 101, 5000])
def test_coco_ids_that_are_texts_of_any_number_of_digits(tmp_path: Path, digits: int) -> None:
    image_id = "7" * digits
    source = read_coco(coco_of(tmp_path, [{"id": image_id}], [ONE | {"image_id": image_id}]))
    assert [len(record.names) for record in source.records] == [1]


@pytest.mark.parametrize("name", [{}, {"file_name": None}, {"file_name": ""}])
def test_coco_images_without_a_name_have_that_of_their_address(
    tmp_path: Path, name: dict[str, object]
) -> None:
    path = tmp_path / "instances.json"
    images = [{"id": 1, **name, "coco_url": "http://host/val2017/a.jpg"}, {"id": 2, **name}]
    path.write_text(json.dumps({"images": images, "annotations": [ONE], "categories": CAT}))
    source = read_coco(path)
    assert [record.filename for record in source.records] == ["val2017/a.jpg", ""]


def test_coco_supercategories_are_of_any_kind(tmp_path: Path) -> None:
    for value in (3, None, ["a"], "animal"):
        source = read_coco(coco_of(tmp_path, [{"id": 1}], [ONE], [CAT[0] | {"supercategory": value}]))
        assert source.classes == ("cat",)


@pytest.mark.parametrize("nan", [False, True])
@pytest.mark.parametrize(
    ("rotation", "segmentation", "box"),
    [
        (90.0, [], [35, 5, 45, 65]),
        (-270, None, [35, 5, 45, 65]),
        (45, [], [40 - 35 / 2**0.5, 35 - 35 / 2**0.5, 40 + 35 / 2**0.5, 35 + 35 / 2**0.5]),
        (0.0, [], [10, 30, 70, 40]),
        (720, [], [10, 30, 70, 40]),
        ("left", [], [10, 30, 70, 40]),
        (None, [], [10, 30, 70, 40]),
        (True, [], [10, 30, 70, 40]),
        (90, [[10, 30, 70, 30, 70, 40]], [10, 30, 70, 40]),
    ],
)
def test_rectangles_that_cvat_has_turned(
    tmp_path: Path, rotation: object, segmentation: object, box: list[float], nan: bool
) -> None:
    """Its polygons are turned already."""
    said = {"attributes": {"rotation": rotation, "occluded": True, "note": [1]}}
    turned = ONE | {"bbox": [10, 30, 60, 10], "segmentation": segmentation} | said
    source = read_coco(coco_of(tmp_path, [{"id": 1}], [ONE | ({"area": math.nan} if nan else {}), turned]))
    (record,) = source.records
    np.testing.assert_allclose(record.boxes_xyxy, np.array([[1, 2, 4, 6], box]))
    is_derived = box != [10, 30, 70, 40]
    assert [(issue.code, issue.box) for issue in source.issues] == [("box-derived", 1)] * is_derived
    assert record.occluded.tolist() == [False, True]
    assert_balanced(source)


@pytest.mark.parametrize("flag", ["occluded", "truncated", "difficult"])
@pytest.mark.parametrize(
    ("value", "kept"), [(True, True), (1, True), ("true", True), (False, False), (None, False)]
)
def test_flags_of_cvat_in_attributes_are_kept(tmp_path: Path, flag: str, value: object, kept: bool) -> None:
    annotations = [
        ONE,
        ONE | {"attributes": {flag: value}},
        ONE | {"attributes": [flag]},
        ONE | {"attributes": None},
    ]
    source = read_coco(coco_of(tmp_path, [{"id": 1}], annotations))
    (record,) = source.records
    assert getattr(record, flag).tolist() == [False, kept, False, False]
    others = {"occluded", "truncated", "difficult"} - {flag}
    assert not any(getattr(record, other).any() for other in others)
    assert not source.issues


LVIS = ({"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}, {"id": 7, "name": "emu"})


@pytest.mark.parametrize(
    ("negative", "partial", "expected"),
    [
        ([2], [], {"cat", "dog"}),
        (["7", 2.0], [1], {"dog", "emu"}),
        ([99], None, {"cat"}),
        (None, [], {"cat"}),
        (None, None, None),
    ],
)
def test_lvis_says_what_each_image_was_annotated_for(
    tmp_path: Path, negative: Any, partial: Any, expected: set[str] | None
) -> None:
    said = {"neg_category_ids": negative, "not_exhaustive_category_ids": partial}
    image = {"id": 1} | {key: ids for key, ids in said.items() if ids is not None}
    path = coco_of(tmp_path, [image, {"id": 2}], [{"image_id": 1, "category_id": 1}], LVIS)
    (record, other) = read_coco(path).records
    everything = {"cat", "dog", "emu"}
    assert record.labeled == (everything if expected is None else expected)
    assert other.labeled == everything


def test_an_image_of_lvis_that_says_nothing(tmp_path: Path) -> None:
    image = {"id": 1, "neg_category_ids": [], "not_exhaustive_category_ids": [1]}
    source = read_coco(coco_of(tmp_path, [image], [{"image_id": 1, "category_id": 1}], LVIS))
    assert faults(source) == ["image-unannotated"]
    listed, _, pieces = coco_parts.index(tmp_path / "instances.json")
    names = [str(category.name) for category in listed]
    items = [item for piece in pieces if piece.key == "images" for _, item in coco_parts.images(piece)]
    with pytest.raises(InputError, match=r"images\[0\]: neg_category_ids .* convert --runner"):
        coco_parts.joined(tmp_path / "instances.json", items, [], names, False)


@pytest.mark.parametrize(
    ("image", "filename"),
    [
        ({"coco_url": "http://images.cocodataset.org/val2017/7.jpg"}, "val2017/7.jpg"),
        ({"coco_url": 7}, ""),
        ({"file_name": "b.jpg", "coco_url": "http://x.org/val2017/7.jpg"}, "b.jpg"),
        ({"file_name": "https://x.org/d/a%20b.jpg?signed=1"}, "d/a b.jpg"),
        ({"file_name": "gs://bucket/d/a.jpg"}, "d/a.jpg"),
        ({"file_name": "d/a%20b.jpg?"}, "d/a%20b.jpg?"),
    ],
)
def test_coco_names_of_images_that_are_addresses(
    tmp_path: Path, image: dict[str, Any], filename: str
) -> None:
    document = {"images": [{"id": 1} | image], "annotations": [], "categories": list(CAT)}
    (tmp_path / "a.json").write_text(json.dumps(document))
    (record,) = read_coco(tmp_path / "a.json").records
    assert record.filename == filename


@pytest.mark.parametrize("box", [[1, 2, 3, 4], ["1", "2.0", " 3", "4e0"], [1, "+2", "3.", "0.4E+1"]])
@pytest.mark.parametrize("ignore", [1, True, "1", "true"])
def test_coco_numbers_that_are_texts_and_boxes_to_be_ignored(tmp_path: Path, box: Any, ignore: Any) -> None:
    said: dict[str, Any] = {"image_id": 1, "category_id": 1}
    annotations = [said | {"bbox": box, "area": box[0], "ignore": ignore}, said | {"ignore": 0}]
    source = read_coco(coco_of(tmp_path, [{"id": 1}], annotations))
    (record,) = source.records
    assert record.boxes_xyxy.tolist() == [[1, 2, 4, 6]] * 2
    assert (record.difficult.tolist(), record.area[0]) == ([True, False], 1)
    assert not source.issues


@pytest.mark.parametrize("number", ["1,5", "1_0", "", "0x1", "1.2.3", "--1", "9" * 400, "e3"])
def test_coco_texts_that_are_no_numbers(tmp_path: Path, number: str) -> None:
    annotations = [{"image_id": 1, "category_id": 1, "bbox": [1, 2, number, 4]}]
    source = read_coco(coco_of(tmp_path, [{"id": 1}], annotations))
    assert faults(source) == ["box-missing"]
    assert_balanced(source)
