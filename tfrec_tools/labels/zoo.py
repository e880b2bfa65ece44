"""TFOD's TF 2 detection zoo: models trained on COCO, by name (research/object_detection/g3doc/
tf2_detection_zoo.md), and the label map that all of them have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.labels.pbtxt import parse_pbtxt

COCO_MAP = "mscoco_label_map.pbtxt"  # as TFOD calls it, too
COCO_CLASSES = 90  # num_classes of the zoo's configs: the largest id, as COCO's 80 classes have gaps


@dataclass(frozen=True, slots=True)
class ZooModel:
    """A model of the zoo.

    extractor  the feature extractor of its pipeline.config
    more       what it finds besides boxes: "keypoints" or "masks"
    date       the folder of the zoo's server that its archive is in
    """

    name: str
    family: str
    extractor: str
    more: str = ""
    date: str = "20200711"

    @property
    def short_name(self) -> str:
        """The name without what it was trained on: ssd_mobilenet_v2_fpnlite_320x320."""
        short, _, rest = self.name.partition("_coco17")
        return f"{short}_kpts" if rest == "_kpts" else short


def named(word: str) -> ZooModel | None:
    """Returns the model of the zoo that a word names, by its whole name or without what it was trained on."""
    return next((model for model in MODELS if word in (model.name, model.short_name)), None)


def coco_text() -> bytes:
    """Returns COCO's label map as TFOD has it."""
    return files("tfrec_tools.labels").joinpath(COCO_MAP).read_bytes()


def coco_labels() -> LabelMap:
    """Returns COCO's 80 classes with their ids up to 90."""
    from pathlib import Path

    listed = parse_pbtxt(Path(COCO_MAP), coco_text().decode())
    return LabelMap(listed.labels, "COCO's label map")


def _center_nets() -> Iterator[ZooModel]:
    hourglass = "CenterNet Hourglass-104"
    for side, tpus in ((512, 8), (1024, 32)):
        name = f"centernet_hg104_{side}x{side}"
        yield ZooModel(f"{name}_coco17_tpu-{tpus}", hourglass, "hourglass_104", date="20200713")
        yield ZooModel(f"{name}_kpts_coco17_tpu-32", hourglass, "hourglass_104", "keypoints")
    for name, family, extractor, more in (
        ("resnet50_v1_fpn_512x512", "ResNet50 FPN", "resnet_v1_50_fpn", ""),
        ("resnet50_v1_fpn_512x512_kpts", "ResNet50 FPN", "resnet_v1_50_fpn", "keypoints"),
        ("resnet101_v1_fpn_512x512", "ResNet101", "resnet_v2_101", ""),  # whatever its name says
        ("resnet50_v2_512x512", "ResNet50 v2", "resnet_v2_50", ""),
        ("resnet50_v2_512x512_kpts", "ResNet50 v2", "resnet_v2_50", "keypoints"),
    ):
        yield ZooModel(f"centernet_{name}_coco17_tpu-8", f"CenterNet {family}", extractor, more)
    for ending, more in (("od", ""), ("kpts", "keypoints")):
        name = f"centernet_mobilenetv2fpn_512x512_coco17_{ending}"
        family = "CenterNet MobileNetV2 FPN"
        yield ZooModel(name, family, "mobilenet_v2_fpn_sep_conv", more, "20210210")


def _single_shots() -> Iterator[ZooModel]:
    for version in range(8):
        extractor = f"ssd_efficientnet-b{min(version, 6)}_bifpn_keras"  # D7 is D6 on larger images
        yield ZooModel(f"efficientdet_d{version}_coco17_tpu-32", "EfficientDet", extractor)
    for name, family, extractor in (
        ("mobilenet_v2_320x320", "MobileNetV2", "mobilenet_v2"),
        ("mobilenet_v1_fpn_640x640", "MobileNetV1 FPN", "mobilenet_v1_fpn"),
        ("mobilenet_v2_fpnlite_320x320", "MobileNetV2 FPNLite", "mobilenet_v2_fpn"),
        ("mobilenet_v2_fpnlite_640x640", "MobileNetV2 FPNLite", "mobilenet_v2_fpn"),
    ):
        yield ZooModel(f"ssd_{name}_coco17_tpu-8", f"SSD {family}", f"ssd_{extractor}_keras")
    for depth in (50, 101, 152):
        for side in (640, 1024):
            name = f"ssd_resnet{depth}_v1_fpn_{side}x{side}_coco17_tpu-8"
            yield ZooModel(name, f"RetinaNet ResNet{depth}", f"ssd_resnet{depth}_v1_fpn_keras")


def _two_stages() -> Iterator[ZooModel]:
    for depth in (50, 101, 152):
        for kind in ("640x640_coco17_tpu-8", "1024x1024_coco17_tpu-8", "800x1333_coco17_gpu-8"):
            name = f"faster_rcnn_resnet{depth}_v1_{kind}"
            yield ZooModel(name, f"Faster R-CNN ResNet{depth}", f"faster_rcnn_resnet{depth}_keras")
    inception, extractor = "Inception-ResNet-v2", "faster_rcnn_inception_resnet_v2_keras"
    for side in (640, 1024):
        name = f"faster_rcnn_inception_resnet_v2_{side}x{side}_coco17_tpu-8"
        yield ZooModel(name, f"Faster R-CNN {inception}", extractor)
    name = "mask_rcnn_inception_resnet_v2_1024x1024_coco17_gpu-8"
    yield ZooModel(name, f"Mask R-CNN {inception}", extractor, "masks")


MODELS = (
    *_single_shots(),
    *_two_stages(),
    *_center_nets(),
    ZooModel("extremenet", "ExtremeNet", "extremenet", date="20210507"),
)
