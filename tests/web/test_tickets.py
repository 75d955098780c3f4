"""What happens to a ticket, as the citizen who made it sees it."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect
from processes import Stack

from tests.web.visitor import Visitor


def look_up(visitor: Visitor, number: str, code: str) -> None:
    page = visitor.open("pages/tickets")
    page.get_by_label("办件编号").fill(number)
    page.get_by_label("查询码").fill(code)
    page.get_by_role("button", name="查询", exact=True).click()


def answered_by_an_agent(stack: Stack, number: str) -> None:
    with stack.http(headers=stack.operator) as http:
        http.post(f"/api/operator/tickets/{number}/claim", json={"agent": "小王"}).raise_for_status()
        words = {"agent": "小王", "text": "本市没有这项补贴。"}
        http.post(f"/api/operator/tickets/{number}/reply", json=words).raise_for_status()


def test_an_unknown_question_becomes_a_ticket_that_is_found_elsewhere_by_number_and_code(
    visit: Callable[..., Visitor],
) -> None:
    mine, elsewhere = visit(), visit()
    mine.open()
    number, code = mine.ticket()
    look_up(elsewhere, number, "000000" if code != "000000" else "111111")
    expect(elsewhere.page.get_by_role("alert")).to_be_visible()
    elsewhere.forgive("404")
    look_up(elsewhere, number, code)
    expect(elsewhere.page.get_by_role("heading", name="工单进度")).to_be_visible()
    expect(elsewhere.page.get_by_text(number).first).to_be_visible()
    expect(elsewhere.page.get_by_text("待受理").first).to_be_visible()


def test_a_ticket_is_listed_added_to_corrected_and_withdrawn(visitor: Visitor) -> None:
    page = visitor.open()
    number, _ = visitor.ticket()
    visitor.go("工单")
    page.get_by_role("listitem").get_by_role("button", name=number).click()
    page.get_by_role("button", name="补充内容").click()
    page.get_by_label("补充的内容").fill("是两只乌龟")
    page.get_by_role("button", name="提交补充").click()
    done = page.get_by_role("status")
    expect(done.filter(has_text="已补充")).to_be_visible()
    expect(page.get_by_text("是两只乌龟").first).to_be_visible()

    page.get_by_role("button", name="更正电话、地区").click()
    page.get_by_label("新的联系电话").fill("138")
    page.get_by_role("button", name="保存更正").click()
    notice = page.get_by_role("dialog", name="个人信息说明")
    notice.get_by_role("button", name="同意并继续").click()
    expect(page.get_by_role("alert")).to_be_visible()
    visitor.forgive("422")
    page.get_by_label("新的联系电话").fill("13812345678")
    page.get_by_role("button", name="保存更正").click()
    expect(done.filter(has_text="已更正")).to_be_visible()
    expect(page.get_by_text("尾号5678").first).to_be_visible()
    expect(page.get_by_text("13812345678")).to_have_count(0)

    page.get_by_role("button", name="撤回", exact=True).click()
    page.get_by_role("button", name="确定撤回").click()
    expect(done.filter(has_text="已撤回")).to_be_visible()
    expect(page.get_by_role("button", name="补充内容")).to_have_count(0)


def test_a_bad_rating_says_why_and_has_its_follow_up(visitor: Visitor, stack: Stack) -> None:
    page = visitor.open()
    number, _ = visitor.ticket()
    answered_by_an_agent(stack, number)
    expect(visitor.log.get_by_text("本市没有这项补贴").first).to_be_visible(timeout=20_000)
    visitor.go("工单")
    page.get_by_role("listitem").get_by_role("button", name=number).click()
    expect(page.get_by_text("本市没有这项补贴").first).to_be_visible()
    grades = page.get_by_role("radio")
    expect(grades).to_have_count(5)
    page.get_by_role("radio", name="非常不满意").check()
    page.get_by_role("button", name="提交评价").click()
    expect(page.get_by_role("alert")).to_contain_text("请写明哪里不满意")
    page.get_by_label("哪里不满意").fill("没有说明依据是什么")
    page.get_by_role("button", name="提交评价").click()
    expect(page.get_by_role("status").filter(has_text="评价收到了")).to_be_visible()
    expect(page.get_by_text("重办").first).to_be_visible()
    expect(page.get_by_role("radio")).to_have_count(0)


def test_a_good_rating_ends_it(visitor: Visitor, stack: Stack) -> None:
    page = visitor.open()
    number, code = visitor.ticket()
    answered_by_an_agent(stack, number)
    look_up(visitor, number, code)
    page.get_by_role("radio", name="非常满意").check()
    page.get_by_role("button", name="提交评价").click()
    expect(page.get_by_role("status").filter(has_text="评价收到了")).to_be_visible()
    expect(page.get_by_text("已评价").first).to_be_visible()
