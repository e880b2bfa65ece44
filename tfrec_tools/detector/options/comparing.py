"""What `tfrec compare` may be told: of two models, or of two sets of records."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated

from tfrec_tools.detector.options.models import MODEL
from tfrec_tools.errors import InputError
from tfrec_tools.system.options import Option, Options, Paths, StrPath, as_path, as_texts
from tfrec_tools.system.remote_path import require_local

LABELS_A, LABELS_B = "--labels-a", "--labels-b"


@dataclass(frozen=True)
class CompareOptions(Options):
    """What is held against what, and on which images."""

    a: Annotated[
        StrPath,
        Option(
            f"A, the one before. With --records: {MODEL} Without: a set of records, DIR/NAME.",
            argument=True,
            metavar="A",
            stores=True,
        ),
    ]
    b: Annotated[
        StrPath, Option("B, the one after, of the same kind.", argument=True, metavar="B", stores=True)
    ]
    _: KW_ONLY
    records: Annotated[
        Paths | None,
        Option("Annotated records to compare two models on: 'DIR/NAME-*'; may be repeated.", stores=True),
    ] = None
    out: Annotated[
        StrPath | None, Option("The page to write, a .html; none without.", metavar="PAGE.html")
    ] = None
    count: Annotated[
        int,
        Option("Number of images on the page, at most: the worst mistakes, or most differences.", minimum=1),
    ] = 200
    score: Annotated[
        float | None,
        Option(
            "Lowest score that counts, for both models and all classes.",
            minimum=0,
            maximum=1,
            default="for each model and class, the score in its folder's scores.json, which finetune writes; "
            "else 0.5",
        ),
    ] = None
    labels_a: Annotated[StrPath | None, Option("Label map (.pbtxt) of A.", metavar="MAP")] = None
    labels_b: Annotated[StrPath | None, Option("Label map (.pbtxt) of B.", metavar="MAP")] = None
    batch: Annotated[int, Option("Number of images in a batch.", minimum=1)] = 8

    @property
    def patterns(self) -> tuple[str, ...]:
        return as_texts(self.records)

    @property
    def is_of_sets(self) -> bool:
        """Whether A and B are records. InputError where they are, and what only models have is given."""
        of_models = {"--score": self.score, LABELS_A: self.labels_a, LABELS_B: self.labels_b}
        for flag, value in of_models.items():
            if self.records is None and value is not None:
                raise InputError(flag, "is of models; to compare models, give --records")
        return self.records is None

    @property
    def models(self) -> tuple[tuple[str, Path | None, str], tuple[str, Path | None, str]]:
        """Of A and of B: what is meant, its label map, and the flag that gives that. InputError where it is
        in a store."""
        for name in ("a", "b"):
            require_local(getattr(self, name), name)
        return (
            (str(self.a), _path(self.labels_a), LABELS_A),
            (str(self.b), _path(self.labels_b), LABELS_B),
        )

    @property
    def page(self) -> Path | None:
        """InputError where it is to be something else than a page."""
        out = _path(self.out)
        if out is not None and out.suffix.lower() != ".html":
            raise InputError(out, f"ends in {out.suffix!r}, expected .html")
        return out


def _path(value: StrPath | None) -> Path | None:
    return None if value is None else as_path(value)
