"""Conversations between the assistant, the queue and people: moves in any order, claims that race, and never two voices."""

from __future__ import annotations

import itertools
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import select

from bot import conversations, danger, database, turns
from bot.accounts import people
from bot.alarms import raise_
from bot.clock import utcnow
from bot.conversations import Context
from bot.desk import duty, lists, minding, notes, takeover, words
from bot.errors import IllegalMove, InvalidInput, NotFound
from bot.expects import Offer, ServiceRating
from bot.models.conversations import Alarm, ChannelUser, Conversation, HumanService, OutboxMessage
from bot.models.housekeeping import AuditEntry
from bot.replies import TextReply
from bot.settings import Settings, get_settings
from bot.turns import Outcome

AGENTS = ("wang", "li")
BOSS = "zhao"
_numbers = itertools.count()


def staff(
    number: str,
    *,
    roles: tuple[str, ...] = ("agent",),
    hours: float | None = 8,
    now: datetime | None = None,
    **fields: Any,
) -> str:
    """An account, on duty for some hours."""
    with database.write() as session:
        people.create(session, "测试", number, number, roles, **fields)
        if hours is not None:
            duty.set_duty(session, number, (now or utcnow()) + timedelta(hours=hours))
    return number


def opened(state: str = "bot", agent: str | None = None, *, channel: str = "web", region: str | None = None) -> str:
    """A conversation, brought to a state by the moves that lead there."""
    with database.write() as session:
        made, _ = conversations.create(session, channel)
        conversations.remember(made, Context(region=region, last_question="护照多少钱", last_matter="护照办理"))
        session.flush()
        if channel != "web":
            session.add(
                ChannelUser(
                    channel=channel,
                    user_digest=made.id,
                    conversation_id=made.id,
                    address="o-1",
                    push_until=utcnow(),
                    pushes_left=0,
                )
            )
        if state in ("waiting", "human"):
            conversations.move(session, made, "waiting", "市民", "conversation.ask_for_human")
        if state == "human":
            takeover.claim(session, made.id, agent or "", get_settings())
        return made.id


def do(function: Any, *args: Any, **kwargs: Any) -> Any:
    with database.write() as session:
        return function(session, *args, **kwargs)


def row(id_: str) -> Conversation:
    with database.read() as session:
        return session.get_one(Conversation, id_)


def heard(id_: str) -> list[tuple[str, str]]:
    """What the citizen got: (sender, text)."""
    with database.read() as session:
        said = session.scalars(
            select(OutboxMessage).where(OutboxMessage.conversation_id == id_).order_by(OutboxMessage.seq)
        )
        return [(one.sender, reply.get("text", "")) for one in said for reply in one.replies]


def sends(id_: str, text: str, message_id: str | None = None) -> turns.Receipt:
    with database.write() as session:
        conversation = conversations.lock(session, id_)
        return turns.receive(session, conversation, message_id or f"m{next(_numbers)}", text, get_settings())


# --- any order -------------------------------------------------------------------------------------------------------


