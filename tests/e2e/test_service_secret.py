"""Rasa and the action server listen on the machine, and other accounts on it may be strangers: they answer us alone."""

from __future__ import annotations

import httpx
import psutil
import pytest
from processes import Citizen, Stack

RASA = (
    "GET /", "GET /webhooks/rest/", "POST /webhooks/rest/webhook", "POST /webhooks/rest/webhook?stream=true",
    "OPTIONS /webhooks/rest/webhook", "HEAD /", "GET /status", "GET /version", "POST /model/parse", "PUT /model",
    "GET /conversations/x/tracker", "POST /conversations/x/execute", "GET /no/such/route", "PUT /",
)  # fmt: skip
ACTIONS = ("GET /health", "GET /actions", "POST /webhook", "HEAD /health", "GET /no/such/route", "DELETE /webhook")


def asked(stack: Stack, server: str, call: str, **headers: str | bytes) -> httpx.Response:
    method, path = call.split(" ")
    base = stack.settings.rasa_url if server == "rasa" else f"http://127.0.0.1:{stack.settings.action_port}"
    body = {"sender": "x", "message": "护照多少钱", "next_action": "action_smalltalk"} if method == "POST" else None
    with httpx.Client(trust_env=False, timeout=30) as http:
        return http.request(method, base + path, json=body, headers=headers)


@pytest.mark.parametrize(("server", "calls"), [("rasa", RASA), ("actions", ACTIONS)])
def test_without_the_secret_no_route_answers(stack: Stack, server: str, calls: tuple[str, ...]) -> None:
    for call in calls:
        for headers in (
            {},
            {"Authorization": "Bearer"},
            {"Authorization": f"Bearer {stack.secret[:-1]}"},
            {"Authorization": stack.secret},
            {"Authorization": f"Bearer {stack.secret}一".encode()},
            {"Cookie": f"token={stack.secret}"},
        ):
            answer = asked(stack, server, call, **headers)
            assert answer.status_code == 401, (call, headers)
            assert answer.text in ("", '{"error":"unauthorised"}'), call
        query = "&" if "?" in call else "?"
        assert asked(stack, server, f"{call}{query}token={stack.secret}").status_code == 401


def test_with_the_secret_both_answer_and_a_turn_goes_through_both(stack: Stack) -> None:
    bearer = f"Bearer {stack.secret}"
    assert asked(stack, "rasa", "GET /webhooks/rest/", Authorization=bearer).status_code == 200
    assert asked(stack, "actions", "GET /health", Authorization=bearer).status_code == 200
    assert asked(stack, "actions", "GET /no/such/route", Authorization=bearer).status_code != 401
    before = stack.metric("yihaoda_fallbacks_total")
    assert Citizen(stack).say("护照多少钱")["type"] == "answer"
    assert stack.metric("yihaoda_fallbacks_total") == before


def test_the_secret_stands_in_no_process_list_and_no_log(stack: Stack) -> None:
    for name in ("rasa", "actions", "gateway"):
        top = psutil.Process(stack.handle.pid(name))
        for process in (top, *top.children(recursive=True)):
            assert stack.secret not in " ".join(process.cmdline())
        assert stack.secret not in stack.handle.log(name).read_text(encoding="utf-8", errors="replace")
