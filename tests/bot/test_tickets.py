"""Tickets: numbers, legal moves, look-up, deadlines, and two agents at once."""

from __future__ import annotations

import heapq
import itertools
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bot import database, keys, working_days
from bot.clock import SHANGHAI
from bot.crypto import Cipher
from bot.errors import Forbidden, IllegalMove, InvalidInput, NotFound, PhoneTailNeeded, TooMany, YihaodaError
from bot.models.housekeeping import AuditEntry, Counter
from bot.models.tickets import Ticket
from bot.settings import Settings
from bot.tickets import board, citizen, lookup, moves, numbers, register

NOW = datetime(2026, 3, 2, 9, tzinfo=SHANGHAI)
NEW_YEAR = datetime(2026, 12, 28, 10, tzinfo=SHANGHAI)


def make(session: Session, **changes: Any) -> Ticket:
    given: dict[str, Any] = {
        "number": numbers.free_number(session, NOW),
        "query_code": "004211",
        "conversation_id": "c1",
        "turn_id": None,
        "kind": "咨询",
        "subject": "飞天补贴怎么领？我的电话13812345678",
        "transcript": [{"sender": "citizen", "text": "我的电话13812345678"}],
        "region": "430104",
        "phone": None,
        "department": None,
        "days": 15,
        "now": NOW,
    }
    return register.create(session, **(given | changes))


def stored(**changes: Any) -> str:
    with database.write() as session:
        return make(session, **changes).number


def do(move: Any, *args: Any, **kwargs: Any) -> Ticket:
    with database.write() as session:
        return move(session, *args, **kwargs)  # type: ignore[no-any-return]


def open_ones(session: Session, **wanted: Any) -> list[str]:
    return [one.number for one in board.find(session, board.Wanted(**wanted), NOW)[0]]


def load(number: str) -> Ticket:
    with database.read() as session:
        ticket = session.get_one(Ticket, number)
        _ = ticket.events
        return ticket


# --- numbers ---------------------------------------------------------------------------------------------------------


def test_a_number_starts_with_the_day_in_shanghai() -> None:
    number = numbers.new_number(datetime(2026, 12, 31, 17, tzinfo=UTC))
    assert number.startswith("20270101") and len(number) == 14
    assert numbers.valid_number(number)


def test_the_check_digit_is_that_of_the_standard() -> None:
    # ISO/IEC 7064, MOD 11,10: the standard's own example is 0794 with check digit 5.
    assert numbers.check_digit("0794") == "5"


@given(st.integers(0, 99999), st.integers(0, 13), st.integers(1, 9))
def test_one_wrong_digit_is_noticed(serial: int, place: int, change: int) -> None:
    stem = f"20261228{serial:05d}"
    number = stem + numbers.check_digit(stem)
    wrong = number[:place] + str((int(number[place]) + change) % 10) + number[place + 1 :]
    assert numbers.valid_number(number)
    assert not numbers.valid_number(wrong)


@pytest.mark.parametrize(
    "bad", ["", "2026122812345", "202612281234567", "20261328123456", "２０２６１２２８１２３４５６", "abc"]
)
def test_no_number(bad: str) -> None:
    assert not numbers.valid_number(bad)


# --- making ----------------------------------------------------------------------------------------------------------


def test_a_new_ticket(db: Settings) -> None:
    ticket = load(stored(turn_id="t1"))
    assert ticket.state == "待受理"
    assert ticket.transcript == [{"sender": "citizen", "text": "我的电话138****5678"}]
    assert [(event.actor, event.action, event.state) for event in ticket.events] == [("市民", "登记", "待受理")]
    with database.read() as session:
        entry = session.query(AuditEntry).one()
    assert (entry.action, entry.subject) == ("ticket.登记", ticket.number)


def test_personal_data_rests_encrypted(db: Settings) -> None:
    stored(phone="13812345678")
    with database.get_engine().connect() as connection:
        row = str(connection.execute(text("SELECT * FROM tickets")).one())
        row += str(connection.execute(text("SELECT * FROM audit")).all())
    assert "13812345678" not in row and "飞天补贴" not in row and "004211" not in row


def test_a_turn_makes_one_ticket(db: Settings) -> None:
    stored(turn_id="t1")
    with pytest.raises(IntegrityError):
        stored(turn_id="t1")


