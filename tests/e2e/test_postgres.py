"""The whole assistant on a real PostgreSQL."""

from __future__ import annotations

import concurrent.futures
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import _execute, forget
from e2e.test_failures import settled
from processes import Citizen, Stack, running

from bot import crypto
from bot.settings import get_settings
from connectors.run.services import prepare


@pytest.fixture(scope="module")
def postgres_stack(
    postgres: str, prepared: Path, rasa_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    _execute(postgres, "CREATE DATABASE e2e")
    url = postgres.replace("/postgres?", "/e2e?")
    folder = tmp_path_factory.mktemp("postgres")
    shutil.copytree(prepared / "index", folder / "prepared" / "index")  # the same knowledge, so the same index
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YIHAODA_DATA_DIR", str(folder / "prepared"))
        patch.setenv("YIHAODA_DATABASE_URL", url)
        forget()
        prepare(get_settings(), lambda line: None)
        crypto.get_cipher()
        forget()
    with running(folder / "prepared", rasa_model, folder, database_url=url) as stack:
        yield stack


def test_questions_tickets_and_repeats(postgres_stack: Stack) -> None:
    stack = postgres_stack

    def talk(number: int) -> list[str]:
        citizen = Citizen(stack)
        kinds = [citizen.say(text, f"m{n}")["type"] for n, text in enumerate(("身份证丢了咋补办", "转人工"))]
        assert citizen.say("身份证丢了咋补办", "m0")["type"] == "answer"
        assert len(citizen.messages()) == 4
        return kinds

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        assert list(pool.map(talk, range(12))) == [["answer", "ticket"]] * 12
    settled(stack)
    assert stack.metric("yihaoda_fallbacks_total") == 0


def test_the_operators_loop(postgres_stack: Stack) -> None:
    citizen = Citizen(postgres_stack)
    number = citizen.register("养宠物乌龟的市民补贴在哪里申请领取")["number"]
    with postgres_stack.http(headers=postgres_stack.operator) as http:
        path = f"/api/desk/tickets/{number}"
        assert http.post(f"{path}/claim").status_code == 200
        assert http.post(f"{path}/claim", headers=postgres_stack.person("xiaoli", "小李")).status_code == 409
        assert http.post(f"{path}/reply", json={"text": "没有这项补贴。"}).status_code == 200
        assert http.post(f"{path}/close").json()["state"] == "已办结"
    assert citizen.messages()[-1]["replies"][0]["state"] == "已办结"
