"""The folder of a run, and what it notes of what was asked for; read without TensorFlow."""

from __future__ import annotations

import re
from pathlib import Path

from tfrec_tools.detector.training.length import length_notes, noted_length
from tfrec_tools.errors import InputError
from tfrec_tools.system.atomic import published
from tfrec_tools.system.toml_options import Value, Values, format_options, read_options

_STEPS = "steps"
# What does not change what is learnt at a step, but for rounding.
_MAY_DIFFER = frozenset(
    {"accumulate", "cache", "control", "jit", "max-forget", "strategy", "tensorboard", "time-budget"}
)


def numbered_run(parent: Path, *, resume: bool) -> Path:
    """finetune-N, the next that is free, or with `resume` the last that is there. Raises InputError without
    one."""
    matches = (re.fullmatch(r"finetune-([1-9]\d*)", folder.name) for folder in parent.glob("finetune-*"))
    last = max((int(match[1]) for match in matches if match), default=0)
    if resume and not last:
        raise InputError(parent, "holds no run to resume; leave out --resume, or give --out")
    return parent / f"finetune-{last if resume else last + 1}"


def open_run(out: Path, options: Values, *, resume: bool) -> None:
    """Makes the run's folder and notes in it what was asked for, or finds it there and the same, but for more
    steps."""
    notes = out / "run.toml"
    if resume:
        _require_same(notes, options)
        if read_options(notes).get(_STEPS) == options.get(_STEPS):
            return
    else:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise InputError(out, "is there already; give another --out, or --resume to go on with it")
        out.mkdir(parents=True, exist_ok=True)
    with published(notes) as (part,):
        part.write_text(format_options(options), encoding="utf-8")


def noted_steps(out: Path) -> int | None:
    """Returns of how many steps a run was to be, by its notes; None where it has none."""
    if (length := noted_length(length_notes(out))) is not None:
        return length.planned
    notes = out / "run.toml"
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