class Desk(RuleBasedStateMachine):
    """Whatever citizens, agents and supervisors do, in whatever channel: each conversation is in one list, only whoever has it
    writes in it, and each move tells the citizen one sentence."""

    @initialize()
    def begin(self) -> None:
        self.expected: dict[str, tuple[str, str | None]] = {}
        self.told: Counter[str] = Counter()
        self.since: dict[str, datetime] = {}

    @rule(channel=st.sampled_from(["web", "wechat", "miniprogram"]))
    def open(self, channel: str) -> None:
        self.expected[opened(channel=channel)] = ("bot", None)

    def _pick(self, data: st.DataObject) -> str | None:
        return data.draw(st.sampled_from(sorted(self.expected))) if self.expected else None

    def _try(
        self, one: str, legal: bool, after: tuple[str, str | None], function: Any, *args: Any, **more: Any
    ) -> None:
        try:
            do(function, one, *args, **more)
        except IllegalMove:
            assert not legal, function
        else:
            assert legal, function
            self.expected[one] = after
            self.told[one] += 1

    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        one = self._pick(data)
        if one is None or self.expected[one][0] != "bot":
            return
        with database.write() as session:
            conversations.move(
                session, conversations.lock(session, one), "waiting", "市民", "conversation.ask_for_human"
            )
        self.expected[one] = ("waiting", None)

    @rule(data=st.data(), agent=st.sampled_from((*AGENTS, BOSS)), waiting=st.booleans())
    def take(self, data: st.DataObject, agent: str, waiting: bool) -> None:
        if (one := self._pick(data)) is None:
            return
        legal = self.expected[one][0] == ("waiting" if waiting else "bot")
        function = takeover.claim if waiting else takeover.take_over
        self._try(one, legal, ("human", agent), function, agent, get_settings())

    @rule(data=st.data())
    def step_in(self, data: st.DataObject) -> None:
        if (one := self._pick(data)) is None:
            return
        state, holder = self.expected[one]
        self._try(one, state == "human" and holder != BOSS, ("human", BOSS), takeover.step_in, BOSS)

    @rule(data=st.data(), agent=st.sampled_from(AGENTS), group=st.booleans())
    def transfer(self, data: st.DataObject, agent: str, group: bool) -> None:
        if (one := self._pick(data)) is None:
            return
        legal = self.expected[one] == ("human", agent)
        other = AGENTS[1 - AGENTS.index(agent)]
        where: dict[str, str] = {"skill": "医保"} if group else {"to": other}
        after = ("waiting", None) if group else ("human", other)
        self._try(one, legal, after, takeover.transfer, agent, get_settings(), **where)

    @rule(data=st.data(), agent=st.sampled_from((*AGENTS, BOSS)), back=st.booleans())
    def let_go(self, data: st.DataObject, agent: str, back: bool) -> None:
        if (one := self._pick(data)) is None:
            return
        legal = self.expected[one] == ("human", agent)
        self._try(one, legal, ("bot" if back else "closed", None), takeover.hand_back if back else takeover.end, agent)

    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        if (one := self._pick(data)) is None:
            return

        def leave(session: Any, id_: str) -> None:
            takeover.leave(session, conversations.lock(session, id_))

        self._try(one, self.expected[one][0] == "waiting", ("bot", None), leave)

    @rule(data=st.data(), agent=st.sampled_from((*AGENTS, BOSS)))
    def speak(self, data: st.DataObject, agent: str) -> None:
        if (one := self._pick(data)) is None:
            return
        try:
            do(takeover.speak, one, agent, [TextReply(text="您好")])
        except IllegalMove:
            assert self.expected[one] != ("human", agent)
        else:
            assert self.expected[one] == ("human", agent)

    @rule(data=st.data())
    def citizen_speaks(self, data: st.DataObject) -> None:
        if (one := self._pick(data)) is None:
            return
        receipt = sends(one, "在吗")
        if self.expected[one][0] == "closed":
            self.expected[one] = ("bot", None)
        assert (receipt.replies is not None) == (self.expected[one][0] == "human")

    @rule(data=st.data())
    def nobody_answers(self, data: st.DataObject) -> None:
        if (one := self._pick(data)) is None or self.expected[one][0] != "human":
            return
        owed = row(one).owed_since is not None
        late = utcnow() + timedelta(minutes=4)
        assert do(takeover.give_back, one, late, minding.answer_within(get_settings())) == owed
        if owed:
            self.expected[one] = ("waiting", None)
            self.told[one] += 1

    @invariant()
    def each_is_where_it_should_be_and_in_one_list(self) -> None:
        with database.read() as session:
            rows = {one.id: one for one in session.scalars(select(Conversation))}
            assert {one: (rows[one].state, rows[one].agent) for one in self.expected} == self.expected
            for agent in AGENTS:
                found = [one.id for name in lists.LISTS for one in lists.listed(session, name, agent, limit=1000)[0]]
                assert sorted(found) == sorted(rows) and sum(lists.counts(session, agent).values()) == len(rows)
            assert sum(lists.by_state(session).values()) == len(rows)
            for id_, (state, agent) in self.expected.items():
                one = rows[id_]
                open_ = conversations.open_service(session, id_)
                assert (one.waiting_since is not None) == (state in ("waiting", "human")) == (open_ is not None)
                assert (one.owed_since is not None) + (one.quiet_since is not None) == (state == "human")
                assert open_ is None or (open_.agent == agent and open_.asked_at == one.waiting_since)
                # Kept over every return to the queue and every change of hands.
                if one.waiting_since is None:
                    self.since.pop(id_, None)
                else:
                    assert self.since.setdefault(id_, one.waiting_since) == one.waiting_since
        for id_ in self.expected:
            assert Counter(sender for sender, _ in heard(id_))["system"] == self.told[id_]


