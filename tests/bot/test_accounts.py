"""Accounts: who may sign in, how often they may try, and for how long they stay."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import select

from bot import database
from bot.accounts import passwords, people, second_factor, service_accounts, sign_in
from bot.accounts.roles import ROLES, SCOPES
from bot.errors import IllegalMove, InvalidInput, NotFound, TooMany, Unauthorised
from bot.models.housekeeping import AuditEntry
from bot.models.people import Person, ServiceAccount, SignIn
from bot.settings import Settings

NOW = datetime(2026, 11, 29, 8, tzinfo=UTC)
GOOD = "江边散步-7颗石榴树"
BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0"


def do(what: Callable[..., Any], *args: Any, **more: Any) -> Any:
    with database.write() as session:
        return what(session, *args, **more)


def account(number: str = "1024", *roles: str, password: str | None = None) -> str:
    """A new account; its password."""
    _person, first = do(people.create, "命令行", number, "王芳", roles or ("agent",), now=NOW)
    if password is None:
        return str(first)
    do(people.change_password, number, first, password)
    return password


def enter(own: Settings, password: str, number: str = "1024", **more: Any) -> sign_in.Entered:
    given = {"code": None, "source": "a", "device": None, "agent": BROWSER, "now": NOW} | more
    return sign_in.enter(own, number, password, given.pop("code"), **given)


def who(own: Settings, token: str, now: datetime = NOW, active: bool = True) -> str:
    with database.read() as session:
        return sign_in.who(session, token, own, active=active, now=now)[0].number


# --- accounts --------------------------------------------------------------------------------------------------------


def test_an_account_has_a_password_to_be_changed_and_stands_in_the_audit_log(db: Settings) -> None:
    first = account("1024", "admin", "agent")
    with database.read() as session:
        person = people.get(session, "1024")
        assert (person.roles, person.must_change, person.active) == (["agent", "admin"], True, True)
        assert first not in (person.password or "") and person.password != first
        entry = session.scalars(select(AuditEntry)).one()
    assert (entry.actor, entry.action, entry.subject) == ("命令行", "person.create", "1024")
    assert entry.detail == {"named": "王芳", "roles": ["agent", "admin"]}
    do(people.change_password, "1024", first, GOOD)
    assert not do(people.get, "1024").must_change


@pytest.mark.parametrize(
    "wrong",
    [
        {"number": ""},
        {"number": "王芳"},
        {"number": "-1"},
        {"number": "a b"},
        {"number": "a" * 33},
        {"name": " "},
        {"name": "王" * 33},
        {"name": "王\n芳"},
        {"given": []},
        {"given": ["boss"]},
        {"given": ["officer"]},
        {"region": "999999"},
        {"department": "局" * 101},
    ],
)
def test_what_makes_no_account_is_refused_in_words(db: Settings, wrong: dict[str, Any]) -> None:
    fields = {"number": "1024", "name": "王芳", "given": ["agent"]} | wrong
    with pytest.raises(InvalidInput, match=r"[\u4e00-\u9fff]"):
        do(people.create, "命令行", fields.pop("number"), fields.pop("name"), fields.pop("given"), **fields)
    with database.read() as session:
        assert session.scalars(select(Person)).all() == []


def test_a_number_is_given_once(db: Settings) -> None:
    account()
    with pytest.raises(IllegalMove, match="已经有人用了"):
        account()


def changed(number: str, revision: int, **fields: Any) -> Person:
    before = do(people.get, number)
    whole = {
        "name": before.name,
        "given": before.roles,
        "department": before.department,
        "region": before.region,
        "skills": [],
        "capacity": None,
    }
    person: Person = do(people.change, "9", number, revision, **(whole | {"active": before.active} | fields))
    return person


def test_of_two_who_change_an_account_the_second_is_told(db: Settings) -> None:
    account("1", "admin")
    account()
    assert changed("1024", 0, name="王芬").revision == 1
    with pytest.raises(IllegalMove, match="刚刚被别人改过"):
        changed("1024", 0, name="王方")
    assert do(people.get, "1024").name == "王芬"


def test_somebody_always_administers(db: Settings) -> None:
    account("1", "admin")
    for change in ({"active": False}, {"given": ["agent"]}):
        with pytest.raises(IllegalMove, match="至少要留一个管理员"):
            changed("1", 0, **change)
    account("2", "admin")
    assert not changed("1", 0, active=False).active


def test_whoever_is_switched_off_is_out_at_once_and_comes_in_no_more(db: Settings) -> None:
    account("1", "admin")
    password = account(password=GOOD)
    entered = enter(db, password)
    assert who(db, entered.token) == "1024"
    changed("1024", 0, active=False)
    for _ in range(2):
        with pytest.raises(Unauthorised):
            who(db, entered.token)
        with pytest.raises(Unauthorised):
            enter(db, password, device=entered.device)
        do(people.get, "1024")
    changed("1024", 1, active=True)
    with pytest.raises(Unauthorised):  # the old sign-in stays ended
        who(db, entered.token)


# --- passwords -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "weak",
    ["", "short", "a" * 73, "1234567890", "woaini5201314", "password123456", "qwertyuiop", "wangfang1024", "19900101aa",
     "aaaaaaaaaa", "yihaoda12345", " spaces at ends ", "tab\tinside99", "abcabcabcabc", "Admin@123456", "Aa123456789"],
)  # fmt: skip
def test_what_is_easily_guessed_is_refused(weak: str) -> None:
    with pytest.raises(InvalidInput):
        passwords.check(weak, ["wangfang", "1024"])


@pytest.mark.parametrize("fine", [GOOD, "correct-horse-battery-staple", "7石榴+江边=散步吧朋友", "kV9#mmLq2x!r"])
def test_what_is_not_is_taken(fine: str) -> None:
    passwords.check(fine, ["wangfang", "1024"])


def test_what_we_make_up_is_strong_and_each_time_another() -> None:
    made = {passwords.made_up() for _ in range(50)}
    assert len(made) == 50
    for one in list(made)[:5]:
        passwords.check(one, [])


def test_the_last_three_may_not_come_again(db: Settings) -> None:
    old = account(password=GOOD)
    for number in range(3):
        new = f"江边散步{number}-颗石榴树"
        do(people.change_password, "1024", old, new)
        with pytest.raises(InvalidInput, match=r"最近用过|和现在的一样"):
            do(people.change_password, "1024", new, old)
        old = new
    do(people.change_password, "1024", old, GOOD)  # four ago


def test_the_old_one_is_needed_to_set_a_new_one(db: Settings) -> None:
    account(password=GOOD)
    with pytest.raises(InvalidInput, match="现在的密码不对"):
        do(people.change_password, "1024", "wrong", "别的好密码-12颗石榴")


def test_no_password_opens_an_account_without_one(db: Settings) -> None:
    do(lambda session: session.add(Person(number="老王", name="老王", roles=["agent"], created_at=NOW)))
    for tried in ("", "None", "老王"):
        with pytest.raises((Unauthorised, TooMany)):
            enter(db, tried, "老王")
    assert not passwords.verify(None, "x")
    assert not passwords.verify("no hash", "x")


# --- signing in ------------------------------------------------------------------------------------------------------


def test_signing_in_tells_no_stranger_which_accounts_there_are(db: Settings) -> None:
    account(password=GOOD)
    said = set()
    for number in ("1024", "nobody", "", "%", "x" * 64):
        with pytest.raises(Unauthorised) as refused:
            enter(db, "wrong", number, source=number)
        said.add(str(refused.value))
    assert len(said) == 1


def test_wrong_passwords_make_the_next_try_wait_longer_each_time(db: Settings) -> None:
    password, now, waits = account(password=GOOD), NOW, []
    for _ in range(12):
        try:
            with pytest.raises(Unauthorised):
                enter(db, "wrong", now=now)
        except TooMany as early:
            waits.append(early.retry_after_s)
            now += timedelta(seconds=early.retry_after_s or 0)
            with pytest.raises(Unauthorised):
                enter(db, "wrong", now=now)
        with pytest.raises(TooMany) if len(waits) > 1 else pytest.raises((TooMany, Unauthorised)):
            enter(db, "wrong", now=now)
    assert waits == sorted(waits) and waits[-1] > 100
    with pytest.raises(TooMany):
        enter(db, password, now=now)  # the right one has to wait, too
    assert enter(db, password, now=now + timedelta(minutes=16)).person.number == "1024"
    with pytest.raises(Unauthorised):  # and then all is forgotten
        enter(db, "wrong", now=now + timedelta(minutes=16))


def test_a_stranger_keeps_nobody_out_on_a_device_that_they_signed_in_on(db: Settings) -> None:
    password = account(password=GOOD)
    device = enter(db, password).device
    for number in range(40):
        with pytest.raises((Unauthorised, TooMany)):
            enter(db, "guess", source="a", now=NOW + timedelta(seconds=number))
    assert enter(db, password, source="a", device=device, now=NOW + timedelta(seconds=41)).person.number == "1024"
    with pytest.raises(TooMany):  # another device behind the same address has to wait
        enter(db, password, source="a", now=NOW + timedelta(seconds=42))
    assert enter(db, password, source="elsewhere", now=NOW + timedelta(seconds=42))


def test_an_address_that_tries_many_accounts_is_bounded(db: Settings) -> None:
    refused = 0
    for number in range(40):
        try:
            enter(db, "guess", f"n{number}", source="one address")
        except TooMany:
            refused += 1
        except Unauthorised:
            pass
    assert refused == 10


def test_a_made_up_device_is_no_known_one(db: Settings) -> None:
    account(password=GOOD)
    account("2048", password=GOOD)
    device = enter(db, GOOD, "2048").device
    for number, tried in enumerate(("x" * 43, device, "")):
        for second in range(6):
            with pytest.raises((Unauthorised, TooMany)):
                enter(db, "guess", device=tried, source=str(number), now=NOW + timedelta(seconds=second))
        with pytest.raises(TooMany):
            enter(db, "guess", device=tried, source=str(number), now=NOW + timedelta(seconds=6))


def test_a_sign_in_ends_with_the_shift_and_locks_when_nothing_is_done(db: Settings) -> None:
    token = enter(db, account(password=GOOD)).token
    minutes = db.idle_lock_minutes
    for past in range(1, 12 * 60 // (minutes - 1)):
        assert who(db, token, NOW + timedelta(minutes=past * (minutes - 1))) == "1024"
    with pytest.raises(Unauthorised, match="12 小时"):
        who(db, token, NOW + timedelta(hours=12, seconds=1))
    token = enter(db, GOOD).token
    idle = NOW + timedelta(minutes=minutes, seconds=1)
    with pytest.raises(sign_in.Locked):
        who(db, token, idle)
    with pytest.raises(Unauthorised, match="密码不对"):
        sign_in.unlock(token, "wrong", now=idle)
    sign_in.unlock(token, GOOD, now=idle)
    assert who(db, token, idle) == "1024"


def test_a_page_that_looks_by_itself_keeps_nobody_signed_in(db: Settings) -> None:
    token = enter(db, account(password=GOOD)).token
    for minute in range(1, db.idle_lock_minutes):
        who(db, token, NOW + timedelta(minutes=minute), active=False)
    with pytest.raises(sign_in.Locked):
        who(db, token, NOW + timedelta(minutes=db.idle_lock_minutes, seconds=1))


def test_sign_ins_are_listed_and_ended_one_or_all(db: Settings) -> None:
    account(password=GOOD)
    tokens = [enter(db, GOOD).token for _ in range(3)]
    with database.read() as session:
        ones = sign_in.open_ones(session, "1024", NOW)
    assert [one.device for one in ones] == ["Windows 上的 Edge"] * 3
    do(sign_in.leave, ones[0].id, "1024", NOW)
    with pytest.raises(NotFound):
        do(sign_in.leave, ones[1].id, "2048", NOW)
    assert do(people.end_sign_ins, "1024", but=ones[1].id) == 1
    alive = []
    for token in tokens:
        with contextlib.suppress(Unauthorised):
            alive.append(who(db, token))
    assert alive == ["1024"]


def test_neither_passwords_nor_tokens_rest_anywhere(db: Settings) -> None:
    entered = enter(db, account(password=GOOD))
    with database.read() as session:
        rows = [
            *session.scalars(select(SignIn)),
            *session.scalars(select(Person)),
            *session.scalars(select(AuditEntry)),
        ]
        kept = repr([dict(vars(row).items()) for row in rows])
    assert not any(secret in kept for secret in (GOOD, entered.token, entered.device))


# --- the second factor -----------------------------------------------------------------------------------------------


def bound(own: Settings) -> str:
    """The secret of a second factor that 1024 has set up."""
    secret, address = do(sign_in.begin_second_factor, "1024", own)
    assert address.startswith("otpauth://totp/") and secret in address
    do(sign_in.confirm_second_factor, "1024", second_factor.code_at(secret, NOW), NOW)
    return str(secret)


def test_a_code_opens_once(db: Settings) -> None:
    account(password=GOOD)
    secret = bound(db)
    with pytest.raises(sign_in.SecondFactorAsked):
        enter(db, GOOD)
    later = NOW + timedelta(seconds=30)
    code = second_factor.code_at(secret, later)
    assert enter(db, GOOD, code=code, now=later).person.number == "1024"
    for tried in (code, "000000", "12345", "abcdef", "１２３４５６", second_factor.code_at(secret, NOW)):
        with pytest.raises((sign_in.SecondFactorAsked, TooMany)):
            enter(db, GOOD, code=tried, now=later, source=tried)
    with pytest.raises(Unauthorised, match="工号或密码不对"):  # the code alone tells nothing of the password
        enter(db, "wrong", code=second_factor.code_at(secret, later), now=later, source="z")


@given(st.integers(0, 4_000_000_000), st.integers(-3, 3))
def test_a_clock_may_be_a_step_off_and_no_more(at: int, steps: int) -> None:
    secret, now = "JBSWY3DPEHPK3PXP" * 2, datetime.fromtimestamp(at, UTC)
    shown = second_factor.code_at(secret, datetime.fromtimestamp(max(0, at + 30 * steps), UTC))
    used = second_factor.used_step(secret, shown, now, -1)
    if at + 30 * steps >= 0 and abs(steps) <= 1:
        assert used is not None and second_factor.used_step(secret, shown, now, used) is None
    elif used is not None:  # by chance the same six digits
        assert shown in {
            second_factor.code_at(secret, datetime.fromtimestamp(max(0, at + 30 * d), UTC)) for d in (-1, 0, 1)
        }


def test_the_published_vectors_hold() -> None:
    """RFC 6238, appendix B, SHA-1; its codes have eight digits, of which apps show the last six."""
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    for at, code in ((59, "94287082"), (1111111109, "07081804"), (1234567890, "89005924"), (20000000000, "65353130")):
        assert second_factor.code_at(secret, datetime.fromtimestamp(at, UTC)) == code[-6:]


def test_whoever_may_do_much_needs_one_in_production(db: Settings) -> None:
    account("1", "admin")
    account("2", "agent")
    production = db.model_copy(update={"env": "production"})
    with database.read() as session:
        admin, agent = people.get(session, "1"), people.get(session, "2")
        assert people.second_factor_needed(admin, production) and not people.second_factor_needed(agent, production)
        assert not people.second_factor_needed(admin, db)


def test_a_lost_phone_is_the_administrators_to_mend(db: Settings) -> None:
    account(password=GOOD)
    bound(db)
    with pytest.raises(InvalidInput, match="已经绑定"):
        do(sign_in.begin_second_factor, "1024", db)
    do(people.reset_second_factor, "9", "1024")
    assert enter(db, GOOD).person.totp_confirmed is False


# --- programs --------------------------------------------------------------------------------------------------------


def test_a_programs_key_is_shown_once_and_opens_until_it_is_revoked(db: Settings) -> None:
    key = do(service_accounts.create, "1024", "crm", ["tickets.read"])
    with database.read() as session:
        assert service_accounts.opened_by(session, key).name == "crm"
        assert key not in repr([vars(one) for one in session.scalars(select(ServiceAccount))])
        with pytest.raises(Unauthorised):
            service_accounts.opened_by(session, key[:-1])
    do(service_accounts.revoke, "1024", "crm")
    with database.read() as session, pytest.raises(Unauthorised):
        service_accounts.opened_by(session, key)
    with pytest.raises(IllegalMove):
        do(service_accounts.create, "1024", "crm", ["tickets.read"])
    for name, scopes in (("X", ["tickets.read"]), ("ok", []), ("ok", ["everything"])):
        with pytest.raises(InvalidInput):
            do(service_accounts.create, "1024", name, scopes)
    assert set(SCOPES) and set(ROLES)


# --- races, and everything in any order ------------------------------------------------------------------------------


def test_guesses_at_the_same_time_count_each(db: Settings) -> None:
    account(password=GOOD)

    def guess(_: int) -> str:
        try:
            enter(db, "wrong")
        except TooMany:
            return "later"
        except Unauthorised:
            return "wrong"
        return "in"

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(guess, range(24)))
    assert "in" not in said and "later" in said


class SignIns(RuleBasedStateMachine):
    """Whatever is done in whatever order: a token opens exactly while its sign-in stands."""

    own: Settings

    @initialize()
    def begin(self) -> None:
        self.now = NOW
        self.open: dict[str, tuple[str, datetime, datetime]] = {}
        self.revision = {number: do(people.get, number).revision for number in ("a", "b")}
        for number in ("a", "b"):
            do(people.end_sign_ins, number)
            if not do(people.get, number).active:
                self.revision[number] = changed(number, self.revision[number], active=True).revision
        self.active = {"a": True, "b": True}

    @rule(number=st.sampled_from("ab"))
    def sign_in(self, number: str) -> None:
        if self.active[number]:
            with database.write() as session:
                entered = sign_in.admit(session, number, source="s", agent="", by="test", now=self.now)
            self.open[entered.token] = (number, self.now, self.now)

    @rule(minutes=st.integers(0, 400))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        if self.open:
            token = data.draw(st.sampled_from(sorted(self.open)))
            number = self.open.pop(token)[0]
            with database.read() as session:
                id_ = session.scalar(select(SignIn.id).where(SignIn.token_digest == sign_in.digest(token)))
            do(sign_in.leave, id_, number, self.now)

    @rule(number=st.sampled_from("ab"), active=st.booleans())
    def switch(self, number: str, active: bool) -> None:
        if self.active[number] != active:
            self.revision[number] = changed(number, self.revision[number], active=active).revision
            self.active[number] = active
            self.open = {token: one for token, one in self.open.items() if one[0] != number}

    @rule(number=st.sampled_from("ab"))
    def reset(self, number: str) -> None:
        do(people.end_sign_ins, number)
        self.open = {token: one for token, one in self.open.items() if one[0] != number}

    @invariant()
    def opens_exactly_while_it_stands(self) -> None:
        for token, (number, began, seen) in list(self.open.items()):
            idle = self.now - seen > timedelta(minutes=self.own.idle_lock_minutes)
            if self.now - began > sign_in.LASTS or idle:
                with pytest.raises(Unauthorised):
                    who(self.own, token, self.now)
            else:
                assert who(self.own, token, self.now) == number
                if self.now - seen > timedelta(seconds=30):
                    self.open[token] = (number, began, self.now)
        with database.read() as session:
            alive = session.scalars(select(SignIn.token_digest).where(SignIn.ended_at.is_(None))).all()
        assert {sign_in.digest(token) for token in self.open} == set(alive)


def test_sign_ins_in_any_order(sqlite_db: Settings) -> None:
    account("root", "admin")
    account("a")
    account("b")
    SignIns.own = sqlite_db
    run_state_machine_as_test(
        SignIns,
        settings=settings(
            max_examples=25, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