@pytest.mark.parametrize("change", [{"kind": "闲聊"}, {"subject": "  "}, {"number": "20260302123450123"}])
def test_nonsense_is_refused(sqlite_db: Settings, change: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        stored(**change)


def test_15_working_days_over_the_new_year(db: Settings) -> None:
    ticket = load(stored(now=NEW_YEAR))
    assert ticket.due_at == datetime(2027, 1, 18, 23, 59, 59, tzinfo=SHANGHAI)
    assert ticket.due_estimated
    reply = citizen.status_reply(ticket)
    assert "2027年1月18日" in reply.text
    assert reply.due_note is not None and reply.due_note.startswith("暂按周末推算")


def test_an_estimated_deadline_is_put_right(db: Settings) -> None:
    number, sure, answered = stored(now=NEW_YEAR), stored(), stored(now=NEW_YEAR)
    do(moves.claim, answered, "小李")
    do(moves.reply, answered, "小李", "好")
    with database.write() as session:
        for n in range(31):
            day = date(2027, 1, 1) + timedelta(n)
            working_days.set_day(session, day, day.weekday() < 5 and n != 0, "通知已发布", "管理员")
        assert board.recalculate(session) == 1
        assert board.recalculate(session) == 0
    ticket = load(number)
    assert (ticket.due_at, ticket.due_estimated) == (datetime(2027, 1, 19, 23, 59, 59, tzinfo=SHANGHAI), False)
    assert "2027年1月19日" in ticket.events[-1].note
    assert citizen.status_reply(ticket).due_note is None
    assert len(load(sure).events) == 1
    assert load(answered).due_estimated


# --- finding ---------------------------------------------------------------------------------------------------------


EIGHT, SIX = "00421170", "004211"
NOWHERE = "2026030200001" + numbers.check_digit("2026030200001")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def find(number: str, code: str, source: str = "1.2.3.4", now: datetime = NOW, phone_tail: str | None = None) -> Ticket:
    with database.write() as session:
        return lookup.find(session, number, code, phone_tail=phone_tail, source=source, now=now)


def refusal(*args: Any, **kwargs: Any) -> tuple[type[YihaodaError], str]:
    with pytest.raises(YihaodaError) as caught:
        find(*args, **kwargs)
    return type(caught.value), str(caught.value)


def watched(number: str, now: datetime = NOW) -> None:
    """So many wrong codes, by as many sources, that six digits do not suffice."""
    for n in range(lookup.WATCHED_AFTER):
        assert refusal(number, "99999999", source=f"another {n}", now=now)[0] is NotFound


def test_number_and_code_open_the_ticket(db: Settings) -> None:
    for stored_code in (EIGHT, SIX):
        number = stored(query_code=stored_code)
        assert find(number, stored_code).number == number
        wide = stored_code.translate(str.maketrans("0123456789", "０１２３４５６７８９"))
        assert find(f" {number} ", f"{wide[:4]} {wide[4:]}").number == number


def test_a_new_code_has_eight_digits() -> None:
    assert all(re.fullmatch(r"\d{8}", numbers.new_query_code(), re.ASCII) for _ in range(50))


def test_a_wrong_number_and_a_wrong_code_look_the_same(db: Settings) -> None:
    number = stored(query_code=EIGHT)
    for bad in ("", "-", "0", "004211", "0042117", "004211700", "4211\x00", "九" * 8):
        for at, kind in ((0, NotFound), (0.1, TooMany)):  # the second one comes too soon, for both
            said = {refusal(one, bad, bad, NOW + timedelta(seconds=at)) for one in (number, NOWHERE)}
            assert len(said) == 1 and said.pop()[0] is kind
    for no_number in ("", "\x00", "'--", "x" * 40):
        assert refusal(no_number, EIGHT) == (NotFound, moves.NOT_FOUND)


def test_what_is_asked_and_how_long_to_wait_does_not_tell_whether_there_is_a_ticket(sqlite_db: Settings) -> None:
    numbers = [NOWHERE, stored(query_code="111111"), stored(query_code="111111", phone="13812345678")]
    numbers += [stored(query_code="11111111", phone="13812345678")]
    for number in numbers:
        watched(number)
    for code, phone_tail in itertools.product([SIX, EIGHT], [None, "", "5678", "0000"]):
        heard = {
            tuple(
                refusal(number, code, f"{code} {phone_tail}", NOW + timedelta(seconds=at), phone_tail)
                for at in (1, 1.5, 2, 3, 60, 600, 1200, 7200)
            )
            for number in numbers
        }
        assert len(heard) == 1, (code, phone_tail)


def test_a_number_that_there_is_not_takes_the_same_work(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [NOWHERE, "no number", stored(), stored(phone="13812345678")]
    refusal(numbers[0], "1" * 8, source="first")  # what is made once
    decrypted: list[str] = []
    decrypt = Cipher.decrypt
    monkeypatch.setattr(Cipher, "decrypt", lambda *args: decrypted.append("") or decrypt(*args))
    work = []
    for number in numbers:
        refusal(number, "1" * 8)
        work.append(len(decrypted))
        decrypted.clear()
    assert work == [2] * len(numbers)


def test_whoever_guesses_waits_ever_longer_and_nobody_else_does(db: Settings) -> None:
    number, other = stored(query_code=EIGHT), stored(query_code=EIGHT)
    now, waits = NOW, []
    for n in range(14):
        assert refusal(number, f"{n:08d}", now=now)[0] is NotFound
        with pytest.raises(TooMany) as caught:
            find(number, EIGHT, now=now)  # not even looked at
        wait = caught.value.retry_after_s
        assert (wait and f"{wait}秒" in str(caught.value)) or f"{wait // 60 + bool(wait % 60)}分钟" in str(caught.value)
        assert find(other, EIGHT, now=now).number == other  # another ticket, the same source
        assert find(number, EIGHT, source=f"owner {n}", now=now).number == number  # the same ticket, another source
        waits.append(wait)
        now += timedelta(seconds=wait)
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1800, 1800, 1800]
    assert find(number, EIGHT, now=now).number == number
    assert refusal(number, EIGHT, now=now - timedelta(seconds=1))[0] is TooMany
    assert find(number, EIGHT, now=now + DAY).number == number


def test_a_right_try_neither_counts_nor_forgives(db: Settings) -> None:
    number = stored(query_code=EIGHT)
    for _ in range(30):
        find(number, EIGHT)
    with database.read() as session:
        assert session.scalars(select(Counter)).all() == []
    refusal(number, "1")
    find(number, EIGHT, now=NOW + timedelta(seconds=1))
    refusal(number, "1", now=NOW + timedelta(seconds=1))
    with pytest.raises(TooMany) as caught:
        find(number, EIGHT, now=NOW + timedelta(seconds=1))
    assert caught.value.retry_after_s == 2


def test_a_clock_that_was_put_back_shuts_nobody_out(db: Settings) -> None:
    number = stored(query_code=EIGHT)
    refusal(number, "1", now=NOW + 730 * DAY)
    assert find(number, EIGHT, now=NOW).number == number
    refusal(number, "1", now=NOW)
    assert refusal(number, EIGHT, now=NOW)[0] is TooMany
    assert find(number, EIGHT, now=NOW + 2 * timedelta(seconds=1)).number == number


def test_an_old_code_needs_the_phone_too_once_many_were_wrong(db: Settings) -> None:
    number = stored(query_code=SIX, phone="0731-88885678")
    for n in range(lookup.WATCHED_AFTER):
        assert find(number, SIX, source=f"owner {n}").number == number
        refusal(number, f"{n:06d}", source=f"another {n}")
    for _ in range(5):  # being asked counts for nothing
        assert refusal(number, SIX, source="owner") == (PhoneTailNeeded, lookup.ASK_PHONE_TAIL)
    assert find(number, SIX, source="owner", phone_tail="５６７８").number == number
    assert refusal(number, SIX, source="x", phone_tail="0000")[0] is NotFound
    assert refusal(number, SIX, source="y", phone_tail="")[0] is NotFound
    assert refusal(number, "999999", source="z", phone_tail="5678")[0] is NotFound
    assert find(number, SIX, source="tomorrow", now=NOW + DAY).number == number


def test_an_old_code_without_a_phone_makes_each_source_wait(db: Settings) -> None:
    number = stored(query_code=SIX)
    watched(number)
    assert refusal(number, SIX, source="owner")[0] is PhoneTailNeeded
    assert find(number, SIX, source="owner", phone_tail="").number == number
    assert refusal(number, "999999", source="another", phone_tail="")[0] is NotFound
    with pytest.raises(TooMany) as caught:
        find(number, SIX, source="another", phone_tail="", now=NOW + MINUTE)
    assert caught.value.retry_after_s == 14 * 60
    assert refusal(number, SIX, source="guesser", phone_tail="1234")[0] is NotFound  # there is none: no way round
    assert find(number, SIX, source="another", phone_tail="", now=NOW + 15 * MINUTE).number == number


def test_a_new_code_is_enough_however_many_were_wrong(db: Settings) -> None:
    number = stored(query_code=EIGHT, phone="13812345678")
    watched(number)
    assert find(number, EIGHT, source="owner").number == number


@pytest.mark.parametrize("same_source", [True, False])
def test_guesses_at_the_same_time_do_not_slip_past_the_limits(db: Settings, same_source: bool) -> None:
    number = stored(query_code=SIX)

    def guess(n: int) -> type[YihaodaError]:
        return refusal(number, f"9{n:05d}", source="one" if same_source else f"source{n}")[0]

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(guess, range(24)))
    assert results.count(NotFound) == (1 if same_source else lookup.WATCHED_AFTER)
    assert results.count(TooMany if same_source else PhoneTailNeeded) == 24 - results.count(NotFound)


