"""ReadAnnotations, ToExamples and WriteShards: what the local engine writes, from pieces in any order."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to

from tests.helpers import poses
from tests.helpers.beam_service import ENVIRONMENT, job_service
from tests.helpers.command import write_map
from tests.helpers.places import ROOT
from tests.helpers.sets import contents
from tests.helpers.small_sets import SCENES, WRITERS, Scene, coco, csv, save_picture, save_pictures, voc, yolo
from tfrec_tools.beam import AnnotatedImage, ReadAnnotations, ToExamples, WriteShards
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.dataset import shards
from tfrec_tools.dataset.manifest import read_manifest
from tfrec_tools.dataset.publish import Finished
from tfrec_tools.errors import InputError
from tfrec_tools.formats import csv_parts, json_arrays
from tfrec_tools.formats.options import ReadOptions
from tfrec_tools.tfrecords.framing import read

ODD: list[Scene] = [
    *SCENES,
    ("d.png", 60, 40, [("cat", -3, 1, 9, 9), ("cat", -3, 1, 9, 9), ("dog", 5, 5, 5, 5)]),
    *((f"e{i}.jpg", 60, 40, [("dog", 1, 1, 20 + i, 30)] * (i % 3)) for i in range(20)),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_pictures(tmp_path / "images")
    for name, width, height, _ in ODD[3:]:
        save_picture(tmp_path / "images" / name, width, height)
    return tmp_path


def run(
    source: Path,
    images: Path,
    out: Path,
    count: int,
    labels: Path | None = None,
    treatment: dict[str, Any] | None = None,
    **options: Any,
) -> None:
    with beam.Pipeline() as pipeline:
        read = pipeline | ReadAnnotations(source)
        _ = read | ToExamples(images, labels, **(treatment or {})) | WriteShards(out, count, **options)


_OF_EACH = ("digest", "manifest_sha256")


def but_digest_and_pictures(folder: Path) -> dict[str, Any]:
    files: dict[str, Any] = contents(folder)
    files.pop("set.issues.html", None)
    manifest = json.loads(files["set.manifest.json"])
    for source in manifest["sources"]:
        del source["accounting"]  # the transforms see pieces of a source only
    files["set.manifest.json"] = {key: value for key, value in manifest.items() if key not in _OF_EACH}
    return files


def assert_same_set(
    folder: Path,
    source: Path,
    count: int,
    labels: Path | None = None,
    treatment: dict[str, Any] | None = None,
    **options: Any,
) -> Finished:
    images = folder / "images"
    local = ConvertOptions(
        source,
        folder / "here/set",
        images=images,
        shards=count,
        labels=labels,
        **(treatment or {}),
        **options,
    )
    finished = convert(local)
    run(source, images, folder / "beam/set", count, labels, treatment, **options)
    assert but_digest_and_pictures(folder / "beam") == but_digest_and_pictures(folder / "here")
    return finished


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """An element or two a piece, so that each image is in several."""
    monkeypatch.setattr(json_arrays, "_SLICE_BYTES", 1)
    monkeypatch.setattr(csv_parts, "_BLOCK_BYTES", 60)


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.usefixtures("small_pieces")
def test_the_set_of_the_local_engine(folder: Path, kind: str) -> None:
    finished = assert_same_set(folder, WRITERS[kind](folder, ODD), 4, seed=7)
    assert {issue.code for issue in finished.issues} >= {"box-outside", "box-empty", "box-duplicate"}


@pytest.mark.usefixtures("small_pieces")
def test_all_that_can_be_odd_about_coco(folder: Path) -> None:
    path = coco(folder, ODD)
    document = json.loads(path.read_text())
    images, annotations, categories = (document[key] for key in ("images", "annotations", "categories"))
    images += [images[2] | {"width": 7}, images[1] | {"id": 900}, images[0] | {"id": "text"}]
    images.append({"id": 901, "file_name": "D.PNG"})
    annotations += [
        annotations[0] | {"image_id": 7777},
        annotations[1] | {"category_id": 99},
        annotations[2] | {"image_id": str(annotations[2]["image_id"]), "category_id": "3"},
        annotations[3] | {"id": "text", "bbox": [1, 1, float("nan"), 5]},
        annotations[0] | {"id": 901, "bbox": None, "segmentation": [[3, 3, 30, 3, 30, 20]]},
        annotations[4] | {"id": 902, "bbox": None, "segmentation": [[3, 3, 30, 3, 30, 20]]},
        annotations[0] | {"id": 903, "bbox": []},
        annotations[0] | {"id": 904, "category_id": None},
        annotations[0] | {"id": 905, "image_id": None},
        {"image_id": annotations[0]["image_id"], "segments_info": [{"id": 1}, {"id": 2}]},
        None,
    ]
    images.append({"id": None, "file_name": "e0.jpg"})
    images[0]["labeled"], images[1]["labeled"] = ["dog"], ["cow", "cat"]
    document["more_annotations"] = [{"bbox": [1, 2, 3, 4]}]
    categories += [{"id": 0, "name": "root"}, {"id": 21, "name": " cat "}]
    for category in categories[:2] + categories[3:]:
        category["supercategory"] = "root"
    path.write_text(json.dumps(document))
    finished = assert_same_set(folder, path, 3)
    expected = {
        *("class-superfluous", "class-untrimmed", "class-duplicate", "class-unknown", "image-unknown"),
        *("image-duplicate", "annotation-id-duplicate", "box-not-finite", "box-derived", "box-missing"),
        *("annotation-unread", "image-unannotated"),
    }
    assert {issue.code for issue in finished.issues} >= expected


@pytest.mark.parametrize("coordinates", [None, "fractions"])
@pytest.mark.usefixtures("small_pieces")
def test_coco_of_fractions(folder: Path, coordinates: Literal["fractions"] | None) -> None:
    path = coco(folder, ODD)
    document = json.loads(path.read_text())
    for number, annotation in enumerate(document["annotations"]):
        annotation |= {"bbox": [0.1, 0.2, 0.3, 0.02 * (1 + number)], "area": 0.1 * number}
    path.write_text(json.dumps(document))
    images, out = folder / "images", folder / "beam/set"
    read = ReadAnnotations(path, None, ReadOptions(coordinates=coordinates))
    pipeline = beam.Pipeline()
    _ = pipeline | read | ToExamples(images) | WriteShards(out, 1)
    if coordinates is None:
        with pytest.raises(Exception, match="boxes lie between 0 and 1"):
            pipeline.run().wait_until_finish()
        return
    pipeline.run().wait_until_finish()
    convert(ConvertOptions(path, folder / "here/set", images=images, shards=1, coordinates=coordinates))
    name = "set-00000-of-00001.tfrecord"
    assert (folder / "beam" / name).read_bytes() == (folder / "here" / name).read_bytes()


@pytest.mark.usefixtures("small_pieces")
def test_two_files_of_one_image_id_are_refused_as_elsewhere(folder: Path) -> None:
    path = coco(folder, ODD)
    document = json.loads(path.read_text())
    document["images"].append(document["images"][0] | {"file_name": "x.jpg"})
    path.write_text(json.dumps(document))
    with pytest.raises(Exception, match=r"annotations\[0\]: image_id .* and 'x.jpg' in images"):
        assert_same_set(folder, path, 1)


@pytest.mark.usefixtures("small_pieces")
def test_a_csv_with_quotes_and_fractions(folder: Path) -> None:
    path = folder / "odd.csv"
    rows = ["filename,class,xmin,ymin,xmax,ymax"]
    rows += [
        f'{name},"a ""{i % 2}"",\nb",0.1,0.2,0.{3 + i},1.0' for i, (name, *_) in enumerate([*SCENES, *SCENES])
    ]
    path.write_text(
        "\n".join(
            [
                *rows,
                ",,,,,",
                "a.png,,0,0.1,1,1",
                "a.png,cat,,0.5,1,1",
                "c.jpg,No finding,,,,",
                ".,cat,0,0,1,1",
                'c.jpg,"x, y",0.5,0.5,0.75,0.75',
            ]
        )
    )
    finished = assert_same_set(folder, path, 2)
    assert finished.manifest.boxes == 7
    assert [issue.source for issue in finished.issues if issue.code == "class-unknown"] == ["odd.csv line 9"]
    (missing,) = [issue for issue in finished.issues if issue.code == "box-missing"]
    assert (missing.source, missing.message) == ("odd.csv line 3", "line 10: cat has no xmin")


@pytest.mark.usefixtures("small_pieces")
def test_a_csv_whose_rows_state_other_sizes(folder: Path) -> None:
    path = folder / "odd.csv"
    sizes = ("a.png,,", "c.jpg,,", "a.png,,", "a.png,50,40", "a.png,99,40", "a.png,98,40")
    rows = [f"{size},cat,1,1,9,{9 + number}" for number, size in enumerate(sizes)]
    path.write_text("\n".join(["filename,width,height,class,xmin,ymin,xmax,ymax", *rows]))
    finished = assert_same_set(folder, path, 2)
    stated = [issue.source for issue in finished.issues if issue.message.startswith("line 6 states 99 x 40")]
    assert stated == ["odd.csv line 2"]


@pytest.mark.usefixtures("small_pieces")
def test_a_csv_whose_rows_name_splits(folder: Path) -> None:
    path = folder / "odd.csv"
    splits = ("a.png,", "c.jpg,val", "a.png,train", "b.jpg,Training", "a.png,valid", "c.jpg,validation")
    rows = [f"{split},cat,1,1,9,{9 + number}" for number, split in enumerate(splits)]
    path.write_text("\n".join(["filename,split,class,xmin,ymin,xmax,ymax", *rows]))
    finished = assert_same_set(folder, path, 2)
    assert [issue.source for issue in finished.issues if issue.code == "split-conflict"] == ["odd.csv line 2"]


@pytest.mark.usefixtures("small_pieces")
def test_a_csv_of_four_corners_and_odd_flags(folder: Path) -> None:
    path = folder / "odd.csv"
    names = ("a.png", "c.jpg", "a.png", "b.jpg", "a.png", "c.jpg")
    rows = [f"{name},cat,1,2,9,{number},12,12,2,9,?" for number, name in enumerate(names)]
    path.write_text("\n".join(["filename,class,x1,y1,x2,y2,x3,y3,x4,y4,occluded", *rows]))
    finished = assert_same_set(folder, path, 2)
    codes = Counter(issue.code for issue in finished.issues)
    assert (codes["box-derived"], codes["annotation-unread"]) == (6, 6)


def test_a_csv_of_one_row_that_does_not_end(folder: Path) -> None:
    path = folder / "odd.csv"
    path.write_text("b.jpg,1,1,20,30,cat")
    assert_same_set(folder, path, 1)


def test_voc_with_damaged_files_and_image_sets(folder: Path) -> None:
    path = voc(folder, ODD)
    (path / "e3.xml").write_text("<annotation>")
    for name in ("a", "b"):
        text = (path / f"{name}.xml").read_text().replace("</object>", "<part><name>x</name></part></object>")
        (path / f"{name}.xml").write_text(text)
    lists = folder / "ImageSets/Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("a\nb\n")
    (lists / "val.txt").write_text("b\nc\n")
    lenient = {"policy": "lenient", "on": "box-outside=drop-image"}
    finished = assert_same_set(folder, path, 3, treatment=lenient)
    assert {issue.code for issue in finished.issues} >= {
        "annotation-damaged",
        "split-conflict",
        "parts-left-out",
    }


def test_pictures_elsewhere_damaged_and_missing(folder: Path) -> None:
    (folder / "images/deep").mkdir()
    (folder / "images/b.jpg").rename(folder / "images/deep/B.JPG")
    (folder / "images/c.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    (folder / "images/e1.jpg").unlink()
    treatment = {"policy": "lenient"}
    finished = assert_same_set(folder, coco(folder, ODD), 5, treatment=treatment, compression="gzip")
    assert {issue.code for issue in finished.issues} >= {"image-damaged", "image-missing"}


def test_a_label_map(folder: Path) -> None:
    labels = write_map(folder / "map.pbtxt", "bird", "dog", "cat")
    assert_same_set(folder, coco(folder, ODD), 2, labels)
    lacking = write_map(folder / "lacking.pbtxt", "dog")
    with pytest.raises(Exception, match=r"lacking\.pbtxt: lacks 'cat' of .*instances\.json; .*add them with"):
        run(coco(folder), folder / "images", folder / "out/set", 1, lacking)
    assert not list((folder / "out").glob("*")) if (folder / "out").exists() else True


def test_policies(folder: Path) -> None:
    with pytest.raises(Exception, match=r"instances\.json images\[0\]: box-whole: .* more that may not be"):
        run(
            coco(folder, ODD),
            folder / "images",
            folder / "out/set",
            2,
            treatment={"policy": "strict"},
        )
    assert not list((folder / "out").iterdir())


def test_what_is_refused_before_anything_runs(folder: Path) -> None:
    with pytest.raises(InputError, match=r"data.yaml: is yolo, expected one of coco, voc, csv; or use"):
        ReadAnnotations(yolo(folder))
    run(coco(folder), folder / "images", folder / "out/set", 2)
    with pytest.raises(InputError, match=r"set\.manifest\.json: exists already"):
        WriteShards(folder / "out/set", 2)
    run(csv(folder), folder / "images", folder / "out/set", 3, overwrite=True)
    assert len(shards.record_files([str(folder / "out/set")])) == 3
    with pytest.raises(Exception, match="30 shards for 3 images"):
        run(coco(folder), folder / "images", folder / "more/set", 30)


def test_keypoints_are_left_out_or_refused(folder: Path) -> None:
    source = poses.coco(folder)
    with pytest.raises(Exception, match=r"has keypoints, which are not read in pieces; .*--keypoints none"):
        run(source, folder / "images", folder / "out/set", 1)
    with beam.Pipeline() as pipeline:
        read = pipeline | ReadAnnotations(source, options=ReadOptions(keypoints=False))
        _ = read | ToExamples(folder / "images", keypoints="none") | WriteShards(folder / "beam/set", 1)
    convert(ConvertOptions(source, folder / "local/set", shards=1, keypoints="none"))
    theirs, ours = (contents(folder / name) for name in ("beam", "local"))
    for name in ("set-00000-of-00001.tfrecord", "set.label_map.pbtxt", "set.issues.jsonl"):
        assert theirs[name] == ours[name]


def test_a_choice_of_classes_is_refused(folder: Path) -> None:
    for words in ({"only": "cat"}, {"rename": ["cat=dog"]}):
        (flag,) = (f"--{name}" for name in words)
        with pytest.raises(InputError, match=f"{flag}: is of `tfrec convert --runner`"):
            ToExamples(folder / "images", **words)


def test_in_a_pipeline_of_ones_own(folder: Path) -> None:
    """Its own step between two of ours: only images with a dog, whose records say where they come from."""

    def dogs(one: AnnotatedImage) -> list[AnnotatedImage]:
        return [
            AnnotatedImage(one.order, replace(one.record, filename=f"../images/{one.record.filename}"))
        ] * ("dog" in one.record.names)

    with beam.Pipeline() as pipeline:
        annotations = pipeline | ReadAnnotations(coco(folder))
        annotations = annotations._replace(records=annotations.records | beam.FlatMap(dogs))
        examples = annotations | ToExamples(folder / "images")
        assert_that(
            examples.examples | beam.Map(lambda one: one.names), equal_to([("dog", "cat"), ("dog", "dog")])
        )
        _ = examples | WriteShards(folder / "out/set", 1)
    (file,) = shards.record_files([str(folder / "out/set")])
    assert len(list(read(file))) == 2


def test_the_example_of_the_manual(folder: Path) -> None:
    coco(folder, [*ODD, ("f.jpg", 60, 40, [])])
    save_picture(folder / "images/f.jpg")
    (folder / "images").rename(folder / "photos")
    text = (ROOT / "docs/scale.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(program.replace("gs://bucket", str(folder)).replace("shards=1000", "shards=3"), {})
    assert read_manifest(folder / "records/set.manifest.json").negatives == 0


PROGRAM = """
import sys
import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from tfrec_tools.beam import ReadAnnotations, ToExamples, WriteShards

source, images, out, *words = sys.argv[1:]
with beam.Pipeline(options=PipelineOptions(words)) as pipeline:
    pipeline | ReadAnnotations(source) | ToExamples(images) | WriteShards(out, shards=3)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", WRITERS)
def test_on_the_portable_job_service(folder: Path, kind: str) -> None:
    source = WRITERS[kind](folder, ODD)
    convert(ConvertOptions(source, folder / "here/set", images=folder / "images", shards=3))
    environment = ENVIRONMENT | {"PYTHONPATH": str(ROOT)}
    with job_service(folder) as words:
        command = [sys.executable, "-c", PROGRAM, source, folder / "images", folder / "beam/set"]
        command += ["--runner=PortableRunner", *words]
        subprocess.run(list(map(str, command)), env=environment, check=True, capture_output=True)
    assert but_digest_and_pictures(folder / "beam") == but_digest_and_pictures(folder / "here")
