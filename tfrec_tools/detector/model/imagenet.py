"""A detector whose backbone has the weights of keras.applications, trained on images without boxes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np

from tfrec_tools.detector.architectures import registry
from tfrec_tools.detector.config.read import Config, parse_pipeline
from tfrec_tools.detector.config.ssd import FpnConfig, MobileNetV2Config, SsdConfig
from tfrec_tools.detector.model import detector as detectors
from tfrec_tools.detector.model.detector import Detector, layers_of
from tfrec_tools.detector.model.downloads import https_stays
from tfrec_tools.errors import InputError
from tfrec_tools.labels.label_map import from_names
from tfrec_tools.system.regular_files import read_text

IMAGENET = "imagenet"
# The one class of a detector that knows none.
_NOTHING = "(nothing)"
_APPLICATIONS = {
    "mobilenet_v1": keras.applications.MobileNet,
    "mobilenet_v2": keras.applications.MobileNetV2,
    "resnet50": keras.applications.ResNet50,
    "resnet101": keras.applications.ResNet101,
    "resnet152": keras.applications.ResNet152,
}


def new_detector(pipeline: Path, weights: str, seed: int) -> Detector:
    """Returns a detector as a pipeline.config says, which knows no class yet.

    weights  a file of keras.applications' model without its top (.weights.h5 or .h5), or IMAGENET, which
             Keras downloads. InputError where it does not fit the backbone
    """
    try:
        text = read_text(pipeline)
    except OSError as fault:
        raise InputError(pipeline, "cannot be read, expected TFOD's pipeline.config") from fault
    name, width = _backbone(pipeline, parse_pipeline(pipeline, text))
    application = _application(name, width, weights)
    detector = detectors.new_detector(text, from_names([_NOTHING]), seed)
    for ours, theirs in zip(_our_layers(detector), _their_layers(application), strict=True):
        if [value.shape for value in ours.weights] != [value.shape for value in theirs]:
            raise InputError(
                weights, "has another shape than the pipeline.config's backbone", where=ours.name
            )
        ours.set_weights(theirs)
    return detector


def _backbone(pipeline: Path, config: Config) -> tuple[str, float]:
    """Returns its name and its width."""
    extractor = config.extractor if isinstance(config, SsdConfig) else None
    if isinstance(extractor, FpnConfig):
        return extractor.backbone, extractor.depth_multiplier
    if isinstance(extractor, MobileNetV2Config):
        return "mobilenet_v2", extractor.depth_multiplier
    raise InputError(
        pipeline, "classification weights fit an ssd with a MobileNet or a ResNet FPN alone", where="model"
    )


def _application(name: str, width: float, weights: str) -> keras.Model:
    options = {"alpha": width} if name.startswith("mobilenet") else {}
    try:
        if weights == IMAGENET:
            with https_stays():
                return _APPLICATIONS[name](include_top=False, weights=IMAGENET, **options)
        made = _APPLICATIONS[name](include_top=False, weights=None, **options)
        made.load_weights(weights)
    except FileNotFoundError as fault:
        raise InputError(weights, "not found, expected weights of keras.applications") from fault
    except Exception as fault:  # Keras raises anything where a file is of another model or the net is away
        raise InputError(
            weights, f"gives no weights of keras.applications' {name} without top ({_reason(fault)})"
        ) from fault
    return made


def _our_layers(detector: Detector) -> list[keras.layers.Layer]:
    """Returns those of the backbone that have weights, in the order of the checkpoint's paths."""
    paths = tuple(path.replace("/", ".") + "." for path in registry.of(detector.config).BACKBONES)
    matching = [layer for layer in layers_of(detector.network) if layer.name.startswith(paths)]
    return sorted(matching, key=lambda layer: int(layer.name.rpartition("-")[2]))


def _their_layers(application: keras.Model) -> Iterator[list[np.ndarray]]:
    """Yields the weights of each layer. A ResNet of keras.applications sees blue first and has a bias in each
    convolution, where TFOD's sees red first and has none: batch norm takes the bias off the mean."""
    layers = [layer for layer in application.layers if layer.weights]
    is_resnet = any(isinstance(layer, keras.layers.Conv2D) and layer.use_bias for layer in layers)
    biases: dict[str, np.ndarray] = {}
    for index, layer in enumerate(layers):
        values = layer.get_weights()
        if is_resnet and isinstance(layer, keras.layers.Conv2D):
            kernel, biases[layer.name.replace("_conv", "_bn")] = values
            values = [kernel[:, :, ::-1] if index == 0 else kernel]
        elif layer.name in biases:
            gamma, beta, mean, variance = values
            values = [gamma, beta, mean - biases[layer.name], variance]
        yield values


def _reason(fault: Exception) -> str:
    return (str(fault).splitlines() or [type(fault).__name__])[0]
