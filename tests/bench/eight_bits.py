"""What 8 bits cost: the AP50 of a model as TFLite of float32 and of 8 bits, on annotated records.

python -m tests.bench.eight_bits --model MODEL --records RECORDS --calibrate IMAGES [--images 100]
"""

from __future__ import annotations

import argparse
import tempfile
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.detector.config.center_net import CenterNetConfig
from tfrec_tools.detector.data.images import decode_image
from tfrec_tools.detector.data.index import index_records
from tfrec_tools.detector.data.inputs import input_images
from tfrec_tools.detector.evaluation.average_precision import ImageDetections
from tfrec_tools.detector.evaluation.metrics import measure
from tfrec_tools.detector.export import tflite, tflite_centers
from tfrec_tools.detector.model.detector import load_detector

_CALIBRATING = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("model", "records", "calibrate"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--images", type=int, default=100, help="of the records, the first ones")
    words = parser.parse_args()
    detector = load_detector(Path(words.model))
    module = tflite_centers if isinstance(detector.config, CenterNetConfig) else tflite
    calibrate = _decoded(words.calibrate, _CALIBRATING)
    images = _decoded(words.records, words.images)
    examples = index_records([words.records], detector.labels)[: words.images]
    with tempfile.TemporaryDirectory() as temporary:
        for name, calibrating in (("tflite", None), ("tflite-int8", calibrate)):
            path = Path(temporary) / name
            module.write(detector, path, calibrating)
            answers = [module.run(path, detector, image) for image in images]
            detections = [ImageDetections(each.boxes, each.scores, each.ids) for each in answers]
            scores = measure(examples, detections, detector.labels, min_score=None, voc07=False).overall
            kilobytes = path.stat().st_size / 1000
            print(f"{name:12} {kilobytes:8.0f} kB  AP50 {scores.ap50:.3f}  AP {scores.ap:.3f}", flush=True)


def _decoded(word: str, most: int) -> list[NDArray[np.uint8]]:
    return [decode_image(image.data, image.name) for image in islice(input_images([word]), most)]


if __name__ == "__main__":
    main()
