"""A release while citizens talk: shadow, share, live, back; nothing is lost, nothing is said twice, nobody waits."""

from __future__ import annotations

import concurrent.futures
import contextlib
import secrets
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import _execute, forget
from e2e.test_failures import settled, stubborn
from processes import Citizen, Stack, running
from sqlalchemy import func, select

from benchmarks.releases import answered_by, held, make_live, put, reaches, twin
from bot import crypto, database
from bot.models.conversations import InboxMessage, TurnEffect
from bot.models.knowledge import QA
from bot.models.releases import Bundle
from bot.models.shadow import ShadowTurn
from bot.releases import switching
from bot.settings import Settings, get_settings
from connectors.run.services import prepare

SAID = (
    "身份证丢了咋补办",
    "护照多少钱",
    "失业金怎么领",
    "那能领多久",
    "公积金怎么提取",
    "谢谢",
    "转人工",
    "居住证怎么办理",
)


def live_of() -> str:
    with database.read() as session:
        return session.scalars(select(Bundle.name).where(Bundle.state == "live")).one()


def index_of(name: str) -> str:
    with database.read() as session:
        return session.get_one(Bundle, name).index_version


def until(reached: Callable[[], Any], what: str, timeout_s: float = 90) -> None:
    deadline = time.monotonic() + timeout_s
    while not reached():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.1)


class Storm:
    """Citizens who talk, each one message after the other, until told to end."""

    def __init__(self, stack: Stack, *, stubbornly: bool = False) -> None:
        self._stack, self._stubbornly = stack, stubbornly
        self._ended = threading.Event()
        self.seconds: list[float] = []
        self.said: dict[str, int] = {}
        self.late = 0

    @contextlib.contextmanager
    def of(self, citizens: int) -> Iterator[None]:
        with concurrent.futures.ThreadPoolExecutor(citizens) as pool:
            talks = [pool.submit(self._talk, number) for number in range(citizens)]
            try:
                yield
            finally:
                self._ended.set()
        for one in talks:
            one.result()

    def _come(self) -> Citizen:
        """A new conversation; the stubborn try again where what answers was just killed."""
        deadline = time.monotonic() + 120
        while True:
            try:
                return Citizen(self._stack)
            except httpx.HTTPError:
                if not self._stubbornly or time.monotonic() > deadline:
                    raise
                time.sleep(0.25)

    def _talk(self, number: int) -> None:
        while not self._ended.is_set():
            citizen = self._come()
            self.said[citizen.id] = 0
            for place in range(6):
                began = time.monotonic()
                text = SAID[(number + place) % len(SAID)]
                if self._stubbornly:
                    assert stubborn(citizen, text, f"m{place}")["replies"]
                else:
                    response = citizen.post(text, f"m{place}")
                    assert response.status_code in (200, 202), response.text
                    self.late += response.status_code == 202
                    self.seconds.append(time.monotonic() - began)
                self.said[citizen.id] += 1
                if self._ended.is_set():
                    return


def bundles_of(ids: list[str]) -> dict[str, list[str | None]]:
    """By conversation, the bundles that answered it, in order."""
    found = defaultdict(list)
    with database.read() as session:
        rows = session.execute(
            select(TurnEffect.conversation_id, TurnEffect.bundle)
            .join(InboxMessage, InboxMessage.turn_id == TurnEffect.turn_id)
            .where(TurnEffect.conversation_id.in_(ids))
            .order_by(InboxMessage.conversation_id, InboxMessage.seq)
        )
        for conversation_id, bundle in rows:
            found[conversation_id].append(bundle)
    return dict(found)


def counted(storm: Storm) -> None:
    """Every message that was sent is there, once."""
    with database.read() as session:
        there = session.execute(
            select(InboxMessage.conversation_id, func.count())
            .where(InboxMessage.conversation_id.in_(list(storm.said)))
            .group_by(InboxMessage.conversation_id)
        ).all()
    assert {row[0]: row[1] for row in there} == {id_: count for id_, count in storm.said.items() if count}


