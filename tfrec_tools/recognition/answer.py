"""What is said of a path."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["records", "annotations", "images", "label map", "model", "run", "config", "export", "archive"]


# Words of a next command that stand for what only its user can name.
TO_BE_NAMED = ("MERGED.pbtxt", "NEW.pbtxt", "RECORDS-*", "PHOTOS", "MODEL", "IMAGES")
IMAGES_IN = "images are looked for in"  # a fact of annotations


@dataclass(frozen=True, slots=True)
class KnownClass:
    """A class of it: its id where it has one, and how many boxes are annotated, where it has any."""

    name: str
    id: int | None = None
    boxes: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a path is.

    title    what it is, in words: "COCO annotations"
    facts    {what: value}, in the order in which they are shown
    takes    commands that take it
    refuses  {command: why it does not take it}
    next     the command that most people want next, as a shell takes it; "" where there is none
    """

    path: str
    kind: Kind
    title: str
    facts: dict[str, str] = field(default_factory=dict)
    classes: tuple[KnownClass, ...] = ()
    takes: tuple[str, ...] = ()
    refuses: dict[str, str] = field(default_factory=dict)
    next: str = ""


def command(*words: object) -> str:
    """Returns a command of tfrec as a shell takes it."""
    return shlex.join(["tfrec", *map(str, words)])
