"""`tfrec detect`: a model looks at images."""

from __future__ import annotations

from typing import Any

from tfrec_tools.cli.options import Json, command
from tfrec_tools.cli.shown import say
from tfrec_tools.detector.options.models import DetectOptions
from tfrec_tools.errors import counted


@command("tfrec detect photos/ --model run/model --out detections", of_classes=True)
def detect(options: DetectOptions, json: Json = False) -> None:
    """Find objects in images: boxes drawn, and listed as COCO's results (JSON) and as CSV.

    Images that TensorFlow cannot decode are transcoded as convert does, and like there EXIF orientation is
    ignored. A damaged image is passed over and reported, and makes exit code 1. The same command again does
    nothing where nothing changed.
    """
    from tfrec_tools.cli import console, manner, tensorflow
    from tfrec_tools.detector import preflight
    from tfrec_tools.detector.inference.summary import Summary, origin_of
    from tfrec_tools.detector.model.standing import finished_before

    preflight.require_images(options.words)
    for note in preflight.model_notes(options.model, options.label_map):
        manner.note(note)
    if (summary := finished_before(options, origin_of, Summary)) is None:
        with console.watched(options) as watched:
            tensorflow.load(watched.progress)
            from tfrec_tools.detector.inference import detect as story

            summary = story.detect_images(watched)
    if json:
        manner.say_document(_document(options, summary))
    else:
        _print(options, summary)
    for line in summary.left_out:
        manner.note(line)
    _report_issues(summary)


def _document(options: DetectOptions, summary: Any) -> dict[str, Any]:
    return {
        "out": str(options.out),
        "images": summary.images,
        "boxes": dict(summary.most_common),
        "scores": summary.scores,
        "left_out": list(summary.left_out),
        "issues": [
            {"code": issue.code, "source": issue.source, "message": issue.message} for issue in summary.issues
        ],
        "outcome": summary.outcome,
        "changed": summary.changed,
    }


def _print(options: DetectOptions, summary: Any) -> None:
    from tfrec_tools.cli import class_tables
    from tfrec_tools.cli.report import say_outcome

    say_outcome(summary, "another --out does it again")
    title = (
        f"{counted(sum(summary.boxes.values()), 'box')} in {counted(summary.images, 'image')}: {options.out}"
    )
    rows = [(name, count, f"{summary.scores[name]:.2f}") for name, count in summary.most_common]
    if rows:
        order = class_tables.most_frequent([count for _, count, _ in rows])
        class_tables.print_classes(title, ("class", "boxes", "scores from"), rows, order)
    else:
        say(title)


def _report_issues(summary: Any) -> None:
    from tfrec_tools.cli import manner
    from tfrec_tools.errors import TfrecError

    for issue in summary.issues:
        if issue not in summary.damaged:
            manner.note(f"{issue.code}: {issue.message}")
    if summary.damaged:
        listed = "; ".join(issue.message for issue in summary.damaged[:5])
        raise TfrecError(
            f"passed over: {counted(len(summary.damaged), 'damaged image')}: {listed}"
            + ("; ..." if summary.damaged[5:] else "")
        )
