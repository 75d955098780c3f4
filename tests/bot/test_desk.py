"""Conversations in the hands of agents: legal moves in any order, and claims that race."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import select

from bot import conversations, database, desk
from bot.clock import utcnow
from bot.conversations import MOVES
from bot.errors import IllegalMove
from bot.models.conversations import Conversation
from bot.models.housekeeping import AuditEntry
from bot.replies import TextReply
from bot.settings import Settings

AGENTS = ("wang", "li")


def opened(state: str = "bot", agent: str | None = None) -> str:
    with database.write() as session:
        made, _ = conversations.create(session, "web")
        made.state, made.agent = state, agent  # type: ignore[assignment]
        return made.id


class Desk(RuleBasedStateMachine):
    """Whatever citizens and agents do: each conversation is in one list, and only its agent writes in it."""

    @initialize()
    def begin(self) -> None:
        self.expected: dict[str, tuple[str, str | None]] = {}

    @rule()
    def open(self) -> None:
        self.expected[opened()] = ("bot", None)

    def _pick(self, data: st.DataObject) -> str | None:
        return data.draw(st.sampled_from(sorted(self.expected))) if self.expected else None

    @rule(data=st.data())
    def ask_for_a_human(self, data: st.DataObject) -> None:
        if (one := self._pick(data)) is None:
            return
        legal = "waiting" in MOVES[self.expected[one][0]]  # type: ignore[index]
        self._move(one, "waiting", legal)

    @rule(data=st.data(), state=st.sampled_from(sorted(MOVES)))
    def move_anywhere(self, data: st.DataObject, state: str) -> None:
        if (one := self._pick(data)) is None or state == "human":  # an agent comes with that
            return
        self._move(one, state, state in MOVES[self.expected[one][0]])  # type: ignore[index]

    def _move(self, one: str, state: str, legal: bool) -> None:
        try:
            with database.write() as session:
                conversations.move(session, conversations.lock(session, one), state, "市民", "conversation.test")  # type: ignore[arg-type]
        except IllegalMove:
            assert not legal
        else:
            assert legal
            self.expected[one] = (state, None)

    @rule(data=st.data(), agent=st.sampled_from(AGENTS))
    def claim(self, data: st.DataObject, agent: str) -> None:
        if (one := self._pick(data)) is None:
            return
        try:
            with database.write() as session:
                desk.claim(session, one, agent)
        except IllegalMove:
            assert self.expected[one][0] != "waiting"
        else:
            assert self.expected[one][0] == "waiting"
            self.expected[one] = ("human", agent)

    @rule(data=st.data(), agent=st.sampled_from(AGENTS), ends=st.booleans())
    def speak_or_end(self, data: st.DataObject, agent: str, ends: bool) -> None:
        if (one := self._pick(data)) is None:
            return
        try:
            with database.write() as session:
                if ends:
                    desk.release(session, one, agent)
                else:
                    desk.speak(session, one, agent, [TextReply(text="您好")])
        except IllegalMove:
            assert self.expected[one] != ("human", agent)
        else:
            assert self.expected[one] == ("human", agent)
            if ends:
                self.expected[one] = ("closed", None)

    @invariant()
    def each_is_where_it_should_be_and_in_one_list(self) -> None:
        with database.read() as session:
            rows = {one.id: (one.state, one.agent) for one in session.scalars(select(Conversation))}
            assert {one: rows[one] for one in self.expected} == self.expected
            for agent in AGENTS:
                found = [one.id for name in desk.LISTS for one in desk.listed(session, name, agent, limit=1000)[0]]
                assert sorted(found) == sorted(rows) and sum(desk.counts(session, agent).values()) == len(rows)


def test_conversations_in_any_order(sqlite_db: Settings) -> None:
    run_state_machine_as_test(
        Desk,
        settings=settings(
            max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def race(people: int, waiting: int, threads: int) -> None:
    ids = [opened("waiting") for _ in range(waiting)]
    tries = [(f"agent-{person}", one) for person in range(people) for one in ids]
    Random(7).shuffle(tries)

    def claim(pair: tuple[str, str]) -> bool:
        try:
            with database.write() as session:
                desk.claim(session, pair[1], pair[0])
        except IllegalMove:
            return False
        return True

    with ThreadPoolExecutor(threads) as pool:
        won = [pair for pair, got in zip(tries, pool.map(claim, tries), strict=True) if got]
    assert Counter(one for _, one in won) == dict.fromkeys(ids, 1)
    with database.read() as session:
        assert {one.id: one.agent for one in session.scalars(select(Conversation))} == {one: by for by, one in won}
        claims = session.scalars(select(AuditEntry).where(AuditEntry.action == "conversation.claim")).all()
    assert sorted((one.actor, one.subject) for one in claims) == sorted(won)


def test_of_several_who_claim_one_gets_it(db: Settings) -> None:
    race(people=6, waiting=10, threads=6)


@pytest.mark.full
def test_fifty_people_and_five_hundred_conversations_none_claimed_twice_none_left(db: Settings) -> None:
    race(people=50, waiting=500, threads=16)


def test_those_who_wait_come_in_danger_first_then_the_longest_waiting(db: Settings) -> None:
    ids = [opened("waiting") for _ in range(3)]
    now = utcnow()
    with database.write() as session:
        for place, one in enumerate(ids):
            session.get_one(Conversation, one).active_at = now.replace(microsecond=place)
    with database.read() as session:
        assert [one.id for one in desk.listed(session, "waiting", "wang")[0]] == ids
        assert [one.id for one in desk.listed(session, "waiting", "wang", offset=1, limit=1)[0]] == ids[1:2]
