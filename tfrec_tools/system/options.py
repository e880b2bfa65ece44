"""Options, each declared once: a field of a frozen dataclass, whose annotation says its type, help, range and
panel. From that the command line, the keywords of the Python API, the files of --config, and the words that a
manifest and a run.toml keep are made."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from enum import StrEnum
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Literal,
    Protocol,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from tfrec_tools.errors import InputError, readable
from tfrec_tools.system.remote_path import require_local, spelled

StrPath = str | PathLike[str]
Paths = StrPath | Sequence[StrPath]
Words = str | Sequence[str]

_Made = TypeVar("_Made")


class Progress(Protocol):
    """To call while a long step goes on: the step's name, units done, of how many where known, and how it
    goes."""

    def __call__(self, step: str, done: int, total: int | None, note: str = "") -> None: ...


def silent(step: str, done: int, total: int | None, note: str = "") -> None:
    """Shows no progress."""


class Panel(StrEnum):
    """The headings of a command's help, in their order."""

    NONE = ""
    MODELS = "Models and records"
    SOURCE = "Source"
    FORMATS = "Of single formats"
    IMAGES = "Images"
    CLASSES = "Classes"
    CHECKS = "Checks"
    OUTPUT = "Output"
    TRAINING = "Training"
    RETENTION = "What keeps old classes"
    MEASURING = "Measuring"
    RUNNING = "How it runs"


@dataclass(frozen=True, slots=True)
class Option:
    """What an annotation says of an option besides its type.

    panel        the heading under which the help shows it
    metavar      what stands for its value in the help
    minimum, maximum   the range of a number, ends included
    default      what the help says of a default that is no plain value
    bare         what the flag means without a value, where it may stand so
    argument     whether it stands on the command line by itself, without a flag
    recorded     whether what is written depends on it, so that a manifest and a run.toml keep it
    stores       whether a path may be a URL, which names a file or folder of a store
    """

    help: str
    panel: Panel = Panel.NONE
    metavar: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    default: str = ""
    bare: str = ""
    argument: bool = False
    recorded: bool = True
    stores: bool = False


