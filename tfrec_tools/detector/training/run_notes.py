"""The folder of a run, and what it notes of what was asked for; read without TensorFlow."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from pathlib import Path
from typing import Literal, NamedTuple

from tfrec_tools.detector.training.length import length_notes, noted_length
from tfrec_tools.errors import InputError
from tfrec_tools.system.atomic import published
from tfrec_tools.system.regular_files import read_text
from tfrec_tools.system.toml_options import Value, Values, format_options, read_options

CONTROL = "control"  # the run beside a run, in its folder
_NOTES, _INPUTS, _STEPS = "run.toml", "inputs.toml", "steps"
# What does not change what is learnt at a step, but for rounding.
_MAY_DIFFER = frozenset(
    {
        "accumulate",
        "cache",
        "calibrate",
        "control",
        "jit",
        "max-forget",
        "strategy",
        "tensorboard",
        "time-budget",
    }
)


class Standing(StrEnum):
    """What is to be done about a run."""

    NEW = "begins"
    BEGUN = "goes on"
    FINISHED = "was finished before"


def standing(out: Path, options: Values) -> Standing:
    """Returns whether a run under these options is to begin in a folder, to go on there, or is finished.
    Raises InputError where the folder holds something else, or a run under other options."""
    if not _is_taken(out):
        return Standing.NEW
    if not (out / _NOTES).is_file():
        raise InputError(out, "is there already, and holds no run; give another --out")
    _require_same(out / _NOTES, options)
    steps, noted = options.get(_STEPS), noted_steps(out)
    is_longer = isinstance(steps, int) and noted is not None and steps > noted
    return Standing.FINISHED if report(out).is_file() and not is_longer else Standing.BEGUN


def report(out: Path) -> Path:
    """The last file of a run, which is there while it is finished."""
    return out / "report.json"


class Lost(NamedTuple):
    """Points of 100 that the old classes lost in the mean, of AP50 or, where none of them is labelled, of
    their agreement with the base; None where neither can be measured."""

    points: float | None
    of: str = "AP50"


NO_OLD_CLASSES = Lost(0.0)
OF_AGREEMENT = "agreement with the base, as no old class is labelled"


def noted_loss(report: Path) -> Lost:
    """Returns what the old classes of a finished run lost. Raises InputError where its report is no such."""
    try:
        said = json.loads(read_text(report))
        if all(line["group"] != "old" for line in said["classes"]):
            return NO_OLD_CLASSES
        if said["forgetting"] is not None:
            return Lost(100.0 * said["forgetting"])
        return Lost(said["agreement"] and 100.0 * said["agreement"]["lost"], OF_AGREEMENT)
    except (ValueError, TypeError, KeyError) as fault:
        raise InputError(report, f"cannot be read as a run's report ({fault}); start the run anew") from fault


def numbered_run(parent: Path, *, resume: bool | Literal["auto"]) -> Path:
    """finetune-N, the next that is free, or with `resume` the last that is there. Raises InputError without
    one, but for "auto", which takes the first then."""
    matches = (re.fullmatch(r"finetune-([1-9]\d*)", folder.name) for folder in parent.glob("finetune-*"))
    last = max((int(match[1]) for match in matches if match), default=0)
    if resume is True and not last:
        raise InputError(parent, "holds no run to resume; leave out --resume, or give --out")
    return parent / f"finetune-{last if resume and last else last + 1}"


def open_run(out: Path, options: Values, inputs: Values | None = None, *, resume: bool) -> None:
    """Makes the run's folder and notes in it what was asked for and what it is made of, or finds it there and
    the same, but for more steps; it is not finished then."""
    notes = out / _NOTES
    if resume:
        _require_same(notes, options)
        report(out).unlink(missing_ok=True)
        if read_options(notes).get(_STEPS) == options.get(_STEPS):
            return
    else:
        require_free_run(out)
        out.mkdir(parents=True, exist_ok=True)
        if inputs:
            _note_inputs(out, inputs)
    with published(notes) as (part,):
        part.write_text(format_options(options), encoding="utf-8")


def require_free_run(out: Path) -> None:
    """InputError where a run's folder holds something already."""
    if _is_taken(out):
        raise InputError(out, "is there already; give another --out, or --resume to go on with it")


def _note_inputs(out: Path, inputs: Values) -> None:
    """{option: a text that differs where what it names does}."""
    with published(out / _INPUTS) as (part,):
        part.write_text(format_options(inputs), encoding="utf-8")


def require_same_inputs(out: Path, inputs: Values) -> None:
    """InputError where a run was started with other inputs, though under the same names. Of what it has not
    noted, such as a base that had to be fetched first, nothing is known."""
    noted = read_options(out / _INPUTS) if (out / _INPUTS).is_file() else {}
    for name in (name for name in noted if name in inputs):
        if noted[name] != inputs[name]:
            found = f"{noted[name]}, found {inputs[name]}"
            reason = f"what it names has changed: the run was started with {found}; give another --out"
            raise InputError(out / _INPUTS, reason, where=name)


def _is_taken(out: Path) -> bool:
    return out.exists() and (not out.is_dir() or any(out.iterdir()))


def noted_steps(out: Path) -> int | None:
    """Returns of how many steps a run was to be, by its notes; None where it has none."""
    if (length := noted_length(length_notes(out))) is not None:
        return length.planned
    notes = out / _NOTES
    steps = read_options(notes).get(_STEPS) if notes.is_file() else None
    return steps if isinstance(steps, int) else None


def _require_same(notes: Path, asked: Values) -> None:
    if not notes.is_file():
        raise InputError(notes, "not found, so that there is no run to resume; leave out --resume")
    noted, steps = read_options(notes), noted_steps(notes.parent)
    for name in [*noted, *asked]:
        before, now = noted.get(name), asked.get(name)
        if name not in _MAY_DIFFER and before != now and not _is_longer(name, steps, now):
            raise InputError(
                notes,
                f"the run was started with {noted.get(name, 'nothing')}, found {asked.get(name, 'nothing')}",
                where=name,
            )


def _is_longer(name: str, noted: int | None, now: Value | None) -> bool:
    """Whether more steps are asked for, or in a number those that were chosen."""
    return name == _STEPS and noted is not None and isinstance(now, int) and now >= noted
