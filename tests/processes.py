"""The three real processes on free ports, with the starter knowledge, and a client that talks to them as citizens do."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import filelock
import httpx
import pytest

from bot import crypto, database
from bot.accounts import people, sign_in
from bot.models.people import Person
from bot.releases import files
from bot.settings import ROOT, Settings, get_settings
from connectors.run.background import Handle, free_ports, start_in_background
from connectors.run.rasa_model import ensure_model
from connectors.run.services import SECRET, prepare, services, start, wanted
from connectors.web.access import SESSION
from tests.connectors.wechat_api import FakeWeChat, serving


def forget() -> None:
    """Drop everything that a process keeps about its settings."""
    get_settings.cache_clear()
    database.reset_engine()


def signed_in(number: str, name: str, *roles: str, department: str | None = None) -> dict[str, str]:
    """The headers of a browser in which somebody is signed in, in the database of our settings; their account is made first."""
    with database.write() as session:
        if session.get(Person, number) is None:
            person, _ = people.create(session, "测试", number, name, roles or ("agent",), department=department)
            person.must_change = False
        entered = sign_in.admit(session, number, source="tests", agent="tests", by="tests")
    return {"Cookie": f"{SESSION}={entered.token}", "Sec-Fetch-Site": "same-origin"}


@dataclass
class Stack:
    """A running assistant."""

    settings: Settings
    handle: Handle
    env: dict[str, str]
    secret: str = field(repr=False)
    """What Rasa and the action server ask for"""
    _people: dict[str, dict[str, str]] = field(default_factory=dict, repr=False)

    @property
    def url(self) -> str:
        return self.settings.gateway_url

    @property
    def operator(self) -> dict[str, str]:
        """The headers of an agent who is signed in."""
        return self.person("xiaowang", "小王")

    def person(self, number: str, name: str, *roles: str) -> dict[str, str]:
        """The headers of somebody who is signed in; an agent unless told otherwise."""
        if number not in self._people:
            with self.database():
                self._people[number] = signed_in(number, name, *roles)
        return self._people[number]

    def http(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False, **options)

    def metric(self, name: str) -> float:
        """Sum of a metric over its labels."""
        with self.http() as http:
            lines = http.get("/metrics").text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))

    @contextlib.contextmanager
    def database(self) -> Iterator[None]:
        """Our own process looks at the stack's database."""
        before = {name: os.environ.get(name) for name in self.env}
        os.environ.update(self.env)
        forget()
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
            forget()


