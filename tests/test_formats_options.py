"""What the readers make of the many ways in which data sets are written."""

from __future__ import annotations

import gzip
import json
import math

import numpy as np
import pytest

from tests.small_sets import coco, save_picture, save_pictures, tfrecord, voc, voc_xml, yolo
from tfrec_tools._pb2 import example_pb2
from tfrec_tools.annotations.records import image_record
from tfrec_tools.errors import InputError
from tfrec_tools.formats import json_arrays, registry
from tfrec_tools.formats.options import ReadOptions
from tfrec_tools.images import headers
from tfrec_tools.images.fitting import fit
from tfrec_tools.images.loading import Picture
from tfrec_tools.labels import label_map
from tfrec_tools.tfrecords.example import encode_example
from tfrec_tools.tfrecords.framing import write


def faults(source):
    return [issue.code for issue in source.issues]


# COCO


def test_coco_masks_come_as_they_stand_in_the_file(tmp_path):
    path = coco(tmp_path)
    document = json.loads(path.read_text())
    document["annotations"][0]["segmentation"] = [[1, 2, 3.5, 4, 5, 6]]
    path.write_text(json.dumps(document))
    record = registry.read(path, options=ReadOptions(masks=True)).records[0]
    assert record.masks == (b"[[1, 2, 3.5, 4, 5, 6]]", b"")
    assert registry.read(path).records[0].masks == ()


@pytest.mark.parametrize("size", [1, 50, 300])
def test_coco_in_slices_of_any_size(tmp_path, monkeypatch, size):
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
    with pytest.raises(InputError, match=r"instances.json: annotations\[3\]: not COCO .* missing required"):
        registry.read(path)


def test_coco_nonnumbers_are_told_from_texts(tmp_path):
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


def test_coco_repeated_annotation_ids_are_one_issue(tmp_path):
    path = coco(tmp_path)
    path.write_text(path.read_text().replace('"id": 1,', '"id": 0,'))
    source = registry.read(path)
    assert faults(source) == ["annotation-id-duplicate"]
    assert sum(len(record.names) for record in source.records) == 5


# Pascal VOC


def test_voc_origin_moves_the_minima_only(tmp_path):
    (tmp_path / "a.xml").write_text(voc_xml("a.jpg", 60, 40, [("cat", 1, 2, 30.5, 40)]))
    (record,) = registry.read(tmp_path, options=ReadOptions(voc_origin=1)).records
    assert record.boxes_xyxy.tolist() == [[0, 1, 30.5, 40]]
    with pytest.raises(InputError, match="--voc-origin: is 2, expected 0 or 1"):
        ReadOptions(voc_origin=2)


def test_voc_pose_and_occluded(tmp_path):
    text = voc_xml("a.jpg", 60, 40, [("cat", 1, 2, 3, 4), ("dog", 1, 2, 3, 4)])
    text = text.replace("<name>cat</name>", "<name>cat</name><pose>Left</pose><occluded>1</occluded>")
    (tmp_path / "a.xml").write_text(text)
    (record,) = registry.read(tmp_path).records
    assert (record.poses, record.occluded.tolist()) == (("Left", ""), [True, False])


def test_voc_without_filename_is_named_by_its_own_file(tmp_path):
    (tmp_path / "a.xml").write_text("<annotation/>")
    (record,) = registry.read(tmp_path).records
    assert (record.filename, record.stem) == ("a", "a")


def test_voc_in_subfolders_keeps_them(tmp_path):
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        (tmp_path / split / "1.xml").write_text(voc_xml("1.jpg", 60, 40, []))
    records = registry.read(tmp_path).records
    assert [(record.filename, record.source) for record in records] == [
        ("test/1.jpg", "test/1.xml"),
        ("train/1.jpg", "train/1.xml"),
    ]


def test_voc_image_sets_are_splits(tmp_path):
    voc(tmp_path)
    lists = tmp_path / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("a\n\n")
    (lists / "val.txt").write_text("b  1\n")
    (lists / "trainval.txt").write_text("a\nb\n")
    (lists / "cat_train.txt").write_text("a -1\nc 1\n")
    source = registry.read(tmp_path)
    assert {record.filename: record.split for record in source.records} == {
        "a.png": "train",
        "b.jpg": "val",
        "c.jpg": None,
    }
    assert source.issues == ()
    (lists / "test.txt").write_text("a\n")
    source = registry.read(tmp_path)
    assert [(issue.code, issue.message) for issue in source.issues] == [
        ("split-conflict", "a is in train.txt and in test.txt")
    ]


# CSV


def csv_file(tmp_path, *rows):
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("filename,cell_type,xmin,xmax,ymin,ymax", "a.jpg,WBC,1,3,2,4"),
        ("image_path;x1;y1;x2;y2;label", "a.jpg;1,0;2,0;3,0;4,0;WBC"),
        ("Image\tLeft\tTop\tRight\tBottom\tClass Name", "a.jpg\t1\t2\t3\t4\tWBC"),
        ("a.jpg,1,2,3,4,WBC", "a.jpg,1,2,3,4,WBC"),
        ('"filename","class","xmin","ymin","xmax","ymax"', '"a.jpg","WBC","1,0",2,3,"4"'),
    ],
)
def test_csv_of_other_makes(tmp_path, header, row):
    (record,) = registry.read(csv_file(tmp_path, header, row)).records
    assert (record.filename, set(record.names)) == ("a.jpg", {"WBC"})
    assert record.boxes_xyxy[0].tolist() == [1, 2, 3, 4]


