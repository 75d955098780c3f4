"""The security log: what goes in, what repeats, how long it stays, and what a full disk or a leap of the clock does to it."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from bot import audit, database, security_log
from bot.clock import utcnow
from bot.errors import NotFound
from bot.settings import ROOT, Settings
from bot.tickets import lookup

TODAY = date(2026, 11, 29)


def lines(settings: Settings) -> list[dict[str, Any]]:
    security_log.settle()
    return [
        json.loads(line)
        for _, path in reversed(security_log.days(settings.logs))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]


def test_a_line_says_what_on_what_and_from_where_without_personal_data(settings: Settings) -> None:
    token = security_log.source.set("203.0.113.7")
    security_log.record("thing.refused", "GET /x 13812345678", reason="身份证11010519491231002X", status=403)
    security_log.source.reset(token)
    (line,) = lines(settings)
    assert line.pop("at").startswith("20")
    assert line == {
        "event": "thing.refused",
        "source": "203.0.113.7",
        "subject": "GET /x 138****5678",
        "reason": "身份证110***************",
        "status": 403,
    }
    (_, path), *_ = security_log.days(settings.logs)
    assert path.stat().st_mode & 0o077 == 0


def test_what_repeats_is_counted_and_no_other_event_is_lost_in_it(settings: Settings) -> None:
    for number in range(1000):
        security_log.record("code.wrong", f"ticket {number}", origin="a")
    security_log.record("code.wrong", "ticket 1", origin="b")
    security_log.record("request.refused", "GET /x", origin="a", reason="forbidden")
    security_log.record("request.refused", "GET /x", origin="a", reason="too_many")
    security_log.record("qa.approved", "x-1", origin="a", counted=False)
    security_log.record("qa.approved", "x-2", origin="a", counted=False)
    found = lines(settings)
    assert len(found) == 7
    counted = next(line for line in found if "repeated" in line)
    assert counted["repeated"] == 999 and counted["source"] == "a" and counted["since"] == found[0]["at"]
    assert counted["subject"].startswith("ticket 1、ticket 2、") and len(counted["subject"]) < 400
    assert sum(line.get("repeated", 1) for line in found) == 1005


def test_the_count_is_written_when_its_minute_is_over_also_if_nothing_follows(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(security_log, "REPEAT_S", 0.05)
    monkeypatch.setattr(security_log, "_log", security_log._SecurityLog())  # no other test's timer
    for _ in range(3):
        security_log.record("code.wrong", "n", origin="late")
    timer = security_log._log._timer
    assert timer is not None
    timer.join(10)
    text = "".join(path.read_text("utf-8") for _, path in security_log.days(settings.logs))
    assert '"repeated": 2' in text


def test_counts_are_written_when_the_process_ends(settings: Settings) -> None:
    code = "from bot import security_log as s; [s.record('code.wrong', 'n') for _ in range(5)]"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    assert [line.get("repeated", 1) for line in lines(settings)] == [1, 4]


def test_a_change_is_in_it_if_and_only_if_it_is_committed(sqlite_db: Settings) -> None:
    with database.write() as session:
        audit.record(session, "小王", "thing.first", "x", note="电话13812345678")
        with session.begin_nested():
            audit.record(session, "小王", "thing.second", "x")
        savepoint = session.begin_nested()
        audit.record(session, "小王", "thing.taken_back", "x")
        savepoint.rollback()
        assert lines(sqlite_db) == []
    with pytest.raises(ZeroDivisionError), database.write() as session:
        audit.record(session, "小王", "thing.failed", "x")
        session.flush()
        raise ZeroDivisionError
    found = lines(sqlite_db)
    assert [line["event"] for line in found] == ["thing.first", "thing.second"]
    assert found[0]["actor"] == "小王" and found[0]["detail"] == {"note": "电话138****5678"}


def test_a_wrong_code_is_in_it_with_its_origin(sqlite_db: Settings) -> None:
    with pytest.raises(NotFound), database.write() as session:
        lookup.find(session, "20261121748480", "000000", source="198.51.100.4", now=utcnow())
    (line,) = lines(sqlite_db)
    assert (line["event"], line["source"], line["subject"]) == ("code.wrong", "198.51.100.4", "20261121748480")
    assert "000000" not in str(line)


def test_a_disk_that_takes_nothing_is_counted_and_said_and_harms_nothing(settings: Settings) -> None:
    settings.logs.mkdir(parents=True)
    today = settings.logs / f"security-{security_log._today()}.log"
    today.symlink_to("/dev/full")
    for number in range(3):
        security_log.record("thing.done", str(number), counted=False)
    assert security_log.lost() == 3
    today.unlink()
    security_log.record("thing.done", "3", counted=False)
    assert security_log.lost() == 0
    assert lines(settings)[0]["lost_before"] == 3


@pytest.mark.full
def test_processes_that_write_at_once_mix_no_lines(settings: Settings) -> None:
    code = "import sys; from bot import security_log as s; [s.record('e', f'{sys.argv[1]} {n}' + '好' * 500, counted=False) for n in range(300)]"
    both = [subprocess.Popen([sys.executable, "-c", code, name], cwd=ROOT) for name in ("a", "b")]
    assert [one.wait(60) for one in both] == [0, 0]
    found = [line["subject"].removesuffix("好" * 500) for line in lines(settings)]
    assert sorted(found) == sorted(f"{name} {n}" for name in ("a", "b") for n in range(300))


def days_of(folder: Path, *ages: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for age in ages:
        day = TODAY - timedelta(days=age)
        (folder / f"security-{day}.log").write_text(f"{day}\n", encoding="utf-8")


def test_days_that_are_over_are_compressed_and_kept(tmp_path: Path) -> None:
    days_of(tmp_path, *range(200))
    security_log.tidy(tmp_path, TODAY, 180)
    found = security_log.days(tmp_path)
    assert [day for day, _ in found] == [TODAY - timedelta(days=age) for age in range(181)]
    assert [path.suffix for _, path in found] == [".log"] * 2 + [".gz"] * 179
    assert gzip.decompress(found[50][1].read_bytes()).decode().strip() == str(found[50][0])
    # What is written to such a day later (the clock was set back) is added, not put in its place.
    days_of(tmp_path, 50)
    security_log.tidy(tmp_path, TODAY, 180)
    assert gzip.decompress(found[50][1].read_bytes()).decode() == f"{found[50][0]}\n" * 2
    assert not list(tmp_path.glob(".*.part"))


@hypothesis_settings(max_examples=40, deadline=None)
@given(leap=st.integers(-400, 400), gaps=st.sets(st.integers(0, 40), max_size=10))
def test_no_leap_of_the_clock_removes_what_must_be_kept(
    tmp_path_factory: pytest.TempPathFactory, leap: int, gaps: set[int]
) -> None:
    folder, keep = tmp_path_factory.mktemp("leap"), 12
    ages = [age for age in range(keep + 6) if age not in gaps]
    days_of(folder, *ages, -leap)
    security_log.tidy(folder, TODAY + timedelta(days=leap), keep)
    left = {day for day, _ in security_log.days(folder)}
    lost = [age for age in ages if TODAY - timedelta(days=age) not in left]
    assert all(age >= keep - 1 for age in lost)  # one of the days kept may be the leaped one


def test_half_a_year_is_the_least_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    given_ = {"env": "production", "secret_keys": "k" * 44}
    assert Settings(**given_).security_log_days == 180
    with pytest.raises(ValidationError, match="至少保留 180 天"):
        Settings(**given_, security_log_days=179)
    assert Settings(security_log_days=7).security_log_days == 7


def test_a_malformed_secret_is_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError) as raised:
        Settings(port="short-secret")
    assert "short-secret" not in str(raised.value)
