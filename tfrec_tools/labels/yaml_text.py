"""YAML of strangers: what a file of a few hundred bytes would make of itself is counted before it is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tfrec_tools.errors import InputError

_MOST_CHARACTERS = 4_000_000  # of a file; 100,000 classes take 2,000,000
_MOST_NODES = 1_000_000  # with what anchors repeat as often as they do
_MOST_DIGITS = 400
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


def composed(path: Path, text: str, loader: Any) -> Any:
    """Returns the nodes of a text, None where it is empty; `loader` is yaml's. Raises InputError with the
    place where it is broken, where a key stands twice at its top level (readers keep the last value), or
    where it is larger than any that a person has written."""
    import yaml

    if len(text) > _MOST_CHARACTERS:
        reason = f"has {len(text)} characters, expected a YAML of at most {_MOST_CHARACTERS}"
        raise InputError(path, f"{reason}; keep as many classes in a .json")
    try:
        node = yaml.compose(text, Loader=loader)
        if node is not None:
            _require_few(path, node)
            _require_single_keys(path, node)
        return node
    except yaml.MarkedYAMLError as fault:
        where = f"line {fault.problem_mark.line + 1}" if fault.problem_mark else ""
        raise InputError(path, f"broken YAML: {' '.join(str(fault.problem).split())}", where=where) from fault
    except yaml.YAMLError as fault:
        raise InputError(path, f"broken YAML: {' '.join(str(fault).split())}") from fault
    except RecursionError as fault:
        raise InputError(path, "broken YAML: is nested too deeply, expected a few levels") from fault


def safe(path: Path, text: str) -> Any:
    """Returns what a text holds, as YAML's own types. InputError as `composed`."""
    import yaml

    node = composed(path, text, yaml.SafeLoader)
    loader = yaml.SafeLoader("")
    try:
        return None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as fault:
        where = f"line {fault.problem_mark.line + 1}" if fault.problem_mark else ""
        raise InputError(path, f"broken YAML: {' '.join(str(fault.problem).split())}", where=where) from fault
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as fault:
        # yaml's constructors of numbers and dates, where a tag or a text only looks like one
        reason = f"holds a value that is no number, date or truth, as its tag or form says ({fault})"
        raise InputError(path, f"{reason}; put it into quotes") from fault
    except RecursionError as fault:
        raise InputError(path, "broken YAML: is nested too deeply, expected a few levels") from fault
    finally:
        loader.dispose()


def _require_few(path: Path, root: Any) -> None:
    """Raises InputError where anchors make more of a text than stands in it, or an anchor holds itself."""
    sizes: dict[int, int] = {}
    _count(path, root, sizes)
    if sizes[id(root)] > _MOST_NODES:
        reason = f"its anchors make {sizes[id(root)]} values of it, expected at most {_MOST_NODES}"
        raise InputError(path, f"{reason}; write out what they repeat")


def _require_single_keys(path: Path, root: Any) -> None:
    known: set[str] = set()
    for key, _ in root.value if root.id == "mapping" else ():
        if key.id == "scalar" and key.value in known:
            where = f"line {key.start_mark.line + 1}"
            raise InputError(path, f"broken YAML: the key {key.value!r} stands more than once", where=where)
        if key.id == "scalar":
            known.add(key.value)


def _count(path: Path, node: Any, sizes: dict[int, int]) -> int:
    """Returns how many nodes a node is; `sizes` is by node, 0 while it is counted."""
    where = f"line {node.start_mark.line + 1}"
    if id(node) in sizes:
        if not sizes[id(node)]:
            raise InputError(path, "an anchor holds itself, expected a list or a mapping", where=where)
        return sizes[id(node)]
    sizes[id(node)] = 0
    total = 1
    if node.id == "scalar":
        if node.tag in _NUMBERS and len(node.value) > _MOST_DIGITS:
            raise InputError(path, f"a number of {len(node.value)} digits", where=where)
    else:
        for item in node.value:
            for child in item if isinstance(item, tuple) else (item,):
                total += _count(path, child, sizes)
    sizes[id(node)] = total
    return total