def moves_in_any_order(examples: int, steps: int) -> None:
    for agent in AGENTS:
        staff(agent, skills=["医保"], capacity=50)
    staff(BOSS, roles=("supervisor",), capacity=50)
    run_state_machine_as_test(
        Desk,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_conversations_in_any_order(sqlite_db: Settings) -> None:
    moves_in_any_order(10, 20)


@pytest.mark.full
def test_conversations_in_any_order_for_long(db: Settings) -> None:
    moves_in_any_order(60, 40)


def race(people_: int, waiting: int, threads: int) -> None:
    agents = [staff(f"agent-{n}", capacity=50) for n in range(people_)]
    ids = [opened("waiting") for _ in range(waiting)]
    tries = [(agent, one) for agent in agents for one in ids]
    Random(7).shuffle(tries)

    def claim(pair: tuple[str, str]) -> bool:
        try:
            do(takeover.claim, pair[1], pair[0], get_settings())
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
    race(people_=6, waiting=10, threads=6)


@pytest.mark.full
def test_fifty_people_and_five_hundred_conversations_none_claimed_twice_none_left(db: Settings) -> None:
    race(people_=50, waiting=500, threads=16)


def test_one_person_claims_from_many_pages_and_never_gets_more_than_they_may_have(db: Settings) -> None:
    staff("wang", capacity=3)
    ids = [opened("waiting") for _ in range(10)]

    def claim(one: str) -> bool:
        try:
            do(takeover.claim, one, "wang", get_settings())
        except IllegalMove as error:
            assert "到上限了" in str(error)
            return False
        return True

    with ThreadPoolExecutor(5) as pool:
        assert sum(pool.map(claim, ids)) == 3


# --- who may, and what they are told ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "prepare", "said"),
    [
        ({"hours": None}, {}, "还没有上岗"),
        ({"capacity": 0}, {}, "到上限了"),
        ({"region": "430104"}, {"region": "110101"}, "不在您负责的地区"),
        ({}, {"skill": "医保"}, "“医保”组"),
        ({}, {"state": "bot", "agent": None}, "已经不在等人工了"),
        ({}, {"state": "human", "agent": "other"}, "已经由other接了"),
    ],
)
def test_whoever_may_not_take_it_is_told_why(
    sqlite_db: Settings, fields: dict[str, Any], prepare: dict[str, Any], said: str
) -> None:
    staff("wang", **fields)
    staff("other")
    one = opened("waiting")
    with database.write() as session:
        for name, value in prepare.items():
            setattr(session.get_one(Conversation, one), name, value)
    with pytest.raises(IllegalMove, match=said):
        do(takeover.claim, one, "wang", get_settings())
    assert heard(one) == []


def test_a_region_that_holds_or_lies_in_ones_own_is_ones_own(sqlite_db: Settings) -> None:
    staff("wang", region="430100")
    for region in ("430104", "430000", None):
        do(takeover.claim, opened("waiting", region=region), "wang", get_settings())


def test_nobody_else_writes_in_it_and_a_supervisor_steps_in(sqlite_db: Settings) -> None:
    staff("wang")
    staff(BOSS, roles=("supervisor",))
    one = opened("human", "wang")
    with pytest.raises(IllegalMove, match="不在您手上"):
        do(takeover.speak, one, BOSS, [TextReply(text="我来")])
    with pytest.raises(InvalidInput, match="只有班长"):
        do(takeover.step_in, one, "wang")
    do(takeover.step_in, one, BOSS)
    with pytest.raises(IllegalMove, match="不在您手上"):
        do(takeover.speak, one, "wang", [TextReply(text="我还在")])
    do(takeover.speak, one, BOSS, [TextReply(text="我来")])
    assert [sender for sender, _ in heard(one)] == ["system", "system", "agent"]
    with database.read() as session:
        taken = session.scalars(select(AuditEntry).where(AuditEntry.action == "conversation.taken_from")).one()
        assert (taken.actor, taken.detail["agent"]) == (BOSS, "wang")


def test_a_transfer_says_why_it_cannot_be(sqlite_db: Settings) -> None:
    staff("wang")
    staff("li", hours=None)
    staff("full", capacity=0)
    staff("yi", skills=["医保"], hours=None)
    one = opened("human", "wang")
    for where, said in (
        ({"to": "li"}, "li还没有上岗"),
        ({"to": "full"}, "full手上已经有"),
        ({"skill": "医保"}, "现在没有人在岗"),
    ):
        with pytest.raises(IllegalMove, match=said):
            do(takeover.transfer, one, "wang", get_settings(), **where)
    for where, said in (({}, "选一位"), ({"to": "li", "skill": "医保"}, "选一位"), ({"to": "wang"}, "不能转给自己")):
        with pytest.raises(InvalidInput, match=said):
            do(takeover.transfer, one, "wang", get_settings(), **where)
    with pytest.raises(NotFound):
        do(takeover.transfer, one, "wang", get_settings(), to="nobody")
    assert row(one).agent == "wang"