class Attack:
    """Everybody guesses as soon as they may, for a day; the owner looks once in a while, from elsewhere."""

    def __init__(self, number: str, code: str, phone_tail: str | None, sources: int) -> None:
        self.guesses, self.owner_saw = 0, 0
        queue = [(NOW, f"attacker {n}") for n in range(sources)]
        owner = [NOW + n * HOUR + timedelta(seconds=1) for n in range(24)]
        with database.read() as session:
            self.right = str(session.get_one(Ticket, number).query_code)
        length = len(self.right)
        while queue:
            now, source = heapq.heappop(queue)
            if owner and owner[0] <= now:
                self._owner_looks(number, code, phone_tail, f"owner {owner[0]}", owner.pop(0))
            if now >= NOW + DAY:
                continue
            again = self._guess(number, f"{10**length - 1 - self.guesses:0{length}d}", phone_tail, source, now)
            heapq.heappush(queue, (now + again, source))

    def _guess(self, number: str, code: str, phone_tail: str | None, source: str, now: datetime) -> timedelta:
        """How long to wait before the next one."""
        for tail in (None, phone_tail):
            try:
                find(number, code, source, now, tail)
            except PhoneTailNeeded:
                continue
            except NotFound:
                self.guesses += 1
                return timedelta()
            except TooMany as error:
                assert error.retry_after_s
                return timedelta(seconds=error.retry_after_s)
            raise AssertionError(f"{code} opened the ticket of {self.right}")
        raise AssertionError("asked for the phone twice")

    def _owner_looks(self, number: str, code: str, phone_tail: str | None, source: str, now: datetime) -> None:
        try:
            found = find(number, code, source, now)
        except PhoneTailNeeded:
            found = find(number, code, source, now, phone_tail)
        assert found.number == number
        self.owner_saw += 1