def test_a_release_comes_and_goes_while_citizens_talk(stack: Stack) -> None:
    with stack.database(), stack.http() as http:
        settings, first = get_settings(), live_of()
        second = twin(settings, "coming", own_rasa=False)
        before = Citizen(stack)
        assert before.say(SAID[0])["type"] == "answer"
        put(settings, second, "share", 50)
        until(lambda: held(http, second).get("in_memory"), "its index is in memory")
        storm = Storm(stack)
        with storm.of(3):
            time.sleep(2)
            make_live(settings, second)
            after = Citizen(stack)
            assert [before.say(SAID[1])["type"], after.say(SAID[1])["type"]] == ["answer", "answer"]
            time.sleep(1)
            switching.make_live(settings, first, by="小王", move="back", why="试", figures={}, former="stopped")
            time.sleep(0.5)
            assert after.say(SAID[0])["type"] == "answer"
        settled(stack)
        counted(storm)
        by = bundles_of([before.id, after.id, *storm.said])
        assert by[before.id] == [first, first], "whoever is under way goes on with the bundle before"
        assert by[after.id] == [second, first], "what was stopped answers nobody any more"
        assert {first, second} == {one for some in by.values() for one in some}
        with database.read() as session:
            effect = session.scalars(select(TurnEffect).where(TurnEffect.conversation_id == after.id)).first()
        assert effect is not None and (effect.explain or {})["version"] in (index_of(first), index_of(second))
        # A release whose Rasa is not there: the gateway answers by itself, with the release's index.
        third = twin(settings, "early")
        put(settings, third, "share", 100)
        until(lambda: held(http, third).get("in_memory"), "its index is in memory")
        bundle, version, engine = answered_by(http)
        put(settings, third, "stopped")
        assert (bundle, version) == (third, index_of(third)) and engine in ("fallback", "rasa")
        until(lambda: not held(http, third), "it is dropped")


# --- long ones -------------------------------------------------------------------------------------------------------


def _prepared_on_postgres(url: str, prepared: Path, folder: Path) -> Path:
    shutil.copytree(prepared / "index", folder / "prepared" / "index")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YIHAODA_DATA_DIR", str(folder / "prepared"))
        patch.setenv("YIHAODA_DATABASE_URL", url)
        forget()
        prepare(get_settings(), lambda line: None)
        crypto.get_cipher()
        forget()
    return folder / "prepared"


