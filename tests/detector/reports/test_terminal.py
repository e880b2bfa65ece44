"""What evaluate, finetune and compare print of 200 classes in 80 columns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pytest
from rich.cells import cell_len

from tests.helpers import measured
from tfrec_tools.cli import compare as compare_command
from tfrec_tools.cli import evaluate as evaluate_command
from tfrec_tools.cli import manner
from tfrec_tools.cli.score_tables import print_precisions
from tfrec_tools.detector.evaluation.average_precision import average_precision
from tfrec_tools.detector.evaluation.metrics import measure
from tfrec_tools.detector.model.class_rows import ClassRow
from tfrec_tools.detector.options.models import EvaluateOptions
from tfrec_tools.detector.reports import comparison
from tfrec_tools.detector.reports.side_by_side import Side, compared
from tfrec_tools.labels.label_map import from_names

WIDTH = 80
LABELS = from_names(["red", "green", "blue"])
EXAMPLES, FIRST = measured.case(30)
SECOND = [
    measured.found_in(example, np.random.default_rng(1), noise=0.03, misses=0.3) for example in EXAMPLES
]

Named = TypeVar("Named")


def many(lines: list[Any], count: int = 200) -> list[Any]:
    """So many lines, as the few are, with long names."""
    names = (f"class {i} with a name that is longer than any column, {i}" for i in range(count))
    return [replace(lines[i % len(lines)], name=name) for i, name in enumerate(names)]


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(WIDTH))


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if cell_len(line) > WIDTH] == []
    assert "... and 180" in out  # and "more" below it, where there is no room
    assert "Shown are 20 of 200 classes, " in out
    return out


def report_lines(*, agreement: bool) -> list[comparison.Line]:
    rows = [ClassRow(1, "red", 1), ClassRow(2, "green", 2), ClassRow(3, "blue", None)]
    before, after = (average_precision(EXAMPLES, found, LABELS, spread=True) for found in (FIRST, SECOND))
    if agreement:
        return comparison.comparison(rows, {}, {3: after[3]}, {1: after[1], 2: after[2]})
    return comparison.comparison(rows, before, after)


@pytest.mark.parametrize("agreement", [False, True])
def test_finetune(agreement: bool, capsys: pytest.CaptureFixture[str]) -> None:
    lines = report_lines(agreement=agreement)
    means = [line for line in lines if line.is_mean]
    classes = many([line for line in lines if not line.is_mean])
    print_precisions("base -> run/model", [*classes, *means], agreement=agreement)
    out = printed(capsys)
    assert out.count("\u2502 new \u2502") == 10 + 1  # in turn with old ones, and their mean
    assert "new ones and those that lost most" in out
    assert out.count("mean of ") == 3
    with manner.of([]) as now:
        now.all_classes = True
        print_precisions("base -> run/model", [*classes, *means], agreement=agreement)
    assert capsys.readouterr().out.count("\u2502 new \u2502") == 66 + 1


def test_evaluate(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = measure(EXAMPLES, FIRST, LABELS, min_score=None, voc07=True, intervals=True)
    worst = replace(metrics.classes[0], scores=replace(metrics.classes[0].scores, ap=0.001), name="the worst")
    metrics = replace(metrics, classes=(*many(list(metrics.classes), 199), worst))
    options = EvaluateOptions(model="run/model", records="val", voc07=True)
    evaluate_command._print(options, metrics)
    out = printed(capsys)
    assert out.count("the worst ") == 2
    assert "those with the lowest AP" in out


def test_compare(capsys: pytest.CaptureFixture[str]) -> None:
    both = frozenset((1, 2, 3))
    result = compared(EXAMPLES, Side("a", both, FIRST, {}), Side("b", both, SECOND, {}), LABELS)
    assert result.shared is not None
    result = replace(result, lines=many(list(result.lines)))
    compare_command._print(result)
    out = printed(capsys)
    assert out.count("classes of both ") == 2
