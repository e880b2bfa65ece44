"""The scenes of `bin/bench grow`: drawn by seed, labelled for what a set is of, and a table that says what is
missed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.bench.grow import families, figures, scene_rows, scene_sets, scene_table
from tests.bench.grow.figures import NEW, OLD
from tfrec_tools.formats import registry


def scene(number: int, crowded_share: float = 1.0) -> figures.Scene:
    return figures.scene(np.random.default_rng([5, number]), OLD[number % 5], OLD + NEW, crowded_share)


def test_the_same_seed_draws_the_same_pixels() -> None:
    made, again, other = scene(0), scene(0), scene(1)
    assert made.pixels.tobytes() == again.pixels.tobytes()
    assert made.figures == again.figures
    assert made.pixels.tobytes() != other.pixels.tobytes()


def test_boxes_are_inside_and_hold_the_required_class_first() -> None:
    made = [scene(number) for number in range(10)]
    for number, each in enumerate(made):
        assert each.pixels.shape == (figures.SIZE, figures.SIZE, 3)
        assert each.figures[0].name == OLD[number % 5]
        for figure in each.figures:
            assert 0 <= figure.xmin < figure.xmax <= figures.SIZE
            assert 0 <= figure.ymin < figure.ymax <= figures.SIZE
    assert {figure.name for each in made for figure in each.figures} == {*OLD, *NEW}
    assert max(len(each.figures) for each in made) >= 5
    assert all(len(scene(number, crowded_share=0.0).figures) < 4 for number in range(10))


def test_a_figure_differs_from_its_ground_and_a_look_alike_by_its_detail_alone() -> None:
    rng = np.random.default_rng(3)
    for plain, detailed in (("disc", "target"), ("tile", "window"), ("stick", "baton")):
        assert not figures.SHAPES[plain](rng)[1]
        assert figures.SHAPES[detailed](rng)[1]
    disc, target = (figures.SHAPES[name](np.random.default_rng(3))[0] for name in ("disc", "target"))
    assert np.array_equal(disc, target)


def drawn(folder: Path) -> dict[str, scene_sets.Rows]:
    few = {"old": 12, "new": 10, "val": 2, "test": 2}
    return {part.name: scene_sets.draw(part, folder, few[part.name]) for part in scene_sets.PARTS}


def test_sets_are_labelled_for_their_own_classes_and_hide_others(tmp_path: Path) -> None:
    rows = drawn(tmp_path)
    sets = scene_sets.labelled(rows)
    assert {name for name, (_, classes) in sets.items() if classes == (*OLD, *NEW)} == {
        "joint",
        "val",
        "test",
    }
    unlabelled = dict.fromkeys(("old", "new"), 0)
    for name in unlabelled:
        images, classes = sets[name]
        (tmp_path / f"{name}.json").write_text(scene_sets.coco(images, classes), encoding="utf-8")
        read = registry.read(tmp_path / f"{name}.json").records
        seen = [figure.name for _, of_image in images for figure in of_image]
        assert sorted(each for record in read for each in record.names) == sorted(
            each for each in seen if each in classes
        )
        assert all(record.labeled == frozenset(classes) for record in read)
        unlabelled[name] = sum(each not in classes for each in seen)
    assert min(unlabelled.values()) > 0
    assert len({name for name, _ in sets["joint"][0]}) == 22


def test_every_growth_of_five_in_a_row_has_images_of_its_own(tmp_path: Path) -> None:
    sets = scene_sets.labelled(drawn(tmp_path))
    steps = [sets[f"new_{step}"] for step in range(1, 6)]
    assert [classes for _, classes in steps] == [(name,) for name in NEW]
    for images, (name,) in steps:
        assert len(images) == 2
        assert all(name in [figure.name for figure in of_image] for _, of_image in images)
    assert len({file for images, _ in steps for file, _ in images}) == 10


@pytest.mark.parametrize("family", families.FAMILIES)
def test_each_row_begins_with_what_an_earlier_one_left(family: str, tmp_path: Path) -> None:
    assert "num_classes" in families.pipeline(family)
    there = {tmp_path / family / "start"}
    for row in scene_rows.rows(family, tmp_path):
        assert Path(row.words[row.words.index("--base") + 1]) in there
        there.add(tmp_path / family / f"{row.name}-{row.seed}" / "model")


def report(folder: Path, old: float, new: float | None, seconds: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    known = dict.fromkeys(OLD, old) | ({} if new is None else dict.fromkeys(NEW, new))
    classes = [{"name": name, "after": {"ap50": value}} for name, value in known.items()]
    (folder / "report.json").write_text(json.dumps({"seconds": seconds, "classes": classes}))
    (folder / "times.json").write_text('{"cpu_seconds": 1.0, "commands": 1}')


def test_the_table_says_what_is_met_and_what_is_missed(tmp_path: Path) -> None:
    folder = tmp_path / "fpnlite"
    report(folder / "base-1", 0.8, None, 100.0)
    report(folder / "early-base-1-1", 0.1, None, 100.0)
    report(folder / "without-old-1", 0.77, 0.71, 60.0)
    report(folder / "without-old-2", 0.79, 0.73, 70.0)
    report(folder / "without-old-1" / "control", 0.2, 0.7, 50.0)
    report(folder / "joint-1", 0.8, 0.8, 200.0)
    report(folder / "replay-1", 0.8002, 0.7, 60.0)
    shown = scene_table.table(tmp_path, ["fpnlite", "retinanet"])
    assert "| fpnlite | base | 1 | 80.0 | - | - | - | - | - | - | - |" in shown
    assert "| fpnlite | control | 1 | 20.0 | 70.0 | 45.0 | 56.2 | 60.0 | - | 50 | 1.00 |" in shown
    assert "| fpnlite | without old images | 2 | 78.0 | 72.0 | 75.0 | 93.8 | 2.0 | 2.0 | 65 | 1.30 |" in shown
    assert "| fpnlite | 10 % replayed | 1 | 80.0 | 70.0 | 75.0 | 93.8 | 0.0 | 0.0 | 60 | 1.20 |" in shown
    assert "retinanet" not in shown
    assert "without old images, % of joint: at least 97: 93.75, **missed**" in shown
    assert "without old images, new to the control's new: at least 0: 2.00, met" in shown
    assert "five in a row, % of joint: at least 92: not known" in shown


def test_the_table_shows_intervals_where_reports_have_them(tmp_path: Path) -> None:
    folder = tmp_path / "fpnlite" / "base-1"
    report(folder, 0.8, None, 100.0)
    document = json.loads((folder / "report.json").read_text())
    (folder / "report.json").write_text(json.dumps({**document, "old_interval": [0.78, 0.83]}))
    assert "| fpnlite | base | 1 | 80.0 ± 2.5 |" in scene_table.table(tmp_path, ["fpnlite"])


def test_seconds_of_a_run_that_took_two_commands_are_not_known(tmp_path: Path) -> None:
    report(tmp_path / "fpnlite" / "replay-1", 0.8, None, 100.0)
    assert "| 100 | - |" in scene_table.table(tmp_path, ["fpnlite"])
    (tmp_path / "fpnlite" / "replay-1" / "times.json").write_text('{"cpu_seconds": 1.0, "commands": 2}')
    assert "| 100 | - |" not in scene_table.table(tmp_path, ["fpnlite"])
