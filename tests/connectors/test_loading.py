"""A gateway that has just been started: it takes and stores messages before the index is in memory."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import forget
from fastapi.testclient import TestClient

from bot.settings import ROOT, Settings, get_settings
from connectors.gateway.app import create_app
from connectors.web import context
from index.versions import store
from tests.connectors.test_citizens_api import ASKED, Citizen
from tests.index.test_assistant import make

HEAVY = {
    "torch",
    "onnxruntime",
    "sentence_transformers",
    "transformers",
    "faiss",
    "scipy",
    "sklearn",
    "bm25s",
    "pypinyin",
    "openpyxl",
}


@pytest.fixture
def gate() -> threading.Event:
    """Opened when the index may be loaded."""
    return threading.Event()


@pytest.fixture
def loading(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch, gate: threading.Event) -> Iterator[TestClient]:
    """A gateway without Rasa whose index takes until the gate is opened."""
    monkeypatch.setenv("YIHAODA_DENSE", "false")
    monkeypatch.setenv("YIHAODA_RASA_PORT", "1")  # nobody there
    forget()
    assistant = make(get_settings())
    really = store.load

    def load(*arguments: Any) -> store.Loaded:
        assert gate.wait(60)
        return really(*arguments)

    monkeypatch.setattr(store, "load", load)
    monkeypatch.setattr(context, "_LOADING_WAIT_S", 0.1)
    monkeypatch.setattr("connectors.gateway.app.get_assistant", lambda: assistant)
    # The log would go to a standard error that ends with the test.
    monkeypatch.setattr("connectors.gateway.app.logs.configure", lambda level: None)
    with TestClient(create_app(), raise_server_exceptions=False) as client:
        yield client
        gate.set()


def ready(http: TestClient) -> dict[str, Any]:
    """What /readyz says once nothing is being loaded any more."""
    deadline = time.monotonic() + 60
    while (said := http.get("/readyz")).json()["status"] == "loading":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return {"code": said.status_code, **said.json()}


def test_messages_are_stored_and_acknowledged_at_once_and_answered_when_the_index_is_there(
    loading: TestClient, gate: threading.Event
) -> None:
    said = loading.get("/readyz")
    expected: dict[str, object] = {"status": "loading", "accepting": True, "answering": False, "rasa": False}
    assert said.status_code == 503 and expected.items() <= said.json().items()
    assert loading.get("/healthz").status_code == loading.get("/metrics").status_code == 200
    citizens = [Citizen(loading) for _ in range(12)]  # more than there are threads for turns
    ids = [uuid.uuid4().hex for _ in citizens]
    for citizen, message_id in zip(citizens, ids, strict=True):
        taken = citizen.say(ASKED, message_id)
        assert taken.status_code == 202 and taken.json()["deferred"] is True
        assert [one["text"] for one in citizen.call("GET", "/messages").json()["messages"]] == [ASKED]
    gate.set()
    expected = {
        "code": 200,
        "status": "degraded",
        "accepting": True,
        "answering": True,
        "rasa": False,
        "index_error": None,
    }
    assert expected.items() <= ready(loading).items()
    for citizen, message_id in zip(citizens, ids, strict=True):
        again = citizen.say(ASKED, message_id)
        assert again.status_code == 200
        assert [reply["type"] for reply in again.json()["replies"]] == ["answer"]
        history = citizen.call("GET", "/messages").json()["messages"]
        assert [one["sender"] for one in history] == ["citizen", "bot"]


@pytest.mark.parametrize("error", [store.IndexDamaged("坏了"), OSError(5, "Input/output error")])
def test_without_an_index_it_says_so_and_registers_tickets(
    sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setenv("YIHAODA_DENSE", "false")
    monkeypatch.setenv("YIHAODA_RASA_PORT", "1")
    forget()
    assistant = make(get_settings())

    def load(*_: Any) -> store.Loaded:
        raise error

    monkeypatch.setattr(store, "load", load)
    monkeypatch.setattr("connectors.gateway.app.get_assistant", lambda: assistant)
    monkeypatch.setattr("connectors.gateway.app.logs.configure", lambda level: None)
    with TestClient(create_app(), raise_server_exceptions=False) as http:
        said = ready(http)
        assert (said["code"], said["status"], said["accepting"], said["answering"]) == (503, "unavailable", True, False)
        assert Citizen(http).say(ASKED).json()["replies"][0]["type"] == "ticket"


def test_nothing_heavy_is_imported_on_the_way_to_the_first_accept() -> None:
    code = "import sys, connectors.gateway.app; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert HEAVY & set(done.stdout.split()) == set()
