"""The real gateway without Rasa, and people and programs that call it.  For tests only."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from conftest import forget
from fastapi.testclient import TestClient

from bot.settings import get_settings
from connectors.gateway.app import create_app
from tests.index.test_assistant import make


@contextmanager
def serving(patch: pytest.MonkeyPatch, **settings: str) -> Iterator[TestClient]:
    """The gateway, with settings of its own, once its index is in memory."""
    given = {"DENSE": "false", "RASA_PORT": "1", "RATE_PER_MINUTE": "100000", "DISK_FREE_MB": "0", **settings}
    for name, value in given.items():
        patch.setenv(f"YIHAODA_{name}", value)
    forget()
    assistant = make(get_settings())
    patch.setattr("connectors.gateway.app.get_assistant", lambda: assistant)
    patch.setattr("connectors.gateway.app.logs.configure", lambda level: None)
    with TestClient(create_app(), raise_server_exceptions=False) as client:
        client.portal.call(asyncio.wait, [client.app.state.gateway.loading])  # type: ignore[union-attr,attr-defined]
        yield client


def code_of(response: Any, status: int) -> str:
    """The error's code, once the status is right."""
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert any(character >= "\u4e00" for character in error["message"])
    return str(error["code"])
