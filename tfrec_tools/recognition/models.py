"""Model folders, the zoo's models, runs, configs, and what models become when they are exported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tfrec_tools.detector.checkpoints import unsupported
from tfrec_tools.detector.checkpoints.latest import checkpoint_folder, latest
from tfrec_tools.detector.config.center_net import CenterNetConfig
from tfrec_tools.detector.config.faster_rcnn import FasterRcnnConfig
from tfrec_tools.detector.config.read import Config, read_pipeline
from tfrec_tools.detector.model import zoo
from tfrec_tools.detector.model.description import describe
from tfrec_tools.detector.training.run_notes import noted_steps
from tfrec_tools.errors import InputError
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.labels.model_folders import CONFIG, LABEL_MAP, folder_of
from tfrec_tools.labels.zoo import COCO_CLASSES, ZooModel
from tfrec_tools.recognition.answer import Answer, KnownClass, command
from tfrec_tools.system.regular_files import read_text

_EXPORTS = {".tflite": "TFLite model", ".onnx": "ONNX model", ".pb": "frozen graph or SavedModel"}
_FOREIGN = {
    ".h5": "Keras model or weights",
    ".keras": "Keras model",
    ".pt": "PyTorch model",
    ".pth": "PyTorch model",
}
_OF_MODELS = ("finetune --base", "detect", "evaluate", "export")
_TFLITE = "export --to tflite"
_GROW = ("--labels", "MERGED.pbtxt", "--train", "RECORDS-*", "--out", "run")


def is_folder(path: Path) -> bool:
    """Returns whether a path is a model folder."""
    return (path / CONFIG).is_file()


def folder(path: Path) -> Answer:
    """Returns what a model folder holds; where it does not open, why."""
    try:
        described = describe(path)
        latest(checkpoint_folder(path))
    except InputError as fault:
        refuses = dict.fromkeys(_OF_MODELS, str(fault))
        return Answer(str(path), "model", "TFOD model folder that does not open", refuses=refuses)
    notes = {f"chosen ({number})": note for number, note in enumerate(described.notes, start=1)}
    return Answer(
        str(path),
        "model",
        "TFOD model folder",
        facts=_facts(described.config) | notes,
        classes=_known(described.labels),
        takes=(*_OF_MODELS, "merge-labels", "config"),
        refuses=_not_exported(described.config),
        next=command("finetune", "--base", path, *_GROW),
    )


def _facts(config: Config) -> dict[str, str]:
    resizer = config.resizer
    how = "keeping its sides' ratio, padded" if resizer.keep_aspect else "stretched"
    return {
        "architecture": _architecture(config),
        "classes": str(config.num_classes),
        "an image comes to": f"{resizer.width_px} x {resizer.height_px} pixels, {how}",
    }


def _architecture(config: Config) -> str:
    if isinstance(config, FasterRcnnConfig):
        return "Faster R-CNN"
    return "CenterNet" if isinstance(config, CenterNetConfig) else "SSD"


def _not_exported(config: Config) -> dict[str, str]:
    """What of the exports is not for a model."""
    if isinstance(config, FasterRcnnConfig):
        return {_TFLITE: "not for Faster R-CNN, as in TFOD"}
    return {}


def _known(labels: LabelMap) -> tuple[KnownClass, ...]:
    return tuple(KnownClass(name, label_id) for label_id, name in sorted(labels.name_by_id.items()))


def of_zoo(model: ZooModel) -> Answer:
    """Returns what a model of TFOD's zoo is, which need not be here."""
    why_not = zoo.why_not(model)
    return Answer(
        model.short_name,
        "model",
        "model of TFOD's zoo, trained on COCO",
        facts={"family": model.family, "largest id": str(COCO_CLASSES), "archive": zoo.address_of(model)},
        takes=() if why_not else (*_OF_MODELS, "merge-labels"),
        refuses=dict.fromkeys(_OF_MODELS, why_not) if why_not else {},
        next="" if why_not else command("finetune", "--base", model.short_name, *_GROW),
    )


def is_run(path: Path) -> bool:
    """Returns whether a path is the folder of a run of finetune."""
    return (path / "run.toml").is_file()


def run(path: Path) -> Answer:
    """Returns how far a run of finetune has come, and what its model is."""
    steps = noted_steps(path)
    facts = {} if steps is None else {"steps asked for": str(steps)}
    if not (path / "report.json").is_file():
        resume = command("finetune", "--config", path / "run.toml", "--out", path, "--resume")
        return Answer(str(path), "run", "run of finetune that has not ended", facts, next=resume)
    model = folder(folder_of(path))
    return Answer(
        str(path),
        "run",
        "finished run of finetune",
        facts | _measured(path / "report.json") | model.facts,
        model.classes,
        model.takes,
        model.refuses,
        command("detect", "PHOTOS", "--model", path, "--out", "seen"),
    )


def _measured(report: Path) -> dict[str, str]:
    """The means of the table."""
    try:
        lines: list[dict[str, Any]] = json.loads(read_text(report))["classes"]
        means = [line for line in lines if line["name"].startswith("mean of ")]
        return {f"AP50, {line['name']}": _from_to(line["before"], line["after"]) for line in means}
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise InputError(report, "is damaged, expected the report of a run") from fault


def _from_to(before: dict[str, float] | None, after: dict[str, float] | None) -> str:
    was, now = ("-" if each is None else f"{100 * each['ap50']:.1f}" for each in (before, after))
    return f"{was} before, {now} after"


def config(path: Path) -> Answer:
    """Returns what a pipeline.config asks for; where it cannot be built, why."""
    title = "TFOD's pipeline.config"
    try:
        described = read_pipeline(path)
    except InputError as fault:
        why = f"{fault.where}: {fault.reason}" if fault.where else fault.reason
        refuses = {"finetune --pipeline": why}
        return Answer(str(path), "config", title, takes=("config",), refuses=refuses, next=_rewritten(path))
    return Answer(
        str(path),
        "config",
        title,
        facts=_facts(described),
        takes=("config", "finetune --pipeline (of classification weights)"),
        refuses=dict.fromkeys(("finetune --base", "detect", "evaluate", "export"), "takes a model folder"),
        next=_rewritten(path),
    )


def _rewritten(path: Path) -> str:
    return command("config", path, "--labels", "MERGED.pbtxt", "--out", "new.config")


def served(path: Path) -> Answer | None:
    """Returns what a model is that was exported, or is of another library; None of what is no model."""
    suffix = path.suffix.lower()
    if path.is_dir():
        suffix = ".pb" if (path / "saved_model.pb").is_file() else ""
    title = (_EXPORTS | _FOREIGN).get(suffix)
    if title is None:
        return None
    try:
        unsupported.require_folder(path)
        why = (
            "a SavedModel, whose weights are no variables any more; expected the model folder it was made of"
        )
    except InputError as fault:
        why = fault.reason
    beside = path.parent / LABEL_MAP
    facts = {"label map": str(beside)} if beside.is_file() else {}
    return Answer(str(path), "export", title, facts, refuses=dict.fromkeys(_OF_MODELS, why))
