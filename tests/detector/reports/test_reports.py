"""What a finished run has to show: its page, the model's card, the pictures."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from lxml import html
from PIL import Image

from tests.helpers import tiny
from tests.helpers.browser import browser
from tfrec_tools.detector.data.index import index_records
from tfrec_tools.detector.evaluation.average_precision import AveragePrecision
from tfrec_tools.detector.evaluation.bootstrap import Spread
from tfrec_tools.detector.evaluation.calibration import Calibration, Shift
from tfrec_tools.detector.evaluation.measured import OperatingPoint
from tfrec_tools.detector.evaluation.metrics import Confused
from tfrec_tools.detector.model.class_rows import ClassRow
from tfrec_tools.detector.reports import comparison, images, model_card, run_page
from tfrec_tools.detector.reports.run_page import Attached
from tfrec_tools.detector.training import curves
from tfrec_tools.detector.training.train_step import StepLosses
from tfrec_tools.detector.training.validation import Validation
from tfrec_tools.labels.label_map import from_names
from tfrec_tools.system import toml_options

LABELS = from_names(["<red>", "blue"])
ROWS = [ClassRow(1, "<red>", 1), ClassRow(2, "blue", None)]
LINES = comparison.comparison(
    ROWS,
    {1: AveragePrecision(0.5, 0.75, 4)},
    {1: AveragePrecision(0.4, 0.5, 4), 2: AveragePrecision(0.25, 0.5, 2)},
)
FACTS = comparison.Facts(
    base="models/base",
    forgetting=25.0,
    steps=80,
    ended="the time was up",
    best_step=60,
    thresholds={1: 0.37},
    blends={0.8: 0.512, 1.0: 0.4},
    images={"new, to train with": 12, "old, to train with": 0},
    augmentations=["crop", "color"],
    seconds=90.0,
    versions={"tfrec": "1.2.3"},
    finished="2026-11-30T09:00:00+00:00",
    measured_with="the 7 images that were chosen by, too",
    calibration=Calibration(0.62, (Shift(2, "blue", 31, 0.25, 1.59), Shift(3, "pink", 2, None, None))),
)
BEST = {"blue": OperatingPoint(0.25, 0.3, 0.78, 0.84)}
OPTIONS: dict[str, toml_options.Value] = {"lr": 0.02, "train": ["new-*"]}


def test_the_page_in_a_browser(tmp_path: Path) -> None:
    usual, best = (
        AveragePrecision(0.4, ap50, 4, {"ap50": Spread(np.linspace(ap50 - 0.1, ap50, 1000), 50)})
        for ap50 in (0.5, 1.0)
    )
    many = [
        replace(LINES[0], name=f"class {i}", boxes=i, after=best if i == 100 else usual) for i in range(200)
    ]
    page = tmp_path / "report.html"
    shown = {"Training": "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="}
    text = run_page.format_page([*many, *LINES[-3:]], BEST, FACTS, OPTIONS, LABELS, Attached(shown))
    page.write_text(text, encoding="utf-8")
    with browser(tmp_path / "profile") as opened:
        opened.open(page, 360, dark=True)
        assert opened.run("document.documentElement.scrollWidth") == 360
        rows = (
            "[...document.querySelectorAll('table')[0].tBodies[0].rows].map(row => row.cells[0].textContent)"
        )
        assert opened.run(rows)[:2] == ["class 0", "class 1"]
        opened.run("document.querySelectorAll('th button')[2].click()")  # boxes, the most first
        assert opened.run(rows)[:2] == ["class 199", "class 198"]
        assert opened.run(rows)[-3:] == [line.name for line in LINES[-3:]]
        opened.run("document.querySelectorAll('th button')[4].click()")  # AP50 after, with its interval
        assert opened.run(rows)[0] == "class 100"
        boxes = "document.querySelector('.scroll').getBoundingClientRect().height"
        assert opened.run(boxes) < 900  # so that what is below is near
        assert opened.faults == []


def test_the_page_has_the_table_and_needs_nothing_else() -> None:
    confused = [Confused("<red>", "blue", 3, 0.25)]
    attached = Attached({"Training": "data:image/png;base64,AA=="}, "compare.html", confused)
    page = run_page.format_page(LINES, BEST, FACTS, OPTIONS, LABELS, attached)
    tree = html.fromstring(page)
    rows = [[cell.text_content() for cell in row] for row in tree.xpath("//table[1]//tr[td]")]
    assert rows[0] == ["<red>", "old", "4", "75.0", "50.0", "-25.0", "50.0", "40.0"]
    assert rows[1] == ["blue", "new", "2", "", "50.0", "", "", "25.0"]
    assert len(tree.xpath("//tr[@class='mean']")) == 3
    assert tree.xpath("//main//a/@href") == ["compare.html"]
    assert tree.xpath("//img/@src") == ["data:image/png;base64,AA=="]
    assert not re.search(r"(src|href)=\"?http", page)
    text = tree.text_content()
    for words in ("80 steps in 1.5 minutes (the time was up)", "harmonic mean of old and new AP50 50.0",
                  "the old classes lost 25.0 points of AP50", "blue0.2578.084.0", "0.37", "51.2", "new-*",
                  "1.2.3", "blue310.251.59", "pink2", "<red>blue325.0",
                  "finished 2026-11-30 09:00 UTC", "measured with the 7 images that were chosen by, too",
                  "new, to train with12", "best taken from about 0.62 on: blue +1.59.",
                  "too little to choose by: pink (2 boxes)"):  # fmt: skip
        assert words in text


def test_the_card_says_how_the_model_came_to_be() -> None:
    card = model_card.format_card(LINES, BEST, FACTS, OPTIONS)
    for words in ("new: blue.", "| new, to train with | 12 |", "| <red> | old | 4 | 75.0 | 50.0 | 40.0 |",
                  "| blue | 0.25 | 78.0 | 84.0 |",
                  "lost 25.0 points", "the weights of step 60", "tfrec 1.2.3",
                  "from about 0.62 on: blue +1.59."):  # fmt: skip
        assert words in card
    assert "Measured with the 7 images that were chosen by, too: `new-*`." in card
    assert card.count("*to fill in*") == 3
    header = yaml.safe_load(card.split("---\n")[1])
    (index,) = header["model-index"]
    assert (header["license"], header["pipeline_tag"]) == ("unknown", "object-detection")
    assert index["name"] == "models/base grown to 2 classes"
    (result,) = index["results"]
    assert result["dataset"]["name"] == "new-*"
    values = {metric["name"]: metric["value"] for metric in result["metrics"]}
    assert values["AP50, mean of old classes"] == values["AP50, mean of new classes"] == 0.5
    assert (len(values), values["AP, mean of old classes"]) == (6, 0.4)
    block = re.search(r"```toml\n(.*)```", card, re.DOTALL)
    assert block
    assert tomllib.loads(block[1]) == OPTIONS


def test_page_and_card_call_agreement_what_it_is() -> None:
    lines = comparison.comparison(
        ROWS, {}, {2: AveragePrecision(0.25, 0.5, 2)}, {1: AveragePrecision(0.8, 0.875, 4)}
    )
    watching = comparison.watching(lines, 40, 30, decides=True)
    facts = replace(FACTS, forgetting=None, agreement=watching)
    card = model_card.format_card(lines, BEST, facts, OPTIONS)
    page = run_page.format_page(lines, BEST, facts, OPTIONS, LABELS, Attached({}))
    text = html.fromstring(page).text_content()
    words = (
        "The old classes lost 12.5 points of their agreement with the base: AP50 by what the base is "
        "confident of, not by labels, on 40 images, 30 of them learnt from as well."
    )
    assert words in card
    assert words in text
    assert "| <red> | old | 0 |  |  |  | 87.5 |" in card
    assert "harmonic mean of agreement on the old and AP50 of the new" in text
    assert "agreement" not in model_card.format_card(LINES, BEST, replace(FACTS, agreement=watching), OPTIONS)


def test_boxes_in_doubt_are_grey(tmp_path: Path) -> None:
    labels = from_names(["blue"])
    examples = index_records([str(tiny.write_records(tmp_path / "a.tfrecord", ["blue"], 5))], labels)
    doubtful = [replace(example, weights=np.zeros(1, np.float32)) for example in examples]
    sure, unsure = (images.labels_sheet(some, labels) for some in (examples, doubtful))
    assert sure.size == unsure.size
    grey = (0x9A, 0xA0, 0xA6)
    counts = [(np.asarray(sheet) == grey).all(axis=-1).sum() for sheet in (sure, unsure)]
    assert counts[0] < counts[1] / 10
    assert counts[1] > 5 * 50


def test_the_loss_curve_has_room_for_validations(tmp_path: Path) -> None:
    curve = [StepLosses(step, 1 / step, 2 / step, 0.1, 0.0) for step in range(1, 9)]
    validations = [Validation(4, 0.5, None, 0.5), Validation(8, 0.4, None, 0.4)]
    for name, some in (("without.png", []), ("with.png", validations)):
        curves.save_loss_curve(curve, some, tmp_path / name)
    with Image.open(tmp_path / "without.png") as without, Image.open(tmp_path / "with.png") as picture:
        assert without.size == picture.size
        assert without.tobytes() != picture.tobytes()


@pytest.mark.parametrize("size_wh", [(4000, 2), (2, 4000)])
def test_an_image_of_an_odd_shape_is_shown_in_a_panel_of_some_height(
    tmp_path: Path, size_wh: tuple[int, int]
) -> None:
    tiny.write_records(tmp_path / "a.tfrecord", ["red"], 1)
    labels = from_names(["red"])
    (example,) = index_records([str(tmp_path / "a.tfrecord")], labels)
    odd = replace(example, width=size_wh[0], height=size_wh[1])
    sheets = (
        images.labels_sheet([odd], labels),
        images.detections_sheet([odd], [("", None)], labels, frozenset()),
    )
    assert all(1 <= sheet.height <= 1400 for sheet in sheets)
