"""CSV: a row a box, with the path of its image; or a row an image, with its boxes in a cell.

As TFOD's tutorials write it (filename, width, height, class, xmin, ymin, xmax, ymax in any order), under
other common names (Open Images, BCCD, VoTT), with a corner or a centre and a size, with a cell of numbers
(Kaggle's), or as keras-retinanet does: path, x1, y1, x2, y2, class without a header. A row with neither class
nor box is an image without objects; so is one without a box whose class says that there is nothing, or whose
cell of boxes is an empty list. The file is read in pieces; of each row its numbers are kept, about 60 bytes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from tfrec_tools.annotations.accounts import Account
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ImageRecord, Source
from tfrec_tools.errors import readable
from tfrec_tools.formats import csv_columns, open_images
from tfrec_tools.formats.csv_columns import CsvLayout
from tfrec_tools.formats.csv_forms import FLAGS
from tfrec_tools.formats.csv_images import OF_IMAGES, OTHER_SIZE, Said
from tfrec_tools.formats.csv_pieces import DERIVED, RowState, columns_of, derived, source_of
from tfrec_tools.formats.csv_units import is_relative
from tfrec_tools.formats.grouping import Boxes, Column, by_image
from tfrec_tools.formats.options import DEFAULT, ReadOptions
from tfrec_tools.system.regular_files import open_binary


def read(path: Path, options: ReadOptions = DEFAULT) -> Source:
    """Returns the rows of a file, by image in the order in which images first appear. Classes are those that
    occur, in alphabetical order. InputError names the column or line that cannot be used."""
    layout = layout_of(path, options)
    state = RowState()
    columns = columns_of(path, open_binary(path), layout, 1, state)
    names = list(state.classes)
    relative = is_relative(path, state.units, options.coordinates)
    dropped = Counter(issue.code for _, _, issue in state.issues if issue.code not in OF_IMAGES)
    account = Account(1, sum(state.found), dropped, images=len(state.images))
    records, around = _records(path, state, columns, names, relative)
    records, of_labels = _labeled(path, layout, options, records)
    odd = [(line, issue) for line, _, issue in (*state.issues, *state.hints)]
    by_line = sorted([*odd, *around], key=lambda pair: (pair[0], pair[1].code in OF_IMAGES))
    of_rows = [issue for _, issue in by_line if not (relative and issue.code == OTHER_SIZE)]
    issues = (*unread_columns(path, layout), *of_rows, *of_labels)
    return Source(tuple(sorted(names)), records, issues, account)


def layout_of(path: Path, options: ReadOptions) -> CsvLayout:
    """Returns the layout with the names of its classes."""
    layout = csv_columns.layout(path, options)
    file = open_images.descriptions_file(path, options.class_descriptions, layout.is_open_images)
    return layout if file is None else replace(layout, class_names=open_images.class_names(file))


def _labeled(
    path: Path, layout: CsvLayout, options: ReadOptions, records: list[ImageRecord]
) -> tuple[list[ImageRecord], list[Issue]]:
    """Returns the records with the classes that their images were annotated for, where a file says it; and
    what is odd about that."""
    file = open_images.labels_file(path, options.image_labels, layout.is_open_images)
    if file is None:
        return records, []
    boxed = {record.filename: frozenset(record.names) for record in records}
    labeled, issues = open_images.labeled_by_image(file, boxed, layout.class_names)
    return [
        replace(record, labeled=labeled[record.filename]) if labeled[record.filename] else record
        for record in records
    ], issues


def unread_columns(path: Path, layout: CsvLayout) -> list[Issue]:
    """Returns an issue for each column that says where things are and is not read."""
    return [
        Issue("annotation-unread", readable(path.name), None, f"line 1: column {name!r} is not read", True)
        for name in layout.unread
    ]


def _records(
    path: Path, state: RowState, columns: Mapping[str, Column], names: Sequence[str], relative: bool
) -> tuple[list[ImageRecord], list[tuple[int, Issue]]]:
    """Returns the images; and an issue, after its line, for each box that is around four corners."""
    labeled = frozenset(names)
    rows, bounds = by_image(columns, len(state.images))
    labels = [names[i] for i in rows["class_of"]]
    no, unknown = np.zeros(len(labels), bool), np.full(len(labels), np.nan)
    said = {name: rows[name] for name in FLAGS if rows[name].any()}
    records: list[ImageRecord] = []
    issues: list[tuple[int, Issue]] = []
    stated = zip(state.sizes.said, state.splits.said, strict=True)
    images = zip(state.images, state.lines, stated, pairwise(bounds), strict=True)
    for filename, line, of_image, (start, end) in images:
        unset = no[start:end]  # one view for all, of which there are as many as images
        columns_of_image = {
            "boxes_xyxy": rows["boxes_xyxy"][start:end],
            "area": unknown[start:end],
            **dict.fromkeys(FLAGS, unset),
            **{name: all_[start:end] for name, all_ in said.items()},
        }
        if DERIVED in rows:
            columns_of_image[DERIVED] = rows[DERIVED][start:end]
        boxes = Boxes(tuple(labels[start:end]), columns_of_image, unset)
        records.append(record_of((path, line), filename, of_image, boxes, labeled, relative))
        issues += derived(records[-1].source, columns_of_image, boxes.names)
    return records, issues


def record_of(
    place: tuple[Path, int],
    filename: str,
    said: tuple[Said, Said],
    boxes: Boxes,
    labeled: frozenset[str] | None,
    relative: bool,
) -> ImageRecord:
    """Returns an image, whose place is the file and the line where it first stands, with its size and split,
    as they are said, and its boxes."""
    columns = boxes.columns
    (width, height), (split,) = said
    return ImageRecord(
        image_id=filename,
        filename=filename,
        width=_pixels(width),
        height=_pixels(height),
        boxes_xyxy=columns["boxes_xyxy"],
        names=boxes.names,
        crowd=boxes.unset,
        difficult=columns["difficult"],
        truncated=columns["truncated"],
        occluded=columns["occluded"],
        group_of=columns["group_of"],
        area=columns["area"],
        source=source_of(*place),
        labeled=labeled,
        relative=relative,
        split=split or None,
    )


def _pixels(number: Any) -> int:
    return max(0, int(number)) if math.isfinite(number) else 0
