"""The exit codes of all commands, and what each means."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """How a command ended."""

    DONE = 0
    UNUSABLE = 1
    WRONG_WORDS = 2
    FORGOTTEN = 3
    INTERRUPTED = 130
    UNHEARD = 141


MEANINGS = {
    Exit.DONE: "done, also where there was nothing to do",
    Exit.UNUSABLE: "input or machine cannot be used, another run is at it, or what was checked is not sound",
    Exit.WRONG_WORDS: "wrong command line",
    Exit.FORGOTTEN: "finetune only: more was forgotten than --max-forget allows; the model is there",
    Exit.INTERRUPTED: "stopped by Ctrl-C; the same command goes on",
    Exit.UNHEARD: "who reads stdout has gone, as in `tfrec inspect ... | head`",
}


def listed() -> str:
    """The codes in one paragraph, for the help."""
    return "Exit codes: " + "; ".join(f"{code.value} {meaning}" for code, meaning in MEANINGS.items()) + "."
