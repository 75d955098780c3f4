"""The knowledge desk in Chromium: one person writes, another approves, citizens read it; and nothing that was typed is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect
from processes import Citizen, Stack, running

from bot.settings import get_settings
from tests.connectors.test_citizens_api import ASKED
from tests.console.colleague import Colleague
from tests.console.test_pages import STILL, violations
from tests.index.test_assistant import make

Come = Callable[..., Colleague]
SLOW_MS = 20_000


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A gateway with a small knowledge and its index; without Rasa it answers by itself."""
    limits = {"dense": "false", "answer_at": "0.5", "likely_at": "0.5", "clarify_at": "0.4"}
    with running(None, None, tmp_path_factory.mktemp("knowledge"), **limits) as one:
        with one.database():
            make(get_settings())
        yield one


def somebody(come: Come, desk: Stack, number: str, name: str, *roles: str) -> Colleague:
    one = come(**STILL)
    one.bring(desk.person(number, name, *roles))
    return one


def write(page: Page, label: str, text: str) -> None:
    """In place of what stands there."""
    page.get_by_label(label, exact=True).fill(text)


def replayed(page: Page) -> None:
    expect(page.get_by_role("region", name="昨日重放").get_by_text("估算", exact=True)).to_be_visible(timeout=SLOW_MS)


def test_one_writes_another_approves_and_citizens_read_it(come: Come, desk: Stack) -> None:
    assert "的答案。" in Citizen(desk).say(ASKED)["text"]
    editor = somebody(come, desk, "8001", "张编", "editor")
    approver = somebody(come, desk, "8002", "王审", "approver")

    page = editor.at(f"/knowledge?list=all&text={ASKED}")
    page.locator("[data-row]").first.focus()
    editor.press("Enter")
    expect(page.get_by_role("region", name="在用的内容")).to_contain_text("图书馆条例 第三条")
    editor.press("e")
    expect(page.get_by_label("问题", exact=True)).to_be_focused()
    write(page, "答案", "带身份证到总服务台补领，工本费10元，标准由当地定。")
    notes = page.get_by_role("region", name="请看一看")
    expect(notes).to_contain_text("由当地定，没有写打哪个电话问")
    expect(notes).to_contain_text("还没有相似问")
    expect(page.get_by_label("市民看到的", exact=True)).to_contain_text("工本费10元")
    editor.press("Escape", "n")
    page.keyboard.insert_text("借书证丢了去哪补")
    write(page, "为什么改", "改了收费")
    assert not violations(page)
    page.keyboard.press("Control+Enter")
    copy = page.get_by_role("region", name="待审修改")
    expect(copy.locator("ins").filter(has_text="工本费10元")).to_be_visible()
    expect(copy).to_contain_text("改了收费")
    editor.press("y")
    replayed(page)
    editor.press("s")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("待审核", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="审核通过")).to_have_count(0)
    assert "的答案。" in Citizen(desk).say(ASKED)["text"]  # live until replaced

    theirs = approver.at("/knowledge")
    theirs.locator("[data-row]").filter(has_text=ASKED).click()
    replayed(theirs)
    said = theirs.get_by_role("region", name="同事的意见")
    approver.press("m")
    theirs.keyboard.insert_text("工本费请写明依据")
    said.get_by_label("说的是哪一栏").select_option(label="答案")
    said.get_by_label("写意见").press("Control+Enter")
    expect(said.locator("li")).to_contain_text("王审")
    mine = page.get_by_role("region", name="同事的意见")
    expect(mine.locator("li .said")).to_have_text("工本费请写明依据")  # told by an event
    mine.get_by_role("button", name="处理好了").click()
    expect(said.locator("li")).to_contain_text("张编 处理了")
    table = theirs.get_by_role("table", name="变了多少")
    expect(table.get_by_role("row").filter(has_text="答案变了")).to_be_visible()
    assert not violations(theirs)
    approver.press("Escape", "a")
    theirs.get_by_role("dialog").get_by_role("button", name="通过").click()
    expect(theirs.get_by_text("第 2 版", exact=True).first).to_be_visible()
    expect(page.get_by_text("第 2 版", exact=True).first).to_be_visible()  # told by an event
    assert "工本费10元" in Citizen(desk).say(ASKED)["text"]


