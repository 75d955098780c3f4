"""The desk's work: two people on one ticket, a socket that drops, an input method, the keyboard alone."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, Request, WebSocketRoute, expect
from processes import Stack

from bot import database
from bot.settings import ROOT
from bot.tickets import moves
from tests.console.colleague import Colleague
from tests.console.scene import conversation, ticket

Come = Callable[..., Colleague]

CAUGHT_UP_S = 3
"""So soon after it is awake a page shows what it would if it were loaded anew"""


def new_ticket(desk: Stack, matter: int = 2, **more: Any) -> str:
    with desk.database(), database.write() as session:
        return ticket(session, matter, **more)


# --- two people, one ticket ------------------------------------------------------------------------------------------


def test_two_people_on_one_ticket(come: Come, desk: Stack) -> None:
    """Each sees at once what the other did, beside what they had seen; what was being written is still there."""
    number = new_ticket(desk)
    agent = come("1001")
    page = agent.at(f"/tickets/{number}")
    agent.press("c")
    answer = page.get_by_role("textbox", name="给市民的答复")
    answer.fill("您好，转移不用本人去。")
    expect(page.get_by_text("草稿已存")).to_be_visible()
    with desk.database(), database.write() as session:
        moves.assign(session, number, "市医疗保障局", "1003")
    both = page.get_by_role("alert", name="别人刚刚改过")
    expect(both).to_contain_text("陈秀英 刚刚改过", timeout=5000)
    expect(both.get_by_role("row", name=re.compile("承办单位"))).to_contain_text("市人力资源和社会保障局市医疗保障局")
    expect(answer).to_have_value("您好，转移不用本人去。")
    expect(page.get_by_role("button", name=re.compile("^答复"))).to_be_disabled()
    both.get_by_role("button").click()
    expect(both).to_be_hidden()
    agent.at(f"/tickets/{number}")
    agent.press("c")  # taken again: the draft is still there
    expect(answer).to_have_value("您好，转移不用本人去。")


def test_colleagues_see_who_else_looks_at_a_ticket(come: Come, desk: Stack) -> None:
    number = new_ticket(desk, 4)
    first, second = come("1002"), come("1003")
    page = first.at(f"/tickets/{number}")
    expect(page.get_by_role("heading", name=number)).to_be_visible()
    second.at(f"/tickets/{number}")
    expect(page.get_by_role("status").filter(has_text="也在看")).to_be_visible()
    second.at("/work")
    expect(page.get_by_role("status").filter(has_text="也在看")).to_have_count(0)


def test_a_step_that_somebody_else_overtook_is_refused_and_can_be_gone_on_with(come: Come, desk: Stack) -> None:
    number = new_ticket(desk, 1)
    colleague = come("1003")
    page = colleague.at(f"/tickets/{number}")
    page.keyboard.press("a")
    asked = page.get_by_role("dialog", name="派单")
    asked.get_by_label("承办单位").fill("市应急管理局")
    asked.get_by_label("给市民看的说明").fill("已请应急部门协调送水。")
    page.route("**/api/desk/events*", lambda route: route.abort())
    with desk.database(), database.write() as session:
        moves.assign(session, number, "市民政局", "1002")
    asked.get_by_label("给市民看的说明").press("Control+Enter")
    both = asked.get_by_role("alert", name="别人刚刚改过")
    expect(both).to_contain_text("市民政局")
    expect(asked.get_by_label("给市民看的说明")).to_have_value("已请应急部门协调送水。")
    both.get_by_role("button").click()
    asked.get_by_label("给市民看的说明").press("Control+Enter")
    expect(asked).to_be_hidden()
    expect(page.get_by_role("complementary")).to_contain_text("市应急管理局")
    colleague.forgive("409")


# --- the connection --------------------------------------------------------------------------------------------------


def shown(page: Page) -> str:
    """What the list of tickets says, but for how long is left."""
    text = page.get_by_role("table", name="工单").inner_text()
    return re.sub(r"超时 \d+ \S+|（\d+ \S+）", "", text)


def test_after_a_drop_with_300_events_the_page_is_as_if_loaded_anew(come: Come, desk: Stack) -> None:
    colleague = come("1003")
    page = colleague.page
    open_sockets: list[WebSocketRoute] = []
    cut = False

    def follow(socket: WebSocketRoute) -> None:
        if cut:
            socket.close(code=1001)
            return
        socket.connect_to_server()
        open_sockets.append(socket)

    page.route_web_socket(re.compile("/api/desk/events"), follow)
    colleague.at("/tickets?state=all")
    page.wait_for_timeout(1000)  # what it reads once more when it is connected for the first time has come
    before = shown(page)
    cut = True
    open_sockets[-1].close(code=1001)
    expect(page.get_by_text(re.compile("重连中，数据截至"))).to_be_visible()
    with desk.database():
        for _ in range(25):
            with database.write() as session:
                number = ticket(session, 4, age_days=0)
            for turn in range(11):
                with database.write() as session:
                    moves.assign(session, number, f"第{turn}单位", "1002")
    assert shown(page) == before
    fresh = shown(come("1003").at("/tickets?state=all"))
    cut = False
    page.evaluate("dispatchEvent(new Event('online'))")  # what the browser says when the lid is open again
    deadline = time.monotonic() + CAUGHT_UP_S
    while shown(page) != fresh and time.monotonic() < deadline:
        page.wait_for_timeout(50)
    assert shown(page) == fresh


def test_readings_by_the_page_itself_do_not_count_as_somebodys(come: Come, desk: Stack) -> None:
    colleague = come("1001")
    page = colleague.at("/tickets")
    requests: list[Request] = []
    page.on("request", lambda one: requests.append(one) if "/api/desk/tickets" in one.url else None)
    number = new_ticket(desk, 0, working_days=1, age_days=9)
    expect(page.get_by_role("cell", name=number)).to_be_visible()
    assert requests and all("x-yihaoda-background" in one.headers for one in requests)
    requests.clear()
    page.get_by_role("cell", name=number).get_by_role("button").click()
    expect(page.get_by_text("工单已登记")).to_be_visible()
    opened = next(one for one in requests if number in one.url)  # the page may read by itself again after it
    assert "x-yihaoda-background" not in opened.headers


# --- the keyboard ----------------------------------------------------------------------------------------------------


def test_a_whole_ticket_by_the_keyboard_alone(come: Come, desk: Stack) -> None:
    number = new_ticket(desk, 3, age_days=40, working_days=3)  # the most overdue of all
    colleague = come("1003")
    page = colleague.at("/work")
    colleague.press("g", "t")
    expect(page.get_by_role("heading", name="工单")).to_be_visible()
    colleague.settled()
    colleague.press("j", "Enter")
    expect(page.get_by_role("heading", name=number)).to_be_visible()
    colleague.settled()
    colleague.press("a")
    expect(page.get_by_label("承办单位")).to_be_focused()
    colleague.press("Control+a")
    page.keyboard.insert_text("市人力资源和社会保障局")
    colleague.press("Control+Enter")
    expect(page.locator("main")).to_contain_text("已派单")
    colleague.press("c")
    expect(page.locator("main")).to_contain_text("办理中")
    colleague.press("r")
    expect(page.get_by_role("textbox", name="给市民的答复")).to_be_focused()
    colleague.press("F2")
    page.keyboard.insert_text("核实")
    colleague.press("ArrowDown", "Enter")
    answer = page.get_by_role("textbox", name="给市民的答复")
    expect(answer).to_have_value(re.compile("核实"))
    expect(answer).to_be_focused()
    page.keyboard.insert_text("预计本周五前。")
    colleague.press("Control+Enter")
    expect(page.locator("main")).to_contain_text("预计本周五前。")
    expect(page.get_by_role("button", name="办结")).to_be_visible()
    colleague.press("Escape", "e", "Enter")
    expect(page.locator("main")).to_contain_text("已办结")
    colleague.press("u")
    expect(page.get_by_role("heading", name="工单")).to_be_visible()
    expect(page.get_by_role("cell", name=number)).to_have_count(0)


def test_next_and_back_go_along_the_list_that_a_ticket_was_opened_from(come: Come) -> None:
    colleague = come("1003")
    page = colleague.at("/tickets")
    rows = [row.inner_text().split() for row in page.locator("tbody tr").all()[:2]]
    colleague.press("j", "Enter")
    for key, row in ((None, rows[0]), ("n", rows[1]), ("p", rows[0])):
        if key:
            colleague.press(key)
        expect(page.get_by_role("heading", name=row[0])).to_be_visible()
        expect(page.get_by_role("region", name="诉求")).to_contain_text(row[2])
    colleague.press("u")
    expect(page.get_by_role("table", name="工单")).to_be_visible()


def test_the_key_after_that_is_a_key_again(come: Come) -> None:
    colleague = come("1003")
    page = colleague.at("/work")
    colleague.press("g", "t", "j", "u")  # j would lead to the jobs, u to what went unanswered
    expect(page.get_by_role("heading", name="工单")).to_be_visible()
    colleague.settled()
    expect(page).to_have_url(re.compile("/tickets$"))


def test_g_and_a_letter_go_to_a_page_and_do_nothing_else(come: Come, desk: Stack) -> None:
    number = new_ticket(desk, 5)
    colleague = come("1002")
    page = colleague.at(f"/tickets/{number}")
    colleague.press("g", "c")
    expect(page.get_by_role("region", name="会话列表")).to_be_visible()
    with desk.http() as http:
        assert http.get(f"/api/desk/tickets/{number}", headers=desk.person("1002", "1002")).json()["claimed_by"] is None
    colleague.press("?")
    sheet = page.get_by_role("dialog", name="快捷键")
    expect(sheet).to_contain_text("等人工")
    colleague.press("Escape")
    expect(sheet).to_be_hidden()


def test_putting_a_word_together_triggers_nothing(come: Come, desk: Stack) -> None:
    """公积金 in pinyin, first with the field in focus, then with none: an input method is at work, so no key means what it says."""
    with desk.database():
        waiting = conversation("公积金怎么提", "转人工")
    colleague = come("1002")
    page = colleague.at(f"/conversations/{waiting}")
    changes: list[str] = []
    page.on("request", lambda one: changes.append(one.url) if one.method == "POST" else None)
    ime = page.context.new_cdp_session(page)

    def composed(letter: str) -> None:
        for kind in ("rawKeyDown", "keyUp"):
            ime.send(
                "Input.dispatchKeyEvent",
                {"type": kind, "key": "Process", "code": f"Key{letter.upper()}", "windowsVirtualKeyCode": 229},
            )

    for letter in "gongjijinceu":  # c claims, e ends, g leads elsewhere
        composed(letter)
    page.wait_for_timeout(200)
    assert changes == []
    expect(page.get_by_role("button", name=re.compile("^接入"))).to_be_visible()

    colleague.press("c")
    field = page.get_by_role("textbox", name="回复市民")
    expect(field).to_be_focused()
    expect(page.get_by_role("button", name=re.compile("^结束"))).to_be_visible()
    changes.clear()
    for place, letter in enumerate("gongjijin"):
        composed(letter)
        ime.send(
            "Input.imeSetComposition",
            {"text": "gongjijin"[: place + 1], "selectionStart": place + 1, "selectionEnd": place + 1},
        )
    for key, code in (("Enter", 13), ("Escape", 27), ("F2", 113)):  # they belong to the input method just now
        ime.send(
            "Input.dispatchKeyEvent",
            {
                "type": "rawKeyDown",
                "key": key,
                "code": key,
                "windowsVirtualKeyCode": code,
                "modifiers": 2 if key == "Enter" else 0,
            },
        )
    expect(field).to_be_focused()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert changes == []
    ime.send("Input.insertText", {"text": "公积金"})
    expect(field).to_have_value("公积金")
    colleague.press("Control+Enter")
    expect(page.get_by_role("log")).to_contain_text("公积金")
    assert [re.sub(r".*/", "", url) for url in changes] == ["messages"]


KEYS = re.compile(
    r"(?:g )?[a-z0-9/]|\[Shift\]\+\?|F[248]|F9|Escape|Enter|Arrow(?:Up|Down)|Bracket(?:Left|Right)|g \$\{key\}|Control\+Enter"
)
"""None that Chromium, Edge or Windows owns: Ctrl+Enter aside no Ctrl, Alt or Meta, no F1, F3, F5–F7, F10–F12"""


def test_no_shortcut_belongs_to_the_browser_or_to_windows() -> None:
    found = []
    for file in (ROOT / "connectors" / "console_web" / "src").rglob("*.vue"):
        found += re.findall(r"keys: [`']([^`']+)[`']", file.read_text("utf-8"))
    assert len(found) > 20
    assert not [keys for keys in found if not KEYS.fullmatch(keys)]


def test_a_draft_outlives_the_page_and_two_of_them_are_chosen_between(come: Come, desk: Stack) -> None:
    with desk.database():
        waiting = conversation("生育津贴多久到账", "转人工", state="human", agent="1001")
    agent = come("1001")
    page = agent.at(f"/conversations/{waiting}?list=mine")
    field = page.get_by_role("textbox", name="回复市民")
    field.fill("一般在申领后二十个工作日内。")
    expect(page.get_by_text("草稿已存")).to_be_visible()
    other = agent.context.new_page()
    other.goto(f"/console/conversations/{waiting}?list=mine")
    there = other.get_by_role("textbox", name="回复市民")
    expect(there).to_have_value("一般在申领后二十个工作日内。")
    there.fill("以医保经办窗口的答复为准。")
    expect(other.get_by_text("草稿已存")).to_be_visible()
    field.press("End")
    page.keyboard.insert_text("请留意短信。")
    both = page.get_by_role("dialog", name="这份草稿在别的页面上也改过")
    expect(both).to_contain_text("以医保经办窗口的答复为准。")
    both.get_by_role("button", name="两份都留着").click()
    expect(field).to_have_value(re.compile("请留意短信。\n\n以医保经办窗口的答复为准。"))
    agent.press("Control+Enter")
    expect(page.get_by_role("log")).to_contain_text("请留意短信。")
    other.reload()
    expect(other.get_by_role("log")).to_contain_text("请留意短信。")
    expect(there).to_have_value("")
    agent.forgive("409")
