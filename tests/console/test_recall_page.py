"""答错召回 in Chromium: a version is withdrawn, a recall drafted and approved by another person, and the figures move."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from processes import Stack

from bot import conversations, database, knowledge, told
from bot.clock import utcnow
from bot.models.knowledge import QA
from tests.bot.test_recalls import asks, call, phone, run, talk
from tests.console.colleague import Colleague
from tests.console.test_pages import STILL, violations
from tests.index.test_assistant import qa

Come = Callable[..., Colleague]
ITEM = "dog-1"


def fill(desk: Stack) -> list[str]:
    with desk.database():
        with database.write() as session:
            knowledge.upsert(
                session, [qa(ITEM, "养狗要办证吗", "不用办证，随便养就可以。", status="draft", reviewed_by=None)]
            )
            knowledge.approve(session, ITEM, "王审核")
        found = [talk("web") for _ in range(25)]
        for one in found:
            asks(one, "我家狗要不要上牌", ITEM, 1, utcnow())
        for _ in range(2):
            call(phone(), qa_id=ITEM)
    return found


@pytest.mark.full
def test_a_wrong_answer_is_withdrawn_and_everybody_told(come: Come, desk: Stack) -> None:
    mine = fill(desk)
    boss, judge = come(**STILL), come(**STILL)
    boss.bring(desk.person("7201", "周班", "supervisor"))
    judge.bring(desk.person("7202", "李审", "approver"))
    page = boss.at(f"/knowledge/{ITEM}")
    page.get_by_role("button", name="作废第 1 版").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("永远不再回答")
    assert not violations(page)
    page.get_by_label("错在哪里，依据什么").fill("养犬条例要求办证")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("region", name="各版")).to_contain_text("答错作废")
    expect(page.get_by_role("region", name="各版")).to_contain_text("周班 作废")
    page.get_by_role("link", name="召回", exact=True).click()
    expect(dialog.get_by_role("region", name="会告知谁")).to_contain_text("27 人得到过：")
    expect(dialog).to_contain_text("问过“我家狗要不要上牌”，当时的回答有误")
    page.get_by_label("正确的答案").fill("要办养犬证，到派出所办。")
    assert not violations(page)
    page.keyboard.press("Control+Enter")
    tiles = page.get_by_role("group", name="告知到哪里了")
    expect(tiles).to_contain_text("27 全部")
    expect(tiles).to_contain_text("27 待发送")
    expect(page.get_by_role("button", name="同意，开始告知")).to_have_count(0)
    assert not violations(page)

    other = judge.at("/knowledge")
    judge.press("g", "g")
    other.get_by_role("list", name="召回").get_by_role("button", name="养狗要办证吗").click()
    expect(other.get_by_role("button", name="同意，开始告知")).to_be_visible()
    judge.press("a")
    expect(other.get_by_role("dialog")).to_contain_text("起草时 27 人")
    other.keyboard.press("Control+Enter")
    expect(other.get_by_role("region", name="更正")).to_contain_text("李审 同意")
    with desk.database():
        run(desk.settings)
        with database.write() as session:
            last = conversations.history(session, mine[0])[-1]["seq"]
            told.read(session, mine[0], last, utcnow())
            assert session.get_one(QA, ITEM).status == "paused"
    for seen in (page, other):
        expect(seen.get_by_role("group", name="告知到哪里了")).to_contain_text("1 已告知")
        expect(seen.get_by_role("group", name="告知到哪里了")).to_contain_text("24 尚未看到")
        expect(seen.get_by_role("group", name="告知到哪里了")).to_contain_text("2 待回拨")
    expect(page.get_by_role("button", name="下一页")).to_be_in_viewport()
    page.get_by_role("button", name="2 待回拨").click()
    rows = page.get_by_role("table", name="得到过的人").locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("电话")
    page.get_by_role("button", name="24 尚未看到").click()
    expect(rows.first).to_contain_text("会话里")
    assert not violations(page)
