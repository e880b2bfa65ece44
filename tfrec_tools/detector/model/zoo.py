"""Models of TFOD's TF 2 detection zoo: which of them can be built, and how they are fetched."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from urllib.error import HTTPError
from urllib.parse import urlsplit

from tfrec_tools.detector.config.read import EXTRACTORS
from tfrec_tools.detector.model.downloads import https_stays
from tfrec_tools.errors import InputError, TfrecError
from tfrec_tools.labels import model_folders
from tfrec_tools.labels.zoo import MODELS, ZooModel, coco_text, named
from tfrec_tools.system.atomic import published_folder

_ADDRESS = "https://download.tensorflow.org/models/object_detection/tf2"
_ADDRESS_VARIABLE = "TFREC_ZOO"  # another place, a folder that has the same archives
_OWN_HOSTS = ("localhost", "127.0.0.1", "::1")  # what is asked of them never leaves the machine
# Of what is unpacked; the largest model of the zoo has 1 GB.
_MOST_BYTES = {"pipeline.config": 1 << 20, "checkpoint": 4 << 30}
_MOST_BYTES_IN_ALL = 8 << 30
_MOST_FILES = 1000


def address() -> str:
    """Returns where the zoo's archives are. Raises TfrecError where others could change them on the way."""
    place = os.environ.get(_ADDRESS_VARIABLE, _ADDRESS).rstrip("/")
    parts = urlsplit(place)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _OWN_HOSTS):
        raise TfrecError(f"{_ADDRESS_VARIABLE}: is {place!r}, expected an address that begins with https://")
    return place


def address_of(model: ZooModel) -> str:
    """Returns where a model's archive is: on the zoo's server in the folder of its date."""
    folder = "" if _ADDRESS_VARIABLE in os.environ else f"/{model.date}"
    return f"{address()}{folder}/{model.name}.tar.gz"


def why_not(model: ZooModel) -> str:
    """Returns why a model cannot be built; empty where it can."""
    known = {extractor for extractors in EXTRACTORS.values() for extractor in extractors}
    if model.extractor not in known:
        return f"{model.family} is not built here"
    return f"{model.more} are not built here" if model.more else ""


def models() -> list[ZooModel]:
    """Returns the models of the zoo that can be built."""
    return [model for model in MODELS if not why_not(model)]


def model_folder(name_or_path: str) -> Path:
    """Returns the model folder that is meant: a path, or a model of the zoo by name, which is downloaded
    where it is not in the cache. Raises TfrecError where that fails, or the model cannot be built."""
    return local_folder(name_or_path) or _fetched(_buildable(name_or_path))


def local_folder(name_or_path: str) -> Path | None:
    """Returns the model folder that is meant, as `model_folder` does; None where it is to be downloaded."""
    path = Path(name_or_path)
    if path.exists() or not named(name_or_path):
        return model_folders.folder_of(path)
    cached = cache_folder() / _buildable(name_or_path).name
    return cached if cached.exists() else None


def _buildable(name: str) -> ZooModel:
    """Of a name that the zoo has."""
    model = named(name)
    assert model
    if reason := why_not(model):
        raise TfrecError(f"{name}: {reason}; `tfrec models` lists what opens")
    return model


def cache_folder() -> Path:
    """Returns Keras' own cache folder."""
    return Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "tfrec"


def _fetched(model: ZooModel) -> Path:
    folder = cache_folder() / model.name
    archive = folder.with_name(f"{model.name}.tar.gz")
    if not archive.exists():
        _download(model, archive)
    _unpack(archive, folder)
    return folder


def _download(model: ZooModel, archive: Path) -> None:
    import keras

    archive.parent.mkdir(parents=True, exist_ok=True)
    try:
        with https_stays(), contextlib.redirect_stdout(sys.stderr):  # where Keras shows its progress
            part = keras.utils.get_file(
                f"{archive.name}.part",
                address_of(model),
                cache_dir=archive.parent.parent,
                cache_subdir=archive.parent.name,
                force_download=True,
            )
    except Exception as fault:  # what Keras raises where the server or the net does not answer
        if isinstance(fault.__context__, HTTPError):
            fault.__context__.close()
        raise TfrecError(
            f"{address_of(model)} cannot be downloaded ({fault}): download it by hand and put it at {archive}"
        ) from fault
    Path(part).replace(archive)


def _unpack(archive: Path, folder: Path) -> None:
    """The config and the checkpoint of an archive, and COCO's label map. Only plain files whose names are
    those are written, whatever else is in it."""
    with published_folder(folder) as part:
        (part / "checkpoint").mkdir()
        try:
            with tarfile.open(archive) as tar:
                _extract(tar, archive, part)
        except (tarfile.TarError, EOFError, zlib.error, OSError) as fault:
            raise InputError(archive, f"is damaged ({fault}); delete it and try again") from fault
        if not (part / "pipeline.config").exists():
            raise InputError(archive, "has no NAME/pipeline.config; expected an archive of the zoo")
        (part / model_folders.LABEL_MAP).write_bytes(coco_text())


def _extract(tar: tarfile.TarFile, archive: Path, folder: Path) -> None:
    left = _MOST_BYTES_IN_ALL
    for number, member in enumerate(tar):
        left -= member.size
        if left < 0 or number >= _MOST_FILES:
            raise InputError(archive, f"holds over {_MOST_BYTES_IN_ALL:,} bytes or {_MOST_FILES} files")
        match PurePosixPath(member.name).parts[1:]:
            case ("pipeline.config",):
                target = folder / "pipeline.config"
            case ("checkpoint", name) if name != "..":
                target = folder / "checkpoint" / name
            case _:
                continue
        content = tar.extractfile(member) if member.isfile() else None
        if content is None:
            raise InputError(archive, "is no plain file", where=member.name)
        most = _MOST_BYTES.get(target.name, _MOST_BYTES["checkpoint"])
        if member.size > most:
            raise InputError(
                archive, f"has {member.size:,} bytes, expected {most:,} at most", where=member.name
            )
        with target.open("wb") as out:
            shutil.copyfileobj(content, out, 1 << 20)