def test_csv_open_images(tmp_path):
    path = csv_file(
        tmp_path,
        "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf",
        "0001eeaf,x,/m/01,1,0.25,0.5,0,1,1,0,-1",
        "0001eeaf,x,/m/02,1,0.5,1,0.5,1,0,1,1",
    )
    (record,) = registry.read(path).records
    assert record.relative
    assert record.boxes_xyxy.tolist() == [[0.25, 0, 0.5, 1], [0.5, 0.5, 1, 1]]
    assert record.occluded.tolist() == [True, False]
    assert record.truncated.tolist() == record.group_of.tolist() == [False, True]


def test_csv_retinanet_with_negatives(tmp_path):
    path = csv_file(tmp_path, "sub/n.jpg,,,,,", "a.jpg,1,2,3,4,cow", "a.jpg,5,6,7,8,bird", "m.jpg,,,,,")
    records = registry.read(path).records
    assert [(record.filename, record.names, record.source) for record in records] == [
        ("sub/n.jpg", (), "labels.csv line 1"),
        ("a.jpg", ("cow", "bird"), "labels.csv line 2"),
        ("m.jpg", (), "labels.csv line 4"),
    ]


def test_csv_columns_as_told(tmp_path):
    path = csv_file(tmp_path, "n,what,u,v,w,z,class", "a.jpg,cat,1,2,3,4,no")
    columns = {"filename": "n", "class": "what", "xmin": "u", "ymin": "v", "xmax": "w", "ymax": "5"}
    options = ReadOptions(columns=tuple(columns.items()))
    (record,) = registry.read(path, options=options).records
    assert (record.names, record.boxes_xyxy.tolist()) == (("cat",), [[1, 2, 3, 4]])
    for wrong, reason in (
        ({"xmin": "left"}, "no column 'left' for xmin; found n"),
        ({"x": "u"}, "x is none of"),
    ):
        with pytest.raises(InputError, match=reason):
            registry.read(path, options=ReadOptions(columns=tuple((columns | wrong).items())))


def test_csv_in_pieces(tmp_path, monkeypatch):
    rows = [f"{i % 3}.jpg,60,40,{'ab'[i % 2]},{i},2,{i + 1},4" for i in range(10)]
    path = csv_file(tmp_path, "filename,width,height,class,xmin,ymin,xmax,ymax", *rows)
    whole = registry.read(path).records
    monkeypatch.setattr("tfrec_tools.formats.csv_rows._ROWS", 4)
    pieces = registry.read(path).records
    assert [(one.filename, one.names, one.boxes_xyxy.tolist(), one.source) for one in pieces] == [
        (one.filename, one.names, one.boxes_xyxy.tolist(), one.source) for one in whole
    ]
    assert pieces[0].boxes_xyxy[:, 0].tolist() == [0, 3, 6, 9]
    path.write_text(path.read_text().replace("9.jpg", "").replace(",8,2", ",x,2"))
    with pytest.raises(InputError, match="line 10: xmin is 'x'"):
        registry.read(path)


# YOLO


def test_yolo_of_ultralytics(tmp_path):
    path = yolo(tmp_path)
    save_picture(tmp_path / "images/train/none.jpg")
    (tmp_path / "labels/train/lost.txt").write_text("0 0.5 0.5 1 1\n")
    assert registry.detect(path) == registry.detect(tmp_path) == "yolo"
    source = registry.read(path)
    assert source.classes == ("dog", "cat")
    split = {record.filename: (record.split, record.place is not None) for record in source.records}
    assert split == {
        "images/train/b.jpg": ("train", True),
        "images/train/none.jpg": ("train", True),
        "lost": ("train", False),
        "images/val/a.png": ("val", True),
        "images/val/c.jpg": ("val", True),
    }
    for names in ("['dog', 'cat']", "{0: dog, 1: cat}", "\n  0: dog\n  1: cat\n", "\n- dog\n- cat"):
        path.write_text(f"train: ../images/train\nnames: {names}\n")  # Roboflow's ../
        assert registry.read(path).classes == ("dog", "cat")


def test_yolo_of_darknet(tmp_path):
    folder = tmp_path / "obj_train_data"
    save_picture(folder / "a.jpg")
    (folder / "a.txt").write_text("1 0.5 0.5 0.5 0.25\n")
    (folder / "b.txt").write_text("0 0.5 0.5 1 1 0.9\n")
    (tmp_path / "obj.names").write_text("dog\ncat\n")
    (tmp_path / "valid.txt").write_text("data/obj_train_data/a.jpg\n")
    (tmp_path / "train.txt").write_text("data/obj_train_data/b.jpg\n")
    source = registry.read(tmp_path)
    assert [(one.filename, one.names, one.split) for one in source.records] == [
        ("b.jpg", ("dog",), "train"),
        ("obj_train_data/a.jpg", ("cat",), "val"),
    ]
    assert source.records[1].boxes_xyxy.tolist() == [[0.25, 0.375, 0.75, 0.625]]


