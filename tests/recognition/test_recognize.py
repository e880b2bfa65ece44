"""What paths are: every kind of thing that people have."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.helpers.command import tfrec
from tests.helpers.documents import require_valid
from tests.helpers.places import SAMPLE
from tfrec_tools.errors import InputError
from tfrec_tools.recognition.answer import IMAGES_IN
from tfrec_tools.recognition.recognize import recognize, record_words

OLD = SAMPLE / "old"


@pytest.mark.parametrize(
    ("path", "kind", "title"),
    [
        (OLD / "annotations.coco.json", "annotations", "COCO annotations"),
        (OLD / "annotations.csv", "annotations", "CSV annotations"),
        (SAMPLE / "formats/voc", "annotations", "Pascal VOC annotations"),
        (SAMPLE / "formats/yolo", "annotations", "YOLO annotations"),
        (OLD / "images", "images", "images without annotations"),
        (OLD / "images/old_000.jpg", "images", "images without annotations"),
        (SAMPLE / "label_maps/old.pbtxt", "label map", "label map"),
        (SAMPLE / "base_model", "model", "TFOD model folder"),
        (SAMPLE / "base_model/pipeline.config", "config", "TFOD's pipeline.config"),
        ("ssd_mobilenet_v2_fpnlite_320x320", "model", "model of TFOD's zoo, trained on COCO"),
    ],
)
def test_kinds(path: Path | str, kind: str, title: str) -> None:
    answer = recognize(str(path))
    assert (answer.kind, answer.title) == (kind, title)
    assert answer.takes
    assert answer.next.startswith("tfrec ")


def test_annotations_are_counted_and_the_next_command_works(tmp_path: Path) -> None:
    answer = recognize(str(OLD / "annotations.coco.json"))
    assert answer.facts["images"] == "100"
    assert sum(each.boxes or 0 for each in answer.classes) == int(answer.facts["annotated objects"]) == 262
    tfrec(*answer.next.split()[1:], cwd=tmp_path)
    assert (tmp_path / "records/annotations.manifest.json").exists()


def test_an_archive_of_annotations(tmp_path: Path) -> None:
    archive = tmp_path / "export.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        for file in sorted((SAMPLE / "formats/coco").rglob("*")):
            opened.write(file, file.relative_to(SAMPLE / "formats"))
    assert recognize(str(archive)).title == "COCO annotations"


def test_what_is_to_be_settled_is_said() -> None:
    answer = recognize(str(SAMPLE / "formats/yolo_obb"))
    assert (answer.title, answer.takes, answer.next) == ("YOLO annotations", (), "")
    assert "--yolo" in answer.refuses["convert"]
    several = recognize(str(OLD))
    assert several.facts == {
        "COCO": "annotations.coco.json",
        "Pascal VOC": "voc/old_000.xml",
        "CSV": "annotations.csv",
    }
    assert several.refuses["validate"].endswith("choose by --format voc or name the file")


@pytest.mark.parametrize(
    "source", [OLD, OLD / "voc", SAMPLE / "formats/yolo", SAMPLE / "new/annotations.csv"]
)
def test_the_next_command_works(tmp_path: Path, source: Path) -> None:
    tfrec(*shlex.split(recognize(str(source)).next)[1:], cwd=tmp_path)
    (manifest,) = (tmp_path / "records").glob("*.manifest.json")
    said = tfrec("inspect", manifest, cwd=tmp_path)[0]
    tfrec(*shlex.split(said.partition("Next: ")[2])[1:], cwd=tmp_path)
    assert (tmp_path / "page.html").is_file()


def test_images_that_are_elsewhere_are_to_be_named(tmp_path: Path) -> None:
    shutil.copy(OLD / "annotations.coco.json", tmp_path / "a.json")
    answer = recognize(str(tmp_path / "a.json"))
    assert answer.facts[IMAGES_IN] == f"{tmp_path}, where 'old_000.jpg' is not"
    assert "--images IMAGES" in answer.next
    assert "(IMAGES: yours to name)" in tfrec("inspect", tmp_path / "a.json")[0]


def test_a_folder_beside_that_of_the_images(tmp_path: Path) -> None:
    """Annotations in parts, as COCO has them."""
    (tmp_path / "coco/annotations").mkdir(parents=True)
    for split in ("train", "val"):
        shutil.copy(
            SAMPLE / ("old" if split == "train" else "val") / "annotations.coco.json",
            tmp_path / f"coco/annotations/instances_{split}.json",
        )
    for folder in ("old", "val"):
        shutil.copytree(SAMPLE / folder / "images", tmp_path / "coco/images", dirs_exist_ok=True)
    answer = recognize(str(tmp_path / "coco/annotations"))
    assert answer.facts[IMAGES_IN] == str(tmp_path / "coco/images")
    tfrec(*shlex.split(answer.next)[1:], cwd=tmp_path)


def packed(archive: Path, folder: Path, top: str) -> Path:
    with zipfile.ZipFile(archive, "w") as opened:
        for file in sorted(folder.rglob("*")):
            opened.write(file, Path(top) / file.relative_to(folder))
    return archive


def test_the_next_command_of_an_archive_names_the_archive(tmp_path: Path) -> None:
    coco = tmp_path / "coco"
    shutil.copytree(OLD, coco, ignore=shutil.ignore_patterns("*.csv", "voc"))
    for name, folder in (("coco", coco), ("several", OLD)):
        answer = recognize(str(packed(tmp_path / f"{name}.zip", folder, "top")))
        assert answer.path == str(tmp_path / f"{name}.zip")
        assert answer.facts["in the archive"] == "top"
        tfrec(*shlex.split(answer.next)[1:], cwd=tmp_path)
        assert (tmp_path / f"records/{name}.manifest.json").is_file()


def test_models_and_images_are_not_read_from_archives(tmp_path: Path) -> None:
    for name, folder in (("model", SAMPLE / "base_model"), ("photos", OLD / "images")):
        answer = recognize(str(packed(tmp_path / f"{name}.zip", folder, name)))
        assert (answer.takes, answer.next) == ((), f"unzip {tmp_path}/{name}.zip")
        assert "unpack" in answer.refuses["detect"]
    (tmp_path / "model.tar.gz").write_bytes(b"x")
    assert recognize(str(tmp_path / "model.tar.gz")).next == f"tar xf {tmp_path}/model.tar.gz"


def test_lists_of_names(tmp_path: Path) -> None:
    for name, text in {
        "names.txt": "cat\ndog\n",
        "names.json": '["cat", "dog"]',
        "l.names": "cat\ndog\n",
    }.items():
        (tmp_path / name).write_text(text)
        answer = recognize(str(tmp_path / name))
        assert (answer.kind, [each.name for each in answer.classes]) == ("label map", ["cat", "dog"]), name


def test_a_model_folder_that_does_not_open(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    text = (SAMPLE / "base_model/pipeline.config").read_text()
    (folder / "pipeline.config").write_text(text.replace("ssd_mobilenet_v2_fpn_keras", "ssd_resnet34_keras"))
    answer = recognize(str(folder))
    assert not answer.takes
    assert "ssd_resnet34_keras" in answer.refuses["detect"]


def test_a_model_folder_without_its_checkpoint(tmp_path: Path) -> None:
    shutil.copytree(SAMPLE / "base_model", tmp_path / "model", ignore=shutil.ignore_patterns("ckpt-*"))
    answer = recognize(str(tmp_path / "model"))
    assert not answer.takes
    assert "no checkpoint in it" in answer.refuses["detect"]


@pytest.mark.parametrize("name", ["model.tflite", "model.onnx", "net.pt", "net.keras"])
def test_models_of_others(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    answer = recognize(str(tmp_path / name))
    assert answer.kind == "export"
    assert "expected a model folder" in answer.refuses["finetune --base"]


def test_a_saved_model(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"x")
    assert recognize(str(tmp_path)).kind == "export"


def test_runs(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.toml").write_text("steps = 7\n")
    begun = recognize(str(run))
    assert (begun.kind, begun.facts) == ("run", {"steps asked for": "7"})
    assert begun.next.endswith("--resume")
    shutil.copytree(SAMPLE / "base_model", run / "model")
    lines = [{"name": "mean of old", "before": {"ap50": 0.5}, "after": {"ap50": 0.75}}]
    (run / "report.json").write_text(json.dumps({"classes": lines}))
    ended = recognize(str(run))
    assert ended.facts["AP50, mean of old"] == "50.0 before, 75.0 after"
    assert [each.name for each in ended.classes] == ["apple", "banana", "pear"]


def test_words_for_records(tmp_path: Path) -> None:
    tfrec("convert", OLD / "annotations.coco.json", "--out", tmp_path / "set")
    for word in (tmp_path, tmp_path / "set", tmp_path / "set.manifest.json", f"{tmp_path}/set-*"):
        assert record_words(str(word)) is not None, word
    assert record_words(str(OLD)) is None
    assert record_words(str(SAMPLE / "base_model")) is None


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("nothing.json", None, "no such file or folder"),
        ("what.xyz", "x", "is nothing that tfrec knows"),
        ("empty.txt", "", "is nothing that tfrec knows"),
        ("boxes.txt", "0 0.5 0.5 0.1 0.1\n3 0.2 0.2 0.1 0.1\n", "is the boxes of one image"),
        ("folder/map.pbtxt", "item { id: 1 name: 'a' }", "holds nothing of its own, but map.pbtxt"),
        ("folder/notes.md", "x", "is a folder without annotations, images, records or a model"),
    ],
)
def test_what_is_nothing(tmp_path: Path, name: str, text: str | None, reason: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=reason):
        recognize(str(path if path.parent == tmp_path else path.parent))


def test_no_tensorflow_is_loaded() -> None:
    program = (
        "import sys; from tfrec_tools.recognition.recognize import recognize; "
        f"recognize({str(SAMPLE / 'base_model')!r}); sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_the_command_says_it_in_one_screen_and_as_a_document() -> None:
    out, _ = tfrec("inspect", SAMPLE / "base_model")
    assert out.startswith(f"{SAMPLE / 'base_model'}: TFOD model folder\n  architecture: SSD\n")
    assert "Works with: finetune --base, detect" in out
    assert len(out.splitlines()) < 24
    found = json.loads(tfrec("inspect", OLD / "annotations.coco.json", "--json")[0])
    require_valid(found, "inspect--anything")
    assert found["next"].startswith("tfrec convert ")
    out, _ = tfrec("inspect", SAMPLE / "formats/yolo_obb")
    assert "Not with convert, validate, preview: " in out


def test_many_classes_leave_the_screen_alone(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("".join(f"class {number}\n" for number in range(300)))
    out, _ = tfrec("inspect", tmp_path / "names.txt")
    assert "... and 292 more" in out
    assert "Shown are 8 of 300 classes, the first; --all-classes shows all." in out
    assert "class 299 " in tfrec("inspect", tmp_path / "names.txt", "--all-classes")[0]
