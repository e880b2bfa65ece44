"""Where things lie in the repository, and beside it."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"  # real data sets and golden files that are not part of the repository
SAMPLE = ROOT / "sample_data"
SCHEMAS = ROOT / "schemas"
DOCS = ROOT / "docs"
DATA = ROOT / "tests/data"
