"""Every route of the real gateway over HTTP, with what its OpenAPI description allows and what it forbids, on both databases.

For ``make test-full``.  The description itself is held to its word: statuses, content types, bodies, the methods of a 405.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
import uvicorn
from conftest import forget
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from processes import signed_in
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from bot.accounts.roles import ROLES
from bot.settings import Settings, get_settings
from connectors.gateway.app import create_app
from connectors.run.background import free_ports
from tests.index.test_assistant import make

pytestmark = [pytest.mark.full, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

EXAMPLES = 30
"""Of each kind, for each route and database"""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    allow_header_conformance,
    unsupported_method,
]


@contextlib.contextmanager
def listening(patch: pytest.MonkeyPatch, db: Settings) -> Iterator[str]:
    """The gateway on a port of its own; Rasa is down."""
    (port,) = free_ports(1)
    more = {"RATE_PER_MINUTE": "1000000", "CONVERSATIONS_PER_MINUTE": "1000000", "RASA_PORT": "1", "DENSE": "false"}
    for name, value in more.items():
        patch.setenv(f"YIHAODA_{name}", value)
    forget()
    assistant = make(get_settings())
    patch.setattr("connectors.gateway.app.get_assistant", lambda: assistant)
    patch.setattr("connectors.gateway.app.logs.configure", lambda level: None)
    server = uvicorn.Server(uvicorn.Config(create_app(), port=port, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            thread.join(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)


@pytest.mark.timeout(900)
def test_no_request_breaks_the_gateway_and_its_description_holds(db: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(monkeypatch, db) as url, httpx.Client(base_url=url, trust_env=False, timeout=60) as http:
        opened = http.post("/api/conversations").json()
        citizen = {"Authorization": f"Bearer {opened['token']}"}
        operator = signed_in("xiaowang", "小王", *ROLES, department="医保局")
        said = http.post(
            f"/api/conversations/{opened['id']}/messages",
            json={"message_id": "m", "text": "我要投诉楼下烧烤店半夜油烟太大"},
            headers=citizen,
        )
        assert said.status_code == 200
        schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
        called: dict[str, int] = {}

        def known(case: Any) -> dict[str, str]:
            """Half of the cases are about what exists, with the right token."""
            headers = {"Accept": "application/json"}
            called[case.operation.label] = number = called.get(case.operation.label, 0) + 1
            if number % 2 and case.operation.label != "DELETE /api/conversations/{conversation_id}":
                if "conversation_id" in (case.path_parameters or {}):
                    case.path_parameters["conversation_id"] = opened["id"]
                inside = case.operation.path.startswith(("/api/desk/", "/api/admin/", "/api/auth/"))
                headers |= operator if inside and case.operation.label != "POST /api/auth/sign-out" else citizen
            return headers

        for found in schema.get_all_operations():
            operation = found.ok()
            for mode in schemathesis.GenerationMode:

                @settings(
                    max_examples=EXAMPLES,
                    deadline=None,
                    derandomize=True,
                    database=None,
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                )
                @given(case=operation.as_strategy(generation_mode=mode))
                def hold(case: Any) -> None:
                    case.call_and_validate(headers=known(case), checks=CHECKS, timeout=60)

                # What has no parameters has no wrong ones either.
                negative = mode is schemathesis.GenerationMode.NEGATIVE
                with contextlib.suppress(Unsatisfiable) if negative else contextlib.nullcontext():
                    hold()
        assert len(called) > 30 and sum(called.values()) > 20 * len(called)
        for address in ("/healthz", "/readyz"):
            assert http.get(address).status_code in (200, 503)
