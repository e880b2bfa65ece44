"""Images with their boxes and names on one sheet (PNG) or page (HTML), from records or from a source."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from tfrec_tools.annotations import box_checks
from tfrec_tools.annotations.records import ByteRange, ImageRecord, subset
from tfrec_tools.conversion import plan
from tfrec_tools.conversion.options import ConvertOptions, ValidateOptions
from tfrec_tools.conversion.preview_options import PreviewOptions
from tfrec_tools.dataset import class_choice, label_maps, shards, stats
from tfrec_tools.dataset.class_choice import Choice
from tfrec_tools.dataset.options import ClassOptions
from tfrec_tools.drawing import gallery
from tfrec_tools.drawing.gallery import Head
from tfrec_tools.drawing.previews import Chosen, Preview, damaged_masks, show
from tfrec_tools.drawing.sheet import sheet
from tfrec_tools.errors import InputError
from tfrec_tools.images.loading import EncodedImage
from tfrec_tools.system import stores
from tfrec_tools.system.atomic import published
from tfrec_tools.system.options import Progress, as_path, narrowed, silent
from tfrec_tools.system.regular_files import open_unbuffered
from tfrec_tools.system.remote_path import spelled
from tfrec_tools.tfrecords import framing
from tfrec_tools.tfrecords.example import Parsed, parse_example

_SUFFIXES = (".png", ".html")


class Written(NamedTuple):
    """How many images and boxes a sheet or page shows."""

    images: int
    boxes: int


def preview(options: PreviewOptions) -> tuple[Chosen, Written]:
    """Writes what the options ask for. InputError where nothing can be shown."""
    out, what = as_path(options.out), spelled(options.what)
    is_sheet = require_suffix(out) == ".png"
    count = min(options.count, options.most_on_sheet) if is_sheet else options.count
    if is_source(what, options.format is not None):
        source = narrowed(ValidateOptions, options, sources=what)
        chosen = of_source(source.as_conversion, count)
    else:
        chosen = of_records([what], count, options)
    out.parent.mkdir(parents=True, exist_ok=True)
    return chosen, write(chosen, what, out, options.progress)


def write(chosen: Chosen, title: str, out: Path, progress: Progress = silent) -> Written:
    """Writes the sheet or the page that the suffix asks for; all of it appears, or nothing."""
    if require_suffix(out) == ".png":
        data, boxes = sheet(chosen)
        with published(out) as (part,):
            part.write_bytes(data)
        return Written(len(chosen.images), boxes)
    page = gallery.write(out, Head(title), chosen, progress)
    return Written(page.images, page.boxes)


def is_source(what: str, format_given: bool) -> bool:
    """Returns whether the words name annotations rather than record files."""
    path = stores.of_url(Path(what))
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


def of_records(patterns: Sequence[str], count: int, classes: ClassOptions | None = None) -> Chosen:
    """Returns the first `count` records (sets are shuffled), with the issues that checks will find in them.
    Images of plain files are read when they are drawn."""
    files = shards.record_files(patterns)
    chosen = list(islice(stored_records(files), count))
    listed = tuple(dict.fromkeys(listed_classes(files)))
    if classes is not None and class_choice.flags_of(classes):
        names = dict.fromkeys(name for stored in chosen for name in stored.preview.record.names)
        (choice,) = class_choice.choices(classes, [(*listed, *names)])
        chosen = [
            stored._replace(preview=replace(stored.preview, record=_chosen(stored.preview.record, choice)))
            for stored in chosen
        ]
        listed = choice.names(listed)
    return Chosen([partial(_read, stored) for stored in chosen], _total(files), listed)


def of_source(options: ConvertOptions, count: int) -> Chosen:
    """Returns `count` images of a source, evenly spaced, with their issues."""
    made = plan.make_plan(plan.with_paths(options, stores.located))
    wanted = min(count, len(made.items))
    chosen = [made.items[i * len(made.items) // wanted] for i in range(wanted)]
    images = [partial(show, item.record, item.place) for item in chosen]
    return Chosen(images, len(made.items), made.label_map.names)


class Stored(NamedTuple):
    """A record, and where the bytes of its image are; its image lacks them where they are in a file."""

    preview: Preview
    place: ByteRange | None

    def digest(self) -> bytes:
        """Returns the SHA-256 of its image."""
        if self.place is not None:
            return self.place.sha256()
        return hashlib.sha256(self.preview.image.data if self.preview.image else b"").digest()


def stored_records(files: Sequence[Path]) -> Iterator[Stored]:
    """Yields the records of files, without the bytes of images that can be read again."""
    for file in files:
        manifest = shards.manifest_of(file)
        names, _ = label_maps.names_of(file, manifest)
        split, is_plain = stats.split_of(file, manifest), not framing.is_gzip(file)
        offset = framing.HEADER_BYTES
        for index, data in enumerate(framing.read(file)):
            parsed = parse_example(data, f"{file.name} record {index}")
            own = stats.class_names(parsed, names)
            record = replace(parsed.record, names=own, labeled=_labeled(parsed, names))
            preview = Preview(record, parsed.image, (), split)
            yield _without_bytes(preview, file, offset, data) if is_plain else Stored(preview, None)
            offset += len(data) + framing.FOOTER_BYTES + framing.HEADER_BYTES


def _total(files: Sequence[Path]) -> int | None:
    """Returns how many records files hold; None where only reading them all would tell, or one is damaged."""
    total = 0
    for file in files:
        manifest = shards.manifest_of(file)
        if manifest is not None:
            total += next(info.records for info in manifest.shards if info.file == file.name)
        elif framing.is_gzip(file):
            return None
        else:
            with open_unbuffered(file) as opened, suppress(InputError):
                total += sum(1 for _ in framing.frames(opened, file))
                continue
            return None
    return total


def _labeled(parsed: Parsed, names: dict[int, str]) -> frozenset[str] | None:
    if parsed.record.labeled is not None or not parsed.labeled_ids:
        return parsed.record.labeled
    return frozenset(names.get(label_id, f"id {label_id}") for label_id in parsed.labeled_ids)


def _without_bytes(preview: Preview, file: Path, offset: int, data: bytes) -> Stored:
    """Returns what says of an image where it is, so that thousands need no memory."""
    image = preview.image
    if image is None or not image.data:
        return Stored(preview, None)
    place = ByteRange(file, offset + data.index(image.data), len(image.data))
    return Stored(replace(preview, image=replace(image, data=b"")), place)


def pixels(stored: Stored) -> EncodedImage | None:
    """Returns the image with its bytes."""
    preview, place = stored
    image = preview.image
    if image is None or place is None:
        return image
    return EncodedImage(place.read(), image.format, image.width, image.height)


def _read(stored: Stored) -> Preview:
    """Returns a record with the issues that checks find in it."""
    preview, image = stored.preview, pixels(stored)
    if image is None:
        return preview
    record = preview.record
    _, issues = box_checks.check(record, image.width, image.height, None, damaged_masks(record))
    return replace(preview, image=image, issues=(*preview.issues, *issues))


def _chosen(record: ImageRecord, choice: Choice) -> ImageRecord:
    new_names = [choice.name(name) for name in record.names]
    kept = subset(record, [box for box, name in enumerate(new_names) if name is not None])
    labeled = None if record.labeled is None else choice.labeled(record.labeled)
    return replace(kept, names=tuple(name for name in new_names if name is not None), labeled=labeled)


def listed_classes(files: Sequence[Path]) -> Iterator[str]:
    """Yields the classes of the label maps of records."""
    for file in files:
        yield from label_maps.names_of(file, shards.manifest_of(file))[0].values()