@pytest.fixture(params=["sqlite", "postgresql"])
def releasing(
    request: pytest.FixtureRequest, prepared: Path, rasa_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A stack of its own on either database."""
    folder, more = tmp_path_factory.mktemp("releasing"), {}
    if request.param == "postgresql":
        postgres: str = request.getfixturevalue("postgres")
        name = f"releasing{secrets.token_hex(4)}"
        _execute(postgres, f"CREATE DATABASE {name}")
        more["database_url"] = postgres.replace("/postgres?", f"/{name}?")
        prepared = _prepared_on_postgres(more["database_url"], prepared, folder)
    with running(prepared, rasa_model, folder, **more) as one:
        yield one


def ready(http: Any, name: str) -> bool:
    found = held(http, name)
    return bool(found.get("in_memory") and found.get("rasa"))


@pytest.mark.full
@pytest.mark.alone
@pytest.mark.timeout(900)
def test_a_storm_through_shadow_share_live_and_back_on_two_rasas(releasing: Stack) -> None:
    stack = releasing
    with stack.database(), stack.http() as http:
        settings, first = get_settings(), live_of()
        second = twin(settings, "coming")
        storm = Storm(stack)
        with storm.of(4):
            put(settings, second, "shadow")
            until(lambda: ready(http, second), "its Rasa answers")
            time.sleep(3)
            put(settings, second, "share", 50)
            time.sleep(6)
            make_live(settings, second)
            time.sleep(6)
            switching.make_live(settings, first, by="小王", move="back", why="试", figures={}, former="stopped")
            stopped_at = time.monotonic()
            time.sleep(6)
        settled(stack)
        counted(storm)
        assert max(storm.seconds) <= 3 and storm.late == 0
        by = bundles_of(list(storm.said))
        for some in by.values():
            assert len(set(some)) == 1 or (some[0], some[-1]) == (second, first), "a session keeps its bundle"
            assert [one for n, one in enumerate(some) if n and one != some[n - 1]] in ([], [first])
        engines = _engines(second)
        assert engines.get("rasa", 0) > 10, "its own Rasa answered"
        until(lambda: rasa_of(stack, settings, second) is None, "its Rasa ends")
        assert time.monotonic() - stopped_at >= settings.rasa_timeout_s, "not before its turns are done"
        assert stack.handle.deaths("rasa") == stack.handle.deaths("gateway") == stack.handle.deaths("actions") == 0


def _engines(bundle: str) -> dict[str, int]:
    with database.read() as session:
        rows = session.execute(
            select(TurnEffect.engine, func.count()).where(TurnEffect.bundle == bundle).group_by(TurnEffect.engine)
        )
        return {row[0]: row[1] for row in rows}


def rasa_of(stack: Stack, settings: Settings, name: str) -> int | None:
    """The process of a bundle's own Rasa."""
    for port in settings.rasa_ports[1:]:
        with contextlib.suppress(LookupError):
            return stack.handle.pid(f"rasa-{port}")
    return None


@pytest.mark.full
@pytest.mark.timeout(900)
def test_nothing_is_lost_where_processes_die_in_the_midst_of_switches(releasing: Stack) -> None:
    stack = releasing
    with stack.database(), stack.http() as http:
        settings, first = get_settings(), live_of()
        second = twin(settings, "coming")
        put(settings, second, "share", 50)
        until(lambda: ready(http, second), "its Rasa answers")
        storm = Storm(stack, stubbornly=True)
        with storm.of(3):
            for number, victim in enumerate(("gateway", "actions", "rasa", "gateway")):
                time.sleep(2)
                killer = threading.Timer(0.05 * number, stack.handle.kill, [victim])
                killer.start()
                make_live(settings, (second, first)[number % 2])
                killer.join()
                stack.handle.wait_ready(timeout_s=180)
        settled(stack, seconds=120)
        counted(storm)
        assert live_of() == first
        citizen = Citizen(stack)
        assert citizen.say(SAID[0])["type"] == "answer"


@pytest.mark.full
@pytest.mark.timeout(900)
def test_the_way_back_is_short(releasing: Stack) -> None:
    stack = releasing
    with stack.database(), stack.http() as http:
        settings, first = get_settings(), live_of()
        second = twin(settings, "coming")
        put(settings, second, "share", 0)
        until(lambda: ready(http, second), "its Rasa answers")
        make_live(settings, second)
        back = reaches(http, settings, first, lambda: make_live(settings, first, former="stopped"))
        assert back["rasa_s"] <= 10, back
        until(lambda: not held(http, second), "it is dropped")
        until(lambda: rasa_of(stack, settings, second) is None, "its Rasa ends")
        other = reaches(http, settings, second, lambda: make_live(settings, second))
        assert other["index_s"] <= 10 and other["rasa_s"] <= 90, other


@pytest.mark.full
@pytest.mark.timeout(900)
def test_citizens_are_answered_twice_in_the_shadow_and_told_once(releasing: Stack) -> None:
    stack = releasing
    with stack.database(), stack.http() as http:
        settings = get_settings()
        second = twin(settings, "coming", own_rasa=False)
        put(settings, second, "shadow")
        until(lambda: held(http, second).get("in_memory"), "its index is in memory")
        citizens = [Citizen(stack) for _ in range(5)]
        for citizen in citizens:
            for text in SAID[:4]:
                citizen.say(text)
                time.sleep(0.3)
        until(lambda: _shadowed(second) >= 10, "turns were decided once more", 30)
        settled(stack)
        with database.read() as session:
            rows = session.scalars(select(ShadowTurn)).all()
        assert all(row.same for row in rows if row.live_decision == "answer"), "a twin answers alike"
        with database.write() as session:
            qa = session.scalars(select(QA).where(QA.id == rows[0].live_qa)).one()
            qa.status = "paused"
        put(settings, second, "share", 100)
        for _ in range(2):
            assert Citizen(stack).say(SAID[0]).get("qa_id") != qa.id, "a pause acts in both at the next message"


def _shadowed(bundle: str) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).where(ShadowTurn.bundle == bundle)) or 0
