"""Images with their boxes and names on one sheet (PNG) or page (HTML), from records or from a source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tfrec_tools.annotations import box_checks
from tfrec_tools.annotations.records import ImageRecord, subset
from tfrec_tools.conversion import plan
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.dataset import class_choice, label_maps, shards, stats
from tfrec_tools.dataset.class_choice import Choice
from tfrec_tools.dataset.options import ClassOptions
from tfrec_tools.drawing import page
from tfrec_tools.drawing.previews import Preview, show
from tfrec_tools.drawing.sheet import sheet
from tfrec_tools.errors import InputError, counted
from tfrec_tools.system import stores
from tfrec_tools.tfrecords import framing
from tfrec_tools.tfrecords.example import parse_example

_SUFFIXES = (".png", ".html")


def preview(shown: Sequence[Preview], title: str, suffix: str) -> bytes:
    """Returns the file's content for the suffix .png or .html."""
    if suffix == ".png":
        return sheet(shown)
    boxes = sum(len(item.record.names) for item in shown)
    return page.render(title, f"{counted(len(shown), 'image')}, {counted(boxes, 'box')}", (), shown)


def is_source(what: str, format_given: bool) -> bool:
    """Returns whether the words name annotations rather than record files."""
    path = Path(what)
    if format_given or path.is_file():
        return format_given or not shards.is_record_file(path)
    try:
        return not shards.record_files([what])
    except InputError:
        return path.exists()


def require_suffix(out: Path) -> str:
    if out.suffix.lower() not in _SUFFIXES:
        raise InputError(out, f"ends in {out.suffix!r}, expected {' or '.join(_SUFFIXES)}")
    return out.suffix.lower()


def of_records(patterns: Sequence[str], count: int, classes: ClassOptions | None = None) -> list[Preview]:
    """Returns the first `count` records (sets are shuffled), with the issues that checks find in them."""
    shown = [item for item, _ in zip(_records(patterns), range(count), strict=False)]
    if classes is None or not class_choice.flags_of(classes):
        return list(map(_checked, shown))
    names = dict.fromkeys(name for item in shown for name in item.record.names)
    (choice,) = class_choice.choices(classes, [(*_listed(patterns), *names)])
    return [_checked(replace(item, record=_chosen(item.record, choice))) for item in shown]


def _chosen(record: ImageRecord, choice: Choice) -> ImageRecord:
    new_names = [choice.name(name) for name in record.names]
    kept = subset(record, [box for box, name in enumerate(new_names) if name is not None])
    return replace(kept, names=tuple(name for name in new_names if name is not None))


def _listed(patterns: Sequence[str]) -> Iterator[str]:
    """Yields the classes of the label maps of records."""
    for file in shards.record_files(patterns):
        yield from label_maps.names_of(file, shards.manifest_of(file))[0].values()


def of_source(options: ConvertOptions, count: int) -> list[Preview]:
    """`count` images of a source, evenly spaced, with their issues."""
    items = plan.make_plan(plan.with_paths(options, stores.located)).items
    wanted = min(count, len(items))
    chosen = [items[i * len(items) // wanted] for i in range(wanted)]
    return [_checked(show(item.record, item.place)) for item in chosen]


def _records(patterns: Sequence[str]) -> Iterator[Preview]:
    for file in shards.record_files(patterns):
        names, _ = label_maps.names_of(file, shards.manifest_of(file))
        for index, data in enumerate(framing.read(file)):
            parsed = parse_example(data, f"{file.name} record {index}")
            record = replace(parsed.record, names=stats.class_names(parsed, names))
            yield Preview(record, parsed.image)


def _checked(item: Preview) -> Preview:
    if item.image is None:
        return item
    _, issues = box_checks.check(item.record, item.image.width, item.image.height)
    return replace(item, issues=(*item.issues, *issues))
