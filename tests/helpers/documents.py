"""Documents against the schemas that are published for them: the parts of JSON Schema that these use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.helpers.places import SCHEMAS

_TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": int | float,
    "boolean": bool,
    "null": type(None),
}
_KNOWN = {"$ref", "$defs", "$schema", "title", "description", "default", "type", "enum", "anyOf"}
_KNOWN |= {"properties", "required", "additionalProperties", "items", "prefixItems", "minItems", "maxItems"}


def require_valid(document: Any, name: str) -> None:
    """Fails where a document is not what schemas/output/NAME.schema.json says, or says more than that."""
    schema = json.loads((SCHEMAS / f"output/{name}.schema.json").read_text(encoding="utf-8"))
    assert list(faults(document, schema, schema.get("$defs", {}), "")) == []


def faults(value: Any, schema: Any, defs: Any, where: str) -> Iterator[str]:
    """Yields where a value is none of a schema."""
    assert set(schema) <= _KNOWN, schema
    if "$ref" in schema:
        schema = defs[schema["$ref"].removeprefix("#/$defs/")]
    if "anyOf" in schema:
        of_each = [list(faults(value, each, defs, where)) for each in schema["anyOf"]]
        yield from [] if [] in of_each else min(of_each, key=len)
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where} is {value!r}, none of {schema['enum']}"
    kind = schema.get("type")
    if kind and (not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")):
        yield f"{where} is {value!r}, expected {kind}"
    elif isinstance(value, dict):
        properties = schema.get("properties", {})
        yield from (f"{where} lacks {key}" for key in schema.get("required", ()) if key not in value)
        for key, item in value.items():
            more = properties.get(key, schema.get("additionalProperties"))
            if not isinstance(more, dict):
                yield f"{where} has {key}, of which the schema says nothing"
            else:
                yield from faults(item, more, defs, f"{where}.{key}")
    elif isinstance(value, list):
        yield from _faults_of_items(value, schema, defs, where)


def _faults_of_items(values: list[Any], schema: Any, defs: Any, where: str) -> Iterator[str]:
    """Yields where items are none of an array's or a tuple's schema, or are too few or too many."""
    if not schema.get("minItems", 0) <= len(values) <= schema.get("maxItems", len(values)):
        yield f"{where} has {len(values)} items"
    first, others = schema.get("prefixItems", []), schema.get("items", {})
    for number, item in enumerate(values):
        of_item = first[number] if number < len(first) else others
        if of_item is False:
            yield f"{where}[{number}] is one more than the schema has"
        else:
            yield from faults(item, of_item, defs, f"{where}[{number}]")
