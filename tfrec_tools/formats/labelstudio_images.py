"""Images of Label Studio's tasks, of JSON, JSON_MIN and CSV alike, with what was drawn on them.

A task may show several images: as its pages, which regions number (item_index), or each by a tag of the
project's configuration, whose name regions have (to_name), and which the file does not have. Of several
annotations of a task the one that is marked as ground truth counts, else the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.errors import counted
from tfrec_tools.formats.drawn import Drawn, DrawnImage, Unusable
from tfrec_tools.formats.json_values import shown, text
from tfrec_tools.formats.labelstudio_regions import Region, drawn, is_shape, regions_of
from tfrec_tools.formats.labelstudio_tasks import Annotation, Task, images_named, page_lists


@dataclass(frozen=True, slots=True)
class _Canvas:
    """What the shapes of a file are drawn on: the names of tags, in alphabetical order, and whether some say
    a page, and one other than the first."""

    tags: tuple[str, ...]
    says_pages: bool
    has_pages: bool


def drawn_images(name: str, tasks: Sequence[Task], masks: bool) -> list[DrawnImage | Unusable]:
    """Returns the images of the tasks of a file with the objects of the annotations that count. Those of a
    task that is skipped or has no annotation are image-unannotated."""
    canvas = _canvas(tasks)
    return [image for task in tasks for image in _images(f"{name} {task.where}", task, canvas, masks)]


def _canvas(tasks: Sequence[Task]) -> _Canvas:
    shapes = [shape for task in tasks for shape in _shapes(task)]
    pages = [shape["item_index"] for shape in shapes if shape.get("item_index") is not None]
    tags = {text(shape.get("to_name")) for shape in shapes} - {""}
    return _Canvas(tuple(sorted(tags)), bool(pages), any(pages))


def _shapes(task: Task) -> Iterator[dict[str, Any]]:
    for annotation in task.annotations:
        for _, item in annotation.result if not annotation.cancelled else ():
            if isinstance(item, dict) and is_shape(item):
                yield item


def _images(where: str, task: Task, canvas: _Canvas, masks: bool) -> Iterator[DrawnImage | Unusable]:
    """Yields the image of a task, or those of its pages."""
    filenames, fault = _filenames(task, canvas)
    if fault:
        count = sum(len(list(regions_of(item))) for item in task.annotations if not item.cancelled)
        yield Unusable(Issue("image-unknown", where, None, fault, True), count)
        return
    annotation, others = _chosen(task.annotations)
    regions = list(regions_of(annotation)) if annotation else []
    left = [other for other in others if not other.cancelled]
    unread = [item for other in left if (item := _left_out(other, len(left) + 1)) is not None]
    unread += [_astray(region, len(filenames)) for region in regions if _page(region, len(filenames)) is None]
    for number, filename in enumerate(filenames):
        own = [region for region in regions if _page(region, len(filenames)) == number]
        issues = tuple(_unannotated(where, filename, task)) if annotation is None else ()
        place = where if len(filenames) == 1 else f"{where} page {number}"
        yield _image(place, filename, own, () if number else unread, issues, masks)


def _filenames(task: Task, canvas: _Canvas) -> tuple[list[str], str]:
    """Returns the names of a task's images, several where it has pages, and what is wrong where nothing says
    which of them its shapes are on."""
    filenames, fault = [task.filename], task.fault
    if canvas.has_pages or (canvas.says_pages and task.fault):
        lists = page_lists(task.data)
        if len(lists) == 1:
            filenames, fault = lists[0], ""
        elif lists:
            fault = f"its shapes are on pages, and its data has {len(lists)} lists of images, expected one"
    if not fault and len(canvas.tags) > 1 and any(_shapes(task)):
        named = images_named(task.data)
        if len(named) > 1:
            tags, images = (", ".join(listed[:3]) for listed in (canvas.tags, list(filter(None, named))))
            fault = (
                f"shapes of this file are on several tags ({tags}), its data names several images "
                f"({images}), and nothing says which is which; make a task of each image"
            )
    return filenames, fault


def _page(region: Region, pages: int) -> int | None:
    """Returns which of a task's images a region is on; None where it names none of them."""
    page = 0 if region.page is None and pages == 1 else region.page
    return page if type(page) is int and 0 <= page < pages else None


def _astray(region: Region, pages: int) -> Drawn:
    why = f"its item_index is {shown(region.page)}, of a task of {counted(pages, 'image')}"
    count = max(1, len(region.names))
    return Drawn(region.where, "", None, code="annotation-unread", why=why, count=count)


def _image(
    where: str,
    filename: str,
    regions: Sequence[Region],
    unread: Sequence[Drawn],
    issues: tuple[Issue, ...],
    masks: bool,
) -> DrawnImage:
    size_wh = next((region.size_wh for region in regions if all(region.size_wh)), (0, 0))
    objects = [item for region in regions for item in drawn(region, size_wh, masks)] + [*unread]
    return DrawnImage(
        source=where,
        filename=filename,
        objects=tuple(objects),
        width=size_wh[0],
        height=size_wh[1],
        relative=bool(objects) and not all(size_wh),
        of_any_size=all(size_wh),
        issues=issues,
    )


def _chosen(annotations: Sequence[Annotation]) -> tuple[Annotation | None, list[Annotation]]:
    """Returns the annotation that counts, None where there is none, and the others."""
    whole = [item for item in annotations if not item.cancelled]
    chosen = next((item for item in whole if item.ground_truth), whole[0] if whole else None)
    return chosen, [item for item in annotations if item is not chosen]


def _left_out(other: Annotation, annotations: int) -> Drawn | None:
    """Returns the regions of an annotation that does not count, under one issue."""
    count = len(list(regions_of(other)))
    why = f"{counted(count, 'region')} of one of {annotations} annotations of this image, of which one counts"
    return Drawn(other.where, "", None, code="annotation-unread", why=why, count=count) if count else None


def _unannotated(where: str, filename: str, task: Task) -> Iterator[Issue]:
    skipped = "was skipped" if task.annotations else "has no annotation"
    guessed = f", though {counted(task.predictions, 'prediction')}" if task.predictions else ""
    yield Issue("image-unannotated", where, None, f"{filename} {skipped}{guessed}", False)
