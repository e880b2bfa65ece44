"""docs/python.md: each of its examples runs, in its order, in one folder."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import tiny
from tests.helpers.places import DOCS, ROOT
from tests.helpers.small_sets import save_picture
from tfrec_tools.labels.label_map import from_names
from tfrec_tools.labels.pbtxt import format_label_map

_EXAMPLE = re.compile(r"```python\n(.*?)```", re.DOTALL)
_SCENES = 12


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the examples start from: photos with annotations, label maps, a model."""
    images, annotations = [], []
    for number in range(_SCENES):
        name = "a.jpg" if number == 0 else f"{number}.jpg"
        save_picture(tmp_path / "photos" / name, 64, 64)
        images.append({"id": number + 1, "file_name": name, "width": 64, "height": 64})
        box = [2 + number, 3, 30, 20]
        annotations.append({"id": number, "image_id": number + 1, "category_id": 1, "bbox": box})
    categories = [{"id": 1, "name": "blue"}]
    document = {"images": images, "annotations": annotations, "categories": categories}
    (tmp_path / "instances.json").write_text(json.dumps(document))
    for name, classes in (("old", ["red", "green"]), ("new", ["blue"])):
        (tmp_path / f"{name}.pbtxt").write_text(format_label_map(from_names(classes)))
    tiny.model_folder(tmp_path / "my_model", "red", "green")
    return tmp_path


@pytest.mark.slow
def test_the_examples_run(folder: Path) -> None:
    examples = _EXAMPLE.findall((DOCS / "python.md").read_text(encoding="utf-8"))
    assert len(examples) >= 7
    program = folder / "examples.py"
    program.write_text("\n".join(examples), encoding="utf-8")
    environment = {"PYTHONPATH": str(ROOT), "PATH": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, program.name], cwd=folder, env=environment, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    assert "12 12" in done.stdout
    assert "('red', 'green', 'blue')" in done.stdout
    assert done.stdout.rstrip().endswith("missing.json no such file or folder")
    assert (folder / "exported" / "saved_model").is_dir()
    shutil.rmtree(folder / "run")
