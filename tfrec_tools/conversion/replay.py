"""The options of a conversion, read back from the manifest of its set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.dataset import shards
from tfrec_tools.dataset.manifest import Manifest
from tfrec_tools.dataset.options import VerifyOptions
from tfrec_tools.errors import InputError, counted
from tfrec_tools.system import stores
from tfrec_tools.system.options import (
    Declared,
    are_quoted,
    as_path,
    as_paths,
    declarations,
    several,
    words_of,
)

_EACH_BY_ITSELF = ("on", "alias", "rename", "ignore", "only")  # in any number, whatever the sources
_OWN = ("images", "format", "labels", "shards")  # what the caller gives, the manifest or the set itself


def options_of(prefix: Path, manifest: Manifest, options: VerifyOptions) -> ConvertOptions:
    """The conversion that made the set DIR/NAME, of the sources and images that `options` name. InputError
    where what the manifest says cannot be used."""
    path = shards.manifest_path(prefix)
    sources = as_paths(several(options.against))
    if "pillow" not in manifest.versions:
        raise InputError(
            path, "is not of a set that `tfrec convert` made; --against replays only conversions"
        )
    if len(sources) != len(manifest.sources):
        listed = ", ".join(source.path for source in manifest.sources)
        known = counted(len(manifest.sources), "source")
        reason = f"given {counted(len(sources), 'time')}, but the set is of {known}"
        raise InputError("--against", f"{reason}: {listed}; give each, in this order")
    values = {
        declared.name: _value(declared, manifest.options[declared.word], len(sources), path)
        for declared in declarations(ConvertOptions)
        if declared.word in manifest.options and declared.word not in _OWN
    }
    return ConvertOptions(
        sources,
        prefix,
        images=options.images or _images(manifest.options.get("images"), len(sources)),
        format=[source.format for source in manifest.sources],  # type: ignore[misc]
        labels=shards.label_map_path(prefix) if "labels" in manifest.options else None,
        progress=options.progress,
        **values,
    )


def _images(text: str | None, sources: int) -> Sequence[Path] | None:
    """Folders as the manifest keeps them, with blanks between them."""
    if text is None:
        return None
    words = [stores.located(as_path(word)) for word in words_of(text)]
    whole = stores.located(as_path(text))
    folders = [whole] if whole.is_dir() or len(words) != sources else words
    if lacking := [folder for folder in folders if not folder.is_dir()]:
        raise InputError(lacking[0], "the folder of the images is not there any more; give --images")
    return folders


def _value(declared: Declared, text: str, sources: int, path: Path) -> Any:
    if not declared.several:
        return _plain(declared.kinds, text)
    words = words_of(text)
    if declared.name in _EACH_BY_ITSELF or are_quoted(text):
        return words
    if sources == 1 or len(words) == 1:
        return [text]
    if len(words) != sources:
        of = counted(sources, "source")
        reason = f"cannot be replayed for {of}: it stands in the manifest with other blanks"
        raise InputError(path, f"{declared.flag} {reason}; convert again", where=text)
    return words


def _plain(kinds: tuple[Any, ...], text: str) -> Any:
    if bool in kinds:
        return text == "true"
    makers: list[Callable[[str], Any]] = [kind for kind in (int, float) if kind in kinds]
    for make in makers:
        try:
            return make(text)
        except ValueError:
            continue
    return text
