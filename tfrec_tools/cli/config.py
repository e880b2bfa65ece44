"""`tfrec config`: a TFOD pipeline.config for other classes, records and weights."""

from __future__ import annotations

from tfrec_tools.cli.options import Json, command
from tfrec_tools.cli.shown import say
from tfrec_tools.detector.options.models import ConfigOptions
from tfrec_tools.errors import counted


@command("tfrec config my_model --labels merged.pbtxt --train 'records/new-*' --out new.config")
def config(options: ConfigOptions, json: Json = False) -> None:
    """Rewrite a TFOD pipeline.config for other classes and records; every other line stays as it is.

    Works for every family of TFOD, also those that finetune does not open.
    """
    from dataclasses import asdict

    from tfrec_tools.cli import manner
    from tfrec_tools.detector.config.rewrite import Changes, rewrite_file
    from tfrec_tools.labels.pbtxt import read_label_map
    from tfrec_tools.system.options import as_path

    changes = Changes(
        num_classes=max(read_label_map(as_path(options.labels)).name_by_id),
        label_map_path=str(options.labels),
        train=options.train,
        val=options.val,
        checkpoint=options.checkpoint,
        checkpoint_type=options.checkpoint_type,
        batch_size=options.batch,
    )
    rewrite_file(as_path(options.source), as_path(options.out), changes)
    if json:
        manner.say_document({"out": str(options.out), **asdict(changes)})
        return
    say(f"{options.out}: {counted(changes.num_classes, 'class')}, label map {options.labels}")
