"""A command's parameters, made from the dataclass that declares its options."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from pathlib import Path
from types import GenericAlias
from typing import Annotated, Any, Final, Literal, Optional, get_type_hints

import typer
from typer.core import TyperCommand

from tfrec_tools.cli import manner
from tfrec_tools.errors import InputError
from tfrec_tools.system import toml_options
from tfrec_tools.system.options import Declared, Options, Panel, declarations

Json = Annotated[
    bool, typer.Option("--json", help="Print JSON instead of text and tables.", show_envvar=False)
]

_EXAMPLE = "example"
_NEVER_IN_A_FILE = frozenset({"config", "help"})
_WORDS_OF_BOOL = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def command(
    example: str, *, of_classes: bool = False
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Makes a function a command. Its parameter of a dataclass of options becomes an option for each of the
    dataclass's; the others stay as they are; `--config FILE.toml` comes to them, and --all-classes where what
    it prints are tables of classes. The help ends with the example."""

    def decorated(function: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(function, include_extras=True)
        made, rest = _parameters(function, hints)

        @wraps(function)
        def run(**values: Any) -> None:
            del values["config"]
            manner.settle(values)
            options = {name: _options(of, values) for name, of in made.items()}
            function(**options, **{name: values[name] for name in rest})

        parameters = [
            *(_parameter(declared) for of in made.values() for declared in _in_panels(of)),
            *(inspect.signature(function).parameters[name].replace(annotation=hints[name]) for name in rest),
            *((_ALL_CLASSES,) if of_classes else ()),
            *(of_all for of_all in _OF_ALL if of_all.name not in rest),
        ]
        run.__signature__ = _signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        setattr(run, _EXAMPLE, example)
        return run

    return decorated


def example_of(function: Callable[..., None]) -> str:
    return f"Example: {getattr(function, _EXAMPLE)}"


def command_of(options: type[Options]) -> type[TyperCommand]:
    """The class of a command some of whose options may stand without a value."""

    class Command(TyperCommand):
        """Says what such an option means; what begins with a dash after it is no value of it."""

        bare: Final = {declared.flag: declared.option.bare for declared in declarations(options)}

        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            following = [*args[1:], "-"]
            words = [
                f"{word}={self.bare[word]}" if self.bare.get(word) and after.startswith("-") else word
                for word, after in zip(args, following, strict=True)
            ]
            return super().parse_args(ctx, words)

    return Command


def _parameters(
    function: Callable[..., None], hints: dict[str, Any]
) -> tuple[dict[str, type[Options]], list[str]]:
    """{parameter: its dataclass of options}, and the other parameters."""
    names = inspect.signature(function).parameters
    made = {name: hints[name] for name in names if _is_options(hints[name])}
    return made, [name for name in names if name not in made]


def _is_options(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, Options)


def _options(of: type[Options], values: dict[str, Any]) -> Options:
    return of(**{declared.name: _settled(values[declared.name]) for declared in declarations(of)})


def _settled(value: Any) -> Any:
    """Lists as tuples, None where they are empty; members of an Enum as their words."""
    if isinstance(value, list):
        return tuple(map(_settled, value)) or None
    return value.value if isinstance(value, StrEnum) else value


def _signature(parameters: list[inspect.Parameter]) -> inspect.Signature:
    keywords = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    return inspect.Signature(keywords)


def _in_panels(of: type[Options]) -> list[Declared]:
    panels = list(Panel)
    return sorted(declarations(of), key=lambda declared: panels.index(declared.option.panel))


def _parameter(declared: Declared) -> inspect.Parameter:
    kind = _kind(declared)
    if declared.several:
        kind = GenericAlias(list, kind)
    if not declared.required and declared.default is None:
        kind = Optional[kind]  # noqa: UP045  a type that only running code knows
    annotation: Any = Annotated[kind, _described(declared)]
    default = inspect.Parameter.empty if declared.required else declared.default
    return inspect.Parameter(
        declared.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


def _kind(declared: Declared) -> Any:
    """What typer turns a word into."""
    if Path in declared.kinds:
        return Path
    if _is_mixed(declared):  # by _parser
        return str
    if declared.choices and declared.several:  # typer takes no lists of Literals
        return StrEnum(declared.name, {word: word for word in declared.choices})
    if declared.choices:
        return Literal[declared.choices]
    return declared.kinds[0]


def _is_mixed(declared: Declared) -> bool:
    """Whether it may be a number, or words: "auto", or text."""
    is_number = int in declared.kinds or float in declared.kinds
    return len(declared.kinds) > 1 and (is_number or bool(declared.choices))


def _described(declared: Declared) -> Any:
    option = declared.option
    about: dict[str, Any] = {
        "help": option.help,
        "metavar": option.metavar,
        "show_envvar": False,
        "rich_help_panel": option.panel or None,
        "show_default": option.default or declared.default is not None,
    }
    if _is_mixed(declared):
        about["parser"] = _parser(declared)
    else:
        about |= {"min": option.minimum, "max": option.maximum}
    if option.argument:
        return typer.Argument(**about)
    return typer.Option(declared.flag, **about)


def _parser(declared: Declared) -> Callable[[str], Any]:
    """Of a number, or one of some words, or any text; yes and no among the words where it may be true."""
    if bool in declared.kinds:
        return _switch_parser(declared)

    def parse(text: str) -> Any:
        if text in declared.choices:
            return text
        number = int if int in declared.kinds else float
        try:
            value = number(text)
        except ValueError:
            value = None
        if value is None and str in declared.kinds:
            return text
        low, high = declared.option.minimum, declared.option.maximum
        if value is None or (low is not None and value < low) or (high is not None and value > high):
            ends = "".join(
                f" {word} {end:g}" for word, end in (("from", low), ("to", high)) if end is not None
            )
            raise typer.BadParameter(
                f"{text!r} is neither {' nor '.join(declared.choices or ('text',))} nor a number{ends}"
            )
        return value

    return parse


def _switch_parser(declared: Declared) -> Callable[[str | bool], Any]:
    """Of yes, no, or one of some words."""

    def parse(text: str | bool) -> Any:
        if isinstance(text, bool) or text in declared.choices:
            return text
        if text.lower() not in _WORDS_OF_BOOL:
            raise typer.BadParameter(f"{text!r} is neither yes, no nor {' nor '.join(declared.choices)}")
        return _WORDS_OF_BOOL[text.lower()]

    return parse


def _use_config(context: typer.Context, path: Path | None) -> Path | None:
    """Makes what the file says the defaults of the command, so that the command line wins. InputError where
    it names no option of the command."""
    if path is not None:
        names = _names(context)
        values = toml_options.read_options(path)
        if unknown := [word for word in values if word not in names]:
            known = ", ".join(sorted(names))
            raise InputError(path, f"no such option, expected one of {known}", where=unknown[0])
        context.default_map = {
            names[word].name: _as_words(path, word, value, names[word]) for word, value in values.items()
        }
    return path


def _as_words(path: Path, word: str, value: toml_options.Value, parameter: Any) -> Any:
    """Returns what a file sets an option to as the command line would say it, so that both are judged alike:
    1.5 is no whole number. InputError where no word says it."""
    several = _takes_several(parameter)
    is_flag = bool(getattr(parameter, "is_flag", False)) or parameter.default is False
    if isinstance(value, list) and not several:
        raise InputError(path, f"found {value!r}, expected one value", where=word)
    if isinstance(value, bool) and not is_flag:
        raise InputError(path, f"found {str(value).lower()}, expected text or a number", where=word)
    if isinstance(value, list | bool):
        return value
    return [str(value)] if several else str(value)


def _takes_several(parameter: Any) -> bool:
    return bool(parameter.nargs == -1 or parameter.multiple)


def _names(context: typer.Context) -> dict[str, Any]:
    """Returns {word of an option in a file: its parameter}."""
    names: dict[str, Any] = {}
    for parameter in context.command.params:
        is_option = parameter.param_type_name == "option"
        word = parameter.opts[0].removeprefix("--") if is_option else str(parameter.name)
        if word not in _NEVER_IN_A_FILE:
            names[word] = parameter
    return names


def _of_all(name: str, default: Any, kind: Any, help_: str, **more: Any) -> inspect.Parameter:
    """Returns an option that every command has."""
    option = typer.Option(f"--{name}", show_envvar=False, help=help_, **more)
    annotation: Any = Annotated[kind, option]
    python_name = name.replace("-", "_")
    return inspect.Parameter(
        python_name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


_ALL_CLASSES = _of_all("all-classes", False, bool, "Print tables of classes whole, however many there are.")
_OF_ALL = (
    inspect.Parameter("json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Json),
    _of_all(
        "progress",
        "auto",
        manner.Kind,
        "What is shown on stderr meanwhile; json: lines with time, stage, done, total. auto: a bar on a "
        "terminal, else a line every ten seconds; either way a line for what took long.",
    ),
    _of_all("quiet", False, bool, "Say nothing but results and errors."),
    _of_all("verbose", False, bool, "Say of every step how long it took."),
    _of_all(
        "config",
        None,
        Path | None,
        "TOML file of options by their names, such as `seed = 1`; the command line wins.",
        callback=_use_config,
        is_eager=True,
    ),
)