def test_who_comes_second_sees_both_and_keeps_what_they_typed(come: Come, desk: Stack) -> None:
    one = somebody(come, desk, "8003", "李编", "editor")
    other = somebody(come, desk, "8004", "赵编", "editor")
    mine, theirs = one.at("/knowledge/new-2"), other.at("/knowledge/new-2")
    one.press("e")
    other.press("e")
    write(mine, "答案", "不再需要，2026年起取消。")
    mine.keyboard.press("Control+Enter")
    expect(mine.get_by_role("region", name="待审修改")).to_contain_text("2026年起取消")
    write(theirs, "事项", "粮油供应")
    theirs.keyboard.press("Control+Enter")
    both = theirs.get_by_role("alert", name="别人刚刚改过")
    expect(both).to_contain_text("李编")
    expect(both.get_by_role("row").filter(has_text="答案")).to_contain_text("2026年起取消")
    assert not violations(theirs)
    other.forgive("409")
    both.get_by_role("button", name="看过了，按现在的继续").click()
    expect(theirs.get_by_label("答案", exact=True)).to_have_value("不再需要，2026年起取消。")
    expect(theirs.get_by_label("事项", exact=True)).to_have_value("粮油供应")
    theirs.keyboard.press("Control+Enter")
    expect(theirs.get_by_role("region", name="待审修改")).to_contain_text("粮油供应")


@pytest.mark.full
def test_what_was_typed_outlives_a_reload(come: Come, desk: Stack) -> None:
    editor = somebody(come, desk, "8005", "钱编", "editor")
    page = editor.at("/knowledge/old-1")
    editor.press("e")
    write(page, "答案", "现在不用上牌照。")
    expect(page.get_by_text("草稿已存")).to_be_visible()
    page = editor.at("/knowledge/old-1")
    editor.press("e")
    expect(page.get_by_text("您上次没有存完的修改还在下面")).to_be_visible()
    expect(page.get_by_label("答案", exact=True)).to_have_value("现在不用上牌照。")
    page.get_by_role("button", name="不要了，从头改").click()
    expect(page.get_by_label("答案", exact=True)).not_to_have_value("现在不用上牌照。")


@pytest.mark.full
def test_what_loses_answers_is_asked_once_more(come: Come, desk: Stack) -> None:
    for _ in range(2):
        Citizen(desk).say("电动轮椅充电桩在哪儿")
    Citizen(desk).say("粮油购买凭证现在还需要吗")
    editor = somebody(come, desk, "8006", "孙编", "editor")
    approver = somebody(come, desk, "8007", "周审", "approver")
    page = editor.at("/knowledge/new-2")
    editor.press("e")
    write(page, "问题", "宠物医院营业执照办理条件")
    write(page, "答案", "到政务大厅办理，可拨12345。")
    expect(page.get_by_text("草稿已存")).to_be_visible()
    editor.press("Escape", "s")
    expect(page.get_by_role("region", name="待审修改")).to_contain_text("宠物医院")
    editor.press("y")
    replayed(page)
    theirs = approver.at("/knowledge/new-2")
    replayed(theirs)
    theirs.get_by_role("button", name="不再答上").click()
    theirs.locator("summary").filter(has_text="粮油购买凭证").click()
    expect(theirs.get_by_text("没有答案", exact=False).first).to_be_visible()
    approver.press("a")
    dialog = theirs.get_by_role("dialog", name="仍要通过？")
    expect(dialog).to_contain_text("不再答上")
    dialog.get_by_role("button", name="取消").click()
    approver.press("r")
    theirs.get_by_label("为什么退回").fill("问题被整个换掉了")
    theirs.keyboard.press("Control+Enter")
    expect(page.get_by_text("退回的原因：问题被整个换掉了")).to_be_visible()


@pytest.mark.full
def test_many_by_keyboard_each_with_its_result(come: Come, desk: Stack) -> None:
    both = somebody(come, desk, "8008", "吴全", "editor", "approver")
    page = both.at("/knowledge?list=all")
    assert not violations(page)
    page.locator("[data-row]").filter(has_text="农机补贴申请时间").focus()
    both.press("x")
    page.locator("[data-row]").filter(has_text="电动轮椅上路要登记吗").focus()
    both.press("x")
    expect(page.get_by_text("选了 2 条")).to_be_visible()
    page.get_by_role("combobox", name="把选中的").select_option(label="审核通过")
    page.keyboard.press("Control+Enter")
    results = page.get_by_role("dialog", name="每一条的结果")
    expect(results).to_contain_text("1 条办成了，1 条没有")
    expect(results).to_contain_text("draft：办成了")


@pytest.mark.full
def test_a_new_item_is_written_and_found(come: Come, desk: Stack) -> None:
    editor = somebody(come, desk, "8009", "郑编", "editor")
    page = editor.at("/knowledge")
    editor.press("n")
    write(page, "问题", "共享单车乱停找谁")
    write(page, "答案", "拨12345，由城管部门处理。")
    write(page, "事项", "市容管理")
    page.get_by_role("combobox", name="加依据").fill("图书馆")
    page.get_by_role("option", name="图书馆条例").click()
    page.get_by_label("图书馆条例的哪一条").fill("第三条")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("region", name="待审修改")).to_contain_text("图书馆条例 第三条（待核）")
    page = editor.at("/knowledge?list=editing&mine=1")
    expect(page.locator("[data-row]").filter(has_text="共享单车乱停找谁")).to_be_visible()
