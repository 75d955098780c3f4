"""``yihaoda evaluate`` through gateway, Rasa and action server."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import forget
from processes import Stack
from sqlalchemy import func, select

from bot import database
from bot.models.knowledge import QA
from bot.settings import Settings
from connectors.run import scratch
from connectors.run.background import free_ports
from connectors.terminal import asking
from connectors.terminal.cli import main

ROWS: list[dict[str, Any]] = [
    {"q": "身份证弄丢了要去哪个部门补", "expect": "身份证换领补领"},
    {"q": "工伤认定要在多少天里提出来", "expect": "工伤认定"},
    {"q": "你们这个机器人叫啥名", "expect": None},
]


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "questions_dev.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS), encoding="utf-8")
    return path


def evaluate(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = 0
    try:
        main(["evaluate", *argv])
    except SystemExit as stop:
        code = int(stop.code or 0)
    told = capsys.readouterr()
    return code, told.out, told.err


def test_every_question_goes_through_rasa(
    stack: Stack, questions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    into = tmp_path / "run"
    with stack.database():
        before = stack.metric("yihaoda_turns_total")
        code, out, _ = evaluate(capsys, str(questions), "--running", "--into", str(into), "--json")
        assert code == 0, out
        made = json.loads(out)
        assert (made["asked"], made["without_rasa"]) == (3, 0)
        kept = [json.loads(line) for line in (into / "asked.jsonl").read_text(encoding="utf-8").splitlines()]
        turns = [turn for one in kept for turn in one["turns"]]
        assert stack.metric("yihaoda_turns_total") - before >= len(turns)
        assert {turn["engine"] for turn in turns} == {"rasa"}
        assert kept[2]["turns"][0]["act"] == "bot_identity"  # the intent is Rasa's: in process it would be ask_policy
        config = json.loads((into / "config.json").read_text(encoding="utf-8"))
        assert config["finished"] and config["version"] and 0 < config["likely_at"] < config["answer_at"]
        code, out, _ = evaluate(
            capsys, str(questions), "--running", "--into", str(tmp_path / "again"), "--compare", str(into)
        )
        assert code == 0 and "0 个问题的结果不同" in out and "一次答对" in out


def test_a_run_that_is_broken_off_keeps_what_it_has(stack: Stack, questions: Path, tmp_path: Path) -> None:
    def stop(done: int, _of: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    into = tmp_path / "run"
    with stack.database(), pytest.raises(asking.BrokenOff, match="问了 2 个，共 3 个"):
        asking.evaluate([questions], running=True, into=into, earlier=None, say=lambda _: None, progress=stop)
    assert len((into / "asked.jsonl").read_text(encoding="utf-8").splitlines()) == 2
    assert json.loads((into / "figures.json").read_text(encoding="utf-8"))["asked"] == 2
    assert json.loads((into / "config.json").read_text(encoding="utf-8"))["finished"] is False
    assert "只问了 2 个" in (into / "report.md").read_text(encoding="utf-8")


def test_nobody_answers(
    sqlite_db: Settings, questions: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YIHAODA_PORT", str(free_ports(1)[0]))
    forget()
    code, _, err = evaluate(capsys, str(questions), "--running")
    assert code == 1 and "知识库里没有这些编号或事项：工伤认定、身份证换领补领" in err
    questions.write_text('{"q": "你们这个机器人叫啥名", "expect": null}\n', encoding="utf-8")
    code, _, err = evaluate(capsys, str(questions), "--running")
    assert code == 3 and "没有在运行" in err
    code, _, err = evaluate(capsys, str(questions.parent / "nowhere.jsonl"))
    assert code == 1 and "读不了问题文件" in err


def test_the_assistant_that_is_started_has_this_machines_knowledge(
    settings: Settings, prepared: Path, rasa_model: Path, tmp_path: Path
) -> None:
    shutil.copytree(prepared, settings.data_dir)
    forget()
    with database.write() as session:
        session.get_one(QA, "sfz-001").answer = "本市另有规定。"
        items = session.scalar(select(func.count()).select_from(QA))
    index = settings.index_dir / "CURRENT"
    with scratch.copied(tmp_path / "own", lambda _: None) as (own, model):
        assert (
            model.name == rasa_model.name and model.is_relative_to(own.data_dir) and own.data_dir != settings.data_dir
        )
        with database.write() as session:
            assert session.get_one(QA, "sfz-001").answer == "本市另有规定。"
            assert session.scalar(select(func.count()).select_from(QA)) == items
            session.delete(session.get_one(QA, "sfz-001"))
        assert (own.index_dir / "CURRENT").read_bytes() == index.read_bytes()
    with database.read() as session:
        assert session.get(QA, "sfz-001") is not None
