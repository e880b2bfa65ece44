"""Label Studio's CSV and TSV (https://labelstud.io/guide/export): a row an annotation of a task, with the
data of the task and, in a column a control, its regions as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from tfrec_tools.annotations.records import Source
from tfrec_tools.errors import InputError, readable
from tfrec_tools.formats.csv_texts import header_of, json_of, named_rows
from tfrec_tools.formats.drawn import source, without_masks
from tfrec_tools.formats.labelstudio_images import drawn_images
from tfrec_tools.formats.labelstudio_tasks import Annotation, Task, image_of, joined, whole_region
from tfrec_tools.formats.options import DEFAULT, ReadOptions

_MARKS = frozenset(("annotation_id", "lead_time"))  # columns of every export
_REGIONS = re.compile(r'^\[\s*\{.*"(?:\w*labels|original_width)"', re.DOTALL)

_LOOKED_AT = 100  # rows that show what a file is

Row = tuple[int, Mapping[str, str]]  # its line and its cells


def read(path: Path, options: ReadOptions = DEFAULT) -> Source:
    """Returns the images of the tasks in the order in which they first appear. Classes are those that occur,
    in alphabetical order. A task that nobody has annotated is image-unannotated. Raises InputError where the
    file has not the columns of an export."""
    separator = _separator(path)
    if not _MARKS & set(header_of(path, separator)):
        reason = f"no column {' or '.join(sorted(_MARKS))}, expected Label Studio's CSV or TSV"
        raise InputError(path, reason, where="line 1")
    rows = list(named_rows(path, separator))
    controls = [name for name in (rows[0][1] if rows else ()) if _is_control(name, rows)]
    tasks = joined(_task(line, cells, controls) for line, cells in rows)
    name, masks = readable(path.name), options.masks
    images = drawn_images(name, tasks, masks)
    return source(images, issues=without_masks(images) if masks else ())


def _separator(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


def _is_control(name: str, rows: Iterable[Row]) -> bool:
    """Returns whether regions stand in a column."""
    return any(_REGIONS.match(cells.get(name, "")) for _, cells in rows)


def _task(line: int, cells: Mapping[str, str], controls: Sequence[str]) -> Task:
    """Returns a row as a task; one without the id of an annotation and without regions has no annotation."""
    data = {name: cell for name, cell in cells.items() if name not in controls}
    filename, fault = image_of(data)
    result = list(_result(line, cells, controls))
    is_annotated = cells.get("annotation_id", "-") != "" or result
    annotations = (Annotation(f"line {line}", result),) if is_annotated else ()
    return Task(f"line {line}", filename, fault, annotations, task_id=cells.get("id", ""), data=data)


def _result(line: int, cells: Mapping[str, str], controls: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Yields (place, region) of a row; what is none as it is, which will be said."""
    for name in controls:
        try:
            value = json_of(cells[name]) if cells.get(name) else []
        except ValueError:
            value = cells[name]
        for number, region in enumerate(value if isinstance(value, list) else [value]):
            yield f"line {line}: {name}[{number}]", whole_region(region, name)


def shows(file: Path) -> bool:
    """Returns whether a CSV or TSV file has the columns of an export: all of them, or one and regions."""
    separator = _separator(file)
    header = set(header_of(file, separator))
    if not _MARKS & header:
        return False
    try:
        begin = list(islice(named_rows(file, separator), _LOOKED_AT))
    except InputError:
        begin = []
    return {*_MARKS, "annotator"} <= header or any(_is_control(name, begin) for name in header)