@pytest.mark.parametrize(
    ("code", "phone", "tail", "sources", "chance"),
    [
        ("00421170", None, "", 1, 1e-6),
        ("004211", None, "", 1, 1e-4),
        pytest.param("00421170", None, "", 100, 1e-4, marks=pytest.mark.full),
        pytest.param("004211", None, "", 100, 1e-2, marks=pytest.mark.full),
        # The same if the attackers know the phone; if not, they need its four digits as well.
        pytest.param("004211", "13812345678", "5678", 100, 1e-2, marks=pytest.mark.full),
    ],
)
def test_a_day_of_guessing_from_many_addresses(
    sqlite_db: Settings, code: str, phone: str | None, tail: str, sources: int, chance: float
) -> None:
    number = stored(query_code=code, phone=phone)
    attack = Attack(number, code, tail, sources)
    assert attack.owner_saw == 24
    assert 50 * sources < attack.guesses <= chance * 10 ** len(code)


def test_the_same_question_is_found_again(db: Settings) -> None:
    number = stored(subject="飞天补贴 怎么领？")
    with database.read() as session:
        found = register.same_question(session, "c1", "飞天补贴怎么领?")
        assert found is not None and found.number == number
        assert register.same_question(session, "c1", "飞天补贴去哪领") is None
        assert register.same_question(session, "c2", "飞天补贴怎么领") is None
    do(citizen.withdraw, number)
    with database.read() as session:
        assert register.same_question(session, "c1", "飞天补贴怎么领") is None


