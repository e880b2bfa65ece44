"""The options of `tfrec preview`."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Literal

from tfrec_tools.conversion.options import Format
from tfrec_tools.dataset.options import ClassOptions
from tfrec_tools.system.options import Option, StrPath


@dataclass(frozen=True)
class PreviewOptions(ClassOptions):
    """What is shown, of records or of annotations, and how much of it."""

    what: Annotated[
        StrPath,
        Option(
            "Records as `tfrec inspect` takes them, or annotations as `convert` does.",
            metavar="RECORDS|SOURCE",
            argument=True,
            stores=True,
        ),
    ]
    _: KW_ONLY
    out: Annotated[
        StrPath,
        Option(
            "sheet.png, or page.html to filter and enlarge; thumbnails of more than 200 images lie beside it "
            "in page_files/."
        ),
    ]
    images: Annotated[StrPath | None, Option("Folder of the images of a source.", stores=True)] = None
    format: Annotated[Format | None, Option("Format of a source.", default="detected from the files")] = None
    masks: Annotated[
        Literal["none", "png"], Option("Masks of a source; those in records are always shown.")
    ] = "none"
    count: Annotated[int, Option("Number of images.", minimum=1)] = 48
    most_on_sheet: Annotated[int, Option("Images of a .png at most.", minimum=1)] = 400
