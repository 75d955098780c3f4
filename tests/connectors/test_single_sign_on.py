"""Signing in by an identity provider: a real one, on another site than ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import httpx
import oidc_provider_mock
import pytest
from processes import signed_in

from bot import audit, database
from bot.accounts import people
from bot.settings import Settings
from connectors.console.single_sign_on import STATE
from connectors.web.access import DEVICE, SESSION
from tests.connectors.test_fuzz import listening


@contextmanager
def provider() -> Iterator[str]:
    with oidc_provider_mock.run_server_in_thread() as server:
        yield f"http://localhost:{server.server_port}"  # ours is 127.0.0.1: another site


@pytest.fixture
def ours(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[httpx.Client, str]]:
    with provider() as issuer:
        for name, value in {"ISSUER": issuer, "CLIENT_ID": "yihaoda", "CLIENT_SECRET": "s", "CLAIM": "sub"}.items():
            monkeypatch.setenv(f"YIHAODA_OIDC_{name}", value)
        with (
            listening(monkeypatch, sqlite_db) as url,
            httpx.Client(base_url=url, trust_env=False, timeout=30) as http,
        ):
            yield http, issuer


def identified(http: httpx.Client, number: str) -> httpx.Response:
    """What we answer once the provider has said that it is this person."""
    to = http.get("/auth/oidc/sign-in")
    asked = parse_qs(urlsplit(to.headers["location"]).query)
    assert to.status_code == 302 and asked["code_challenge_method"] == ["S256"] and asked["nonce"]
    cookie = to.headers["set-cookie"].lower()
    assert (
        cookie.startswith(STATE)
        and "samesite=lax" in cookie
        and "path=/auth/oidc" in cookie
        and "max-age=600" in cookie
    )
    back = httpx.post(to.headers["location"], data={"sub": number}, trust_env=False)
    return http.get(back.headers["location"].removeprefix(str(http.base_url)))


def test_whom_the_provider_knows_and_we_do_comes_in(ours: tuple[httpx.Client, str]) -> None:
    http, issuer = ours
    assert http.get("/api/auth/ways").json() == {"single_sign_on": "/auth/oidc/sign-in"}
    signed_in("1024", "王芳", "supervisor")
    answer = identified(http, "1024")
    assert answer.status_code == 200 and 'url=/console/"' in answer.text
    lines = {line.partition("=")[0]: line.lower() for line in answer.headers.get_list("set-cookie")}
    assert "samesite=strict" in lines[SESSION] and "httponly" in lines[SESSION] and DEVICE in lines
    assert http.get("/api/auth/me").json()["number"] == "1024"
    with database.read() as session:
        assert audit.entries(session, action="sign_in.identified")[0].detail == {"by": issuer}


@pytest.mark.parametrize("number", ["nobody", "off"])
def test_whom_we_do_not_know_or_have_switched_off_does_not(ours: tuple[httpx.Client, str], number: str) -> None:
    http, _ = ours
    signed_in("off", "走了的人")
    with database.write() as session:
        people.get(session, "off").active = False
    answer = identified(http, number)
    assert answer.status_code == 403 and "找管理员" in answer.text and SESSION not in http.cookies


def test_an_answer_that_was_not_asked_for_opens_nothing(ours: tuple[httpx.Client, str]) -> None:
    http, _ = ours
    signed_in("1024", "王芳")
    to = http.get("/auth/oidc/sign-in").headers["location"]
    back = httpx.post(to, data={"sub": "1024"}, trust_env=False).headers["location"].removeprefix(str(http.base_url))
    http.cookies.clear()  # another browser, into which somebody pastes the link
    for address in (
        back,
        "/auth/oidc/callback",
        "/auth/oidc/callback?code=x&state=y",
        "/auth/oidc/callback?error=access_denied",
    ):
        answer = http.get(address)
        assert answer.status_code == 502 and "没有成功" in answer.text and SESSION not in http.cookies
        assert "<script" not in answer.text


def test_a_provider_that_is_away_is_said(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ISSUER": "http://127.0.0.1:1", "CLIENT_ID": "y", "CLIENT_SECRET": "s"}.items():
        monkeypatch.setenv(f"YIHAODA_OIDC_{name}", value)
    with listening(monkeypatch, sqlite_db) as url, httpx.Client(base_url=url, trust_env=False, timeout=30) as http:
        answer = http.get("/auth/oidc/sign-in")
        assert answer.status_code == 502 and "用工号和密码登录" in answer.text


def test_without_a_provider_there_is_nothing(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(monkeypatch, sqlite_db) as url, httpx.Client(base_url=url, trust_env=False, timeout=30) as http:
        assert http.get("/api/auth/ways").json() == {"single_sign_on": None}
        assert http.get("/auth/oidc/sign-in").status_code == 404


@pytest.mark.parametrize("missing", ["CLIENT_ID", "CLIENT_SECRET"])
def test_a_provider_without_a_client_is_no_setting(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    given = {"oidc_issuer": "https://id.example", "oidc_client_id": "y", "oidc_client_secret": "s"}
    with pytest.raises(ValueError, match=f"YIHAODA_OIDC_{missing}"):
        Settings(**{name: value for name, value in given.items() if name != f"oidc_{missing.lower()}"})