def test_todays_tickets_are_counted_by_the_day_in_shanghai(db: Settings) -> None:
    midnight = datetime(2026, 3, 2, tzinfo=SHANGHAI)
    for at in (midnight - timedelta(seconds=1), midnight, NOW):
        stored(now=at)
    stored(conversation_id="c2")
    with database.read() as session:
        assert register.count_today(session, "c1", NOW) == 2
        assert register.count_today(session, "c3", NOW) == 0


def test_open_tickets_come_the_most_urgent_first(db: Settings) -> None:
    late, soon, done = stored(days=15), stored(days=3, department="医保局"), stored(days=1)
    do(citizen.withdraw, done)
    do(moves.claim, late, "小李")
    with database.read() as session:
        assert open_ones(session) == [soon, late]
        assert open_ones(session, department="医保局") == [soon]
        assert open_ones(session, claimed_by="小李") == [late]


def test_tickets_are_found_by_what_the_desk_looks_for(db: Settings) -> None:
    overdue, today = stored(days=3), stored(days=20, department="医保局", kind="投诉")
    do(moves.assign, overdue, "民政局", "小李")
    now = load(today).due_at - timedelta(hours=1)

    def found(within: str | None = None, **wanted: Any) -> list[str]:
        with database.read() as session:
            tickets, total = board.find(session, board.Wanted(**wanted), now, within=within)
            assert total == len(tickets)
            return [one.number for one in tickets]

    assert found(due="overdue") == found(card="红牌") == found(state="已派单") == found(within="民政局") == [overdue]
    assert found(due="today") == found(card="黄牌") == found(kind="投诉") == found(within="医保局") == [today]
    assert set(found(unclaimed=True)) == set(found(number=today[:8])) == set(found(state="all")) == {overdue, today}
    assert found(state="done") == found(within="税务局") == found(number="%") == found(claimed_by="小李") == []
    with pytest.raises(InvalidInput, match="没有“丢了”这个状态"):
        found(state="丢了")
    with database.read() as session:
        assert board.counts(session, now, "小李") == {"today": 1, "overdue": 1, "returned": 0, "mine": 0, "open": 2}
        assert board.counts(session, now, "小李", within="民政局")["open"] == 1
        assert [one.number for one in board.to_start_with(session, now)] == [overdue, today]
        assert board.visible(session, today, "医保局").number == today
        assert "民政局" in board.departments(session) and board.departments(session)[-1] == "医保局"
        with pytest.raises(NotFound):
            board.visible(session, today, "民政局")


def test_each_change_counts_the_revision_up(db: Settings) -> None:
    number = stored()
    seen = [load(number).revision]
    for move in ((moves.claim, "小李"), (moves.reply, "小李", "好。"), (moves.close, "小李")):
        do(move[0], number, *move[1:])
        seen.append(load(number).revision)
    assert seen == sorted(set(seen))


# --- moves -----------------------------------------------------------------------------------------------------------


def test_from_registration_to_rating(db: Settings) -> None:
    number = stored(phone="13812345678")
    do(moves.assign, number, "市医保局", "王主管")
    do(moves.claim, number, "小李")
    do(citizen.add, number, "我还有一张发票")
    do(moves.reply, number, "小李", "没有这项补贴，请勿轻信。")
    do(moves.close, number, "小李")
    do(citizen.rate, number, "满意", "回复很快")
    ticket = load(number)
    assert [event.state for event in ticket.events] == [
        "待受理", "已派单", "办理中", "办理中", "已答复", "已办结", "已评价",
    ]  # fmt: skip
    reply = citizen.status_reply(ticket)
    assert (reply.state, reply.answer, reply.due_at) == ("已评价", "没有这项补贴，请勿轻信。", None)
    shown = reply.model_dump_json()
    assert "小李" not in shown and "13812345678" not in shown
    with database.read() as session:
        assert session.query(AuditEntry).count() == len(ticket.events)


