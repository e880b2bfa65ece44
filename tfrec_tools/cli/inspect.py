"""`tfrec inspect`: what is in record files."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def inspect(
    records: Annotated[
        list[str], typer.Argument(help="Files, folders, DIR/NAME of a set, or patterns such as 'DIR/NAME-*'.")
    ],
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Count what record files hold: classes, boxes per image, sizes, splits; show the first record.

    Reads records of tfrec, TFOD and others, also gzip, and checks every CRC.
    """
    import json as json_

    from tfrec_tools.cli import show
    from tfrec_tools.dataset import stats
    from tfrec_tools.dataset.shards import record_files

    files = record_files(records)
    with show.progress("reading records") as progress:
        found = stats.inspect(files, progress)
    if json:
        typer.echo(json_.dumps(_document(found), ensure_ascii=False, indent=2))
    else:
        _print(found)


def _document(found: Any) -> dict[str, Any]:
    names = [name for name, _ in found.classes.most_common()]
    return {
        "files": found.files,
        "bytes": found.bytes,
        "images": found.images,
        "boxes": found.boxes,
        "splits": dict(found.splits),
        "formats": dict(found.formats),
        "classes": [
            {"name": name, "boxes": found.classes[name], "images": found.having[name]} for name in names
        ],
        "boxes_per_image": {str(count): found.per_image[count] for count in sorted(found.per_image)},
        "box_sizes": {size: found.areas[size] for size in ("small", "medium", "large")},
        "image_sizes": [
            {"width": width, "height": height, "images": images}
            for (width, height), images in found.sizes_wh.most_common()
        ],
        "first": [dict(zip(("key", "value"), row, strict=True)) for row in _first(found)],
    }


def _print(found: Any) -> None:
    from tfrec_tools.cli import show

    title = f"{found.files} file(s), {found.bytes / 1e6:.1f} MB, {found.images} images, {found.boxes} boxes"
    typer.echo(f"{title}; every CRC is right")
    if set(found.splits) != {""}:
        show.print_table("Splits", ("split", "images"), list(found.splits.items()))
    classes = [(name, boxes, found.having[name]) for name, boxes in found.classes.most_common()]
    show.print_table("Classes", ("class", "boxes", "images"), classes)
    show.print_table("Boxes per image", ("boxes", "images"), _binned(found.per_image))
    sizes = [(f"{size} ({meaning})", found.areas[size]) for size, meaning in _SIZES.items()]
    show.print_table("Sizes of boxes, as COCO divides them", ("size", "boxes"), sizes)
    pictures = [(f"{width} x {height}", images) for (width, height), images in found.sizes_wh.most_common(8)]
    show.print_table(f"Sizes of images ({len(found.sizes_wh)} different)", ("pixels", "images"), pictures)
    show.print_table("First record", ("feature", "value"), _first(found))


_SIZES = {"small": "below 32 x 32", "medium": "below 96 x 96", "large": "the rest"}
_BINS = ((0, 0), (1, 1), (2, 4), (5, 9), (10, 19), (20, 49), (50, 99), (100, 10**9))


def _binned(per_image: Any) -> list[tuple[str, int]]:
    """(range of box counts, images), without what is empty."""
    rows = []
    for low, high in _BINS:
        images = sum(n for boxes, n in per_image.items() if low <= boxes <= high)
        label = str(low) if low == high else f"{low} to {high}" if high < 10**9 else f"{low} and more"
        if images:
            rows.append((label, images))
    return rows


def _first(found: Any) -> list[tuple[str, str]]:
    """The first record, a row a feature."""
    if found.first is None:
        return []
    record, picture = found.first.record, found.first.picture
    rows = [
        ("image/filename", record.filename),
        ("image/source_id", record.image_id),
        ("image/encoded", f"{len(picture.data)} bytes of {picture.format}"),
        ("image/width, height", f"{picture.width} x {picture.height}"),
    ]
    if record.labeled is not None:
        rows.append(("image/class/text", ", ".join(sorted(record.labeled))))
    pairs = zip(record.names, found.first.label_ids, record.boxes_xyxy.tolist(), strict=False)
    for i, (name, label_id, box) in enumerate(pairs):
        rows.append((f"box {i}", f"{label_id} {name} [{', '.join(f'{value:.1f}' for value in box)}]"))
    return rows
