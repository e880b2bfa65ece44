"""TFOD's TF 2 detection zoo: models trained on COCO, by name (research/object_detection/g3doc/
tf2_detection_zoo.md)."""

from __future__ import annotations

import contextlib
import os
import re
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
from tfrec_tools.errors import InputError, TfrecError
from tfrec_tools.system.atomic import published_folder

_ADDRESS = "https://download.tensorflow.org/models/object_detection/tf2"
_ADDRESS_VARIABLE = "TFREC_ZOO"  # another place that has the same files, all in one folder
_MOST_OF_THEM = "20200711"  # when most were put there
_OWN_HOSTS = ("localhost", "127.0.0.1", "::1")  # what is asked of them never leaves the machine
_TRAINED_ON = re.compile(r"_coco17(_[tg]pu-\d+|_od)?")
# Of what is unpacked; the largest model of the zoo has 1 GB.
_MOST_BYTES = {"pipeline.config": 1 << 20, "checkpoint": 4 << 30}
_MOST_BYTES_IN_ALL = 8 << 30
_MOST_FILES = 1000


@dataclass(frozen=True, slots=True)
class ZooModel:
    """A model of the zoo; `extractor` is the feature extractor of its pipeline.config, `released` the folder
    that it is in, and `more` what it has besides boxes, such as keypoints."""

    name: str
    family: str
    extractor: str
    released: str = _MOST_OF_THEM
    more: str = ""

    @property
    def short_name(self) -> str:
        """The name without what it was trained on: ssd_mobilenet_v2_fpnlite_320x320."""
        return _TRAINED_ON.sub("", self.name)

    @property
    def archive(self) -> str:
        """The file below the zoo's address."""
        folder = "" if _ADDRESS_VARIABLE in os.environ else f"{self.released}/"
        return f"{folder}{self.name}.tar.gz"

    @property
    def address(self) -> str:
        return f"{address()}/{self.archive}"

    @property
    def hindrance(self) -> str:
        """Why it cannot be opened, nothing where it can."""
        known = {extractor for extractors in EXTRACTORS.values() for extractor in extractors}
        return self.more or ("" if self.extractor in known else self.extractor)


def address() -> str:
    """Returns where the zoo's archives are. Raises TfrecError where others could change them on the way."""
    place = os.environ.get(_ADDRESS_VARIABLE, _ADDRESS).rstrip("/")
    parts = urlsplit(place)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _OWN_HOSTS):
        raise TfrecError(f"{_ADDRESS_VARIABLE}: is {place!r}, expected an address that begins with https://")
    return place


def models() -> list[ZooModel]:
    """Returns the models that can be opened."""
    return [model for model in ALL if not model.hindrance]


def model_folder(name_or_path: str) -> Path:
    """Returns the model folder that is meant: a path, or a model of the zoo by name, which is downloaded
    where it is not in the cache. Raises TfrecError where that fails, or the model cannot be opened."""
    path = Path(name_or_path)
    named = [model for model in ALL if name_or_path in (model.name, model.short_name)]
    if path.exists() or not named:
        return path
    if reason := named[0].hindrance:
        raise TfrecError(f"{name_or_path}: TFOD's zoo has it, but it cannot be opened here ({reason})")
    return _fetched(named[0])


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
        with contextlib.redirect_stdout(sys.stderr):  # where Keras shows its progress
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
    listed = [
        ZooModel("ssd_mobilenet_v2_320x320_coco17_tpu-8", mobile, "ssd_mobilenet_v2_keras"),
        ZooModel(
            "ssd_mobilenet_v1_fpn_640x640_coco17_tpu-8", "SSD MobileNetV1 FPN", "ssd_mobilenet_v1_fpn_keras"
        ),
    ]
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
    return [*listed, *_inceptions(), *_center_nets()]


def _inceptions() -> list[ZooModel]:
    extractor = "faster_rcnn_inception_resnet_v2_keras"
    name, family = "faster_rcnn_inception_resnet_v2", "Faster R-CNN Inception-ResNet-V2"
    masked = "mask_rcnn_inception_resnet_v2_1024x1024_coco17_gpu-8"
    return [
        *(ZooModel(f"{name}_{side}x{side}_coco17_tpu-8", family, extractor) for side in (640, 1024)),
        ZooModel(masked, "Mask R-CNN Inception-ResNet-V2", extractor, more="masks"),
    ]


def _center_nets() -> list[ZooModel]:
    mobile = ("CenterNet MobileNetV2 FPN", "mobilenet_v2_fpn_sep_conv", "20210210")
    listed = [
        ZooModel("centernet_mobilenetv2fpn_512x512_coco17_od", *mobile),
        ZooModel("centernet_mobilenetv2fpn_512x512_coco17_kpts", *mobile, more="keypoints"),
    ]
    boxes = (
        ("resnet50_v1_fpn_512x512_coco17_tpu-8", "ResNet50 FPN", "resnet_v1_50_fpn", _MOST_OF_THEM),
        ("resnet101_v1_fpn_512x512_coco17_tpu-8", "ResNet101 FPN", "resnet_v1_101_fpn", _MOST_OF_THEM),
        ("resnet50_v2_512x512_coco17_tpu-8", "ResNet50 V2", "resnet_v2_50", _MOST_OF_THEM),
        ("hg104_512x512_coco17_tpu-8", "Hourglass104", "hourglass_104", "20200713"),
        ("hg104_1024x1024_coco17_tpu-32", "Hourglass104", "hourglass_104", "20200713"),
    )
    keypoints = (
        ("resnet50_v1_fpn_512x512_kpts_coco17_tpu-8", "ResNet50 FPN", "resnet_v1_50_fpn"),
        ("resnet50_v2_512x512_kpts_coco17_tpu-8", "ResNet50 V2", "resnet_v2_50"),
        ("hg104_512x512_kpts_coco17_tpu-32", "Hourglass104", "hourglass_104"),
        ("hg104_1024x1024_kpts_coco17_tpu-32", "Hourglass104", "hourglass_104"),
    )
    listed += [ZooModel(f"centernet_{name}", f"CenterNet {kind}", *rest) for name, kind, *rest in boxes]
    listed += [
        ZooModel(f"centernet_{name}", f"CenterNet {kind}", extractor, more="keypoints")
        for name, kind, extractor in keypoints
    ]
    return listed


ALL = _listed()