def test_whoever_goes_off_duty_has_empty_hands(sqlite_db: Settings) -> None:
    staff("wang")
    one = opened("human", "wang")
    with pytest.raises(IllegalMove, match="手上还有 1 个会话"):
        do(duty.set_duty, "wang", None)
    do(takeover.hand_back, one, "wang")
    do(duty.set_duty, "wang", None)


# --- the queue -------------------------------------------------------------------------------------------------------


def test_those_who_wait_come_in_danger_first_then_the_longest_waiting_however_often_they_write(db: Settings) -> None:
    ids = [opened("waiting") for _ in range(3)]
    now = utcnow()
    with database.write() as session:
        for place, one in enumerate(ids):
            session.get_one(Conversation, one).waiting_since = now + timedelta(seconds=place)
    for _ in range(3):
        sends(ids[0], "有人吗")

    def order() -> list[str]:
        with database.read() as session:
            found = [one.id for one in lists.listed(session, "waiting", "wang")[0]]
            places = [lists.place(session, one) for one in found]
            assert [place.position for place in places if place] == [1, 2, 3]  # place and list say the same
            assert [one.id for one in lists.listed(session, "waiting", "wang", offset=1, limit=1)[0]] == found[1:2]
            return found

    assert order() == ids
    receipt = sends(ids[2], "我不想活了")
    with database.write() as session:
        raise_(session, ids[2], receipt.turn_id, danger.card(("suicide_self",)), now)
    assert order() == [ids[2], ids[0], ids[1]]


def test_the_wait_is_told_once_enough_have_waited_and_never_as_none(sqlite_db: Settings) -> None:
    staff("wang", capacity=50)
    with database.read() as session:
        assert lists.expected_minutes(session) is None
    for seconds in (1, 2, 3):
        one = opened("human", "wang")
        with database.write() as session:
            service = conversations.open_service(session, one)
            assert service and service.taken_at
            service.entered_at = service.taken_at - timedelta(seconds=seconds)
    with database.read() as session:
        assert lists.expected_minutes(session) == 1
        assert lists.next_place(session) == lists.Place(1, 1)


def test_nobody_answers_so_it_goes_back_to_its_old_place_again_and_again(db: Settings) -> None:
    staff("wang")
    first, second = opened("waiting"), opened("waiting")
    since = row(first).waiting_since
    within = minding.answer_within(get_settings())
    for _ in range(3):
        do(takeover.claim, first, "wang", get_settings())
        now = utcnow()
        assert not do(takeover.give_back, first, now, within)
        late = now + timedelta(minutes=4)
        with database.read() as session:
            assert minding.unanswered(session, late, get_settings()) == [first]
        assert do(takeover.give_back, first, late, within)
        assert row(first).waiting_since == since
        with database.read() as session:
            assert [one.id for one in lists.listed(session, "waiting", "wang")[0]] == [first, second]
    assert heard(first)[-1] == ("system", words.RETURNED)


def test_a_word_is_owed_from_the_citizens_first_one_on_and_silence_ends_it(sqlite_db: Settings) -> None:
    staff("wang")
    one = opened("human", "wang")
    do(takeover.speak, one, "wang", [TextReply(text="您好")])
    quiet = row(one).quiet_since
    assert quiet and row(one).owed_since is None
    with database.read() as session:
        assert minding.unanswered(session, utcnow() + timedelta(minutes=4), get_settings()) == []
        assert minding.silent(session, quiet + timedelta(minutes=11), get_settings()) == [one]
    sends(one, "我想问")
    owed = row(one).owed_since
    sends(one, "还在吗")
    assert owed and row(one).owed_since == owed and row(one).quiet_since is None
    assert not do(takeover.end_silent, one, utcnow() + timedelta(hours=1), minding.silence(get_settings()))
    do(takeover.speak, one, "wang", [TextReply(text="在")])
    assert do(takeover.end_silent, one, utcnow() + timedelta(minutes=11), minding.silence(get_settings()))
    assert row(one).state == "closed" and heard(one)[-1] == ("system", words.SILENT)


