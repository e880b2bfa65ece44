"""labels.txt: the classes as clients of mobile models read them, a name a line."""

from __future__ import annotations

from tfrec_tools.errors import InputError
from tfrec_tools.labels.label_map import LabelMap

FILE = "labels.txt"
_PLACEHOLDER = "???"  # what TFOD's clients leave out, for ids that no class has


def label_lines(labels: LabelMap) -> str:
    """Returns a class a line, in the order of the ids from 1. Raises InputError where a name is more than
    a line."""
    names = labels.name_by_id
    for label_id, name in names.items():
        if name.splitlines() != [name]:  # by Python's rules, as its clients read it
            reason = f"{name!r} has a line break, which {FILE} cannot say; rename the class"
            raise InputError(labels.subject, reason, where=f"id {label_id}")
    every = (names.get(label_id, _PLACEHOLDER) for label_id in range(1, max(names) + 1))
    return "".join(f"{name}\n" for name in every)
