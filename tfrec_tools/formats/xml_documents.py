"""XML files as trees of lxml's, in which no text of a file can open another, or stand for more than it is."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from tfrec_tools.annotations.records import ByteRange
from tfrec_tools.errors import InputError


def root_of(file: Path, expected: str) -> Any:
    """Returns the root element of a file, without comments and processing instructions. Raises InputError
    where it is no XML, declares entities or cannot be read; `expected` is what was looked for."""
    from lxml import etree

    try:
        root = etree.fromstring(ByteRange(file).read(), _parser())
        _require_no_entities(file, root, expected)
    except etree.XMLSyntaxError as fault:
        line, column = fault.position
        reason = " ".join(str(fault.msg).partition(", line")[0].split())
        raise InputError(file, f"broken XML: {reason}", where=f"line {line}, column {column}") from fault
    except OSError as fault:
        raise InputError(file, f"cannot be read ({fault.strerror or fault})") from fault
    if root is None:
        raise InputError(file, f"its root is <None>, expected {expected}")
    return root


@cache
def _parser() -> Any:
    from lxml import etree

    return etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)


def _require_no_entities(file: Path, root: Any, expected: str) -> None:
    """What an entity stands for is not looked up, so that a number with one would be read as another."""
    declared = None if root is None else root.getroottree().docinfo.internalDTD
    if declared is None:
        return
    from lxml import etree

    entity = next(root.iter(etree.Entity), None)
    if entity is not None or any(True for _ in declared.iterentities()):
        line = entity.sourceline if entity is not None else 1
        reason = f"declares entities (&name;), which {expected} has not; write out what they stand for"
        raise InputError(file, reason, where=f"line {line}")
