"""发布 in Chromium: one step after the other, two people where the gate did not pass, and going back with the knowledge."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, expect
from processes import Stack

from bot import database, knowledge
from bot.models.knowledge import QA
from bot.models.release_watch import ReleaseWatch
from bot.models.releases import Bundle, ReleaseStep
from bot.releases import files, watching
from bot.releases.states import LIVE
from tests.bot.test_release_moves import made, publish
from tests.bot.test_release_watching import later, talk
from tests.console.colleague import Colleague
from tests.console.test_pages import STILL, violations
from tests.index.test_assistant import qa

Come = Callable[..., Colleague]


@pytest.fixture
def released(desk: Stack) -> Iterator[Stack]:
    """a is live, b passed the gate, c has too few questions; one item was changed since a was made."""
    with desk.database():
        with database.write() as session:
            knowledge.upsert(session, [qa("parrot-1", "养鹦鹉要办证吗", "第一版的答案", status="approved")])
        made(desk.settings, "a", kind="start", gate="none", state=LIVE, named={"parrot-1": 1})
        publish("parrot-1", "第二版的答案")
        made(desk.settings, "b", named={"parrot-1": 2})
        made(desk.settings, "c", gate="short", named={"parrot-1": 2})
    yield desk
    with desk.database(), database.write() as session:  # others want a desk without releases
        for table in (Bundle, ReleaseStep, ReleaseWatch):
            session.query(table).delete()
        knowledge.pause(session, "parrot-1", "2001")
    for folder in (desk.settings.index_dir, desk.settings.data_dir / "rasa", files.folder(desk.settings, "a").parent):
        shutil.rmtree(folder)


def take(page: Page, title: str, why: str = "", among: Locator | None = None) -> None:
    """Make a move, once it was read what it will do; ``among``: where its button is looked for."""
    (among or page).get_by_role("button", name=title, exact=False).first.click()
    dialog = page.get_by_role("dialog").last
    expect(dialog.get_by_role("list", name="会做什么")).not_to_contain_text("正在看")
    if why:
        dialog.locator("textarea").fill(why)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#ask-text")).to_have_count(0)


@pytest.mark.full
def test_a_release_step_by_step_and_back(come: Come, released: Stack) -> None:
    supervisor, approver = come(**STILL), come(**STILL)
    supervisor.bring(released.person("7301", "王班", "supervisor"))
    approver.bring(released.person("7302", "赵审", "approver"))
    page = supervisor.at("/releases")
    card = {title: page.get_by_role("region", name=title, exact=True) for title in ("在用的", "要发布的", "上一版")}
    expect(card["在用的"]).to_contain_text("启动时登记")
    assert not violations(page)

    page.get_by_role("table", name="发布包").get_by_role("button", name="b", exact=True).click()
    detail = page.get_by_role("dialog")
    expect(detail).to_contain_text("评测通过")
    expect(detail.get_by_role("table", name="版本不同的问答")).to_contain_text("养鹦鹉要办证吗")
    assert not violations(page)
    take(page, "影子运行：b")
    expect(card["要发布的"]).to_contain_text("影子运行")
    take(page, "灰度 10%：b")
    expect(card["要发布的"]).to_contain_text("灰度 10%")
    with released.database():
        talk(300, lambda _id, _mine: {})
        assert watching.look(released.settings, later())
    expect(page.get_by_role("region", name="灰度的和在用的")).to_contain_text("看不出更差")
    assert not violations(page)
    take(page, "全部启用：b")
    expect(card["在用的"]).to_contain_text("b")
    expect(card["上一版"]).to_contain_text("随时可退回")

    # What the gate could not tell takes two.
    page.get_by_role("table", name="发布包").get_by_role("button", name="c", exact=True).click()
    take(page, "申请破例发布：c", why="题库还小")
    page.get_by_role("table", name="发布包").get_by_role("button", name="c", exact=True).click()
    expect(detail.get_by_role("button", name="撤销申请：c")).to_be_visible()
    expect(detail.get_by_role("button", name="同意：c")).to_have_count(0)
    page.keyboard.press("Escape")
    second = approver.at("/releases")
    second.get_by_role("table", name="发布包").get_by_role("button", name="c", exact=True).click()
    take(second, "同意：c")
    expect(card["要发布的"]).to_contain_text("灰度 10%")
    take(page, "停下：c", why="先看 b")
    expect(card["要发布的"]).to_contain_text("没有正在路上的")

    # Back, with what the item said then.
    page.get_by_role("button", name="退回这一版：a").click()
    will = page.get_by_role("list", name="会做什么")
    expect(will).to_contain_text("1 条问答回到那时的内容")
    page.get_by_text("知识一起退回").click()
    expect(will).to_contain_text("知识不动")
    page.get_by_text("知识一起退回").click()
    expect(will).to_contain_text("养鹦鹉要办证吗（第 2 版 → 第 1 版的内容）")
    assert not violations(page)
    page.keyboard.press("Control+Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("alert")).to_contain_text("请填写原因")
    dialog.locator("textarea").fill("新的答错多")
    page.keyboard.press("Control+Enter")
    expect(card["在用的"]).to_contain_text("启动时登记")
    with released.database(), database.read() as session:
        assert session.get_one(QA, "parrot-1").answer == "第一版的答案"
        assert session.get_one(Bundle, "b").state == "stopped"
    page.get_by_text("历史", exact=True).click()
    for one in (supervisor, approver):
        one.forgive("/api/console/gate/")  # these bundles have a verdict and no report
    past = page.get_by_role("table", name="历史")
    expect(past.get_by_role("row").nth(1)).to_contain_text("换下")
    expect(past.get_by_role("row").nth(2)).to_contain_text("退回这一版")
    expect(past).to_contain_text("新的答错多")
    assert not violations(page)
