"""How the classes of one set of records follow into a merged map: by name, and by id where a record gives
no name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tfrec_tools.errors import InputError
from tfrec_tools.labels.keypoints import KeypointLayout
from tfrec_tools.labels.label_map import LabelMap, mismatch
from tfrec_tools.labels.naming import labeled_under

Moves = tuple[tuple[int, int], ...]  # (old place, new place) of each keypoint of a class

_SHOWN = 10  # names in an error


@dataclass(frozen=True, slots=True)
class Class:
    """A class of a record under the new map, its name as text and as a record has it; what disagrees about
    it; and where its keypoints stand, and will stand, among the values of a box."""

    id: int
    name: str
    text: bytes
    fault: str = ""
    moves: Moves = ()


@dataclass(frozen=True, slots=True)
class KeypointMoves:
    """What becomes of the keypoints of a set's records.

    layout     of the new map; without names where they are left out
    by_class   {old class: where its keypoints stand, and will stand}
    known      whether the set's label map says which places are of which class
    """

    layout: KeypointLayout
    by_class: Mapping[str, Moves]
    known: bool


@dataclass(frozen=True, slots=True)
class Classes:
    """The classes of one set of records.

    own       {id: name} of the set's label map, empty where there is none; `own_subject` to name it
    renamed   {old name: new name, None where it is left out}, of merge-labels' tables
    ids       {name: id} of the new map; `subject` to name it
    labeled   the new classes that a record was annotated for which does not say so itself
    always    the new classes that every record was annotated for, whatever it says itself; or None
    keypoints   what becomes of them; None where they stay as they are
    """

    own: Mapping[int, str]
    own_subject: str
    renamed: Mapping[str, str | None]
    ids: Mapping[str, int]
    subject: str
    labeled: frozenset[str] = frozenset()
    always: frozenset[str] | None = None
    keypoints: KeypointMoves | None = None
    _known: dict[tuple[int | None, bytes | None], Class | None] = field(default_factory=dict, repr=False)
    _lists: dict[frozenset[str], tuple[list[int], list[bytes]]] = field(default_factory=dict, repr=False)

    def of_box(self, label_id: int | None, text: bytes | None) -> Class | None:
        """Returns the class of an id and a name, one of which may be missing; None where it is left out. The
        name counts, as TFOD reads it. Raises ValueError where there is none, or the new map lacks it."""
        try:
            return self._known[label_id, text]
        except KeyError:
            return self._known.setdefault((label_id, text), self._find(label_id, text))

    def new_name(self, old: str) -> str | None:
        """Returns None where the class is left out. Raises ValueError where the new map lacks it."""
        name = self.renamed.get(old, old)
        if name is not None and name not in self.ids:
            reason = (
                f"class {old!r} is not in {self.subject}, which has {_listed(self.ids)}; "
                "merge its label map in with `tfrec merge-labels`, or name the table of the merge by --table"
            )
            raise ValueError(reason)
        return name

    def of_labeled(self, olds: Iterable[str]) -> frozenset[str]:
        """Returns the new classes that an image was annotated for which was for the old classes. Where
        several of the set's became one, it is so only for all of them; what the new map lacks is no
        matter."""
        labeled = frozenset(olds)
        renamed = {old: self.renamed.get(old, old) for old in (*self.own.values(), *labeled)}
        return labeled_under(renamed, labeled).intersection(self.ids)

    def lists(self, labeled: frozenset[str]) -> tuple[list[int], list[bytes]]:
        """Returns ids and names of new classes, by id, as records have them."""
        if labeled not in self._lists:
            in_order = sorted(labeled, key=self.ids.__getitem__)
            self._lists[labeled] = [self.ids[name] for name in in_order], [name.encode() for name in in_order]
        return self._lists[labeled]

    def facts(self) -> tuple[object, ...]:
        """Returns all that a record's bytes depend on, in an order that is always the same."""
        always = None if self.always is None else sorted(self.always)
        ways = (sorted(each.items()) for each in (self.own, self.renamed, self.ids))
        return *ways, self.own_subject, sorted(self.labeled), always, self.keypoints

    def _find(self, label_id: int | None, text: bytes | None) -> Class | None:
        said = (text or b"").decode(errors="backslashreplace").strip()
        by_id = self.own.get(label_id, "") if label_id is not None else ""
        if not (said or by_id):
            reason = f"class id {label_id} has no name in the record and none in a label map"
            raise ValueError(f"{reason}; give its label map with --record-labels")
        name = self.new_name(said or by_id)
        if name is None:
            return None
        fault = "" if label_id is None else mismatch(label_id, said, self.own, self.own_subject)
        moves = self.keypoints.by_class.get(said or by_id, ()) if self.keypoints else ()
        return Class(self.ids[name], name, name.encode(), fault, moves)


def classes_of(
    own: Mapping[int, str],
    own_subject: str,
    renamed: Mapping[str, str | None],
    label_map: LabelMap,
    used: Iterable[str],
    always: frozenset[str] | None,
) -> Classes:
    """found   the names that the records use, which count as all that they were annotated for where the set
    has no label map
    always     the classes of --labeled, by their new or old names. InputError where one is none"""
    classes = Classes(own, own_subject, renamed, label_map.id_by_name, label_map.subject)
    chosen = None if always is None else frozenset(_chosen(classes, name) for name in always)
    labeled = classes.of_labeled(own.values() if own else used)
    return Classes(own, own_subject, renamed, label_map.id_by_name, label_map.subject, labeled, chosen)


def _chosen(classes: Classes, name: str) -> str:
    new = name if name in classes.ids else classes.renamed.get(name)
    if new is None:
        raise InputError("--labeled", f"{name!r} is no class of {classes.subject}: {_listed(classes.ids)}")
    return new


def _listed(ids: Mapping[str, int]) -> str:
    shown = ", ".join(list(ids)[:_SHOWN])
    return shown + (", ..." if len(ids) > _SHOWN else "")
