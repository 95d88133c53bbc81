"""Examples of the OpenAPI document, put together from those of the fields."""

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

JSON = "application/json"
FORMATS = {"uuid": "0198c5a0-7d0e-7c3a-9a53-5b1d2f6c8e01", "date-time": "2026-01-01T12:00:00Z"}
SIMPLE: dict[str, Any] = {"integer": 1, "number": 1.5, "boolean": False, "null": None}
UNNAMED = "string"  # in place of a text that has no example of its own, which a test finds


def add_examples(document: Schema) -> None:
    """Gives every JSON body of the document an example, of requests as of answers."""
    schemas = document["components"]["schemas"]
    for operations in document["paths"].values():
        for operation in operations.values():
            add_example(operation.get("requestBody", {}), schemas, asked=True)
            for answer in operation["responses"].values():
                add_example(answer, schemas)


def add_example(holder: Schema, schemas: Mapping[str, Schema], *, asked: bool = False) -> None:
    media = holder.get("content", {}).get(JSON)
    if media is not None:
        media.setdefault("example", example_of(media["schema"], schemas, asked=asked))


def example_of(schema: Schema, schemas: Mapping[str, Schema], *, asked: bool = False) -> Any:
    """A value of this schema. Of what is `asked` for, what may be left out is there only where
    it has an example of its own.
    """
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rsplit("/", 1)[1]]
    for key in ("examples", "enum"):
        if key in schema:
            return schema[key][0]
    if "const" in schema:
        return schema["const"]
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0], schemas, asked=asked)
    kind = schema.get("type")
    if kind == "array":
        return [example_of(schema["items"], schemas, asked=asked)]
    if kind == "object":
        return example_of_object(schema, schemas, asked=asked)
    return SIMPLE[kind] if kind in SIMPLE else FORMATS.get(schema.get("format", ""), UNNAMED)


def example_of_object(schema: Schema, schemas: Mapping[str, Schema], *, asked: bool) -> Schema:
    required = schema.get("required", ())
    return {
        name: example_of(found, schemas, asked=asked)
        for name, found in schema.get("properties", {}).items()
        if not asked or name in required or "examples" in found
    }
