"""Narrow detectors of every family for images of 128 x 128, and how long each is trained: the configs of the
tests with other numbers, of random weights.

Run as a module it writes a model folder: `python -m tests.bench.grow.families FAMILY FOLDER`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench.grow.figures import OLD, SIZE
from tests.helpers.places import DATA

BASE_BATCH = 16


@dataclass(frozen=True, slots=True)
class Family:
    """changes  {what stands in the test's config: what stands here}, each of which must be there
    early_steps  of rows before the base's own, so that none takes too long
    base_steps  of the base's own row, which is all of its training where nothing comes before
    base_lr     of all these
    width       of a ResNet's channels, where only a checkpoint can say it: Faster R-CNN's"""

    config: str
    changes: dict[str, str]
    early_steps: tuple[int, ...]
    base_steps: int
    base_lr: float
    width: float = 1.0


_SIDES = {"height: 64": f"height: {SIZE}", "width: 64": f"width: {SIZE}"}
# Anchors of 16 px and up, as figures have 14 to 60; statistics that follow a few hundred steps.
_PYRAMID = {"anchor_scale: 4.0": "anchor_scale: 2.0"}
_SLOWER = {"decay: 0.5": "decay: 0.97"}
# TFOD's kernels, of standard deviations of 0.03 and 0.01, are for wide layers and long trainings: a narrow
# pyramid and its heads let through a hundred-thousandth of the signal, as its variance is far below the
# epsilon of their norms, and some hundred steps teach nothing.
_LARGER_KERNELS = {"stddev: 0.03": "stddev: 0.3", "stddev: 0.01": "stddev: 0.3"}

FAMILIES = {
    "fpnlite": Family(
        "fpnlite",
        _SIDES
        | _PYRAMID
        | _SLOWER
        | {
            "depth_multiplier: 0.25": "depth_multiplier: 0.35",
            "additional_layer_depth: 64": "additional_layer_depth: 128",
            "        depth: 16": "        depth: 48",
        },
        (),
        1000,
        0.08,
    ),
    "ssd_mobilenet_v2": Family(
        "ssd_mobilenet_v2",
        # Its finest cells are of 16 px: too coarse for crowds, so that images are enlarged for it.
        {
            "height: 64": "height: 256",
            "width: 64": "width: 256",
            "depth_multiplier: 0.25": "depth_multiplier: 0.35",
            "min_scale: 0.2": "min_scale: 0.12",
            "max_scale: 0.95": "max_scale: 0.6",
        },
        (1200,),
        1200,
        0.08,
    ),
    "retinanet": Family(
        "retinanet",
        _SIDES
        | _PYRAMID
        | {
            "decay: 0.997": "decay: 0.97",
            "depth_multiplier: 0.125": "depth_multiplier: 0.25",
            "additional_layer_depth: 64": "additional_layer_depth: 48",
            "        depth: 16": "        depth: 48",
        },
        (1000,),
        1000,
        0.08,
    ),
    "efficientdet": Family(
        "efficientdet",
        _PYRAMID
        | _SLOWER
        | _LARGER_KERNELS
        | {
            "num_filters: 16": "num_filters: 32",
            "        depth: 16": "        depth: 32",
            "scales_per_octave: 1": "scales_per_octave: 2",
        },
        (750,),
        750,
        0.05,
    ),
    "faster_rcnn": Family(
        "faster_rcnn",
        # Its cells are of 16 px: images are enlarged for it.
        {
            "_dimension: 96": "_dimension: 192",
            "box_predictor_depth: 16": "box_predictor_depth: 64",
            "minibatch_size: 32": "minibatch_size: 64",
            "max_proposals: 12": "max_proposals: 40",
            "initial_crop_size: 4": "initial_crop_size: 8",
            "second_stage_batch_size: 8": "second_stage_batch_size: 16",
            "max_detections_per_class: 10": "max_detections_per_class: 20",
            "max_total_detections: 10": "max_total_detections: 40",
        },
        (1000,),
        1000,
        0.08,
        width=0.25,
    ),
    "center_net": Family(
        "center_net_mobilenet",
        {
            "_dimension: 64": f"_dimension: {SIZE}",
            "depth_multiplier: 0.125": "depth_multiplier: 0.35",
            "num_filters: 16": "num_filters: 32",
            "max_box_predictions: 20": "max_box_predictions: 40",
        },
        (600,),
        300,
        0.02,
    ),
}


def pipeline(family: str) -> str:
    text = (DATA / f"{FAMILIES[family].config}.pipeline.config").read_text(encoding="utf-8")
    for before, after in FAMILIES[family].changes.items():
        if before not in text:
            raise SystemExit(f"{FAMILIES[family].config}.pipeline.config has no {before!r} any more")
        text = text.replace(before, after)
    return text


def main(family: str, folder: Path) -> None:
    import keras

    from tfrec_tools.detector.config.faster_rcnn import FasterRcnnConfig
    from tfrec_tools.detector.config.read import parse_pipeline
    from tfrec_tools.detector.config.rewrite import Changes, rewrite_pipeline
    from tfrec_tools.detector.model.detector import of_config, save_detector
    from tfrec_tools.labels.label_map import from_names

    text = rewrite_pipeline(pipeline(family), Changes(len(OLD), "label_map.pbtxt"))
    config = parse_pipeline(Path("pipeline.config"), text)
    if isinstance(config, FasterRcnnConfig):
        config = replace(config, width=FAMILIES[family].width)
    keras.utils.set_random_seed(1)
    save_detector(of_config(config, text, from_names(OLD)), folder)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
