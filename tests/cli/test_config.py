"""`tfrec config` from outside."""

from __future__ import annotations

import json
from pathlib import Path

from tests.helpers import tiny
from tests.helpers.command import fault, tfrec, write_map


def test_a_config_follows_the_label_map_without_tensorflow(tmp_path: Path) -> None:
    labels = write_map(tmp_path / "merged.pbtxt", "red", "green", "blue")
    out, err = tfrec(
        "config", tiny.PIPELINE, "--labels", labels, "--train", "new-*", "--out", tmp_path / "made/p.config"
    )
    assert (out, err) == (f"{tmp_path}/made/p.config: 3 classes, label map {labels}\n", "")
    written = (tmp_path / "made/p.config").read_text(encoding="utf-8")
    assert "num_classes: 3" in written
    assert 'input_path: "new-*"' in written
    assert "# A narrow SSD" in written


def test_what_cannot_be_rewritten_is_one_line(tmp_path: Path) -> None:
    labels = write_map(tmp_path / "merged.pbtxt", "red")
    words = ("--labels", labels, "--out", tmp_path / "made/p.config")
    assert "pipeline.config: cannot be read" in fault("config", tmp_path, *words)
    (tmp_path / "pipeline.config").write_text("model { ssd {")
    assert "line 1: not a pipeline.config" in fault("config", tmp_path, *words)
    (tmp_path / "pipeline.config").write_text("model { ssd { } }")
    assert "has no train_input_reader" in fault("config", tmp_path, *words)
    assert not (tmp_path / "made").exists()


def test_a_config_without_evaluation_and_with_a_byte_order_mark(tmp_path: Path) -> None:
    """As some write it by hand, and as Windows' editors keep it."""
    labels = write_map(tmp_path / "merged.pbtxt", "red")
    text = "\ufeffmodel {\n  ssd {\n  }\n}\ntrain_input_reader {\n}\n"
    (tmp_path / "pipeline.config").write_text(text, encoding="utf-8")
    tfrec("config", tmp_path, "--labels", labels, "--out", tmp_path / "new.config")
    written = (tmp_path / "new.config").read_text(encoding="utf-8")
    assert written.startswith("model {\n  ssd {\n    num_classes: 1\n")
    assert "eval_input_reader" not in written


def test_json_is_all_of_stdout(tmp_path: Path) -> None:
    labels = write_map(tmp_path / "merged.pbtxt", "red")
    words = ("--labels", labels, "--out", tmp_path / "new.config", "--train", "a-*", "--json")
    document = json.loads(tfrec("config", tiny.PIPELINE, *words)[0])
    assert document["out"] == str(tmp_path / "new.config")
    assert (document["num_classes"], document["train"], document["val"]) == (1, "a-*", None)
