"""XML files as trees of lxml's, in which no text of a file can open another, or stand for more than it is."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tfrec_tools.annotations.records import ByteRange
from tfrec_tools.errors import InputError
from tfrec_tools.system.regular_files import open_binary


def root_of(file: Path, expected: str) -> Any:
    """Returns the root element of a file, without comments and processing instructions. Raises InputError
    where it is no XML, declares entities or cannot be read; `expected` is what was looked for."""
    from lxml import etree

    try:
        root = etree.fromstring(ByteRange(file).read(), _parser())
        _require_no_entities(file, root, expected)
    except etree.XMLSyntaxError as fault:
        raise _broken(file, fault) from fault
    except OSError as fault:
        raise InputError(file, f"cannot be read ({fault.strerror or fault})") from fault
    if root is None:
        raise InputError(file, f"its root is <None>, expected {expected}")
    return root


def children_of_root(file: Path, root: str, tags: Collection[str]) -> Iterator[Any]:
    """Yields the elements in the root of a file that have one of the tags, in their order, and after them all
    others that the root has. Each is taken out of the tree when the next one is there, so that a file of any
    size needs the memory of its largest element. Raises InputError as `root_of` does, and where the root has
    another tag, or the file declares a document type, whose entities could stand for anything."""
    from lxml import etree

    try:
        with open_binary(file) as opened:
            events = ("start", "end")
            steps = etree.iterparse(opened, events=events, tag=[root, *tags], **_SAFE)
            yield from _taken_out(file, root, steps)
    except etree.XMLSyntaxError as fault:
        raise _broken(file, fault) from fault
    except OSError as fault:
        raise InputError(file, f"cannot be read ({fault.strerror or fault})") from fault


def _taken_out(file: Path, tag: str, steps: Any) -> Iterator[Any]:
    top = done = None
    for event, element in steps:
        if event == "start":
            if top is None:
                top = element
                _require_no_type(file, top, tag)
        elif element.getparent() is top and top is not None:
            if done is not None:  # an element may go when what follows it has been parsed
                top.remove(done)
            yield element
            done = element
    if top is None:
        raise InputError(file, f"its root is <{steps.root.tag}>, expected <{tag}>")
    if done is not None:
        top.remove(done)
    yield from top


def _require_no_type(file: Path, root: Any, tag: str) -> None:
    if root.getparent() is not None or root.tag != tag:
        found = root.getroottree().getroot().tag
        raise InputError(file, f"its root is <{found}>, expected <{tag}>")
    if root.getroottree().docinfo.internalDTD is not None:
        raise InputError(file, "declares a document type (<!DOCTYPE>), which may hold entities; take it out")


def _broken(file: Path, fault: Any) -> InputError:
    line, column = fault.position
    reason = " ".join(str(fault.msg).partition(", line")[0].split())
    return InputError(file, f"broken XML: {reason}", where=f"line {max(line, 1)}, column {max(column, 1)}")


_SAFE: dict[str, Any] = {
    "resolve_entities": False,
    "no_network": True,
    "remove_comments": True,
    "remove_pis": True,
}


@cache
def _parser() -> Any:
    from lxml import etree

    return etree.XMLParser(**_SAFE)


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
