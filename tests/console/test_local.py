"""A city's own figures: one writes, another approves, the first one's page hears of it; and what is left before going live."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.console.colleague import Colleague

Come = Callable[..., Colleague]


def test_one_writes_by_keyboard_and_another_approves(come: Come) -> None:
    editor, approver = come("2001"), come("2002")
    page = editor.at("/local?text=婚假")
    row = page.locator("[data-row]").filter(has_text="婚假天数")
    row.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("值", exact=True)).to_be_focused()
    page.keyboard.insert_text("18")
    page.get_by_label("依据").fill("湖南省人口与计划生育条例第三十三条")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert").filter(has_text="15天")).to_be_visible()
    editor.forgive("422")
    page.get_by_label("值", exact=True).fill("18天")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("region", name="待审核的")).to_contain_text("18天")
    expect(page.get_by_role("button", name="审核通过")).to_have_count(0)

    theirs = approver.at("/local?state=waiting&text=婚假")
    theirs.locator("[data-row]").filter(has_text="婚假天数").click()
    theirs.get_by_role("button", name="审核通过").click()
    expect(theirs.get_by_role("region", name="市民现在看到的")).to_contain_text("18天")

    expect(page.get_by_role("region", name="市民现在看到的")).to_contain_text("18天")
    page.get_by_role("button", name="关闭").click()
    expect(page.get_by_role("row").filter(has_text="婚假天数")).to_contain_text("在用")


@pytest.mark.full
def test_nobody_approves_their_own(come: Come) -> None:
    page = come("2002").at("/local?text=丧葬")
    page.locator("[data-row]").first.click()
    page.get_by_label("值", exact=True).fill("1200元")
    page.get_by_label("依据").fill("湘人社发〔2026〕1号")
    page.get_by_role("button", name="保存，请人审核").click()
    expect(page.get_by_text("自己写的，要由另一个人审核。")).to_be_visible()
    expect(page.get_by_role("button", name="审核通过")).to_be_disabled()


@pytest.mark.full
def test_a_filled_table_is_tried_before_it_is_taken(come: Come) -> None:
    page = come("2001").at("/local")
    table = "编号,值,依据,地区代码\nfalv-yuanzhu,家庭人均月收入不超过最低工资,湘司发〔2026〕1号,430100\nyoudai-jin,9000,长退役发〔2026〕1号,430100\n"
    page.get_by_label("填好的表格").set_input_files(
        {"name": "标准.csv", "mimeType": "text/csv", "buffer": table.encode("gb18030")}
    )
    dialog = page.get_by_role("dialog", name="导入填好的表格")
    expect(dialog).to_contain_text("1 行有问题")
    expect(dialog).to_contain_text("第 3 行：义务兵家庭优待金")
    dialog.get_by_role("button", name="导入 1 项").click()
    expect(page.get_by_role("row").filter(has_text="法律援助经济困难标准")).to_contain_text("家庭人均月收入")


def test_the_checklist_says_what_is_left(come: Come) -> None:
    page = come("1003").at("/going-live")
    expect(page.get_by_role("status").filter(has_text="项要做")).to_be_visible()
    line = page.get_by_role("list", name="上线前的检查").get_by_role("listitem").filter(has_text="待审核")
    expect(line).to_contain_text("要做")
    line.get_by_role("link", name="去做").click()
    expect(page).to_have_url("/console/local")
