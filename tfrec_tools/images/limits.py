"""How large an image may be; apart, so that the options of commands do not import Pillow."""

from __future__ import annotations

MAX_PIXELS = 250_000_000