def test_sent_back_assigned_again_and_reopened(db: Settings) -> None:
    number = stored()
    do(moves.claim, number, "小李")
    do(moves.send_back, number, "小李", "不属于我局职责，张三电话写错了")
    ticket = load(number)
    assert (ticket.state, ticket.claimed_by) == ("退回", None)
    assert "张三" not in citizen.status_reply(ticket).model_dump_json()
    do(moves.assign, number, "市民政局", "王主管")
    do(moves.claim, number, "小赵")
    do(moves.reply, number, "小赵", "已解决。")
    do(moves.reopen, number, "市民", "没有解决", now=NOW + timedelta(days=30))
    ticket = load(number)
    assert (ticket.state, ticket.claimed_by) == ("重办", None)
    assert ticket.due_at == working_days.due(NOW + timedelta(days=30), 15, {}).at
    do(moves.claim, number, "小李")
    assert load(number).state == "办理中"


def test_an_answer_can_be_rated_at_once(db: Settings) -> None:
    number = stored()
    do(moves.claim, number, "小李")
    do(moves.reply, number, "小李", "好的。")
    do(citizen.rate, number, "基本满意")
    assert [event.state for event in load(number).events][-2:] == ["已办结", "已评价"]


@pytest.mark.parametrize("grade", get_args(citizen.Satisfaction))
def test_a_bad_grade_is_verified_once_and_with_a_new_deadline(db: Settings, grade: citizen.Satisfaction) -> None:
    number = stored()
    states = []
    for day in (30, 60):
        do(moves.claim, number, "小李")
        do(moves.reply, number, "小李", "好的。")
        now = NOW + timedelta(days=day)
        do(citizen.rate, number, grade, "说的不是我问的事", now=now)
        ticket = load(number)
        states.append(ticket.state)
        if ticket.state != "重办":
            break
        assert (ticket.claimed_by, ticket.due_at) == (None, working_days.due(now, 15, {}).at)
        assert number in do(open_ones)
        due = f"{ticket.due_at.astimezone(SHANGHAI):%Y年%-m月%-d日}"
        assert ticket.events[-1].note == f"已安排专人核实您的评价，重新办理，预计{due}前答复您。"
        assert due in citizen.status_reply(ticket).text
    assert states == (["重办", "已评价"] if grade in citizen.BAD else ["已评价"])
    assert ("督办" in citizen.status_reply(load(number)).text) == (grade in citizen.BAD)
    with pytest.raises(IllegalMove):
        do(citizen.rate, number, grade, "说的不是我问的事")


def test_a_bad_grade_says_why(sqlite_db: Settings) -> None:
    number = stored()
    do(moves.claim, number, "小李")
    do(moves.reply, number, "小李", "好的。")
    for note in ("", "  ", "太差了", "！！！！！！"):
        with pytest.raises(InvalidInput, match="原因"):
            do(citizen.rate, number, "非常不满意", note)
    assert load(number).state == "已答复"


def test_a_ticket_that_was_only_reopened_still_has_its_verification(sqlite_db: Settings) -> None:
    number = stored()
    do(moves.claim, number, "小李")
    do(moves.reply, number, "小李", "好的。")
    do(moves.reopen, number, "王主管", "答复不完整")
    assert "评价" not in citizen.status_reply(load(number)).text
    do(moves.claim, number, "小李")
    do(moves.reply, number, "小李", "补充答复。")
    assert do(citizen.rate, number, "不满意", "还是没说清楚").state == "重办"


@pytest.mark.parametrize(
    ("state", "allowed"),
    [
        ("待受理", ["add", "correct", "withdraw"]),
        ("办理中", ["add", "correct", "withdraw"]),
        ("重办", ["add", "correct", "withdraw"]),
        ("已答复", ["rate"]),
        ("已办结", ["rate"]),
        ("已评价", []),
        ("已撤回", []),
    ],
)
def test_what_a_citizen_may_do_is_what_succeeds(sqlite_db: Settings, state: str, allowed: list[str]) -> None:
    moves = {
        "add": lambda session, number: citizen.add(session, number, "补充"),
        "correct": lambda session, number: citizen.correct(session, number, {"region": "430105"}),
        "withdraw": lambda session, number: citizen.withdraw(session, number),
        "rate": lambda session, number: citizen.rate(session, number, "满意"),
    }
    for name, move in moves.items():
        number = stored()
        with database.write() as session:
            session.get_one(Ticket, number).state = state
        assert citizen.status_reply(load(number)).can == allowed
        if name in allowed:
            do(move, number)
        else:
            with pytest.raises(IllegalMove):
                do(move, number)


