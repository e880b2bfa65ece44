"""The boxes of Open Images with what lies beside them: names of classes, and who looked for which."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.places import SAMPLE
from tests.helpers.sources import assert_balanced, boxes_by_file
from tfrec_tools.errors import InputError
from tfrec_tools.formats import csv_parts, registry
from tfrec_tools.formats.options import ReadOptions

HEADER = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf"
BOXES = "train-annotations-bbox.csv"
LABELS = "train-annotations-human-imagelabels-boxable.csv"
NAMES = "class-descriptions-boxable.csv"


def write(folder: Path, name: str, *rows: str) -> Path:
    path = folder / name
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def boxes(tmp_path: Path) -> Path:
    rows = (
        f"{image},x,{code},1,.1,.2,.3,.4,0,0,0"
        for image, code in (("a", "/m/1"), ("a", "/m/2"), ("b", "/m/1"))
    )
    return write(tmp_path, BOXES, HEADER, *rows)


def test_names_beside_the_boxes(boxes: Path) -> None:
    assert registry.read(boxes).classes == ("/m/1", "/m/2")
    names = write(boxes.parent, NAMES, "/m/1,Person", '/m/2,"Cat, big"', "/m/3,Dog")
    source = registry.read(boxes)
    assert_balanced(source)
    assert source.classes == ("Cat, big", "Person")
    assert boxes_by_file(source)["a"][0] == ("Person", "Cat, big")
    none = ReadOptions(class_descriptions=Path("none"))
    assert registry.read(boxes, options=none).classes == ("/m/1", "/m/2")
    other = names.rename(boxes.parent / "other.csv")
    assert registry.read(boxes).classes == ("/m/1", "/m/2")
    assert registry.read(boxes, options=ReadOptions(class_descriptions=other)).classes == source.classes


def test_names_with_a_header_and_names_of_two_classes(boxes: Path) -> None:
    rows = ("LabelName,DisplayName", "/m/1,Crane", "/m/2,Person", "/m/9,Crane")
    write(boxes.parent, "oidv7-class-descriptions.csv", *rows)
    assert registry.read(boxes).classes == ("/m/1", "Person")


def test_of_several_files_of_names_the_boxable_one_counts(boxes: Path) -> None:
    write(boxes.parent, "oidv6-class-descriptions.csv", "/m/1,All", "/m/2,Every")
    write(boxes.parent, NAMES, "/m/1,Person", "/m/2,Cat")
    assert registry.read(boxes).classes == ("Cat", "Person")
    write(boxes.parent, "oidv7-class-descriptions-boxable.csv", "/m/1,Person", "/m/2,Cat")
    with pytest.raises(InputError, match=r"has class-desc.*, oidv7.* beside it; say --class-descriptions"):
        registry.read(boxes)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("/m/3", "line 2: '/m/3', expected two cells"),
        ("/m/3,", "line 2: '/m/3,', expected two cells"),
        ("/m/3,Cat,Dog", "line 2: '/m/3,Cat,Dog', expected two cells"),
        ("/m/1,Cat", "line 2: /m/1 is 'Person' and 'Cat', expected one name"),
        ("/m/3,\udcff", "cannot be read as CSV in UTF-8"),
    ],
)
def test_odd_files_of_names(boxes: Path, row: str, reason: str) -> None:
    path = boxes.parent / NAMES
    path.write_text(f"/m/1,Person\n{row}\n", encoding="utf-8", errors="surrogateescape")
    with pytest.raises(InputError, match=f"{NAMES}: {reason}"):
        registry.read(boxes)


LOOKED_FOR = ("ImageID,Source,LabelName,Confidence", "a,verification,/m/1,1", "a,v,/m/2,1", "a,v,/m/3,0",
              "b,v,/m/1,1", "b,crowdsource-verification,/m/2,0")  # fmt: skip


@pytest.mark.parametrize("name", [LABELS, f"oidv6-{LABELS}", LABELS.replace("-boxable", "")])
def test_classes_that_people_looked_for(boxes: Path, name: str) -> None:
    write(boxes.parent, NAMES, "/m/1,Person", "/m/2,Cat", "/m/3,Dog")
    labels = write(boxes.parent, name, *LOOKED_FOR)
    expected = {"a": {"Person", "Cat", "Dog"}, "b": {"Person", "Cat"}}
    source = registry.read(boxes)
    assert {record.filename: record.labeled for record in source.records} == expected
    assert not source.issues
    none = ReadOptions(image_labels=Path("none"))
    everything = {"Person", "Cat"}
    assert [record.labeled for record in registry.read(boxes, options=none).records] == [everything] * 2
    moved = labels.rename(boxes.parent / "l.csv")
    assert [record.labeled for record in registry.read(boxes).records] == [everything] * 2
    said = registry.read(boxes, options=ReadOptions(image_labels=moved))
    assert {record.filename: record.labeled for record in said.records} == expected


def test_labels_of_another_split_are_of_other_images(boxes: Path) -> None:
    write(boxes.parent, LABELS.replace("train", "validation"), *LOOKED_FOR)
    assert [record.labeled for record in registry.read(boxes).records] == [{"/m/1", "/m/2"}] * 2


def test_labels_of_what_has_no_box(boxes: Path) -> None:
    write(boxes.parent, LABELS, *LOOKED_FOR, "b,v,/m/4,1", "c,v,/m/1,0", "d,v,/m/1,1")
    source = registry.read(boxes)
    assert_balanced(source)
    assert source.records[1].labeled == {"/m/1", "/m/2", "/m/4"}
    assert [(issue.code, issue.source, issue.message) for issue in source.issues] == [
        ("box-missing", LABELS, "1 label of classes without a box in their image, such as /m/4 in b"),
        ("image-unknown", LABELS, "not read: 2 images without boxes in the source"),
    ]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (("ImageID,LabelName", "a,/m/1"), "line 1: no column Confidence; found ImageID, LabelName"),
        ((LOOKED_FOR[0], "a,machine,/m/1,0.7"), "line 2: 'a,machine,/m/1,0.7', expected .* 0 or 1"),
        ((LOOKED_FOR[0], "a,v"), "line 2: 'a,v', expected an image, a class and a confidence"),
        (("",), "line 1: no column ImageID, LabelName, Confidence; found nothing"),
    ],
)
def test_odd_files_of_labels(boxes: Path, rows: tuple[str, ...], reason: str) -> None:
    write(boxes.parent, LABELS, *rows)
    with pytest.raises(InputError, match=f"{LABELS}: {reason}"):
        registry.read(boxes)


def test_in_pieces_names_are_read_and_labels_are_refused(boxes: Path) -> None:
    write(boxes.parent, NAMES, "/m/1,Person", "/m/2,Cat")
    (block,) = csv_parts.blocks(boxes, ReadOptions())
    assert csv_parts.read(boxes, block).classes == {"Person", "Cat"}
    write(boxes.parent, LABELS, *LOOKED_FOR)
    with pytest.raises(InputError, match=f"has {LABELS}, which is not read in pieces"):
        next(csv_parts.blocks(boxes, ReadOptions()))
    assert next(csv_parts.blocks(boxes, ReadOptions(image_labels=Path("none"))))


def test_the_sample() -> None:
    source = registry.read(SAMPLE / "formats/open_images" / BOXES)
    labeled = {record.filename: record.labeled for record in source.records}
    assert labeled["stall 3"] == {"apple", "mushroom", "pear"}
    assert [issue.code for issue in source.issues] == ["image-unknown"]  # empty, which has labels alone


@pytest.mark.parametrize(
    ("of_boxes", "of_masks"),
    [
        ("{0}-annotations-bbox.csv", "{0}-annotations-object-segmentation.csv"),
        ("oidv6-{0}-annotations-bbox.csv", "{0}-annotations-object-segmentation.csv"),
        ("{0}/labels/detections.csv", "{0}/labels/segmentations.csv"),
    ],
)
def test_masks_beside_the_boxes_are_said_and_left_aside(tmp_path: Path, of_boxes: str, of_masks: str) -> None:
    for split in ("train", "validation"):
        (tmp_path / of_boxes.format(split)).parent.mkdir(parents=True, exist_ok=True)
        write(tmp_path, of_boxes.format(split), HEADER, f"{split}_a,x,/m/1,1,.1,.2,.3,.4,0,0,0")
        header = "MaskPath,ImageID,LabelName,BoxID,BoxXMin,BoxXMax,BoxYMin,BoxYMax,PredictedIoU,Clicks"
        write(tmp_path, of_masks.format(split), header, f"m.png,{split}_a,/m/1,0a,.1,.2,.3,.4,.9,")
    source = registry.read(tmp_path)
    assert_balanced(source)
    assert [record.boxes_xyxy.tolist() for record in source.records] == [[[0.1, 0.3, 0.2, 0.4]]] * 2
    assert [issue.code for issue in source.issues] == ["annotation-unread"] * 2
