"""`tfrec export`: a model for others to run."""

from __future__ import annotations

from tfrec_tools.cli.options import Json, command
from tfrec_tools.cli.shown import say
from tfrec_tools.detector.options.models import ExportOptions


@command("tfrec export --model run/model --to tflite --out app")
def export(options: ExportOptions, json: Json = False) -> None:
    """Write a model as a SavedModel with TFOD's signature, as TFLite, ONNX or TFOD's checkpoint.

    What was written is run beside the original on an image; where they do not agree, nothing is left. The
    same command again does nothing where nothing changed.
    """
    from dataclasses import asdict

    from tfrec_tools.cli import manner, tensorflow
    from tfrec_tools.cli.report import say_outcome
    from tfrec_tools.detector import preflight
    from tfrec_tools.detector.export.exported import Exported, origin_of
    from tfrec_tools.detector.model.standing import finished_before

    options.require_possible()
    preflight.require_images(options.patterns)
    for note in preflight.model_notes(options.model, options.label_map):
        manner.note(note)
    if (exported := finished_before(options, origin_of, Exported)) is None:
        tensorflow.load()
        from tfrec_tools.detector.export import export as story

        with tensorflow.quiet():
            exported = story.export_model(options)
    agreement = exported.agreement
    if agreement.gaps:
        ids = ", ".join(map(str, agreement.gaps))
        manner.note(f"no class has the id {ids}: labels.txt has ??? there")
    if json:
        what = {"outcome": exported.outcome, "changed": exported.changed}
        document = {"out": str(options.out), "to": options.to, "agreement": asdict(agreement)}
        manner.say_document(document | what)
        return
    say_outcome(exported, "another --out does it again")
    say(f"{options.out}: {options.to}")
    say(
        f"Beside the original, scores differ by at most {agreement.raw_scores:.2g} "
        f"(mean {agreement.raw_mean:.2g}) and boxes by at most {agreement.raw_boxes:.2g} of the image; of "
        "the "
        f"best {agreement.compared} detections {agreement.compared - agreement.lost} are the same."
    )
