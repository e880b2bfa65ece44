"""The manual's table of issue codes is what the code does."""

from __future__ import annotations

import re

from tests.helpers.places import DOCS
from tfrec_tools.annotations.issues import CODES
from tfrec_tools.annotations.policies import choices

MANUAL = DOCS / "convert.md"


def table() -> str:
    """Paste this between the marks when it fails."""
    rows = ["| code | meaning, and the default | choices, the default first |", "|---|---|---|"]
    rows += [
        f"| `{code}` | {CODES[code]} | {' '.join(f'`{one}`' for one in choices(code))} |" for code in CODES
    ]
    return "\n".join(rows)


def test_the_table_of_codes() -> None:
    text = MANUAL.read_text(encoding="utf-8")
    (found,) = re.findall(r"<!-- codes -->\n(.*)\n<!-- /codes -->", text, re.DOTALL)
    assert found == table()
