"""How images are divided among shards and splits, the same on every machine."""

from __future__ import annotations

import hashlib

from tfrec_tools.errors import InputError

SHARD_BYTES = 150_000_000


def shard_count(wanted: int | None, images: int, size: int) -> int:
    """As wanted, else one a SHARD_BYTES of images."""
    if wanted is None:
        return min(images, -(-size // SHARD_BYTES) or 1)
    if wanted > images:
        raise InputError("--shards", f"{wanted} shards for {images} images; give at most as many")
    return wanted


def position(key: str, seed: int, purpose: str) -> float:
    """Where a key falls in [0, 1), evenly over keys and the same on every machine."""
    digest = hashlib.blake2b(f"{purpose}:{seed}:{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
