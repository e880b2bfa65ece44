"""The label map of a model folder: found where the config of its training means it, never guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.command import fault, tfrec, write_map
from tfrec_tools.errors import InputError
from tfrec_tools.formats.classes import read_classes
from tfrec_tools.labels.model_folders import find_labels, folder_of

REMEDY = "give it by --model-labels MAP"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As tutorials lay it out: annotations/, and models that TFOD left below exported/; and elsewhere, where
    the command runs."""
    (tmp_path / "demo/annotations").mkdir(parents=True)
    (tmp_path / "demo/exported/mine/checkpoint").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    write_map(tmp_path / "demo/annotations/label_map.pbtxt", "cat", "dog")
    return tmp_path


def model(workspace: Path, *paths: str, classes: int = 2) -> Path:
    """The folder, with a config whose input readers name these maps, each as it is written there."""
    readers = "".join(f'eval_input_reader {{\n  label_map_path: "{path}"\n}}\n' for path in paths)
    folder = workspace / "demo/exported/mine"
    (folder / "pipeline.config").write_text(f"model {{ ssd {{ num_classes: {classes} }} }}\n{readers}")
    return folder


@pytest.mark.parametrize(
    "path",
    [
        "annotations/label_map.pbtxt",
        "./annotations/label_map.pbtxt",
        "annotations\\\\label_map.pbtxt",
        "annotations\\label_map.pbtxt",
        "demo\\\\annotations/label_map.pbtxt",
        "../../annotations/label_map.pbtxt",
        "/content/demo/annotations/label_map.pbtxt",
        "C:\\\\Users\\\\me\\\\demo\\\\annotations\\\\label_map.pbtxt",
        "C:/Users/me/demo/annotations/label_map.pbtxt",
        "gs://bucket/demo/annotations/label_map.pbtxt",
    ],
)
def test_the_map_that_the_config_means_is_taken_and_said(workspace: Path, path: str) -> None:
    taken = find_labels(model(workspace, path, path), None, REMEDY)
    assert taken.labels.names == ("cat", "dog")
    assert taken.how.endswith("label_map.pbtxt, which pipeline.config names")


def test_a_path_as_it_stands_goes_before_all_others(workspace: Path) -> None:
    there = write_map(workspace / "there.pbtxt", "owl", "elk")
    assert find_labels(model(workspace, str(there)), None, REMEDY).labels.names == ("owl", "elk")


def test_a_path_may_be_seen_from_the_working_folder(workspace: Path) -> None:
    write_map(workspace / "elsewhere/own.pbtxt", "owl", "elk")
    assert find_labels(model(workspace, "own.pbtxt"), None, REMEDY).labels.names == ("owl", "elk")


def test_the_folders_own_map_goes_first_and_is_not_remarked_on(workspace: Path) -> None:
    folder = model(workspace, "annotations/label_map.pbtxt")
    write_map(folder / "label_map.pbtxt", "owl", "elk")
    write_map(folder / "other.pbtxt", "bee")
    taken = find_labels(folder, None, REMEDY)
    assert (taken.labels.names, taken.how) == (("owl", "elk"), "")


def test_the_only_map_in_the_folder_may_have_any_name(workspace: Path) -> None:
    folder = model(workspace, "annotations/label_map.pbtxt")
    write_map(folder / "birds.pbtxt", "owl", "elk")
    (folder / "graph.pbtxt").write_text('node {\n  name: "x"\n}\n')
    taken = find_labels(folder, None, REMEDY)
    assert taken.labels.names == ("owl", "elk")
    assert taken.how == f"{folder}/birds.pbtxt, the only label map in the folder"


def test_the_only_map_beside_the_folder_is_the_last_resort(workspace: Path) -> None:
    folder = model(workspace, "/content/nowhere.pbtxt")
    write_map(folder.parent / "birds.pbtxt", "owl", "elk")
    taken = find_labels(folder, None, REMEDY)
    assert taken.labels.names == ("owl", "elk")
    assert taken.how == f"{folder.parent}/birds.pbtxt, the only label map beside the folder"


@pytest.mark.parametrize("path", ["PATH_TO_BE_CONFIGURED", "PATH_TO_BE_CONFIGURED/x.pbtxt", "",
                                  "object_detection/data/mscoco_label_map.pbtxt"])  # fmt: skip
def test_the_zoos_own_config_has_cocos_classes(workspace: Path, path: str) -> None:
    folder = model(workspace, path, classes=90)
    write_map(folder.parent / "of_the_new_images.pbtxt", "owl")
    taken = find_labels(folder, None, REMEDY)
    assert (len(taken.labels), taken.how) == (80, "COCO's label map, as pipeline.config is the zoo's")


def test_what_is_chosen_goes_before_all(workspace: Path) -> None:
    folder = model(workspace, "annotations/label_map.pbtxt")
    write_map(folder / "label_map.pbtxt", "owl", "elk")
    chosen = write_map(workspace / "chosen.txt", "bee", "fly")
    assert find_labels(folder, chosen, REMEDY).labels.names == ("bee", "fly")