def test_a_region_that_is_no_longer_in_the_table_does_not_hide_a_ticket(sqlite_db: Settings) -> None:
    region = citizen.status_reply(load(stored(region="999998"))).region
    assert region is not None and (region.code, region.name) == ("999998", "999998")


def test_the_table_of_moves_is_closed() -> None:
    assert set().union(*moves.MOVES.values()) <= set(moves.MOVES)
    assert {state for state, targets in moves.MOVES.items() if "已撤回" in targets} == set(moves.OPEN)


MOVES_TO = {
    "已派单": lambda session, number: moves.assign(session, number, "医保局", "王"),
    "办理中": lambda session, number: moves.claim(session, number, "小李"),
    "已答复": lambda session, number: moves.reply(session, number, "小李", "答"),
    "已办结": lambda session, number: moves.close(session, number, "小李"),
    "退回": lambda session, number: moves.send_back(session, number, "小李", "不归我们管"),
    "重办": lambda session, number: moves.reopen(session, number, "市民", "没解决"),
    "已撤回": lambda session, number: citizen.withdraw(session, number),
}


@pytest.mark.parametrize("source", moves.MOVES)
def test_every_move_outside_the_table_is_refused_and_changes_nothing(sqlite_db: Settings, source: str) -> None:
    for target, move in MOVES_TO.items():
        number = stored()
        with database.write() as session:
            ticket = session.get_one(Ticket, number)
            ticket.state = source
            ticket.claimed_by = "小李" if source == "办理中" and target != "办理中" else None
        if target in moves.MOVES[source]:
            assert do(move, number).state == target
        elif (source, target) == ("办理中", "办理中"):
            continue
        else:
            with pytest.raises(IllegalMove, match=source):
                do(move, number)
            assert load(number).state == source and len(load(number).events) == 1


def test_of_two_agents_one_gets_the_ticket(db: Settings) -> None:
    number = stored()

    def claim(agent: str) -> bool:
        try:
            do(moves.claim, number, agent)
        except IllegalMove:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(claim, [f"坐席{n}" for n in range(8)]))
    assert sum(got) == 1
    ticket = load(number)
    assert ticket.claimed_by == f"坐席{got.index(True)}"
    assert [event.action for event in ticket.events] == ["登记", "接单"]


def test_a_repeated_claim_by_the_same_agent_is_no_error(db: Settings) -> None:
    number = stored()
    do(moves.claim, number, "小李")
    do(moves.claim, number, "小李")
    assert len(load(number).events) == 2


def test_only_who_has_the_ticket_answers_it(db: Settings) -> None:
    number = stored()
    do(moves.claim, number, "小李")
    with pytest.raises(Forbidden):
        do(moves.reply, number, "小赵", "我来答")
    with pytest.raises(InvalidInput):
        do(moves.reply, number, "小李", "  ")
    assert load(number).answer is None


def test_contact_and_region_can_be_corrected_until_the_answer(db: Settings) -> None:
    number = stored()
    do(citizen.set_contact, number, phone="13812345678")
    do(citizen.set_contact, number, region="430105")
    ticket = load(number)
    assert (ticket.phone, ticket.region) == ("13812345678", "430105")
    assert "1381234" not in str([event.note for event in ticket.events])
    do(moves.claim, number, "小李")
    do(moves.reply, number, "小李", "答")
    for move, args in ((citizen.set_contact, ("1",)), (citizen.add, ("补充",)), (citizen.withdraw, ())):
        with pytest.raises(IllegalMove):
            do(move, number, *args)


def test_a_ticket_that_is_not_there(db: Settings) -> None:
    for move in MOVES_TO.values():
        with pytest.raises(NotFound):
            do(move, "20260302000019")


# --- cards -----------------------------------------------------------------------------------------------------------


