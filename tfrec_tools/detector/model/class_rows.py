"""What becomes of each class when a detector grows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tfrec_tools.errors import LabelConflict
from tfrec_tools.labels.label_map import LabelMap

Renamed = Mapping[str, str | None]  # {class of the base: its name in the grown map}; None where it is dropped
AS_THEY_ARE: Renamed = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ClassRow:
    """A class of the grown detector and its id in the base, None where it is new."""

    id: int
    name: str
    base_id: int | None


def class_rows(
    base: LabelMap, grown: LabelMap, *, drop_classes: bool = False, renamed: Renamed = AS_THEY_ARE
) -> list[ClassRow]:
    """What becomes of each class, by name. Where several of the base become one, it is that which had the
    name already, else the first. LabelConflict where the grown map lacks classes of the base, unless they
    are to be dropped."""
    new_names = {label.id: renamed.get(label.name, label.name) for label in base.labels}
    lost = [label.name for label in base.labels if new_names[label.id] not in grown.id_by_name]
    if lost and not drop_classes:
        raise LabelConflict(
            grown.subject,
            [f"lacks {', '.join(map(repr, lost))}, which the base knows; --drop-classes drops them"],
        )
    by_rank = sorted(base.labels, key=lambda label: (label.name == new_names[label.id], -label.id))
    known = {new_names[label.id]: label.id for label in by_rank}  # the last of a name counts
    return [ClassRow(label.id, label.name, known.get(label.name)) for label in grown.labels]
