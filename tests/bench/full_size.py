"""Detectors of every family with pictures of their goldens' sizes and random weights: the narrow
configs of the tests with the zoo's numbers."""

from __future__ import annotations

from tests.helpers.places import DATA
from tfrec_tools.detector.model.detector import Detector, new_detector
from tfrec_tools.labels.label_map import LabelMap, from_names

CLASSES = 80
_PREDICTOR = {
    "min_depth: 8": "min_depth: 16",
    "num_layers_before_predictor: 2": "num_layers_before_predictor: 4",
}
_CHANGES = {
    "fpnlite": _PREDICTOR
    | {
        "height: 64": "height: 320",
        "width: 64": "width: 320",
        "depth_multiplier: 0.25": "depth_multiplier: 1.0",
        "additional_layer_depth: 64": "additional_layer_depth: 128",
        "        depth: 16": "        depth: 128",
    },
    "ssd_mobilenet_v2": {
        "height: 64": "height: 300",
        "width: 64": "width: 300",
        "depth_multiplier: 0.25": "depth_multiplier: 1.0",
        "min_depth: 8": "min_depth: 16",
    },
    # At TFOD's own 640 px a step would take a minute on two cores.
    "retinanet": _PREDICTOR
    | {
        "height: 64": "height: 320",
        "width: 64": "width: 320",
        "depth_multiplier: 0.125": "depth_multiplier: 1.0",
        "additional_layer_depth: 64": "additional_layer_depth: 256",
        "        depth: 16": "        depth: 256",
    },
    "efficientdet": {
        "_dimension: 128": "_dimension: 512",
        "num_iterations: 2": "num_iterations: 3",
        "num_filters: 16": "num_filters: 64",
        "depth: 16": "depth: 64",
        "num_layers_before_predictor: 1": "num_layers_before_predictor: 3",
        "scales_per_octave: 1": "scales_per_octave: 3",
    },
    "faster_rcnn": {
        "_dimension: 96": "_dimension: 320",
        "scales: 0.125": "scales: 0.5 scales: 1.0 scales: 2.0",
        "box_predictor_depth: 16": "box_predictor_depth: 512",
        "minibatch_size: 32": "minibatch_size: 256",
        "max_proposals: 12": "max_proposals: 300",
        "initial_crop_size: 4": "initial_crop_size: 14",
        "second_stage_batch_size: 8": "second_stage_batch_size: 64",
        "max_detections_per_class: 10": "max_detections_per_class: 100",
        "max_total_detections: 10": "max_total_detections: 100",
    },
    "center_net_mobilenet": {
        "_dimension: 64": "_dimension: 512",
        "depth_multiplier: 0.125": "depth_multiplier: 1.0",
        "num_filters: 16": "num_filters: 256",
        "max_box_predictions: 20": "max_box_predictions: 100",
    },
}
FAMILIES = tuple(_CHANGES)


def pipeline(family: str) -> str:
    text = (DATA / f"{family}.pipeline.config").read_text(encoding="utf-8")
    for narrow, full in _CHANGES[family].items():
        if narrow not in text:
            raise SystemExit(f"{family}.pipeline.config has no {narrow!r} any more")
        text = text.replace(narrow, full)
    return text


def labels() -> LabelMap:
    """Those of `generate`."""
    return from_names([f"class {number:02d}" for number in range(1, CLASSES + 1)])


def detector(family: str) -> Detector:
    return new_detector(pipeline(family), labels(), seed=1)


def side_px(made: Detector) -> int:
    return made.config.resizer.height_px