@dataclass(frozen=True, slots=True)
class Declared:
    """An option as its dataclass declares it; `kinds` are the plain types that it may have, without None, and
    `choices` the words that its Literal lists."""

    name: str
    option: Option
    kinds: tuple[Any, ...]
    choices: tuple[str, ...]
    several: bool
    required: bool
    default: Any

    @property
    def flag(self) -> str:
        return self.name if self.option.argument else f"--{self.word}"

    @property
    def word(self) -> str:
        """Its name on the command line and in a TOML file, without dashes before it."""
        return self.name.replace("_", "-")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What every dataclass of options is: checked when it is made, and with a place for who wants to watch.

    progress   is called while a long step goes on (see `Progress`)
    """

    progress: Progress = silent

    def __post_init__(self) -> None:
        """InputError where a value is of another kind than its option's, a number is out of its range, a word
        is none of the choices, or a path is a URL that nothing opens."""
        for declared in declarations(type(self)):
            _require_valid(declared, getattr(self, declared.name))


def declarations(of: Any) -> tuple[Declared, ...]:
    """The options of a class that is a dataclass, in the order of its fields."""
    if of not in _known:
        hints = get_type_hints(of, include_extras=True)
        _known[of] = tuple(
            _declared(field, hint)
            for field in fields(of)
            if get_origin(hint := hints[field.name]) is Annotated
        )
    return _known[of]


_known: dict[Any, tuple[Declared, ...]] = {}  # by class; annotations are compiled each time they are asked


def recorded(options: Any, *, whole: bool = False) -> dict[str, Any]:
    """{name: plain value} of the options that what is written depends on, which have a value; without those
    left at their defaults, unless `whole`."""
    values = {
        declared.word: _plain(getattr(options, declared.name))
        for declared in declarations(type(options))
        if declared.option.recorded and (whole or getattr(options, declared.name) != declared.default)
    }
    return {name: value for name, value in values.items() if value not in (None, [])}


def recorded_texts(options: Any) -> dict[str, str]:
    """`recorded`, as a manifest keeps it; `words_of` gives the words of an option of several back."""
    lists = {declared.word for declared in declarations(type(options)) if declared.several}
    return {
        name: _text([value] if name in lists and not isinstance(value, list) else value)
        for name, value in recorded(options).items()
    }


def words_of(text: str) -> list[str]:
    """Returns the words of an option of several from the text that a manifest keeps: with blanks between
    them, as JSON where a word has some itself."""
    return list(map(str, json.loads(text))) if are_quoted(text) else text.split(" ")


def are_quoted(text: str) -> bool:
    """Returns whether the words of an option of several are kept as JSON."""
    try:
        return text.startswith('["') and isinstance(json.loads(text), list)
    except ValueError:
        return False


def _text(value: Any) -> str:
    if isinstance(value, list):
        words = list(map(str, value))
        plain = all(word == "".join(word.split()) and not word.startswith("[") for word in words)
        return readable(" ".join(words) if plain else json.dumps(words, ensure_ascii=False))
    return str(value).lower() if isinstance(value, bool) else readable(str(value))


def narrowed(to: type[_Made], options: Any, **more: Any) -> _Made:
    """Options of another dataclass, with what both declare taken over."""
    shared = {field.name for field in fields(options)}
    names = [field.name for field in fields(to) if field.name in shared]  # type: ignore[arg-type]
    return to(**{name: getattr(options, name) for name in names} | more)


def as_path(value: StrPath) -> Path:
    """A Path; what answers as one, such as a file of a store, stays as it is."""
    return cast(Path, value) if hasattr(value, "is_dir") else Path(value)


def as_paths(values: Paths) -> tuple[Path, ...]:
    return tuple(as_path(value) for value in several(values))


def as_texts(values: Any) -> tuple[str, ...]:
    """Returns texts and paths as texts."""
    return tuple(map(spelled, several(values)))


def several(values: Any) -> tuple[Any, ...]:
    """The values given, where one may stand for itself; none where there is None."""
    if values is None:
        return ()
    return tuple(values) if isinstance(values, list | tuple) else (values,)


def _declared(field: Field[Any], hint: Any) -> Declared:
    hinted, *said = get_args(hint)
    (option,) = (item for item in said if isinstance(item, Option))
    kinds = tuple(dict.fromkeys(_kinds(hinted)))
    choices = tuple(word for kind in kinds if get_origin(kind) is Literal for word in get_args(kind))
    return Declared(
        name=field.name,
        option=option,
        kinds=kinds,
        choices=choices,
        several=any(_is_several(member) for member in _members(hinted)),
        required=field.default is MISSING,
        default=None if field.default is MISSING else field.default,
    )


def _members(hinted: Any) -> tuple[Any, ...]:
    return get_args(hinted) if get_origin(hinted) in (Union, types.UnionType) else (hinted,)


def _is_several(member: Any) -> bool:
    return get_origin(member) is Sequence


def _kinds(hinted: Any) -> Iterator[Any]:
    """The plain types of an annotation: str, int, float, bool, Path and Literals."""
    for member in _members(hinted):
        if _is_several(member):
            yield from _kinds(get_args(member)[0])
        elif get_origin(member) is PathLike:
            yield Path
        elif member is not types.NoneType:
            yield member


def _require_valid(declared: Declared, value: Any) -> None:
    given = several(value)
    is_list_for_one = isinstance(value, list | tuple) and not declared.several
    is_missing = value is None and (declared.required or declared.default is not None)
    if is_list_for_one or is_missing:
        raise _of_another_kind(declared, value)
    for item in given:
        _require_kind(declared, item)
        if _is_number(item):
            _require_in_range(declared, item)
        elif declared.choices and isinstance(item, str) and str not in declared.kinds:
            _require_choice(declared, item)
        elif Path in declared.kinds and not declared.option.stores:
            require_local(item, declared.flag)


def _require_kind(declared: Declared, item: Any) -> None:
    if isinstance(item, str):
        fits = bool(declared.choices) or not {str, Path}.isdisjoint(declared.kinds)
    elif isinstance(item, bool):
        fits = bool in declared.kinds
    else:
        fits = any(isinstance(item, _INSTANCES.get(kind, ())) for kind in declared.kinds)
    if not fits:
        raise _of_another_kind(declared, item)


_INSTANCES: dict[Any, type] = {int: Integral, float: Real, Path: PathLike}
_IN_WORDS = {bool: "true or false", int: "a whole number", float: "a number", Path: "a path", str: "text"}


def _of_another_kind(declared: Declared, value: Any) -> InputError:
    wanted = [words for kind, words in _IN_WORDS.items() if kind in declared.kinds]
    wanted += [f"one of {', '.join(declared.choices)}"] if declared.choices else []
    or_several = ", or a list of such" if declared.several else ""
    return InputError(declared.flag, f"is {value!r}, expected {' or '.join(wanted)}{or_several}")


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _require_in_range(declared: Declared, number: float) -> None:
    low, high = declared.option.minimum, declared.option.maximum
    if (low is not None and not number >= low) or (high is not None and not number <= high):
        ends = " ".join(
            f"{word} {end:g}" for word, end in (("at least", low), ("at most", high)) if end is not None
        )
        raise InputError(declared.flag, f"is {number:g}, expected {ends}")


def _require_choice(declared: Declared, word: str) -> None:
    if word not in declared.choices:
        raise InputError(declared.flag, f"{word!r} is none of {', '.join(map(str, declared.choices))}")


def _plain(value: Any) -> Any:
    """A value as TOML and JSON have it."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if _is_number(value):  # NumPy's too, which write themselves otherwise
        return int(value) if isinstance(value, Integral) else float(value)
    return spelled(Path(value)) if isinstance(value, PathLike) else value
