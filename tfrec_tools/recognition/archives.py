"""What lies in an archive: annotations are read where they lie, everything else is to be unpacked first."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

from tfrec_tools.recognition.answer import Answer, command

PACKED = frozenset({".gz", ".tgz", ".tar"})  # which are not read where they lie
_READ = ("convert", "validate", "preview")


def packed(path: Path) -> Answer:
    """Returns what is to be done with an archive that is no ZIP."""
    reason = "an archive that is not read where it lies; unpack it and name the folder in it"
    is_tar = path.suffix.lower() != ".gz" or path.stem.lower().endswith(".tar")
    unpacking = shlex.join([*(("tar", "xf") if is_tar else ("gunzip", "--keep")), str(path)])
    return Answer(str(path), "archive", "archive", refuses={"any command": reason}, next=unpacking)


def within(word: str, answer: Answer) -> Answer:
    """Returns what is said of a ZIP archive that holds what the answer is of: the archive is named, not what
    is in it."""
    facts = {"in the archive": answer.path.removeprefix(word).lstrip("/") or "at the top", **answer.facts}
    if answer.kind == "annotations":
        takes = tuple(name for name in answer.takes if name in _READ)
        return replace(answer, path=word, facts=facts, takes=takes, next=_converting(word, answer))
    why = "read from a folder; unpack the archive and name what is in it"
    refuses = dict.fromkeys(answer.takes, why)
    return replace(answer, path=word, facts=facts, takes=(), refuses=refuses, next=_unzipping(word))


def _converting(word: str, answer: Answer) -> str:
    """Returns the command that is said of what is in the archive as one of the archive itself, in which
    images are found without being named; the unpacking, where there is none."""
    words = shlex.split(answer.next)
    if words[1:3] != ["convert", answer.path]:
        return _unzipping(word)
    kind = words[words.index("--format") :][:2] if "--format" in words else []
    images = ["--images", "IMAGES"] if "IMAGES" in words else []
    return command("convert", word, *kind, *images, "--out", f"records/{Path(word).stem}")


def _unzipping(word: str) -> str:
    return shlex.join(["unzip", word])
