"""What is said of something in a store: which commands take it where it lies."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace

from tfrec_tools.recognition.answer import Answer, Kind

# By what it is, those of its commands that take a URL.
_TAKES: Mapping[Kind, frozenset[str]] = {
    "records": frozenset(
        {"finetune --train", "evaluate", "compare", "preview", "extract", "remap", "verify"}
    ),
    "annotations": frozenset({"convert", "validate", "preview", "merge-labels"}),
    "model": frozenset({"merge-labels"}),
    "run": frozenset({"merge-labels"}),
    "label map": frozenset({"merge-labels", "convert --labels", "remap --labels"}),
}
_WHY = "takes paths of this machine; copy it from the store first"


def in_store(answer: Answer) -> Answer:
    """Returns what is said of a path, for one of a store."""
    taken = _TAKES.get(answer.kind, frozenset())
    takes = tuple(name for name in answer.takes if name in taken)
    refuses = dict.fromkeys((name for name in answer.takes if name not in taken), _WHY) | answer.refuses
    following = answer.next if shlex.split(answer.next)[1:2] in ([name] for name in takes) else ""
    return replace(answer, takes=takes, refuses=refuses, next=following)
