"""Formats: the same scenes from each, and everything that can be wrong with a file."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from tests.small_sets import SCENES, WRITERS, coco, csv, voc, voc_xml
from tfrec_tools.errors import InputError
from tfrec_tools.formats import registry
from tfrec_tools.formats.csv_columns import COLUMNS


def boxes_by_file(source):
    return {record.filename: (record.names, record.boxes_xyxy.tolist()) for record in source.records}


@pytest.mark.parametrize("kind", WRITERS)
def test_each_format_reads_the_same_scenes(tmp_path, kind):
    path = WRITERS[kind](tmp_path)
    assert registry.detect(path) == kind
    source = registry.read(path, kind)
    assert boxes_by_file(source) == {
        name: (tuple(box[0] for box in boxes), [list(map(float, box[1:])) for box in boxes])
        for name, _, _, boxes in SCENES
    }
    assert {record.filename: (record.width, record.height) for record in source.records} == {
        name: (width, height) for name, width, height, _ in SCENES
    }
    assert {record.labeled for record in source.records} == {frozenset({"cat", "dog"})}
    assert source.issues == ()


def test_order_of_classes_and_images(tmp_path):
    given = {kind: registry.read(write(tmp_path), kind) for kind, write in WRITERS.items()}
    assert {kind: source.classes for kind, source in given.items()} == {
        "coco": ("dog", "cat"),  # by id
        "voc": ("cat", "dog"),
        "csv": ("cat", "dog"),
    }
    order = {kind: [record.filename for record in source.records] for kind, source in given.items()}
    assert order == {kind: ["b.jpg", "a.png", "c.jpg"] for kind in ("coco", "csv")} | {
        "voc": ["a.png", "b.jpg", "c.jpg"]
    }


def test_sources_point(tmp_path):
    points = {kind: registry.read(write(tmp_path), kind).records[1].source for kind, write in WRITERS.items()}
    assert points == {"coco": "instances.json images[1]", "voc": "b.xml", "csv": "labels.csv line 4"}


def test_what_is_no_source(tmp_path):
    (tmp_path / "a.txt").touch()
    with pytest.raises(InputError, match=r"unclear"):
        registry.detect(tmp_path / "a.txt")
    with pytest.raises(InputError, match=r"without \.xml files"):
        registry.detect(tmp_path)
    with pytest.raises(InputError, match=r"no such file"):
        registry.detect(tmp_path / "none")


def test_images_stand_nearby(tmp_path):
    annotations = voc(tmp_path)
    assert registry.images_folder(annotations) == annotations
    (tmp_path / "images").mkdir()
    assert registry.images_folder(annotations) == tmp_path.resolve() / "images"
    (tmp_path / "JPEGImages").mkdir()
    assert registry.images_folder(annotations).name == "JPEGImages"
    assert registry.images_folder(tmp_path / "instances.json") == tmp_path / "JPEGImages"


# COCO


CAT = ({"id": 1, "name": "cat"},)


def coco_of(tmp_path, images=(), annotations=(), categories=CAT):
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


def read_coco(path):
    return registry.read(path, "coco")


def test_coco_ids_of_every_kind(tmp_path):
    images = [{"id": 1}, {"id": "2"}, {"id": 3.0}, {"id": "x7"}]
    annotations = [
        {"image_id": "1", "category_id": 1.0},
        {"image_id": 2, "category_id": "1"},
        {"image_id": 3, "category_id": 1},
        {"image_id": "x7", "category_id": 1},
    ]
    source = read_coco(coco_of(tmp_path, images, annotations))
    assert [(record.image_id, record.names) for record in source.records] == [
        (key, ("cat",)) for key in ("1", "2", "3", "x7")
    ]


def test_coco_crowd_area_negatives_and_missing_sizes(tmp_path):
    annotations = [
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


def test_coco_nan_and_infinity_are_read(tmp_path):
    annotations = [{"image_id": 1, "category_id": 1, "bbox": [1, float("nan"), float("inf"), 4]}]
    (record,) = read_coco(coco_of(tmp_path, [{"id": 1}], annotations)).records
    np.testing.assert_array_equal(record.boxes_xyxy, [[1, np.nan, np.inf, np.nan]])


def test_coco_byte_order_mark(tmp_path):
    path = coco(tmp_path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(read_coco(path).records) == 3


def test_coco_annotations_without_image_or_category(tmp_path):
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


def test_coco_double_image_id(tmp_path):
    source = read_coco(coco_of(tmp_path, [{"id": 1}, {"id": 1}]))
    assert [record.filename for record in source.records] == ["0.jpg"]
    assert [(issue.code, issue.source) for issue in source.issues] == [
        ("image-duplicate", "instances.json images[1]")
    ]


def test_coco_category_zero(tmp_path):
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


def test_coco_order_of_ids_is_by_number(tmp_path):
    categories = [
        {"id": 10, "name": "j"},
        {"id": "9", "name": "i"},
        {"id": "b", "name": "z"},
        {"id": 2, "name": "b"},
    ]
    assert read_coco(coco_of(tmp_path, [], [], categories)).classes == ("b", "i", "j", "z")


def test_coco_same_name_twice_is_one_class(tmp_path):
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
            lambda text: text.replace("bbox", "box", 1),
            r"annotations\[0\]: not COCO .* missing required field bbox",
        ),
        (
            lambda text: text.replace("file_name", "name", 1),
            r"images\[0\]: .* missing required field file_name",
        ),
        (lambda text: text.replace("[10, 7, 40, 54]", "[10, 7, 40]"), r"annotations\[0\]\.bbox: .* length 4"),
        (
            lambda text: text.replace("[10,", '["10",'),
            r"annotations\[0\]\.bbox\[0\]: .*Expected float, got str",
        ),
        (lambda text: text.replace("[10,", "[NaN,").replace("bbox", "box", 1), r"annotations\[0\]: not COCO"),
        (lambda text: text.replace('"name": "dog"', '"name": " "'), "name of category id 3 is empty"),
        (
            lambda text: text.replace('{"id": 3, "name"', '{"id": 17, "name"'),
            "category id 17 stands for 'cat' and 'dog'",
        ),
    ],
)
def test_coco_that_cannot_be_read(tmp_path, change, reason):
    path = coco(tmp_path)
    path.write_text(change(path.read_text()))
    with pytest.raises(InputError, match=f"instances.json: .*{reason}"):
        read_coco(path)


# Pascal VOC


def read_voc(path):
    return registry.read(path, "voc")


def test_voc_flags_and_raw_coordinates(tmp_path):
    boxes = [("cat", 1, 2, 30, 40), ("cat", "5.5", " 6 ", "1e1", "12")]
    (tmp_path / "a.xml").write_text(voc_xml("a.jpg", 60, 40, boxes))
    (record,) = read_voc(tmp_path).records
    assert record.boxes_xyxy.tolist() == [[1, 2, 30, 40], [5.5, 6, 10, 12]]
    assert (record.difficult.tolist(), record.truncated.tolist()) == ([False, True], [True, False])


def test_voc_folder_above_annotations_and_single_file(tmp_path):
    annotations = voc(tmp_path)
    assert registry.detect(tmp_path) == "voc"
    assert len(read_voc(tmp_path).records) == 3
    assert len(read_voc(annotations / "a.xml").records) == 1


def test_voc_without_size_objects_or_names(tmp_path):
    (tmp_path / "a.xml").write_text("<annotation><filename>a.jpg</filename></annotation>")
    (tmp_path / "b.xml").write_text(voc_xml("b.jpg", 0, 0, [("", 1, 2, 3, 4), ("cat", 1, 2, 3, 4)]))
    source = read_voc(tmp_path)
    assert [(record.width, record.names) for record in source.records] == [(0, ()), (0, ("cat",))]
    assert [(issue.code, issue.source) for issue in source.issues] == [("class-unknown", "b.xml")]


def test_voc_entities_are_not_opened(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("hidden")
    head = f'<!DOCTYPE annotation [<!ENTITY x SYSTEM "{secret.as_uri()}">]>'
    (tmp_path / "a.xml").write_text(f"{head}<annotation><filename>a.jpg&x;</filename></annotation>")
    (record,) = read_voc(tmp_path).records
    assert record.filename == "a.jpg"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text[: len(text) // 2], r"line \d+, column \d+: broken XML"),
        (lambda _: "", "line 1, column 1: broken XML: Document is empty$"),
        (lambda text: text.replace("annotation>", "annotations>"), "its root is <annotations>"),
        (
            lambda text: text.replace("<xmin>3.5<", "<xmin>3,5<"),
            r"line 4: <xmin> of a <bndbox> is '3,5', expected a number",
        ),
        (lambda text: text.replace("<ymax>77</ymax>", ""), "line 4: <ymax> of a <bndbox> is ''"),
        (lambda text: text.replace("bndbox", "box"), "line 4: an <object> without <bndbox>"),
    ],
)
def test_voc_that_cannot_be_read(tmp_path, change, reason):
    path = voc(tmp_path) / "a.xml"
    path.write_text(change(path.read_text()))
    with pytest.raises(InputError, match=f"a.xml: {reason}"):
        read_voc(path)
    source = read_voc(path.parent)
    assert [record.filename for record in source.records] == ["b.jpg", "c.jpg"]
    ((code, at, message),) = [(issue.code, issue.source, issue.message) for issue in source.issues]
    assert (code, at) == ("annotation-damaged", str(path))
    assert re.match(reason, message)


# CSV


def read_csv(path):
    return registry.read(path, "csv")


HEADER = ",".join(COLUMNS)


def csv_of(tmp_path, *rows, header=HEADER):
    path = tmp_path / "labels.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_csv_columns_in_any_order_and_others(tmp_path):
    path = csv_of(
        tmp_path, "9,cat,a.jpg,1,2,3,4,60,40", header="x,class , filename,xmin,ymin,xmax,ymax,width,height"
    )
    assert boxes_by_file(read_csv(path)) == {"a.jpg": (("cat",), [[1, 2, 3, 4]])}


def test_csv_numbers_are_pythons_and_names_are_text(tmp_path):
    numbers = ["0.1", "457.14", "3.0000000000000004", "1e2"]
    path = csv_of(tmp_path, f"007,60,40,NA,{','.join(numbers)}", "a.jpg,60,40,1,inf,nan,3,4", "", "")
    first, second = read_csv(path).records
    assert first.boxes_xyxy.tolist() == [list(map(float, numbers))]
    assert (first.filename, first.names, second.names) == ("007", ("NA",), ("1",))
    np.testing.assert_array_equal(second.boxes_xyxy, [[np.inf, np.nan, 3, 4]])


def test_csv_negatives_missing_sizes_and_missing_names(tmp_path):
    path = csv_of(tmp_path, "a.jpg,60,40,,,,,", "b.jpg,,,cat,1,2,3,4", "", "c.jpg,60,40,,1,2,3,4")
    source = read_csv(path)
    assert [(record.filename, record.width, record.names) for record in source.records] == [
        ("a.jpg", 60, ()),
        ("b.jpg", 0, ("cat",)),
        ("c.jpg", 60, ()),
    ]
    assert [(issue.code, issue.source) for issue in source.issues] == [("class-unknown", "labels.csv line 5")]


def test_csv_rows_of_an_image_need_not_be_together(tmp_path):
    path = csv_of(tmp_path, "a.jpg,9,9,x,1,1,2,2", "b.jpg,9,9,y,1,1,2,2", "a.jpg,9,9,z,1,1,2,2")
    assert [record.names for record in read_csv(path).records] == [("x", "z"), ("y",)]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda _: "", "is empty, expected a header filename,width"),
        (
            lambda text: text.replace("xmin", "west"),
            "line 1: no column xmin; found filename, width, .*, west, ymin",
        ),
        (
            lambda text: text.replace("\n", ",9\n").replace(",9", "", 1),
            "line 1: the header has fewer columns than the rows",
        ),
        (lambda text: text.replace("3.5", "3;5"), "line 4: xmin is '3;5', expected a number"),
        (lambda text: text.replace(",33,", ",,"), "line 4: xmax is '', expected a number"),
        (lambda text: text.replace("70,90", "wide,90"), "line 4: width is 'wide'"),
        (lambda text: text.replace("a.png", ""), "line 4: filename is empty"),
        (lambda text: text.replace("3.5", "3,5"), "cannot be read as CSV in UTF-8 .*line 4"),
        (lambda text: text.replace("a.png", '"a.png'), "cannot be read as CSV in UTF-8"),
    ],
)
def test_csv_that_cannot_be_read(tmp_path, change, reason):
    path = csv(tmp_path)
    path.write_text(change(path.read_text()))
    with pytest.raises(InputError, match=f"labels.csv: {reason}"):
        read_csv(path)


def test_csv_that_is_no_text(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_bytes(b"filename,\xff\xfe\n1,2\n")
    with pytest.raises(InputError, match=r"cannot be read as CSV in UTF-8"):
        read_csv(path)


# Real data


def test_voc_and_coco_of_the_same_real_data_agree(shared):
    folder = shared / "data/voc2012_100/data/database/gts"
    from_voc = boxes_by_file(read_voc(folder / "pascalvoc_format"))
    from_coco = boxes_by_file(read_coco(folder / "coco_format_v1/instances_default.json"))
    assert from_voc.keys() == {name.rsplit("/")[-1] for name in from_coco}
    for name, (labels, boxes) in from_coco.items():
        expected = sorted(zip(from_voc[name][0], from_voc[name][1], strict=True))
        found = sorted(zip(labels, boxes, strict=True))
        assert [one[0] for one in found] == [one[0] for one in expected]
        np.testing.assert_allclose([one[1] for one in found], [one[1] for one in expected], atol=1e-9)