def test_yolo_plain_folder_with_polygons_and_faults(tmp_path):
    for name, text in {
        "a": "0 0.1 0.2 0.5 0.2 0.5 0.6",
        "b": "0 0.5 0.5",
        "c": "7 0.5 0.5 1 1",
        "d": "0.5 0.5 0.5 1 1",
        "e": "cat 0.5 0.5 1 1",
    }.items():
        save_picture(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.txt").write_text(text + "\n")
    (tmp_path / "classes.txt").write_text("cat\ncat\n")
    source = registry.read(tmp_path, options=ReadOptions(masks=True))
    assert (
        faults(source)
        == ["class-duplicate", *["annotation-damaged"], "class-unknown"] + ["annotation-damaged"] * 2
    )
    assert (
        source.issues[1].message
        == "line 1: 2 numbers after the class, expected x y width height or a polygon"
    )
    record = source.records[0]
    assert record.boxes_xyxy.tolist() == [[0.1, 0.2, 0.5, 0.6]]
    fitted, _ = fit(record, record.place).pair
    assert fitted.masks[0].startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is no mapping"),
        ("names: [a", "cannot be read as YAML"),
        ("names: {1: a}", "id 0 is missing"),
        ("names: 3", "is int, expected a list"),
        ("names: ['']", "name 0 is empty"),
        ("names: []", "names no classes"),
        ("names: [a]", "no pictures"),
        ("names: [a]\ntrain: nowhere", "there is no 'nowhere'"),
    ],
)
def test_yolo_that_cannot_be_read(tmp_path, text, reason):
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(InputError, match=f"data.yaml: .*{reason}"):
        registry.read(tmp_path)


# TFRecord


@pytest.mark.parametrize("packed", [False, True])
def test_tfrecords_point_at_their_pictures(tmp_path, packed):
    path = tfrecord(tmp_path)
    if packed:
        path.with_suffix(".tfrecord.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
        path = path.with_suffix(".tfrecord.gz")
    assert registry.detect(path) == "tfrecord"
    pictures = save_pictures(tmp_path / "pictures")
    for record in registry.read(path).records:
        assert record.place.read() == (pictures / record.filename).read_bytes()
        assert record.relative


def test_tfrecords_are_written_again_to_the_same_bytes(tmp_path):
    path = tfrecord(tmp_path)
    source = registry.read(path)
    ids = label_map.from_names(source.classes).id_by_name
    again = []
    for record in source.records:
        fitted, picture = fit(record, record.place).pair
        again.append(encode_example(fitted, picture, ids))
    write(tmp_path / "again.tfrecord", again)
    assert (tmp_path / "again.tfrecord").read_bytes() == path.read_bytes()


def old_record(picture, names, ids):
    record = image_record(
        image_id="1", filename="a.jpg", source="s", names=names, boxes_xyxy=[(1, 2, 30, 40)] * len(names)
    )
    return encode_example(record, picture, ids)


def test_tfrecords_whose_ids_and_names_disagree(tmp_path):
    data = save_picture(tmp_path / "a.jpg").read_bytes()
    header = headers.read_header(data, tmp_path)
    picture = Picture(data, "jpeg", header.width, header.height)
    records = [
        old_record(picture, ("cat", ""), {"cat": 1, "": 2}),
        b"\xff\xff",
        old_record(picture, ("dog", "cat"), {"dog": 1, "cat": 3}),
    ]
    path = tmp_path / "x.record"
    write(path, records)
    with pytest.raises(InputError, match="record 0: class id 2 has no name"):
        registry.read(path)
    (tmp_path / "map.pbtxt").write_text("item{id:1 name:'cat'} item{id:2 name:'cow'} item{id:4 name:'hen'}")
    source = registry.read(path)
    assert source.classes == ("cat", "dog", "cow", "hen")
    assert [record.names for record in source.records] == [("cat", "cow"), ("dog", "cat")]
    assert sorted(set(faults(source))) == ["annotation-damaged", "class-conflict", "class-mismatch"]
    elsewhere = (tmp_path / "map.pbtxt").rename(tmp_path / "map.txt")
    assert registry.read(path, options=ReadOptions(label_map=elsewhere)).classes == source.classes


def test_features_that_are_lost_are_named_once(tmp_path):

    path = tfrecord(tmp_path)
    message = example_pb2.Example.FromString(
        next(iter(__import__("tfrec_tools.tfrecords.framing").tfrecords.framing.read(path)))
    )
    boxes = len(message.features.feature["image/object/class/label"].int64_list.value)
    message.features.feature["image/object/weight"].float_list.value.extend([1] * boxes)
    write(path, [message.SerializeToString()] * 2)
    source = registry.read(path)
    assert faults(source) == ["feature-left-out"]
    assert "image/object/weight" in source.issues[0].message
