"""What is done about each issue: its default action, those that may be chosen, and the presets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tfrec_tools.annotations.issues import CODES, Issue
from tfrec_tools.errors import InputError

# Code: (default, what may be chosen beside it). `error` may be chosen for every code.
CHOICES: dict[str, tuple[str, ...]] = {
    "box-outside": ("fix", "keep", "drop-box", "drop-image"),
    "box-empty": ("drop-box", "keep", "drop-image"),
    "box-inverted": ("drop-box", "fix", "drop-image"),
    "box-not-finite": ("drop-box", "drop-image"),
    "box-tiny": ("keep", "drop-box", "drop-image"),
    "box-whole": ("keep", "drop-box", "drop-image"),
    "box-duplicate": ("keep", "drop-box", "drop-image"),
    "box-missing": ("drop-box", "drop-image"),
    "box-derived": ("keep", "drop-box", "drop-image"),
    "region-ignored": ("drop-box", "drop-image"),
    "mask-damaged": ("error", "keep", "drop-box", "drop-image"),
    "keypoints-damaged": ("fix", "drop-box", "drop-image"),
    "keypoint-outside": ("fix", "keep", "drop-box", "drop-image"),
    "image-missing": ("error", "drop-image"),
    "image-ambiguous": ("error", "drop-image"),
    "image-damaged": ("error", "drop-image"),
    "image-huge": ("error", "drop-image"),
    "annotation-damaged": ("error", "drop-image"),
    "class-mismatch": ("fix", "drop-image"),
    "image-transcoded": ("fix", "drop-image"),
    "image-shared": ("fix", "keep"),
    "exif-turned": ("fix", "drop-image"),
    "exif-kept": ("keep", "drop-image"),
    "size-mismatch": ("keep", "drop-image"),
    "path-outside": ("keep",),
    "image-unannotated": ("keep", "drop-image"),
    "annotation-unread": ("drop-box", "drop-image"),
    "label-ids-differ": ("keep",),
    "split-missing": ("keep",),
    "class-few": ("keep",),
    "class-similar": ("keep",),
}
# What is said of a set as a whole, or was asked for: no fault, so that strict lets it pass.
HINTS = (
    "class-few",
    "class-left-out",
    "class-similar",
    "keypoints-left-out",
    "parts-left-out",
    "region-ignored",
)
_BY_READER = ("fix",)  # readers have dealt with an issue as CODES says; it may still be made an error

_NEAR = 0.7  # of a mistyped code to the one that was meant, as difflib measures

_GRAVE = ("image-missing", "image-ambiguous", "image-damaged", "image-huge", "annotation-damaged")

PRESETS: dict[str, dict[str, str]] = {
    "default": {},
    "lenient": dict.fromkeys(_GRAVE, "drop-image") | {"mask-damaged": "drop-box"},
    "strict": {code: "error" for code in CODES if code not in HINTS},
}


@dataclass(frozen=True, slots=True)
class Policies:
    """{code: action} where it is not the default."""

    chosen: Mapping[str, str]

    def action(self, code: str) -> str:
        return self.chosen.get(code) or CHOICES.get(code, _BY_READER)[0]

    def drops(self, code: str) -> bool:
        """Returns whether an image that has such an issue is left out."""
        return self.action(code) == "drop-image"

    def treatment(self, code: str) -> str:
        """Returns what is done to the data: its default for an error, so that the check can go on."""
        action = self.action(code)
        return CHOICES.get(code, _BY_READER)[0] if action == "error" else action

    def is_kept_by_default(self, code: str) -> bool:
        """Returns whether the data stays as it is unless another action is chosen."""
        return CHOICES.get(code, _BY_READER)[0] == "keep"

    def refused(self, issues: Iterable[Issue]) -> tuple[Issue, ...]:
        """Returns the issues that may not be: nothing is written where there is one."""
        return tuple(issue for issue in issues if self.action(issue.code) == "error")


DEFAULT = Policies({})


def parse(preset: str, words: Iterable[str]) -> Policies:
    """Returns the policies of a preset, overruled by words such as "box-outside=keep". InputError names the
    word that is none."""
    if preset not in PRESETS:
        raise InputError("--policy", f"{preset!r} is none of {', '.join(PRESETS)}")
    chosen = dict(PRESETS[preset])
    for word in words:
        code, _, action = word.partition("=")
        _require_choice(word, code, action)
        chosen[code] = action
    defaults = {code: CHOICES.get(code, _BY_READER)[0] for code in chosen}
    return Policies(
        {code: chosen[code] for code in CODES if code in chosen and chosen[code] != defaults[code]}
    )


def choices(code: str) -> tuple[str, ...]:
    """Returns the actions that may be chosen for a code, its default first."""
    default, *others = CHOICES.get(code, _BY_READER)
    return tuple(dict.fromkeys((default, *others, "error")))


def going_on(refused: Iterable[Issue]) -> str:
    """Returns the flags with which a conversion that these issues ended would go on."""
    codes = dict.fromkeys(issue.code for issue in refused)
    return " ".join(f"--on {code}={_other_than_error(code)}" for code in codes)


def _other_than_error(code: str) -> str:
    return next(action for action in choices(code) if action != "error")


def _require_choice(word: str, code: str, action: str) -> None:
    if code not in CODES:
        from difflib import get_close_matches

        near = get_close_matches(code, CODES, 1, _NEAR)
        advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(CODES)}"
        raise InputError("--on", f"{code!r} is no issue code; {advice}", where=word)
    if action not in choices(code):
        problem = f"{action!r} cannot be done about {code}" if action else "names no action"
        raise InputError("--on", f"{problem}; choose {', '.join(choices(code))}", where=word)
