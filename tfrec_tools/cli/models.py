"""`tfrec models`: what can be opened, and what can be had by name."""

from __future__ import annotations

from tfrec_tools.cli.options import Json, command
from tfrec_tools.cli.shown import say


@command("tfrec models --json")
def models(json: Json = False) -> None:
    """List the families that tfrec builds, and TFOD's zoo, whose models --base and --model take by name.

    A model is downloaded when it is first asked for, and kept in ~/.keras/tfrec (KERAS_HOME moves it). The
    variable TFREC_ZOO names another address that has the same files; --json gives the address of each.
    """
    import json as json_

    from tfrec_tools.cli import console
    from tfrec_tools.detector.config.read import EXTRACTORS
    from tfrec_tools.detector.model import zoo

    if json:
        keys = ("short_name", "name", "family", "address", "hindrance")
        listed = [{key: getattr(model, key) for key in keys} for model in zoo.ALL]
        extractors = {kind: list(names) for kind, names in EXTRACTORS.items()}
        say(json_.dumps({"extractors": extractors, "zoo": listed}, indent=2))
        return
    console.print_table(
        "What a pipeline.config may say: model and feature_extractor",
        ("model", "type"),
        [(kind, name) for kind, names in EXTRACTORS.items() for name in names],
    )
    rows = [(model.short_name, model.family, _opens(model.hindrance)) for model in zoo.ALL]
    console.print_table("TFOD's zoo, trained on COCO", ("name", "family", "opens"), rows)
    say(f"Address: {zoo.address()}")


def _opens(hindrance: str) -> str:
    """Returns one word, with the reason only where it is short enough for a table."""
    return "yes" if not hindrance else f"no: {hindrance}" if len(hindrance) < 10 else "no"