def test_who_goes_off_duty_or_is_switched_off_loses_whoever_waits_for_a_word(sqlite_db: Settings) -> None:
    staff("wang")
    staff("li")
    one = opened("human", "wang")
    with database.write() as session:
        people.get(session, "wang", locked=True).on_duty_until = utcnow()
    with database.read() as session:
        assert minding.unanswered(session, utcnow(), get_settings()) == [one]
    assert do(takeover.give_back, one, utcnow(), minding.answer_within(get_settings()))
    do(takeover.claim, one, "li", get_settings())


def test_who_waits_for_nobody_is_found(sqlite_db: Settings) -> None:
    staff("wang", region="430104", hours=1)
    ours, theirs = opened("waiting", region="430104"), opened("waiting", region="110101")
    with database.read() as session:
        assert minding.unattended(session, utcnow()) == [theirs]
        assert set(minding.unattended(session, utcnow() + timedelta(hours=2))) == {ours, theirs}


# --- never two voices ------------------------------------------------------------------------------------------------


def answered(turn: turns.Turn) -> Outcome:
    return Outcome(replies=[TextReply(text="机器人的答复")], context=turn.context, decision="answer")


def warned(turn: turns.Turn) -> Outcome:
    return Outcome(replies=[danger.card(("fire",))], context=turn.context, decision="emergency")


def interleave(seed: int) -> None:
    """A citizen writes twice, the assistant answers, a person takes over, speaks and hands back: in any order."""
    random = Random(seed)
    agent = staff(f"p{seed}", capacity=50)
    one = opened(random.choice(["bot", "waiting"]))
    dangerous = random.random() < 0.3
    state: dict[str, Any] = {"turns": [], "loaded": [], "taken": None}

    def write() -> None:
        state["turns"].append(sends(one, f"问题{len(state['turns'])}").turn_id)

    def load() -> None:
        with database.read() as session:
            state["loaded"] += [
                turns.load(session, id_, engine=random.choice(["rasa", "fallback"])) for id_ in state["turns"]
            ]

    def settle() -> None:
        for turn in state["loaded"]:
            outcome = warned(turn) if dangerous and turn.turn_id == state["turns"][0] else answered(turn)
            if turn.state == "bot" and random.random() < 0.3:
                outcome.state = "waiting"
            turns.settle(turn, outcome)

    def take() -> None:
        take_it = takeover.claim if row(one).state == "waiting" else takeover.take_over
        if row(one).state in ("waiting", "bot"):
            do(take_it, one, agent, get_settings())
            state["taken"] = row(one).seq

    steps = [write, load, settle, write, load, settle]
    steps.insert(random.randrange(len(steps) + 1), take)
    for step in steps:
        step()
    if random.random() < 0.5:
        do(takeover.speak, one, agent, [TextReply(text="我来答")])
    with database.read() as session:
        said = session.scalars(select(OutboxMessage).where(OutboxMessage.conversation_id == one)).all()
        after = [message for message in said if message.sender == "bot" and message.seq > state["taken"]]
        kinds = [reply["type"] for message in after for reply in message.replies]
        assert set(kinds) <= {"emergency"}, (seed, kinds)
        cards = [reply for message in said for reply in message.replies if reply["type"] == "emergency"]
        flags = session.scalars(select(Alarm).where(Alarm.conversation_id == one)).all()
        settled = state["turns"][0] in {turn.turn_id for turn in state["loaded"]} and dangerous
        assert len(cards) == len(flags) == int(settled), (seed, len(cards), len(flags))
        assert turns.unsettled(session) == []
        assert [message.sender for message in said].count("system") == 1
        texts = conversations.transcript(session, one)
        assert [line["text"] for line in texts if line["sender"] == "citizen"] == ["问题0", "问题1"]


def test_whatever_was_under_way_when_a_person_takes_it_is_said_by_nobody(sqlite_db: Settings) -> None:
    for seed in range(40):
        interleave(seed)


@pytest.mark.full
def test_two_hundred_ways_to_take_over(db: Settings) -> None:
    for seed in range(200):
        interleave(seed)


def test_a_late_reply_after_the_hand_back_is_dropped_too(db: Settings) -> None:
    staff("wang")
    one = opened("waiting")
    receipt = sends(one, "护照多少钱")
    with database.read() as session:
        turn = turns.load(session, receipt.turn_id)
    assert do(takeover.claim, one, "wang", get_settings()) == [receipt.turn_id]
    do(takeover.speak, one, "wang", [TextReply(text="一百二")])
    do(takeover.hand_back, one, "wang")
    assert turns.settle(turn, answered(turn)).replies == []
    assert "bot" not in [sender for sender, _ in heard(one)]


