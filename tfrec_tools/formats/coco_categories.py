"""The categories of a COCO file: their names and ids, and what is odd about them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.errors import InputError, readable
from tfrec_tools.formats import json_arrays
from tfrec_tools.formats.coco_schema import (
    CATEGORY_KEYS,
    EXPECTED,
    Category,
    Id,
    categories_of,
    id_numbers,
    key_of,
    order_of,
    own_keys,
)


def listed_categories(path: Path, raw: msgspec.Raw) -> list[Category]:
    """Returns the categories by id. InputError names the one that is none."""
    parts = json_arrays.slices(path, "categories", raw, EXPECTED, categories_of, CATEGORY_KEYS)
    return sorted((item for part in parts for item in part), key=lambda category: order_of(category.id))


def names_of(path: Path, categories: Sequence[Category]) -> tuple[str, ...]:
    """Returns their names; raises InputError where one is empty or an id stands for two."""
    by_key: dict[str, str] = {}
    for category in categories:
        key, name = key_of(category.id), str(category.name).strip()
        if not name:
            raise InputError(path, f"the name of category id {key} is empty", where="categories")
        if category.id is not None and by_key.setdefault(key, name) != name:
            raise InputError(
                path, f"category id {key} stands for {by_key[key]!r} and {name!r}", where="categories"
            )
    return tuple(str(category.name).strip() for category in categories)


def classes_of(names: Sequence[str], root: int) -> tuple[str, ...]:
    """Returns each name once, without that of category number `root`."""
    return tuple(dict.fromkeys(name for i, name in enumerate(names) if i != root))


def ids_by_name(categories: Sequence[Category], classes: Sequence[str]) -> dict[str, int | str]:
    """Returns {class: its first id in the list}, without those that have none."""
    ids: dict[str, int | str] = {}
    for category in categories:
        own = category.id
        if own is not None:
            ids.setdefault(str(category.name).strip(), int(own) if isinstance(own, float) else own)
    return {name: ids[name] for name in classes if name in ids}


def category_issues(path: Path, categories: Sequence[Category], root: int) -> list[Issue]:
    """That number `root` is superfluous; names with white space around them, and names of several ids."""
    issues = []
    if root >= 0:
        message = f"category 0 {categories[root].name!r} has no boxes and is the parent of all others"
        issues.append(Issue("class-superfluous", path.name, None, message, True))
    ids: dict[str, set[str]] = {}
    for category in categories:
        raw_name, key = str(category.name), key_of(category.id)
        if category.id is None:
            message = f"category {raw_name!r} has no id, so that no annotation can be of it"
            issues.append(Issue("class-unknown", readable(path.name), None, message, True))
            continue
        ids.setdefault(raw_name.strip(), set()).add(key)
        if raw_name != raw_name.strip():
            message = f"the name of category id {key} is {raw_name!r}"
            issues.append(Issue("class-untrimmed", path.name, None, message, True))
    for name, keys in ids.items():
        if len(keys) > 1:
            message = f"{name!r} is the name of ids {', '.join(sorted(keys))}"
            issues.append(Issue("class-duplicate", path.name, None, message, True))
    return issues


def category_numbers(categories: Sequence[Category]) -> dict[Id | None, int]:
    return id_numbers(own_keys([category.id for category in categories]))
