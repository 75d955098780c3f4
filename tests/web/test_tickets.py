"""What happens to a ticket, as the citizen who made it sees it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from processes import Stack

from bot import database
from bot.clock import utcnow
from bot.errors import NotFound
from bot.models.tickets import Ticket
from bot.tickets import lookup
from tests.web.visitor import Visitor


def look_up(visitor: Visitor, number: str, code: str) -> None:
    page = visitor.open("pages/tickets")
    page.get_by_label("工单编号").fill(number)
    page.get_by_label("查询码").fill(code)
    page.get_by_role("button", name="查询", exact=True).click()


def answered_by_an_agent(stack: Stack, number: str) -> None:
    with stack.http(headers=stack.operator) as http:
        http.post(f"/api/desk/tickets/{number}/claim").raise_for_status()
        words = {"text": "本市没有这项补贴。"}
        http.post(f"/api/desk/tickets/{number}/reply", json=words).raise_for_status()


def test_an_unknown_question_becomes_a_ticket_that_is_found_elsewhere_by_number_and_code(
    visit: Callable[..., Visitor],
) -> None:
    mine, elsewhere = visit(), visit()
    mine.open()
    number, code = mine.ticket()
    look_up(elsewhere, number, "0" * 8 if code != "0" * 8 else "1" * 8)
    expect(elsewhere.page.get_by_role("alert")).to_contain_text("没有找到这张工单")
    elsewhere.forgive("404")
    look_up(elsewhere, number, f"{code[:4]} {code[4:]}")
    # The wrong code makes the next one wait for a second; whoever was slower than that is in.
    done = elsewhere.page.get_by_role("heading", name="工单进度")
    wait = elsewhere.page.get_by_role("alert").filter(has_text="后再试")
    expect(done.or_(wait)).to_be_visible()
    if wait.is_visible():
        elsewhere.forgive("429")
        expect(wait).to_contain_text("请1秒后再试")
        elsewhere.page.wait_for_timeout(1000)  # what the page said
        elsewhere.page.get_by_role("button", name="查询", exact=True).click()
    expect(elsewhere.page.get_by_role("heading", name="工单进度")).to_be_visible()
    expect(elsewhere.page.get_by_text(number).first).to_be_visible()
    expect(elsewhere.page.get_by_text("待受理").first).to_be_visible()


def old_and_guessed_at(stack: Stack, number: str, phone: str | None) -> str:
    """Make it a ticket of an earlier version whose code many have guessed at; the code."""
    with stack.database():
        with database.write() as session:
            ticket = session.get_one(Ticket, number)
            ticket.query_code, ticket.phone, ticket.conversation_id = "004211", phone, None
        for n in range(lookup.WATCHED_AFTER):
            with pytest.raises(NotFound), database.write() as session:
                lookup.find(session, number, "99999999", source=f"guesser {n}", now=utcnow())
    return "004211"


@pytest.mark.parametrize(("phone", "tail"), [("13812345678", "5678"), (None, "")])
def test_an_old_ticket_that_many_guessed_at_asks_for_the_end_of_the_phone(
    visit: Callable[..., Visitor], stack: Stack, phone: str | None, tail: str
) -> None:
    mine, elsewhere = visit(), visit()
    mine.open()
    number, _ = mine.ticket()
    code = old_and_guessed_at(stack, number, phone)
    look_up(elsewhere, number, code)
    page = elsewhere.page
    expect(page.get_by_role("alert")).to_contain_text("电话的后四位")
    elsewhere.forgive("422")
    page.get_by_label("所留电话的后四位").fill("56")
    page.get_by_role("button", name="查询", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("空着不填")
    page.get_by_label("所留电话的后四位").fill(tail)
    page.get_by_role("button", name="查询", exact=True).click()
    expect(page.get_by_role("heading", name="工单进度")).to_be_visible()
    expect(page.get_by_text("待受理").first).to_be_visible()
    page.reload()  # the code is known here, the phone is not kept
    expect(page.get_by_role("alert")).to_contain_text("电话的后四位")
    elsewhere.forgive("422")
    page.get_by_label("所留电话的后四位").fill(tail)
    page.get_by_role("button", name="查询", exact=True).click()
    expect(page.get_by_text("待受理").first).to_be_visible()


def test_the_own_ticket_opens_however_many_wrong_codes_came_from_the_same_address(
    visitor: Visitor, stack: Stack
) -> None:
    page = visitor.open()
    number, _ = visitor.ticket()
    with stack.http() as http:
        statuses = [http.post(f"/api/tickets/{number}", json={"code": f"x{n}"}).status_code for n in range(10)]
    assert statuses[0] == 404 and 429 in statuses
    visitor.go("工单")
    page.get_by_role("listitem").get_by_role("button", name=number).click()
    expect(page.get_by_text("待受理").first).to_be_visible()


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