def test_yellow_and_red_cards(sqlite_db: Settings) -> None:
    number = stored(days=5)  # registered on a Monday, due on the next one
    ticket = load(number)
    wednesday, thursday = datetime(2026, 3, 4, 9, tzinfo=SHANGHAI), datetime(2026, 3, 5, 0, 1, tzinfo=SHANGHAI)
    assert ticket.due_at.astimezone(SHANGHAI).date() == date(2026, 3, 9)
    assert board.card(ticket, NOW, {}) is None
    assert board.card(ticket, wednesday, {}) == "黄牌"
    assert board.card(ticket, thursday, {}) == "黄牌"
    assert board.card(ticket, datetime(2026, 3, 3, 9, tzinfo=SHANGHAI), {}) is None
    assert board.card(ticket, ticket.due_at, {}) == "黄牌"
    assert board.card(ticket, ticket.due_at + timedelta(seconds=1), {}) == "红牌"
    do(citizen.withdraw, number)
    assert board.card(load(number), ticket.due_at + timedelta(days=9), {}) is None


def test_cards_and_lists_know_what_operations_said_of_days(sqlite_db: Settings) -> None:
    number = stored(days=5)  # due on Monday the 9th
    tuesday = datetime(2026, 3, 3, 9, tzinfo=SHANGHAI)
    with database.write() as session:
        working_days.set_day(session, date(2026, 3, 5), False, "停电", "测试")
        overrides = working_days.overrides_from(session)
    assert board.card(load(number), tuesday, overrides) == "黄牌"
    with database.read() as session:
        found, _ = board.find(session, board.Wanted(card="黄牌"), tuesday)
    assert [one.number for one in found] == [number]


# --- found without being read ----------------------------------------------------------------------------------------


def found_by(**wanted: Any) -> list[str]:
    with database.read() as session:
        return [one.number for one in board.find(session, board.Wanted(state="all", **wanted), NOW)[0]]


def test_a_callers_tickets_are_found_by_phone_and_no_phone_rests_readable(db: Settings) -> None:
    mine, other, none = stored(phone="13812345678"), stored(phone="0731-88886666"), stored()
    assert found_by(phone="138 1234 5678") == found_by(phone="１３８１２３４５６７８") == [mine]
    assert found_by(phone="073188886666") == [other] and found_by(phone="13812345679") == []
    assert none not in found_by(phone="x")
    again = stored(phone="13812345678")
    with database.read() as session:
        assert board.same_caller(session, session.get_one(Ticket, mine)) == 1
        assert board.same_caller(session, session.get_one(Ticket, none)) == 0
        rows = [str(row) for row in session.execute(text("SELECT * FROM tickets"))]
    assert not any("13812345678" in row or "88886666" in row for row in rows) and again


def test_words_of_the_subject_are_found_masked_ones_are_not(db: Settings) -> None:
    number = stored(subject="小区路灯坏了三天，我的电话13812345678，\x00ＡＢ栋")
    stored()
    for words in ("路灯", "路灯 坏了", "小区路灯坏了三天", "灯", "ab栋", "AB栋 路灯，"):
        assert found_by(text=words) == [number], words
    for words in ("13812345678", "1381234", "路灯 修好", "%", "。", "灯路", "_"):
        assert found_by(text=words) == [], words


def test_a_corrected_phone_is_found_by_the_new_one(db: Settings) -> None:
    number = stored(phone="13812345678")
    do(citizen.correct, number, {"phone": "13987654321"}, consent=True)
    assert found_by(phone="13812345678") == [] and found_by(phone="13987654321") == [number]


def test_a_phone_is_forgotten_everywhere_and_the_case_stays(db: Settings) -> None:
    numbers_ = {stored(phone="13812345678") for _ in range(2)}
    for number in numbers_:
        do(citizen.add, number, "请打13812345678")
    other = stored(phone="13987654321")
    assert set(do(board.forget_phone, "138-1234-5678", "1001")) == numbers_
    for number in numbers_:
        ticket = load(number)
        assert ticket.phone is None and "138****5678" in ticket.subject and ticket.events[-1].note == "已删除联系电话。"
        assert "补充：请打138****5678" in [event.note for event in ticket.events]
    assert load(other).phone and found_by(phone="13812345678") == []
    with pytest.raises(InvalidInput, match="联系电话不对"):
        do(board.forget_phone, "123", "1001")


def test_a_rotated_key_finds_what_the_old_one_did(sqlite_db: Settings) -> None:
    number = stored(phone="13812345678")
    before = load(number).phone_index
    keys.rotate(sqlite_db, "1001")
    assert load(number).phone_index != before and found_by(phone="13812345678") == found_by(text="飞天补贴") == [number]
