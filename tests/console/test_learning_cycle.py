"""The whole way in Chromium, on a stack of its own: a group becomes knowledge, is trained, judged, let out, answered, and gone back from."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from processes import Citizen, Stack, running
from sqlalchemy import select

from bot import database, jobs, knowledge
from bot.models.jobs import Job
from bot.models.knowledge import QA
from bot.models.releases import Bundle
from bot.releases.states import LIVE
from tests.console.colleague import Colleague
from tests.console.test_pages import STILL
from tests.console.test_releases_page import take

ASKED = "地铁站的爱心雨伞去哪儿借"
ANSWER = "在各地铁站的服务台凭手机号登记借用，七天内还到任何一个服务台，不收费。"
WORDING = "身份证弄没影了重新整一个咋整"
"""Another way to say what the starter knowledge answers"""


@pytest.fixture(scope="module")
def learning(prepared: Path, rasa_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(prepared, rasa_model, tmp_path_factory.mktemp("learning")) as one:
        yield one


def read(query: Any) -> Any:
    with database.read() as session:
        return session.scalars(query).first()


def done(kind: str, after: set[str], timeout_s: float) -> Job:
    """The next job of a kind that is over."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        with database.read() as session:
            for job in jobs.jobs(session, kind=kind):
                if job.id not in after and job.state not in jobs.OPEN:
                    assert job.state == jobs.DONE, (job.error, job.log)
                    return job
        time.sleep(1)
    raise AssertionError(f"no {kind} came to its end")


def known(kind: str) -> set[str]:
    with database.read() as session:
        return {job.id for job in jobs.jobs(session, kind=kind)}


def move(page: Page, second: Page, name: str, title: str) -> None:
    """One step: by one where the gate passed it, else by two."""
    page.goto("/console/releases")
    page.get_by_role("table", name="发布包").get_by_role("button", name=name, exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("region", name="历史")).to_be_visible()
    if dialog.get_by_role("button", name=f"{title}：{name}").count():
        take(page, f"{title}：{name}", among=dialog)  # it stands on the page below, too
        return
    take(page, f"申请破例发布：{name}", why="题库不够大，先试一试")
    second.goto("/console/releases")
    second.get_by_role("table", name="发布包").get_by_role("button", name=name, exact=True).click()
    take(second, f"同意：{name}")


def answers(stack: Stack, text: str) -> str:
    """What a new conversation is told."""
    reply = Citizen(stack).say(text)
    return str(reply.get("answer") or reply.get("text") or "")


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_from_a_group_to_an_answer_and_back(browser: Browser, learning: Stack) -> None:
    stack = learning
    for text in (ASKED, ASKED, ASKED, WORDING, WORDING):
        Citizen(stack).say(text)
    editor, approver, supervisor = (Colleague(browser, stack.url, **STILL) for _ in range(3))
    editor.bring(stack.person("7401", "李编", "editor"))
    approver.bring(stack.person("7402", "赵审", "approver"))
    supervisor.bring(stack.person("7403", "王班", "supervisor"))
    with stack.database():
        first: str = read(select(Bundle.name).where(Bundle.state == LIVE))
        assert "服务台" not in answers(stack, ASKED)

        # A group becomes a new question, another one a wording.
        page = editor.at("/review")
        before = known("review")
        page.get_by_role("button", name="整理").click()
        done("review", before, 120)
        page.reload()
        groups = page.locator("[data-group]")
        groups.filter(has_text=ASKED).focus()
        editor.press("n")
        page.get_by_role("dialog").locator("textarea").last.fill(ANSWER)
        page.keyboard.press("Control+Enter")
        expect(groups.filter(has_text=ASKED)).to_have_count(0)
        wording = groups.filter(has_text=WORDING)
        if wording.count():
            wording.focus()
            editor.press("w")
            page.keyboard.press("Control+Enter")
            expect(wording).to_have_count(0)

        # Another person approves; the index is built, judged and let out by itself.
        item: str = read(select(QA.id).where(QA.question == ASKED))
        before = known("index")
        with database.write() as session:
            knowledge.submit(session, item, "7401")
        desk = approver.at(f"/knowledge/{item}")
        desk.get_by_role("button", name="审核通过").click()
        if desk.get_by_role("dialog").count():
            desk.keyboard.press("Control+Enter")
        done("index", before, 1500)

        # One button trains; the gate judges.
        before = known("train")
        page = supervisor.at("/releases")
        supervisor.press("t")
        page.get_by_role("dialog").locator("textarea").fill("第一轮")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_role("status").filter(has_text="重新训练")).to_be_visible()
        job = done("train", before, 1500)
        name: str = read(select(Bundle.name).where(Bundle.kind == "model").order_by(Bundle.made_at.desc()))
        with database.read() as session:
            gate = session.get_one(Bundle, name).gate
        assert gate is not None and gate["may"] in ("one", "two"), (gate, job.log)

        # Let out step by step; the question is answered; and back.
        move(page, approver.page, name, "影子运行")
        for title in ("灰度 10%", "灰度 50%", "全部启用"):
            move(page, approver.page, name, title)
        assert read(select(Bundle.name).where(Bundle.state == LIVE)) == name
        assert "服务台" in answers(stack, ASKED)
        under_way = Citizen(stack)
        under_way.say(ASKED)
        page.goto("/console/releases")
        page.get_by_role("table", name="发布包").get_by_role("button", name=first, exact=True).click()
        began = time.monotonic()
        take(page, f"退回这一版：{first}", why="试一试退回", among=page.get_by_role("dialog"))
        while read(select(Bundle.name).where(Bundle.state == LIVE)) != first:
            assert time.monotonic() - began < 10
            time.sleep(0.1)
        assert under_way.say("身份证丢了咋补办")["type"] == "answer"
        while "服务台" in answers(stack, ASKED):  # its index, once it is in memory, did not know the new question yet
            assert time.monotonic() - began < 10
            time.sleep(0.5)
        with database.read() as session:
            assert session.get_one(QA, item).status == "approved", "and nothing was done to it"
