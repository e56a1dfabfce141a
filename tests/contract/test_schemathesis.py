"""Whatever fits the OpenAPI document, and much that does not, gets a documented answer."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode, SerializationContext
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation, BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from telecine.http.connection import HEADERS_BYTES
from tests.contract.conftest import MakeTenant, Tenant, accepted
from tests.fixtures.server import TelecineServer

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]

EXAMPLES = 10
"""Requests per operation, mode and test: some thousand, in a minute or two."""

bounded = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@schemathesis.serializer("application/offset+octet-stream", "application/partial-upload")
def bytes_as_they_are(_: SerializationContext, value: Any) -> bytes:
    """Stretches of files, which are no documents."""
    return value if isinstance(value, bytes) else str(value).encode()


Operation = APIOperation[Any, Any, Any, Any]
Credentials = Callable[[Operation], dict[str, str]]


@pytest.fixture(scope="module")
def schema(base_url: str) -> BaseSchema:
    return schemathesis.openapi.from_url(f"{base_url}/openapi.json")


@pytest.fixture(scope="module")
def credentials(telecine_server: TelecineServer, tenant: Tenant) -> Credentials:
    """Tell the header that an operation wants."""
    key = httpx.BasicAuth(tenant.key, "")._auth_header
    headers = {"operatorKey": f"Bearer {telecine_server.operator_key}", "apiKey": key}

    def choose(operation: Operation) -> dict[str, str]:
        wanted = [name for one in operation.definition.raw["security"] for name in one]
        return {"Authorization": headers[wanted[0]]} if wanted else {}

    return choose


@pytest.fixture(scope="module")
def existing(api: httpx.Client, make_tenant: MakeTenant) -> dict[str, str]:
    """Path parameters of resources that exist; a project that may be changed at will."""
    return {
        "videoId": accepted(api.post("/videos", json={"title": "exists"}))["videoId"],
        "projectId": make_tenant("generated requests").project_id,
    }


def operations(schema: BaseSchema) -> Iterator[Operation]:
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        yield result.ok()


def attack(operation: Operation, headers: dict[str, str], path: Mapping[str, str]) -> None:
    """Send generated requests, valid and not, and check what comes back."""
    with requests.Session() as session:
        for mode in GenerationMode:

            @bounded
            @given(case=operation.as_strategy(generation_mode=mode))
            def check(case: Case[Any]) -> None:
                case.path_parameters.update(path)
                response = case.call(headers=headers, session=session)
                if response.status_code == 431:
                    # Of the server, which does not know yet which operation it is.
                    assert len(response.request.url or "") > HEADERS_BYTES - 4096
                else:
                    case.validate_response(response, checks=CHECKS)

            check()


def test_every_operation(
    schema: BaseSchema, credentials: Credentials, subtests: pytest.Subtests
) -> None:
    for operation in operations(schema):
        with subtests.test(operation.label):
            attack(operation, credentials(operation), {})


def test_operations_on_what_exists(
    schema: BaseSchema,
    credentials: Credentials,
    existing: dict[str, str],
    subtests: pytest.Subtests,
) -> None:
    for operation in operations(schema):
        names = {name for name in existing if f"{{{name}}}" in operation.path}
        if names and operation.method != "delete":
            with subtests.test(operation.label):
                path = {name: existing[name] for name in names}
                attack(operation, credentials(operation), path)
