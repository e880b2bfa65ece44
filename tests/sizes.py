"""`python -m tests.sizes`: names each function of tfrec_tools of more than 60 lines, its docstring included,
which no rule of ruff counts, and exits with 1 if there is one."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

MOST_LINES = 60
_PACKAGE = Path(__file__).parents[1] / "tfrec_tools"
_LEFT_OUT = ("_pb2",)  # generated


def too_long(path: Path) -> Iterator[str]:
    """A line for each such function of a file."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MOST_LINES:
                yield f"{path}:{node.lineno}: {node.name} has {lines} lines, expected at most {MOST_LINES}"


def main() -> None:
    files = [path for path in _PACKAGE.rglob("*.py") if path.relative_to(_PACKAGE).parts[0] not in _LEFT_OUT]
    found = [line for path in sorted(files) for line in too_long(path)]
    sys.exit("\n".join(found) or None)


if __name__ == "__main__":
    main()
