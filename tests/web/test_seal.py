"""The city's seal: none unless a setting names a small picture."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from bot.settings import Settings
from connectors.gateway import app

PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><circle cx="4" cy="4" r="4" fill="#c8102e"/></svg>'


@pytest.mark.parametrize(
    ("name", "spaces", "shown"),
    [
        ("seal.svg", 0, True),
        ("seal.png", 0, True),
        ("seal.txt", 0, False),
        ("seal.svg", 100_000, False),
        ("", 0, False),
    ],
)
def test_a_seal_is_served_where_there_is_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, spaces: int, shown: bool
) -> None:
    if name:
        (tmp_path / name).write_text(PICTURE + " " * spaces)
        monkeypatch.setattr(settings, "seal_file", str(tmp_path / name))
    with TestClient(app.create_app()) as client:
        assert client.get("/api/site").json()["seal"] == ("/api/seal" if shown else None)
        answer = client.get("/api/seal")
    assert answer.status_code == (200 if shown else 404)
    if shown:
        assert answer.text == PICTURE
        assert answer.headers["content-type"].startswith("image/")
        assert "default-src 'none'" in answer.headers["content-security-policy"]
