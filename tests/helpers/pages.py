"""What a page of images holds, as its script reads it."""

from __future__ import annotations

import json
from typing import Any

from lxml import html


def data_of(page: bytes) -> dict[str, Any]:
    (element,) = html.fromstring(page).xpath("//script[@id='data']")
    found: dict[str, Any] = json.loads(element.text)
    return found


def cards(page: bytes) -> list[dict[str, Any]]:
    """Its images, with the names of the classes of their boxes."""
    data = data_of(page)
    names = [name for name, *_ in data["classes"]]
    for card in data["cards"]:
        card["classes"] = [names[box[0]] for box in card["boxes"]]
    return list(data["cards"])
