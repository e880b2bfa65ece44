"""TFOD's TF 2 detection zoo: models trained on COCO, by name (research/object_detection/g3doc/
tf2_detection_zoo.md)."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tarfile
import zlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath
from urllib.error import HTTPError
from urllib.parse import urlsplit

from tfrec_tools.detector.config.read import EXTRACTORS
from tfrec_tools.detector.model.downloads import https_stays
from tfrec_tools.errors import InputError, TfrecError
from tfrec_tools.system.atomic import published_folder

_ADDRESS = "https://download.tensorflow.org/models/object_detection/tf2/20200711"
_ADDRESS_VARIABLE = "TFREC_ZOO"  # another place that has the same files
_OWN_HOSTS = ("localhost", "127.0.0.1", "::1")  # what is asked of them never leaves the machine
# Of what is unpacked; the largest model of the zoo has 1 GB.
_MOST_BYTES = {"pipeline.config": 1 << 20, "checkpoint": 4 << 30}
_MOST_BYTES_IN_ALL = 8 << 30
_MOST_FILES = 1000


@dataclass(frozen=True, slots=True)
class ZooModel:
    """A model of the zoo; `extractor` is the feature extractor of its pipeline.config."""

    name: str
    family: str
    extractor: str

    @property
    def short_name(self) -> str:
        """The name without what it was trained on: ssd_mobilenet_v2_fpnlite_320x320."""
        return self.name.partition("_coco17")[0]

    @property
    def address(self) -> str:
        return f"{address()}/{self.name}.tar.gz"


def address() -> str:
    """Returns where the zoo's archives are. Raises TfrecError where others could change them on the way."""
    place = os.environ.get(_ADDRESS_VARIABLE, _ADDRESS).rstrip("/")
    parts = urlsplit(place)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _OWN_HOSTS):
        raise TfrecError(f"{_ADDRESS_VARIABLE}: is {place!r}, expected an address that begins with https://")
    return place


def models() -> list[ZooModel]:
    """Returns the models of the families that can be built."""
    known = {extractor for extractors in EXTRACTORS.values() for extractor in extractors}
    return [model for model in _ALL if model.extractor in known]


def model_folder(name_or_path: str) -> Path:
    """Returns the model folder that is meant: a path, or a model of the zoo by name, which is downloaded
    where it is not in the cache. Raises TfrecError where that fails."""
    path = Path(name_or_path)
    named = [model for model in models() if name_or_path in (model.name, model.short_name)]
    return path if path.exists() or not named else _fetched(named[0])


def cache_folder() -> Path:
    """Returns Keras' own cache folder."""
    return Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "tfrec"


def _fetched(model: ZooModel) -> Path:
    folder = cache_folder() / model.name
    if not folder.exists():
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
                model.address,
                cache_dir=archive.parent.parent,
                cache_subdir=archive.parent.name,
                force_download=True,
            )
    except Exception as fault:  # what Keras raises where the server or the net does not answer
        if isinstance(fault.__context__, HTTPError):
            fault.__context__.close()
        raise TfrecError(
            f"{model.address} cannot be downloaded ({fault}): download it by hand and put it at {archive}"
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
        labels = files("tfrec_tools.detector.model").joinpath("mscoco_label_map.pbtxt").read_bytes()
        (part / "label_map.pbtxt").write_bytes(labels)


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


def _listed() -> list[ZooModel]:
    mobile = "SSD MobileNetV2"
    listed = [ZooModel("ssd_mobilenet_v2_320x320_coco17_tpu-8", mobile, "ssd_mobilenet_v2_keras")]
    listed += [
        ZooModel(
            f"ssd_mobilenet_v2_fpnlite_{side}x{side}_coco17_tpu-8",
            f"{mobile} FPNLite",
            "ssd_mobilenet_v2_fpn_keras",
        )
        for side in (320, 640)
    ]
    listed += [
        ZooModel(
            f"ssd_resnet{depth}_v1_fpn_{side}x{side}_coco17_tpu-8",
            f"RetinaNet ResNet{depth}",
            f"ssd_resnet{depth}_v1_fpn_keras",
        )
        for depth in (50, 101, 152)
        for side in (640, 1024)
    ]
    listed += [
        ZooModel(
            f"efficientdet_d{version}_coco17_tpu-32",
            "EfficientDet",
            f"ssd_efficientnet-b{min(version, 6)}_bifpn_keras",  # D7 is D6 on larger images
        )
        for version in range(8)
    ]
    listed += [
        ZooModel(
            f"faster_rcnn_resnet{depth}_v1_{kind}",
            f"Faster R-CNN ResNet{depth}",
            f"faster_rcnn_resnet{depth}_keras",
        )
        for depth in (50, 101, 152)
        for kind in ("640x640_coco17_tpu-8", "1024x1024_coco17_tpu-8", "800x1333_coco17_gpu-8")
    ]
    return listed


_ALL = _listed()
