"""Label Studio: regions of every kind, several annotations, names of images, JSON_MIN, and damaged files."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.small_sets import save_picture
from tests.helpers.sources import assert_balanced, faults, fitted
from tfrec_tools.annotations.records import ByteRange, Source
from tfrec_tools.errors import InputError
from tfrec_tools.formats import registry
from tfrec_tools.formats.options import ReadOptions
from tfrec_tools.images.fitting import fit
from tfrec_tools.images.masks import to_pixels

WIDTH, HEIGHT = 200, 100
SIZE = {"original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}


def region(kind: str, names: Any = ("cat",), **value: Any) -> dict[str, Any]:
    named = {} if names is None else {kind: list(names)}
    return SIZE | {"id": "r1", "type": kind, "from_name": "l", "to_name": "i", "value": value | named}


def rectangle(x: float = 10, width: float = 20, rotation: Any = 0, **more: Any) -> dict[str, Any]:
    return region("rectanglelabels", x=x, y=20, width=width, height=40, rotation=rotation) | more


def task(*annotations: Any, image: Any = "/data/upload/1/a.jpg", **more: Any) -> dict[str, Any]:
    return {"id": 1, "data": {"image": image}, "annotations": list(annotations), "predictions": []} | more


def annotated(*regions: Any, **more: Any) -> dict[str, Any]:
    return {"id": 5, "result": list(regions), "was_cancelled": False, "ground_truth": False} | more


def write(folder: Path, tasks: Any) -> Path:
    path = folder / "export.json"
    path.write_text(json.dumps(tasks))
    return path


def read(folder: Path, *tasks: Any) -> Source:
    path = write(folder, list(tasks))
    assert registry.detect(path) == "labelstudio"
    source = registry.read(path)
    assert_balanced(source)
    return source


def packed(mask: Any, most: int = 1000) -> list[int]:
    """A mask (height, width) of 0 and 255 as the tool packs it; pieces of at most so many values."""
    values = np.repeat(mask.ravel(), 4).tolist()
    bits = f"{len(values):032b}{7:05b}{2:04b}{3:04b}{8:04b}{15:04b}"
    sizes = [3, 4, 9, 16]
    at = 0
    while at < len(values):
        end = at
        while end < len(values) and values[end] == values[at] and end - at < most:
            end += 1
        length = end - at - 1
        size = next(number for number, of in enumerate(sizes) if length < 1 << of)
        bits += f"1{size:02b}{length:0{sizes[size]}b}{values[at]:08b}"
        at = end
    bits += "0" * (-len(bits) % 8)
    return [int(bits[place : place + 8], 2) for place in range(0, len(bits), 8)]


def literal(values: list[int]) -> list[int]:
    bits = f"{len(values):032b}{7:05b}" + f"{15:04b}" * 4 + f"000{len(values) - 1:016b}"
    bits += "".join(f"{value:08b}" for value in values)
    bits += "0" * (-len(bits) % 8)
    return [int(bits[place : place + 8], 2) for place in range(0, len(bits), 8)]


def brush(rle: Any, **more: Any) -> dict[str, Any]:
    return region("brushlabels", format="rle", rle=rle) | more


BLOT = np.zeros((HEIGHT, WIDTH), np.uint8)
BLOT[30:41, 150:170] = 255
BLOT[35, 60] = 255


@pytest.mark.parametrize(
    ("item", "box", "code"),
    [
        (rectangle(), [20, 20, 60, 60], ""),
        (rectangle(rotation=None), [20, 20, 60, 60], ""),
        (rectangle(rotation=360), [20, 20, 60, 60], ""),
        (rectangle(rotation=90), [-20, 20, 20, 60], "box-derived"),
        (region("polygonlabels", points=[[10, 20], [30, 25], [20, 60]]), [20, 20, 60, 60], "box-derived"),
        (
            region("ellipselabels", x=20, y=50, radiusX=10, radiusY=30, rotation=0),
            [20, 20, 60, 80],
            "box-derived",
        ),
        (
            region("ellipselabels", x=20, y=50, radiusX=10, radiusY=30, rotation=90),
            [10, 30, 70, 70],
            "box-derived",
        ),
        (brush(packed(BLOT)), [60, 30, 170, 41], "box-derived"),
        (brush(packed(BLOT, 7)), [60, 30, 170, 41], "box-derived"),
        (brush(packed(0 * BLOT)), None, "box-missing"),
        (brush(packed(BLOT[1:])), None, "annotation-unread"),
        (brush(packed(BLOT)[:-3]), None, "annotation-unread"),
        (brush([]), None, "annotation-unread"),
        (brush([1, 300]), None, "annotation-unread"),
        (brush("x"), None, "annotation-unread"),
        (region("keypointlabels", x=1, y=2, width=0.5), None, "box-missing"),
        (region("videorectangle", sequence=[]), None, "annotation-unread"),
        (region("polygonlabels", points=[[1]]), None, "annotation-unread"),
        (region("polygonlabels", points=[]), None, "box-missing"),
        (region("polygonlabels", points=[[1, 2], [3, 4]]), None, "box-missing"),
        (rectangle(value=rectangle()["value"] | {"rectanglelabels": "cat"}), [20, 20, 60, 60], ""),
        (region("rectanglelabels", x=1, y=2, width="3", height=4), None, "annotation-unread"),
        (region("rectanglelabels", (), x=10, y=20, width=20, height=40), None, "class-unknown"),
        (region("rectangle", None, x=10, y=20, width=20, height=40), None, "class-unknown"),
        (rectangle(rotation="x"), None, "annotation-unread"),
        (rectangle(image_rotation=90), None, "annotation-unread"),
        (rectangle(value=3), None, "annotation-unread"),
        ("region", None, "annotation-unread"),
    ],
)
def test_a_region_is_a_box_or_an_issue(tmp_path: Path, item: Any, box: list[float] | None, code: str) -> None:
    source = read(tmp_path, task(annotated(item, region("choices", ["day"]))))
    (record,) = source.records
    np.testing.assert_allclose(
        record.boxes_xyxy, np.array([] if box is None else [box]).reshape(-1, 4), atol=1e-9
    )
    assert faults(source) == ([code] if code else [])
    assert all(issue.message.startswith("annotations[0].result[0]: ") for issue in source.issues)


@pytest.mark.parametrize(
    "size_wh", [(WIDTH, HEIGHT), (WIDTH // 2, HEIGHT // 2), (WIDTH * 3, HEIGHT * 3), (100, 100)]
)
@pytest.mark.parametrize(
    ("item", "box"),
    [
        (rectangle(), [0.1, 0.2, 0.3, 0.6]),
        (rectangle(rotation=90), [-0.1, 0.2, 0.1, 0.6]),
        (region("polygonlabels", points=[[10, 20], [30, 25], [20, 60]]), [0.1, 0.2, 0.3, 0.6]),
        (region("ellipselabels", x=20, y=50, radiusX=10, radiusY=30), [0.1, 0.2, 0.3, 0.8]),
        (brush(packed(BLOT)), [0.3, 0.3, 0.85, 0.41]),
    ],
)
def test_regions_are_percent_of_the_image_whatever_size_it_had_in_the_tool(
    tmp_path: Path, item: Any, box: list[float], size_wh: tuple[int, int]
) -> None:
    (record,) = read(tmp_path, task(annotated(item))).records
    place = ByteRange(save_picture(tmp_path / "a.jpg", *size_wh))
    (stored, _), issues = fitted(record, place), fit(record, place).issues
    np.testing.assert_allclose(stored.boxes_xyxy / np.array([*size_wh, *size_wh]), [box], atol=1e-9)
    assert (stored.width, stored.height, stored.of_any_size) == (*size_wh, False)
    assert [issue.code for issue in issues] == ([] if size_wh == (WIDTH, HEIGHT) else ["size-mismatch"])


def test_masks_of_polygons_fit_an_image_of_another_size(tmp_path: Path) -> None:
    polygon = region("polygonlabels", points=[[10, 20], [30, 20], [30, 60], [10, 60]])
    source = registry.read(write(tmp_path, [task(annotated(polygon))]), None, ReadOptions(masks=True))
    size_wh = (WIDTH // 2, HEIGHT // 2)
    stored, _ = fitted(source.records[0], ByteRange(save_picture(tmp_path / "a.jpg", *size_wh)))
    ys, xs = np.nonzero(to_pixels(stored.masks[0], "s", size_wh))
    np.testing.assert_allclose([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1], [10, 10, 30, 30], atol=1)


def test_a_brush_whose_values_do_not_repeat(tmp_path: Path) -> None:
    values = [9, 9, 9, 0] * 6
    values[4 * 4 + 3] = values[2 * 4 + 3] = 255  # pixels (1, 1) and (2, 0) of 3 x 2
    small = {"original_width": 3, "original_height": 2}
    (record,) = read(tmp_path, task(annotated(brush(literal(values), **small)))).records
    assert record.boxes_xyxy.tolist() == [[1, 0, 3, 2]]


def test_without_the_size_of_the_image_boxes_are_fractions(tmp_path: Path) -> None:
    without: dict[str, Any] = {"original_width": None}
    items = [rectangle(**without), rectangle(rotation=30, **without), brush([1], **without)]
    source = read(tmp_path, task(annotated(*items)))
    (record,) = source.records
    assert record.relative
    np.testing.assert_allclose(record.boxes_xyxy, [[0.1, 0.2, 0.3, 0.6]])
    assert faults(source) == ["annotation-unread"] * 2


PLAIN: dict[str, dict[str, Any]] = {
    "rectangle": {"x": 10, "y": 20, "width": 20, "height": 40},
    "polygon": {"points": [[10, 20], [30, 25], [20, 60]]},
    "ellipse": {"x": 20, "y": 50, "radiusX": 10, "radiusY": 30},
    "brush": {"rle": packed(BLOT)},
}


@pytest.mark.parametrize("kind", PLAIN)
@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([["dog"]], ("dog",)),
        ([["cat"], ["big"]], ("cat", "big")),
        ([["cat", "dog"], ["big"]], ("cat", "dog", "big")),
        ([["cat"], ["cat"]], ("cat",)),
        ([["cat"], []], ("cat",)),
        ([[]], ()),
    ],
)
def test_all_labels_that_were_chosen_apart_from_a_shape_are_boxes_of_it(
    tmp_path: Path, kind: str, labels: list[list[str]], names: tuple[str, ...]
) -> None:
    shape = region(kind, None, **PLAIN[kind])
    apart = [SIZE | {"id": "r1", "type": "labels", "value": PLAIN[kind] | {"labels": one}} for one in labels]
    rating = SIZE | {"id": "r1", "type": "choices", "value": PLAIN[kind] | {"choices": ["blurred"]}}
    source = read(tmp_path, task(annotated(*apart[:1], shape, rating, *apart[1:])))
    assert source.records[0].names == names
    assert ("class-unknown" in faults(source)) == (not names)


@pytest.mark.parametrize("kind", PLAIN)
def test_labels_beside_a_shape_that_has_some_are_boxes_too(tmp_path: Path, kind: str) -> None:
    shape = region(f"{kind}labels", ("cat", "dog"), **PLAIN[kind])
    apart = SIZE | {"id": "r1", "type": "labels", "value": PLAIN[kind] | {"labels": ["big"]}}
    (record,) = read(tmp_path, task(annotated(shape, apart))).records
    assert record.names == ("cat", "dog", "big")


def test_labels_without_an_id_are_of_no_other_shape(tmp_path: Path) -> None:
    shapes = [region("rectangle", None, **PLAIN["rectangle"]) | {"id": None}] * 2
    apart = SIZE | {"type": "labels", "value": PLAIN["ellipse"] | {"labels": ["dog"]}}
    source = read(tmp_path, task(annotated(*shapes, apart)))
    assert source.records[0].names == ("dog",)
    assert faults(source) == ["class-unknown"] * 2 + ["box-derived"]


@pytest.mark.parametrize(
    ("annotations", "boxes", "codes"),
    [
        ([], 0, ["image-unannotated"]),
        ([annotated()], 0, []),
        ([annotated(rectangle(), was_cancelled=True)], 0, ["image-unannotated"]),
        ([annotated(rectangle(), skipped=True), annotated(rectangle())], 1, []),
        ([annotated(rectangle()), annotated(rectangle(), rectangle(30))], 1, ["annotation-unread"]),
        (
            [annotated(rectangle()), annotated(rectangle(), rectangle(30), ground_truth=True)],
            2,
            ["annotation-unread"],
        ),
        ([annotated(rectangle()), annotated()], 1, []),
        ([17], 0, ["annotation-unread"]),
        ([{"result": "x"}], 0, ["annotation-unread"]),
    ],
)
@pytest.mark.parametrize("key", ["annotations", "completions"])
def test_which_annotation_counts(
    tmp_path: Path, annotations: list[Any], boxes: int, codes: list[str], key: str
) -> None:
    item = {key if name == "annotations" else name: value for name, value in task(*annotations).items()}
    item["predictions"] = [{"result": [rectangle()]}]
    path = write(tmp_path, [item, task(annotated(rectangle()), image="b.jpg")])
    source = registry.read(path)
    assert_balanced(source)
    assert [len(record.names) for record in source.records] == [boxes, 1]
    assert faults(source) == codes


@pytest.mark.parametrize(
    ("data", "upload", "filename"),
    [
        ({"image": "/data/upload/1/8a6d0f12-a.jpg"}, None, "8a6d0f12-a.jpg"),
        ({"image": "/data/local-files/?d=sub%5Ca%20b.jpg"}, None, "sub\\a b.jpg"),
        ({"image": "/label-studio/data/local-files/?d=sub/a.jpg&x=1"}, None, "sub/a.jpg"),
        ({"img": "https://host/data/sub/a.jpg?sign=x%2F"}, None, "data/sub/a.jpg"),
        ({"photo": "s3://bucket/sub/a%20b.jpg", "text": "hello"}, None, "sub/a%20b.jpg"),
        ({"image": "C:\\me\\a.jpg"}, None, "C:\\me\\a.jpg"),
        ({"image": "a"}, None, "a"),
        ({"other": "x"}, "8a6d0f12-a.jpg", "8a6d0f12-a.jpg"),
    ],
)
def test_names_of_images(tmp_path: Path, data: Any, upload: str | None, filename: str) -> None:
    source = read(tmp_path, task(annotated(rectangle()), data=data, file_upload=upload))
    assert [record.filename for record in source.records] == [filename]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "its data names no image"),
        (None, "its data names no image"),
        ({"text": "hello"}, "its data names no image"),
        ({"front": "a.jpg", "back": "b.jpg"}, r"its data names several images (a.jpg, b.jpg)"),
        ({"image": "data:image/png;base64,AAAA"}, "its image is written out in its data"),
        ({"image": ["a.jpg", "b.jpg"]}, "its data names no image"),
    ],
)
def test_tasks_without_an_image_of_their_own(tmp_path: Path, data: Any, message: str) -> None:
    uploaded = "8a6d0f12-tasks.json"
    source = read(
        tmp_path, task(annotated(rectangle()), annotated(rectangle()), data=data, file_upload=uploaded)
    )
    assert source.account.dropped == {"image-unknown": 2}
    assert source.issues[0].message.startswith(message)


TWO_IMAGES = {"image": "/data/upload/1/a.jpg", "image2": "https://host/get?id=2"}


@pytest.mark.parametrize("kind", ["rectangle", "polygon", "ellipse", "brush"])
@pytest.mark.parametrize("second", ["rectanglelabels", "rectangle", "labels"])
def test_shapes_on_several_images_of_a_task_are_not_put_on_one_of_them(
    tmp_path: Path, kind: str, second: str
) -> None:
    on_first = region(f"{kind}labels", **PLAIN[kind]) | {"to_name": "img1"}
    on_second = region(second, ("dog",), **PLAIN["rectangle"]) | {"id": "r2", "to_name": "img2"}
    both = task(annotated(on_first, on_second), data=TWO_IMAGES)
    alone = task(annotated(on_second), data=TWO_IMAGES | {"image": "b.jpg"})
    other = task(annotated(on_first), image="c.jpg")
    empty = task(annotated(), data=TWO_IMAGES | {"image": "d.jpg"})
    source = read(tmp_path, both, alone, other, empty)
    assert [(record.filename, len(record.names)) for record in source.records] == [("c.jpg", 1), ("d.jpg", 0)]
    assert source.account is not None
    assert source.account.dropped == {"image-unknown": 3}
    first = next(issue.message for issue in source.issues if issue.code == "image-unknown")
    assert "several tags (img1, img2), its data names several images (a.jpg, get)" in first


@pytest.mark.parametrize(
    ("data", "others"),
    [
        ({"image": "a.jpg", "text": "see https://host/b.jpg now", "note": "b"}, [{"to_name": "i2"}]),
        ({"image": "a.jpg", "again": "a.jpg"}, [{"to_name": "i2"}]),
        (TWO_IMAGES, [{"type": "choices", "to_name": "i2"}, {"type": "labels", "value": {"labels": ["x"]}}]),
        (TWO_IMAGES, [{"to_name": ""}, {"to_name": None}]),
    ],
)
def test_names_of_tags_say_nothing_where_there_is_one_image_or_one_tag(
    tmp_path: Path, data: Any, others: list[dict[str, Any]]
) -> None:
    items = [rectangle() | {"id": str(number)} | more for number, more in enumerate(others)]
    source = read(tmp_path, task(annotated(rectangle() | {"to_name": "i1"}, *items), data=data))
    (record,) = source.records
    assert record.names[:1] == ("cat",)
    assert "image-unknown" not in faults(source)


@pytest.mark.parametrize(
    "data", [{"pages": ["a.jpg", "/up/b.jpg"]}, {"pages": ["a.jpg", "/up/b.jpg"], "image": "a.jpg"}]
)
@pytest.mark.parametrize("more", [{}, {"words": ["x", "y"], "text": "x", "none": []}])
def test_pages_of_a_task_are_images_of_their_own(tmp_path: Path, data: Any, more: Any) -> None:
    pages = [
        rectangle() | {"item_index": 0},
        rectangle(30) | {"item_index": 1, "original_width": 400},
        *(rectangle(50) | {"item_index": index} for index in (2, -1, "1", True, None)),
    ]
    other = task(annotated(), data={"pages": ["c.jpg", "d.jpg"]})
    skipped = task(data={"pages": ["e.jpg"]})
    source = read(tmp_path, task(annotated(*pages), annotated(rectangle()), data=data | more), other, skipped)
    assert [(record.filename, record.width, len(record.names)) for record in source.records] == [
        ("a.jpg", 200, 1),
        ("/up/b.jpg", 400, 1),
        *((name, 0, 0) for name in ("c.jpg", "d.jpg", "e.jpg")),
    ]
    np.testing.assert_allclose(source.records[1].boxes_xyxy, [[120, 20, 200, 60]])
    assert sorted(faults(source)) == ["annotation-unread"] * 6 + ["image-unannotated"]
    assert len({record.source for record in source.records}) == 5


@pytest.mark.parametrize(
    ("data", "codes"),
    [
        ({"image": "a.jpg"}, {"annotation-unread": 1}),
        ({"image": "a.jpg", "words": ["x", "y"]}, {"annotation-unread": 1}),
        ({"image": "a.jpg", "left": ["a.jpg", "b.jpg"], "right": ["c.jpg"]}, {"image-unknown": 2}),
    ],
)
def test_pages_that_the_data_does_not_list_once(tmp_path: Path, data: Any, codes: dict[str, int]) -> None:
    items = [rectangle() | {"item_index": index} for index in (0, 1)]
    source = read(tmp_path, task(annotated(*items), data=data))
    assert source.account is not None
    assert source.account.dropped == codes


def test_a_list_of_images_beside_that_of_a_task_without_pages_says_nothing(tmp_path: Path) -> None:
    data = {"image": "a.jpg", "similar": ["b.jpg", "c.jpg"]}
    for item in (rectangle(), rectangle() | {"item_index": 0}):
        (record,) = read(tmp_path, task(annotated(item), data=data)).records
        assert (record.filename, record.names) == ("a.jpg", ("cat",))


def test_json_min_of_two_annotators(tmp_path: Path) -> None:
    value = {"x": 10, "y": 20, "width": 20, "height": 40, "rotation": 0} | SIZE
    items = [
        {"image": "a.jpg", "id": 1, "tag": [value | {"rectanglelabels": ["cat"]}], "annotator": 1},
        {"image": "b.jpg", "id": 2, "box": [value], "tag": [value | {"labels": ["dog"]}], "annotator": 1}
        | {"size": [value | {"labels": ["big"]}]},
        {"image": "a.jpg", "id": 1, "tag": [value | {"rectanglelabels": ["dog"]}], "annotator": 2},
        {"image": "c.jpg", "id": 3, "annotator": 1, "choice": ["day"]},
    ]
    source = read(tmp_path, *items)
    assert [(record.filename, record.names) for record in source.records] == [
        ("a.jpg", ("cat",)),
        ("b.jpg", ("dog", "big")),
        ("c.jpg", ()),
    ]
    assert faults(source) == ["annotation-unread"]


def test_json_min_does_not_say_which_image_of_a_task_its_controls_are_of(tmp_path: Path) -> None:
    value = PLAIN["rectangle"] | SIZE
    least = {"id": 1, "annotator": 1, "l1": [value | {"rectanglelabels": ["cat"]}]}
    second = {"l2": [value | {"rectanglelabels": ["dog"]}]}
    assert faults(read(tmp_path, least | second | TWO_IMAGES)) == ["image-unknown"]
    for item in (least | TWO_IMAGES, least | second | {"image": "a.jpg"}):
        assert faults(read(tmp_path, item)) == []
    paged = {"pages": ["a.jpg", "b.jpg"], "l3": [value | {"labels": ["dog"], "item_index": 1}]}
    assert [record.names for record in read(tmp_path, least | paged).records] == [(), ("dog",)]


@pytest.mark.parametrize("depth", [*range(930, 1000, 5)])
def test_deep_values_are_refused_or_an_issue(tmp_path: Path, depth: int) -> None:
    deep = f'{{"labels": ["cat"], "height": {"[" * depth}{"]" * depth}}}'
    path = tmp_path / "export.json"
    path.write_text(f'[{{"image": "a.jpg", "label": [{deep}], "annotator": 1}}]')
    with suppress(InputError):
        assert faults(registry.read(path, "labelstudio")) == ["annotation-unread"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[{"data": {"image": "a.jpg"}, "annota', r"broken JSON: Unterminated string"),
        ('{"tasks": 3}', "is 3, expected a list of Label Studio's tasks"),
        ("[3]", r"tasks\[0\]: is 3, expected an object"),
        (
            '[{"data": {}, "annotations": {"was_cancelled": 1}}]',
            r"tasks\[0\].annotations: is {'was_cancelled'",
        ),
    ],
)
def test_files_that_are_refused(tmp_path: Path, text: str, line: str) -> None:
    path = tmp_path / "export.json"
    path.write_text(text)
    with pytest.raises(InputError, match=line):
        registry.read(path, "labelstudio")