def test_a_comment_and_a_text_name_no_map(workspace: Path) -> None:
    folder = model(workspace)
    with (folder / "pipeline.config").open("a") as config:
        config.write('# label_map_path: "annotations/label_map.pbtxt"\n')
        config.write(f"x: 'label_map_path: 3' num_classes: {'9' * 5000}\n")
    with pytest.raises(InputError, match=r"has no label map, and its pipeline\.config names none; give"):
        find_labels(folder, None, REMEDY)


def test_without_a_map_it_names_what_the_config_means_and_the_flag(workspace: Path) -> None:
    folder = model(workspace, "/content/drive/labels.pbtxt", "/content/drive/labels.pbtxt")
    with pytest.raises(InputError) as caught:
        find_labels(folder, None, REMEDY)
    assert str(caught.value) == (
        f"{folder}: has no label map, and its pipeline.config names /content/drive/labels.pbtxt, which is "
        "not here; give it by --model-labels MAP"
    )


def test_of_several_maps_none_is_guessed(workspace: Path) -> None:
    folder = model(workspace, "/content/nowhere.pbtxt")
    write_map(folder / "a.pbtxt", "owl")
    write_map(folder / "b.pbtxt", "elk")
    with pytest.raises(InputError, match=r"has several label maps \(a\.pbtxt, b\.pbtxt\), and"):
        find_labels(folder, None, REMEDY)
    assert find_labels(model(workspace, "b.pbtxt"), None, REMEDY).labels.names == ("elk",)


def test_maps_of_training_and_evaluation_that_differ_are_refused(workspace: Path) -> None:
    write_map(workspace / "demo/annotations/val.pbtxt", "cat", "dog")
    paths = ("annotations/label_map.pbtxt", "annotations/val.pbtxt")
    assert find_labels(model(workspace, *paths), None, REMEDY).labels.names == ("cat", "dog")
    write_map(workspace / "demo/annotations/val.pbtxt", "dog", "cat")
    with pytest.raises(InputError, match=r"label_map_path: names .*, which differ; give it by"):
        find_labels(model(workspace, *paths), None, REMEDY)


def test_a_broken_map_of_its_own_is_not_passed_over(workspace: Path) -> None:
    folder = model(workspace, "annotations/label_map.pbtxt")
    (folder / "label_map.pbtxt").write_text("itme { }")
    with pytest.raises(InputError, match=r"mine/label_map\.pbtxt: line 1: not a label map"):
        find_labels(folder, None, REMEDY)


@pytest.mark.parametrize("path", ["x" * 5000 + ".pbtxt", "/dev/zero", "a\\0b", ".", "/", "\\\\"])
def test_odd_paths_are_not_here(workspace: Path, path: str) -> None:
    with pytest.raises(InputError, match="which is not here; give it by"):
        find_labels(model(workspace, path), None, REMEDY)


def test_a_run_is_opened_by_its_folder(workspace: Path) -> None:
    folder = model(workspace)
    run = workspace / "run"
    run.mkdir()
    folder.rename(run / "model")
    assert folder_of(run) == run / "model"
    assert folder_of(run / "model") == run / "model"
    assert folder_of(workspace) == workspace


def test_labels_are_merged_from_a_tfod_folder_a_run_and_a_name_of_the_zoo(workspace: Path) -> None:
    folder = model(workspace, "annotations/label_map.pbtxt")
    new = write_map(workspace / "new.pbtxt", "owl")
    _, err = tfrec("merge-labels", folder, new, "--out", workspace / "merged.pbtxt")
    assert err.startswith(f"tfrec: classes of {folder}: {workspace}/demo/annotations/label_map.pbtxt\n")
    assert [label.name for label in read_classes(workspace / "merged.pbtxt").labels] == ["cat", "dog", "owl"]
    (workspace / "run").mkdir()
    folder.rename(workspace / "run/model")
    write_map(workspace / "run/model/label_map.pbtxt", "cat", "dog")
    assert [label.name for label in read_classes(workspace / "run").labels] == ["cat", "dog"]
    name = "ssd_mobilenet_v2_fpnlite_320x320"
    _, err = tfrec("merge-labels", name, new, "--out", workspace / "coco.pbtxt", "--keep-gaps")
    assert f"tfrec: classes of {name}: COCO's label map\n" in err
    merged = read_classes(workspace / "coco.pbtxt").labels
    assert (len(merged), merged[-1].id, merged[-1].name) == (81, 91, "owl")


def test_labels_of_a_folder_that_has_none_are_asked_for(workspace: Path) -> None:
    folder = model(workspace, "/content/x.pbtxt")
    line = fault("merge-labels", folder, folder, "--out", workspace / "merged.pbtxt")
    assert line.endswith("names /content/x.pbtxt, which is not here; name the map itself")
