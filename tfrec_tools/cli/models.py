"""`tfrec models`: what can be opened, and what can be had by name."""

from __future__ import annotations

from tfrec_tools.cli.options import Json, command
from tfrec_tools.cli.shown import say


@command("tfrec models --json")
def models(json: Json = False) -> None:
    """List the families that tfrec builds, and TFOD's zoo: what opens, --base and --model take by name.

    A model is downloaded when it is first asked for, and kept in ~/.keras/tfrec (KERAS_HOME moves it). The
    variable TFREC_ZOO names another address that has the same files; --json gives the address of each.
    """
    from tfrec_tools.cli import console, manner
    from tfrec_tools.detector.config.read import EXTRACTORS
    from tfrec_tools.detector.model import zoo
    from tfrec_tools.labels.zoo import MODELS

    if json:
        listed = [
            {
                "short_name": model.short_name,
                "name": model.name,
                "family": model.family,
                "address": zoo.address_of(model),
                "opens": not zoo.why_not(model),
                "why_not": zoo.why_not(model),
            }
            for model in MODELS
        ]
        extractors = {kind: list(names) for kind, names in EXTRACTORS.items()}
        manner.say_document({"extractors": extractors, "zoo": listed})
        return
    console.print_table(
        "What a pipeline.config may say: model and feature_extractor",
        ("model", "type"),
        [(kind, name) for kind, names in EXTRACTORS.items() for name in names],
    )
    rows = [(model.short_name, model.family, _opens(zoo.why_not(model), model.more)) for model in MODELS]
    console.print_table("TFOD's zoo, trained on COCO", ("name", "family", "opens"), rows)
    say(f"Archives: {zoo.address()}; each one's address: tfrec models --json")


def _opens(why_not: str, more: str) -> str:
    if not why_not:
        return "yes"
    return f"no, with its {more}" if more else "no"
