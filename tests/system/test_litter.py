"""Litter of systems is told from the files that people mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from tfrec_tools.system.litter import sifted


@pytest.mark.parametrize("folder", [".", "data", "/x/__MACOSX", "/x/.ipynb_checkpoints/data"])
@pytest.mark.parametrize(
    "name",
    [
        *("._a.xml", "sub/._a.jpg", ".DS_Store", "sub/.ds_store", "Thumbs.db", "THUMBS.DB", "Desktop.ini"),
        *(".ipynb_checkpoints/a-checkpoint.xml", "__MACOSX/a.xml", "sub/__macosx/deep/a.txt"),
    ],
)
def test_litter_is_passed_over_and_counted(folder: str, name: str) -> None:
    kept = [Path(folder, each) for each in ("a.xml", "_a.xml", ".a.xml", "my__MACOSX/a.xml", "x.DS_Store")]
    assert sifted([kept[0], Path(folder, name), *kept[1:]], Path(folder)) == (kept, 1)
