"""`tfrec validate`: the dry run of convert."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tfrec_tools.cli import given


def validate(
    sources: given.Sources,
    images: given.Images = None,
    format_: given.Formats = None,
    labels: given.Labels = None,
    labeled: given.Labeled = None,
    policy: given.Policy = given.Preset.default,
    on: given.On = None,
    min_side: given.MinSide = 1.0,
    masks: given.MaskStorage = given.Masks.none,
    voc_origin: given.VocOrigin = 0,
    columns: given.Columns = None,
    record_labels: given.RecordLabels = None,
    rescale: given.Rescale = False,
    max_side: given.MaxSide = None,
    jpeg_quality: given.JpegQuality = 95,
    verify_images: given.VerifyImages = given.Verify.header,
    no_negatives: given.NoNegatives = False,
    workers: given.Workers = None,
    report: Annotated[
        Path | None, typer.Option(help="Write the issues here: .jsonl, or .html with pictures.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the issues, a JSON object a line.")] = False,
) -> None:
    """Check annotations and images as convert does, without writing any records.

    Exit code 1 where an issue would end the conversion: with --policy strict, any.
    """
    from tfrec_tools.cli import show
    from tfrec_tools.conversion import convert as engine
    from tfrec_tools.dataset.publish import issue_lines

    options = given.options(
        sources,
        Path("validate"),
        images,
        format_,
        labels,
        labeled,
        policy,
        on,
        min_side,
        given.reading(
            masks,
            voc_origin,
            columns,
            record_labels,
            rescale,
            max_side,
            jpeg_quality,
            verify_images,
            no_negatives,
        ),
        workers=workers,
    )
    with show.progress("checking images") as progress:
        checked = engine.validate(options, progress)
    if report is not None:
        _write(report, engine.report(checked, report))
    if json:
        typer.echo(issue_lines(checked.issues), nl=False)
    else:
        _print(sources, checked, report)
    if checked.refused:
        raise typer.Exit(1)


def _print(sources: list[Path], checked: Any, report: Path | None) -> None:
    from tfrec_tools.cli import show

    names = ", ".join(map(str, sources))
    title = f"{names}: {checked.images} images, {sum(checked.boxes.values())} boxes"
    show.print_table(title, ("class", "boxes"), list(checked.boxes.items()))
    given.print_issues(checked.issues, f", all of them in {report}" if report else "")


def _write(path: Path, data: bytes) -> None:
    from tfrec_tools.system.atomic import published

    path.parent.mkdir(parents=True, exist_ok=True)
    with published(path) as (part,):
        part.write_bytes(data)