class Citizen:
    """One conversation."""

    def __init__(self, stack: Stack) -> None:
        self.http = stack.http()
        opened = self.http.post("/api/conversations")
        assert opened.status_code == 201, opened.text
        self.id, self.token = opened.json()["id"], opened.json()["token"]
        self.headers = {"Authorization": f"Bearer {self.token}"}
        self.path = f"/api/conversations/{self.id}"

    def post(self, text: str, message_id: str | None = None) -> httpx.Response:
        body = {"message_id": message_id or uuid.uuid4().hex, "text": text}
        return self.http.post(f"{self.path}/messages", json=body, headers=self.headers)

    def say(self, text: str, message_id: str | None = None) -> dict[str, Any]:
        """The one merged reply."""
        response = self.post(text, message_id)
        assert response.status_code == 200, response.text
        replies = response.json()["replies"]
        assert len(replies) == 1
        reply: dict[str, Any] = replies[0]
        return reply

    def register(self, text: str) -> dict[str, Any]:
        """A ticket for what nothing answers: offered, and taken."""
        offer = self.say(text)
        assert offer["type"] == "text" and offer["can_report"], offer
        return self.say("好")

    def messages(self, after: int = 0) -> list[dict[str, Any]]:
        response = self.http.get(f"{self.path}/messages", params={"after": after}, headers=self.headers)
        assert response.status_code == 200, response.text
        said: list[dict[str, Any]] = response.json()["messages"]
        return said


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder of this run, the same for all its workers."""
    own = tmp_path_factory.getbasetemp()
    return own if worker_id == "master" else own.parent


@pytest.fixture(scope="session")
def rasa_model(shared: Path) -> Path:
    """The trained model, from the cache if nothing has changed."""
    with filelock.FileLock(shared / "preparing.lock"):  # one worker trains, the others wait
        return ensure_model(ROOT)


@pytest.fixture(scope="session")
def prepared(shared: Path) -> Path:
    """A data folder with the starter knowledge and its index; made once, to be copied or read."""
    folder = shared / "prepared"
    with filelock.FileLock(shared / "preparing.lock"):
        if not folder.exists():
            draft = shared / "prepared.draft"
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("YIHAODA_DATA_DIR", str(draft))
                patch.delenv("YIHAODA_DATABASE_URL", raising=False)
                forget()
                prepare(get_settings(), lambda line: None)
                crypto.get_cipher()
                forget()
            draft.rename(folder)
    return folder


@contextlib.contextmanager
def running(prepared: Path | None, model: Path | None, folder: Path, **settings: str) -> Iterator[Stack]:
    """A stack of its own on a copy of the prepared data folder; with neither that nor a model a gateway alone, and nothing stored."""
    data = folder / "data"
    if prepared is not None:
        shutil.copytree(prepared, data)
    ports = free_ports(5)
    env = {
        "YIHAODA_DATA_DIR": str(data),
        "YIHAODA_PORT": str(ports[0]),
        "YIHAODA_RASA_PORT": str(ports[1]),
        "YIHAODA_ACTION_PORT": str(ports[2]),
        "YIHAODA_RASA_SPARE_PORTS": f"{ports[3]},{ports[4]}",
        "YIHAODA_RATE_PER_MINUTE": "100000",
        "YIHAODA_CONVERSATIONS_PER_MINUTE": "100000",
        "YIHAODA_LOG_DIR": str(folder / "logs"),
        "YIHAODA_DISK_FREE_MB": "0",
        **{f"YIHAODA_{name.upper()}": value for name, value in settings.items()},
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            patch.setenv(name, value)
        forget()
        own = get_settings()
        ones = start(own, files.keep_model(own, model), env) if model else services(own, Path(), env)
    forget()
    if model is None:
        ones = [replace(one, ready_url=str(one.live_url)) for one in ones if one.name == "gateway"]
    come_and_go = wanted(own, ones) if model else None
    with start_in_background(ones, log_dir=own.logs, timeout_s=180, wanted=come_and_go) as handle:
        yield Stack(own, handle, env, ones[0].env[SECRET])


@pytest.fixture(scope="session")
def stack(prepared: Path, rasa_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack for all tests that leave it whole."""
    with running(prepared, rasa_model, tmp_path_factory.mktemp("stack")) as one:
        yield one


@pytest.fixture
def citizen(stack: Stack) -> Citizen:
    return Citizen(stack)


WECHAT = {"wechat_app_id": "wx0123456789abcdef", "wechat_app_secret": "app-secret", "wechat_token": "push-token"}


@pytest.fixture(scope="session")
def fake_wechat() -> Iterator[FakeWeChat]:
    """What stands in for WeChat's servers before ``own_stack``."""
    with serving(FakeWeChat(WECHAT["wechat_app_id"], WECHAT["wechat_app_secret"])) as wechat:
        yield wechat


@pytest.fixture(scope="session")
def own_stack(
    prepared: Path, rasa_model: Path, tmp_path_factory: pytest.TempPathFactory, fake_wechat: FakeWeChat
) -> Iterator[Stack]:
    """A stack with an official account.  Tests may break it: each waits first until it is whole again."""
    told = {**WECHAT, "wechat_api_url": fake_wechat.url}
    with running(prepared, rasa_model, tmp_path_factory.mktemp("own"), **told) as one:
        yield one