# --- handing back ----------------------------------------------------------------------------------------------------


def test_handed_back_the_assistant_knows_matter_and_region_and_no_wish_for_a_person(sqlite_db: Settings) -> None:
    staff("wang")
    one = opened("human", "wang", region="430104")
    with database.write() as session:
        conversation = conversations.lock(session, one)
        context = conversations.context_of(conversation)
        context.expects, context.clarified = Offer(question="x"), 2
        conversations.remember(conversation, context)
        before = conversation.sender
    do(takeover.hand_back, one, "wang")
    context = conversations.context_of(row(one))
    assert (context.last_matter, context.region, context.clarified) == ("护照办理", "430104", 0)
    assert isinstance(context.expects, ServiceRating)
    assert row(one).sender != before, "Rasa's tracker begins anew"


def test_a_service_is_rated_by_its_own_citizen(sqlite_db: Settings) -> None:
    staff("wang")
    one, other = opened("human", "wang"), opened("bot")
    do(takeover.end, one, "wang")
    with database.read() as session:
        service = session.scalars(select(HumanService).where(HumanService.conversation_id == one)).one()
    assert (service.agent, service.end) == ("wang", "close")
    with pytest.raises(NotFound):
        do(takeover.rate, other, service.id, 3)
    with pytest.raises(InvalidInput):
        do(takeover.rate, one, service.id, 4)
    do(takeover.rate, one, service.id, 3)
    do(takeover.rate, one, service.id, 1)
    with database.read() as session:
        assert session.get_one(HumanService, service.id).rating == 1
        day = lists.since(session, utcnow() - timedelta(hours=1))
    assert (day.asked, day.taken, day.rated, day.satisfied) == (1, 1, 1, 0)
    sends(one, "满意")  # a new session begins, and still knows what the word is about
    assert isinstance(conversations.context_of(row(one)).expects, ServiceRating)


# --- saying ----------------------------------------------------------------------------------------------------------


def test_sent_five_times_it_is_one_message_even_when_it_has_gone_on_meanwhile(db: Settings) -> None:
    staff("wang")
    staff("li")
    one = opened("human", "wang")

    def send(_: int) -> str:
        said: OutboxMessage = do(
            takeover.speak, one, "wang", [TextReply(text="您好")], client_id="a-1", qa_id="hz-002", edited=True
        )
        return said.id

    with ThreadPoolExecutor(5) as pool:
        assert len(set(pool.map(send, range(5)))) == 1
    do(takeover.transfer, one, "wang", get_settings(), to="li")
    send(0)
    with database.read() as session:
        (said,) = session.scalars(select(OutboxMessage).where(OutboxMessage.sender == "agent")).all()
    assert (said.agent, said.qa_id, said.edited) == ("wang", "hz-002", True)


def test_notes_and_whispers_are_never_said(sqlite_db: Settings) -> None:
    staff("wang")
    one = opened("human", "wang")
    do(notes.add, one, "wang", "note", "老人耳背，慢点说", utcnow())
    do(notes.add, one, BOSS, "whisper", "先问户口在哪", utcnow())
    with database.read() as session:
        assert [(note.author, note.kind, note.text) for note in notes.of(session, one)] == [
            ("wang", "note", "老人耳背，慢点说"),
            (BOSS, "whisper", "先问户口在哪"),
        ]
    assert [sender for sender, _ in heard(one)] == ["system"]
    with pytest.raises(NotFound):
        do(notes.add, "nowhere", "wang", "note", "x", utcnow())


# --- the floor -------------------------------------------------------------------------------------------------------


def test_the_floor_adds_up(sqlite_db: Settings) -> None:
    staff("wang", capacity=9)
    staff("li", hours=None)
    for state in ("bot", "waiting", "waiting"):
        opened(state)
    first, second = opened("human", "wang"), opened("human", "wang")
    do(takeover.speak, first, "wang", [TextReply(text="您好")])
    do(takeover.end, second, "wang")
    with database.read() as session:
        assert lists.by_state(session) == {"bot": 1, "waiting": 2, "human": 1, "closed": 1}
        assert [one.number for one in duty.on_duty(session, utcnow())] == ["wang"]
        assert lists.held(session) == {"wang": lists.Held(1, 0, None)}
        assert lists.longest_wait(session) is not None
        day = lists.since(session, utcnow() - timedelta(hours=24))
        assert (day.asked, day.taken, day.given_up, day.nobody) == (4, 2, 0, 0)
