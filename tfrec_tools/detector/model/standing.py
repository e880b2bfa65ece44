"""Whether the folder that a command makes of a model is there already, which is known without TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from tfrec_tools.dataset import made_folder
from tfrec_tools.dataset.changes import Change, Outcome
from tfrec_tools.dataset.made_folder import Origin, Standing
from tfrec_tools.detector.model.zoo import local_folder
from tfrec_tools.system.options import StrPath, as_path


class Making(Protocol):
    """The options of a command that makes a folder."""

    @property
    def model(self) -> StrPath: ...
    @property
    def out(self) -> StrPath: ...
    @property
    def if_changed(self) -> bool: ...


class Made(Protocol):
    """What a command has to say of its folder: a dataclass with what became of it, as of a finished set."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def outcome(self) -> Outcome: ...
    @property
    def changed(self) -> tuple[Change, ...]: ...


_Made = TypeVar("_Made", bound=Made)
_Options = TypeVar("_Options", bound=Making)


def stands(options: Making, origin: Origin, kind: type[_Made]) -> Standing[_Made]:
    """Returns what stands in --out; its result, where it has one, says that it is unchanged. Raises
    InputError as `made_folder.standing` does."""
    there = made_folder.standing(as_path(options.out), origin, kind, if_changed=options.if_changed)
    if there.result is None:
        return there
    return replace(there, result=replace(there.result, outcome="unchanged", changed=()))


def finished_before(
    options: _Options, origin_of: Callable[[_Options, Path], Origin], kind: type[_Made]
) -> _Made | None:
    """Returns what the same command had to say of what it made of the same input; None where there is
    something to do. Raises InputError where that cannot be done.

    origin_of   what a folder is made of by these options and of this model's folder
    kind        of what is said
    """
    model = local_folder(str(options.model))
    if model is None:  # it is to be downloaded first
        return None
    return stands(options, origin_of(options, model), kind).result
