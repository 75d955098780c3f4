"""Pictures of the console for the documentation, and to look at: ``python -m tests.console.screenshots morning|city ADDRESS [FOLDER]``.

ADDRESS is a running gateway's.  morning: its database holds ``tests.console.scene.morning``; city: it is what ``benchmarks.city --folder``
left, with ``scene.everybody`` and ``scene.found_wrong``.  Without FOLDER the pictures that the documentation shows go to docs/images;
with it, every page goes there, light and dark.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.console.colleague import Colleague
from tests.console.scene import PASSWORD
from tests.web.screenshots import FOLDER, keep
from tests.web.visitor import launch

AGENT, ADMIN, EDITOR, APPROVER = "1003", "9001", "2001", "2002"


def row(page: Page, number: int = 0) -> None:
    page.locator("[data-row]").nth(number).click()


def conversation(page: Page) -> None:
    row(page)
    expect(page.get_by_role("log")).to_be_visible()


def mine(page: Page) -> None:
    row(page)
    page.get_by_role("button", name="接入").click()
    page.get_by_role("textbox", name="回复市民").fill("您好，我是12345热线工作人员，")


def passing_on(page: Page) -> None:
    mine(page)
    page.get_by_role("button", name="转接").click()


def person(page: Page) -> None:
    row(page, 1)


def ticket(page: Page) -> None:
    row(page, 6)
    page.get_by_role("heading", name="办理经过").wait_for()
    if page.get_by_role("button", name="接单").is_visible():
        page.keyboard.press("c")
        page.get_by_role("textbox", name="给市民的答复").fill("您好，经核实，")


def dispatch(page: Page) -> None:
    row(page, 8)
    page.get_by_role("button", name="派单").click()


def sheet(page: Page) -> None:
    page.keyboard.press("?")


def phrases(page: Page) -> None:
    mine(page)
    page.keyboard.press("F2")


def judged(page: Page) -> None:
    mine(page)
    page.keyboard.press("Escape")
    page.keyboard.press("y")
    expect(page.get_by_text("已告诉班长")).to_be_visible()


def reporting(page: Page) -> None:
    mine(page)
    page.keyboard.press("Escape")
    page.keyboard.press("w")


def a_figure(page: Page) -> None:
    page.locator("[data-row]").filter(has_text="月最低工资").click()
    expect(page.get_by_role("button", name="审核通过")).to_be_visible()


def a_draft(page: Page) -> None:
    page.locator("[data-row]").filter(has_text="小时最低工资").click()
    page.get_by_role("dialog").get_by_role("button", name="修改").click()


def writing(page: Page) -> None:
    page.keyboard.press("e")
    page.get_by_label("答案", exact=True).fill(
        "到新参保地的社保经办机构申请转移就行，不用回原参保地。材料齐全的，15个工作日内办结，标准由当地定。"
    )
    expect(page.get_by_role("region", name="请看一看").get_by_role("listitem").nth(1)).to_be_visible()
    expect(page.get_by_text("草稿已存")).to_be_visible()


def written(page: Page) -> None:
    """Goes on from what ``writing`` left as a draft; the replay needs an index."""
    page.keyboard.press("e")
    expect(page.get_by_text("您上次没有存完的修改")).to_be_visible()
    page.get_by_label("为什么改").fill("新办法规定了时限")
    expect(page.get_by_text("草稿已存")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    expect(page.get_by_role("region", name="待审修改")).to_contain_text("新办法规定了时限")
    page.keyboard.press("y")
    expect(page.get_by_role("region", name="昨日重放").get_by_text("估算", exact=True)).to_be_visible(timeout=30_000)


def opened(page: Page) -> None:
    page.locator("[data-group]").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("list", name="各种问法")).to_be_visible()


def view(name: str) -> Callable[[Page], None]:
    def choose(page: Page) -> None:
        page.locator(".el-select", has=page.get_by_role("combobox", name="看哪些")).click()
        page.get_by_role("option", name=name).click()

    return choose


def report(page: Page) -> None:
    """What the gate said of the newest bundle of a training."""
    page.get_by_role("table", name="发布包").get_by_role("button", name="-m-").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()


def recalled(page: Page) -> None:
    page.get_by_role("list", name="召回").get_by_role("button").first.click()
    expect(page.get_by_role("region", name="更正")).to_be_visible()


MORNING = {
    "work": (AGENT, "/work", None),
    "dangers": (AGENT, "/dangers", None),
    "conversations": (AGENT, "/conversations", conversation),
    "conversation-mine": (AGENT, "/conversations?list=waiting", mine),
    "transfer": (AGENT, "/conversations?list=waiting", passing_on),
    "floor": (AGENT, "/floor", None),
    "judged": (AGENT, "/conversations?list=waiting", judged),
    "reporting": (AGENT, "/conversations?list=waiting", reporting),
    "doubts": (AGENT, "/doubts", None),
    "callbacks": (AGENT, "/callbacks", None),
    "sms": (AGENT, "/sms", None),
    "phrases": (AGENT, "/conversations?list=waiting", phrases),
    "tickets": (AGENT, "/tickets", None),
    "ticket": (AGENT, "/tickets?due=overdue", ticket),
    "dispatch": (AGENT, "/tickets", dispatch),
    "shortcuts": (AGENT, "/tickets", sheet),
    "unanswered": (EDITOR, "/unanswered", None),
    "knowledge": (EDITOR, "/knowledge?list=all", None),
    "knowledge-edit": (EDITOR, "/knowledge/yl-transfer", writing),
    "knowledge-item": (EDITOR, "/knowledge/yl-transfer", written),
    "local": (EDITOR, "/local", None),
    "local-draft": (EDITOR, "/local?text=最低工资", a_draft),
    "local-approval": (APPROVER, "/local?state=waiting", a_figure),
    "going-live": (ADMIN, "/going-live", None),
    "people": (ADMIN, "/people", None),
    "person": (ADMIN, "/people", person),
    "programs": (ADMIN, "/programs", None),
    "audit": (ADMIN, "/audit", None),
    "settings": (ADMIN, "/settings", None),
}
CITY = {
    "asked": (EDITOR, "/asked", None),
    "review": (EDITOR, "/review", opened),
    "review-settled": (EDITOR, "/review", view("处理记录")),
    "surges": (EDITOR, "/review?view=surges", None),
    "golden": (EDITOR, "/golden", None),
    "releases": (APPROVER, "/releases", None),
    "release-report": (APPROVER, "/releases", report),
    "recall": (APPROVER, "/recalls", recalled),
    "health": (EDITOR, "/health", None),
    "search": (AGENT, "/search", None),
    "jobs": (AGENT, "/jobs", None),
}
SCENES = {"morning": MORNING, "city": CITY}
PICTURES = MORNING | CITY
DOCUMENTED = frozenset(
    [
        "work",
        "conversations",
        "conversation-mine",
        "transfer",
        "floor",
        "doubts",
        "callbacks",
        "tickets",
        "ticket",
        "people",
        "audit",
        "knowledge",
        "knowledge-edit",
        "knowledge-item",
        "local",
        "local-draft",
        "local-approval",
        "going-live",
        "review",
        "golden",
        "releases",
        "release-report",
        "recall",
    ]
)


def take(browser: Browser, address: str, names: list[str], folder: Path, theme: str, prefix: str = "") -> None:
    """One picture after the other, each person signed in once."""
    signed: dict[str, Colleague] = {}
    for name in names:
        number, where, then = PICTURES[name]
        if number not in signed:
            signed[number] = Colleague(browser, address, color_scheme=theme)
            expect(signed[number].sign_in(number, PASSWORD).get_by_role("navigation")).to_be_visible()
        colleague = signed[number]
        page = colleague.at(where)
        if then:
            then(page)
        page.mouse.move(0, 0)
        page.wait_for_timeout(700)
        suffix = "" if folder == FOLDER else f"-{theme}"
        keep(page.screenshot(), folder / f"{prefix}{name}{suffix}.png")
    for colleague in signed.values():
        if colleague.complaints:
            print("complaints:", *colleague.complaints, sep="\n  ")
        colleague.context.close()


if __name__ == "__main__":
    of, at, *more = sys.argv[1:]
    with sync_playwright() as playwright:
        chromium = launch(playwright)
        if more:
            to = Path(more[0])
            to.mkdir(parents=True, exist_ok=True)
            for scheme in ("light", "dark"):
                take(chromium, at, more[1:] or list(SCENES[of]), to, scheme)
        else:
            take(chromium, at, [name for name in SCENES[of] if name in DOCUMENTED], FOLDER, "light", "console-")
