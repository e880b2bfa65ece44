"""How images are divided among shards and splits, the same on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import TypeVar

from tfrec_tools.dataset.options import SetOptions
from tfrec_tools.dataset.shards import shard_paths
from tfrec_tools.errors import InputError, counted

SHARD_BYTES = 150_000_000

Item = TypeVar("Item")


def shard_count(wanted: int | None, images: int, size: int) -> int:
    """Returns the number of shards: as wanted, else one for each SHARD_BYTES of images."""
    if wanted is None:
        return min(images, -(-size // SHARD_BYTES) or 1)
    if wanted > images:
        raise InputError(
            "--shards", f"{counted(wanted, 'shard')} for {counted(images, 'image')}; give at most as many"
        )
    return wanted


def shards_of(
    options: SetOptions, split: str, items: Sequence[Item], id_of: Callable[[Item], str], sizes: int
) -> list[tuple[str, tuple[Item, ...]]]:
    """The files of a split's shards with their items, in an order that follows from the seed, of nearly equal
    numbers. `sizes` is the sum of all bytes."""
    ordered = sorted(items, key=lambda item: position(id_of(item), options.seed, "order"))
    if not ordered:
        return []
    count = shard_count(options.shard_count, len(ordered), sizes)
    bounds = [len(ordered) * i // count for i in range(count + 1)]
    files = shard_paths(options.prefix, count, split, options.codec)
    return [
        (file.name, tuple(ordered[start:end]))
        for file, (start, end) in zip(files, pairwise(bounds), strict=True)
    ]


def digests(how: object, contents: Iterable[bytes], files: Iterable[str]) -> tuple[str, str]:
    """Of a shard: the digest of all that its bytes depend on, and the same with the state of its files.

    how   how its items are treated; its repr says all of it
    """
    digest = hashlib.blake2b(repr(how).encode(), digest_size=16)
    for content in contents:
        digest.update(content)
    of_content = digest.hexdigest()
    for file in files:
        digest.update(file.encode(errors="surrogateescape"))
    return of_content, digest.hexdigest()


def position(key: str, seed: int, purpose: str) -> float:
    """Returns where a key falls in [0, 1), evenly over keys and the same on every machine."""
    digest = hashlib.blake2b(f"{purpose}:{seed}:{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
