"""What a linter asks of an OpenAPI document beyond its being valid."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from httpx import AsyncClient
from openapi_schema_validator import OAS31Validator
from quart_schema.validation import QUART_SCHEMA_REQUEST_ATTRIBUTE

from myapp.app import create_app
from myapp.config import Settings
from myapp.health import Health
from myapp.openapi_examples import JSON, UNNAMED
from myapp.registry import build
from myapp.resources import closed_resources

Document = dict[str, Any]


@pytest.fixture
async def document(client: AsyncClient) -> Document:
    found: Document = (await client.get("/openapi.json")).json()
    return found


def operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    for path, found in document["paths"].items():
        for method, operation in found.items():
            yield path, method, operation


def components(document: Document) -> set[str]:
    return {
        f"#/components/{kind}/{name}"
        for kind in ("schemas", "responses", "parameters")
        for name in document["components"].get(kind, {})
    }


def test_each_operation_has_an_id_of_its_own(document: Document) -> None:
    ids = Counter(operation.get("operationId") for *_, operation in operations(document))
    assert None not in ids
    assert [name for name, count in ids.items() if count > 1] == []


def test_each_tag_is_described(document: Document) -> None:
    described = {tag["name"] for tag in document["tags"] if tag["description"]}
    used = {tag for *_, operation in operations(document) for tag in operation["tags"]}
    assert used == described


def test_each_summary_is_one_sentence_and_differs(document: Document) -> None:
    summaries = Counter(operation["summary"] for *_, operation in operations(document))
    assert [text for text, count in summaries.items() if count > 1] == []
    assert [text for text in summaries if len(text) > 100 or not text[0].isupper()] == []


def test_each_path_parameter_is_declared(document: Document) -> None:
    for path, method, operation in operations(document):
        declared = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
        assert declared == set(re.findall(r"{(\w+)}", path)), (method, path)


def test_each_reference_leads_somewhere_and_each_component_is_used(document: Document) -> None:
    used = set(
        re.findall(r'"(#/components/(?:schemas|responses|parameters)/[^"]+)"', json.dumps(document))
    )
    assert used == components(document)


def test_each_operation_that_asks_who_you_are_says_how_it_refuses(document: Document) -> None:
    schemes = set(document["components"]["securitySchemes"])
    for path, method, operation in operations(document):
        asked = [scheme for scheme in operation["security"] if scheme]
        assert {name for scheme in asked for name in scheme} <= schemes
        if asked and {} not in operation["security"]:
            assert {"401", "403"} <= set(operation["responses"]), (method, path)


def test_each_failure_is_the_envelope(document: Document) -> None:
    for path, method, operation in operations(document):
        for status, answer in operation["responses"].items():
            if status[0] == "4" or status == "default":
                name = answer["$ref"].removeprefix("#/components/responses/")
                content = document["components"]["responses"][name]["content"]
                schema = content["application/json"]["schema"]["$ref"]
                assert schema == "#/components/schemas/Failure", (method, path)


def bodies(document: Document) -> Iterator[tuple[str, Document]]:
    """Every body of JSON, asked for or answered, by where it stands."""
    for path, method, operation in operations(document):
        holders = {"asks": operation.get("requestBody", {}), **operation["responses"]}
        for name, holder in holders.items():
            if JSON in holder.get("content", {}):
                yield f"{method} {path} {name}", holder["content"][JSON]
    for name, answer in document["components"]["responses"].items():
        yield name, answer["content"][JSON]


def texts(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)
    else:
        yield value


def test_each_body_has_an_example_that_its_own_schema_accepts(document: Document) -> None:
    found = list(bodies(document))
    assert len(found) > 60
    for where, body in found:
        schema = {**body["schema"], "components": document["components"]}
        checked = OAS31Validator(schema, format_checker=OAS31Validator.FORMAT_CHECKER)
        assert list(checked.iter_errors(body["example"])) == [], where


def test_no_example_is_made_up(document: Document) -> None:
    """A text without `examples` in its Field gets a filler, which says nothing to a reader."""
    assert [where for where, body in bodies(document) if UNNAMED in texts(body["example"])] == []


def test_each_example_of_a_request_is_one_that_its_route_takes(
    settings: Settings, document: Document
) -> None:
    features = build(closed_resources(settings))
    app = create_app(settings, features, Health({}, stop=asyncio.Event()))
    models = {
        handler.__name__: getattr(handler, QUART_SCHEMA_REQUEST_ATTRIBUTE, (None,))[0]
        for handler in app.view_functions.values()
    }
    tried = 0
    for *_, operation in operations(document):
        if model := models[operation["operationId"]]:
            example = operation["requestBody"]["content"][JSON]["example"]
            model.model_validate_json(json.dumps(example))
            tried += 1
    assert tried > 5
