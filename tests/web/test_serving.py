"""The gateway serves the built pages: headers, caching, compression, nothing outside the build, and no build at all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from bot.settings import Settings
from connectors.gateway import app, pages

POLICY = "script-src 'self';"


@pytest.fixture
def client(settings: Settings) -> TestClient:
    """The gateway's application, not started: serving files needs no database."""
    return TestClient(app.create_app())


@pytest.fixture
def unbuilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[TestClient]:
    for build in ("BUILD", "CONSOLE"):
        monkeypatch.setattr(pages, build, tmp_path / "nothing")
    yield TestClient(app.create_app())


def scripts(client: TestClient) -> list[str]:
    found: list[str] = re.findall(r'src="(/assets/[^"]+\.js)"', client.get("/").text)
    return found


def test_the_page_is_asked_for_anew_and_may_run_only_its_own_scripts(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-cache"
    policy = answer.headers["content-security-policy"]
    assert POLICY in policy and "unsafe-eval" not in policy
    assert re.search(r"script-src[^;]*unsafe-inline", policy) is None
    assert "frame-ancestors 'none'" in policy
    assert "microphone=(self)" in answer.headers["permissions-policy"]
    assert not re.search(r"<script(?![^>]*src=)", answer.text), "an inline script would be refused by our own policy"
    assert client.get("/", headers={"If-None-Match": answer.headers["etag"]}).status_code in (200, 304)


def test_what_the_page_names_is_there_for_good_and_compressed(client: TestClient) -> None:
    named = re.findall(r'(?:src|href)="(/[^"]+\.(?:js|css))"', client.get("/").text)
    assert len(named) >= 2
    for path in named:
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"
    with client.stream("GET", scripts(client)[0]) as script:
        sent = b"".join(script.iter_raw())
    assert script.headers["content-type"].startswith(("text/javascript", "application/javascript"))
    assert script.headers["content-encoding"] == "gzip"
    assert len(sent) < len(client.get(scripts(client)[0]).content) / 2


def test_the_worker_is_asked_for_anew_and_names_what_the_page_does(client: TestClient) -> None:
    answer = client.get("/worker.js")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(("text/javascript", "application/javascript"))
    assert answer.headers["cache-control"] == "no-cache"
    assert POLICY in answer.headers["content-security-policy"]
    kept = re.findall(r'"(/[^"]*)"', answer.text)
    assert {"/", *re.findall(r'(?:src|href)="(/[^"]+)"', client.get("/").text)} <= set(kept)
    assert all(client.get(path).status_code == 200 for path in kept)


def test_head_tells_what_get_would(client: TestClient) -> None:
    for path in ("/", scripts(client)[0]):
        answer = client.head(path, headers={"Accept-Encoding": "identity"})
        assert answer.status_code == 200
        assert answer.content == b""
        assert int(answer.headers["content-length"]) == len(client.get(path).content)


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../index.html",
        "/assets/%2e%2e/index.html",
        "/assets/..%2f..%2f..%2fpackage.json",
        "/assets//etc/passwd",
        "/assets/%2fetc%2fpasswd",
        "/assets/",
        "/assets/none.js",
        "/static/..%2findex.html",
    ],
)
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"
    assert "immutable" not in answer.headers.get("cache-control", "")


def test_a_file_is_only_read(client: TestClient) -> None:
    assert client.post(scripts(client)[0]).status_code == 405
    assert client.post("/").status_code == 405


def test_without_a_build_citizens_are_told_whom_to_call_and_the_engineer_what_to_run(unbuilt: TestClient) -> None:
    answer = unbuilt.get("/")
    assert answer.status_code == 503
    assert "拨打" in answer.text and "12345" in answer.text
    assert "make run" in answer.text
    assert POLICY in answer.headers["content-security-policy"]
    assert unbuilt.get("/assets/index.js").status_code == 404
    assert unbuilt.get("/worker.js").status_code == 404


# --- the console


@pytest.mark.parametrize("path", ["/console", "/console/", "/console/tickets/20261129123456", "/console/sign-in"])
def test_each_of_the_consoles_addresses_is_its_page(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert "工作台" in answer.text
    assert answer.headers["cache-control"] == "no-cache"
    policy = answer.headers["content-security-policy"]
    assert POLICY in policy and "unsafe-eval" not in policy and "frame-ancestors 'none'" in policy
    assert not re.search(r"<script(?![^>]*src=)", answer.text)
    assert client.head(path).status_code == 200
    assert client.post(path).status_code == 405


def test_what_the_console_names_is_there_for_good_and_compressed(client: TestClient) -> None:
    named = re.findall(r'(?:src|href)="(/[^"]+)"', client.get("/console/tickets").text)
    assert len(named) >= 3
    for path in named:
        assert path.startswith("/console/assets/")
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    for path in ("/console/assets/none.js", "/console/assets/../index.html", "/console/assets/..%2f..%2fpackage.json"):
        answer = client.get(path)
        assert answer.status_code == 404 or answer.headers["content-type"].startswith("text/html")
        assert "dependencies" not in answer.text


def test_without_the_consoles_build_it_says_what_to_run(unbuilt: TestClient) -> None:
    answer = unbuilt.get("/console/tickets")
    assert answer.status_code == 503
    assert "make run" in answer.text
