"""Every page: no violation that axe-core knows, light and dark; rows enough; nothing jumps; not too heavy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect
from processes import Stack

from bot.settings import ROOT
from tests.console.colleague import Colleague

Come = Callable[..., Colleague]
AXE = ROOT / "connectors" / "miniprogram" / "node_modules" / "axe-core" / "axe.min.js"
MOST_BYTES = 300_000
LEAST_ROWS = 18
MOST_SHIFT = 0.02
STILL = {"reduced_motion": "reduce"}
"""Colours that are still fading are no colours of ours"""


def a_ticket(page: Page) -> None:
    page.locator("[data-row]").first.click()
    expect(page.get_by_role("heading", name="办理经过")).to_be_visible()
    page.keyboard.press("a")


def a_conversation(page: Page) -> None:
    page.locator("[data-row]").first.click()
    expect(page.get_by_role("log")).to_be_visible()


def a_person(page: Page) -> None:
    page.locator("[data-row]").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()


def the_sheet(page: Page) -> None:
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()


def an_edit(page: Page) -> None:
    page.keyboard.press("e")
    expect(page.get_by_role("region", name="请看一看").get_by_role("listitem").first).to_be_visible()


def opened(page: Page) -> None:
    page.get_by_role("button", name="新建").click()
    expect(page.get_by_role("dialog")).to_be_visible()


PAGES: dict[str, tuple[tuple[str, Callable[[Page], None] | None], ...]] = {
    "1003": (
        ("/work", None),
        ("/dangers", None),
        ("/calls", None),
        ("/search", None),
        ("/conversations?list=waiting", a_conversation),
        ("/conversations?list=mine", None),
        ("/tickets", None),
        ("/tickets", a_ticket),
        ("/tickets", the_sheet),
        ("/unanswered", None),
        ("/callbacks", a_person),
        ("/sms", None),
        ("/doubts", None),
        ("/recalls", None),
        ("/floor", None),
        ("/releases", None),
        ("/going-live", None),
    ),
    "2001": (
        ("/import", None),
        ("/golden", None),
        ("/knowledge?list=all", None),
        ("/knowledge/yl-transfer", None),
        ("/knowledge/yl-transfer", an_edit),
    ),
    "2002": (
        ("/knowledge", None),
        ("/local", None),
        ("/local?state=waiting", a_person),
    ),
    "9001": (
        ("/people", a_person),
        ("/people", opened),
        ("/programs", opened),
        ("/audit", None),
        ("/settings", None),
        ("/nowhere", None),
    ),
}


def violations(page: Page) -> list[str]:
    """What axe-core finds, light; and of what a theme changes, dark."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text("utf-8"))
    found = []
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        expect(page.locator("html.dark")).to_have_count(int(theme == "dark"))
        rules = {"light": {}, "dark": {"runOnly": ["color-contrast", "link-in-text-block"]}}[theme]
        report: dict[str, Any] = page.evaluate("(rules) => axe.run(document, rules)", rules)
        found += [
            f"{theme}, {one['id']}: {node['html'][:160]} ({node['failureSummary'][:200]})"
            for one in report["violations"]
            for node in one["nodes"]
        ]
    page.emulate_media(color_scheme="light")
    return found


def test_everybody_can_use_every_page(come: Come) -> None:
    found = []
    stranger = come(**STILL)
    stranger.page.goto("/console/")
    expect(stranger.page.get_by_role("button", name="登录")).to_be_visible()
    found += [f"sign-in: {one}" for one in violations(stranger.page)]
    stranger.forgive("401")
    for number, pages in PAGES.items():
        colleague = come(number, **STILL)
        for where, then in pages:
            page = colleague.at(where)
            if then:
                then(page)
                colleague.settled()
            found += [f"{where}: {one}" for one in violations(page)]
    assert not found, "\n".join(found)


def test_a_list_shows_enough_rows_and_nothing_jumps(come: Come) -> None:
    colleague = come("1003")
    page = colleague.page
    page.add_init_script(
        "window.shift = 0; new PerformanceObserver((list) => { for (const one of list.getEntries()) shift += one.value })"
        ".observe({ type: 'layout-shift', buffered: true })"
    )
    for where in ("/tickets", "/work", "/conversations"):
        colleague.at(where)
        page.wait_for_timeout(300)
        assert page.evaluate("shift") <= MOST_SHIFT, where
    colleague.at("/tickets")
    expect(page.get_by_role("region", name="险情")).to_be_visible()  # with a danger on top of it, too
    boxes = page.evaluate(
        """() => {
          const list = document.querySelector('tbody').closest('.panel').getBoundingClientRect()
          return [...document.querySelectorAll('tbody tr')].map((row) => row.getBoundingClientRect())
            .map(({ top, bottom, height }) => ({ height, seen: top >= list.top && bottom <= list.bottom + 1 }))
        }"""
    )
    assert {round(box["height"]) for box in boxes} == {32}
    assert sum(box["seen"] for box in boxes) >= LEAST_ROWS


def test_the_first_page_is_light(come: Come, desk: Stack) -> None:
    page = come("1003").at("/work")
    names = (
        "performance.getEntriesByType('resource').map(({ name }) => name).filter((name) => name.includes('/assets/'))"
    )
    loaded = set(page.evaluate(names))
    assert len(loaded) > 3
    total = 0
    with desk.http() as http:
        for name in loaded:
            with http.stream("GET", name, headers={"Accept-Encoding": "gzip"}) as answer:
                total += sum(len(part) for part in answer.iter_raw())
    print(f"first page: {total} bytes")
    assert total <= MOST_BYTES
