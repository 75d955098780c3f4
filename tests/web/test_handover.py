"""转人工 in the browser: a person takes over, is heard, and hands back to the assistant."""

from __future__ import annotations

from playwright.sync_api import expect
from processes import Stack

from tests.web.visitor import Visitor


def test_a_person_takes_over_and_hands_back(visitor: Visitor, stack: Stack) -> None:
    page = visitor.open()
    with stack.http(headers=stack.operator) as http:
        assert http.put("/api/desk/duty", json={"hours": 1}).status_code == 204
        try:
            visitor.ask("身份证丢了咋补办")
            visitor.ask("转人工")
            expect(page.get_by_text("正在为您接通人工坐席")).to_be_visible()
            waiting = http.get("/api/desk/conversations").json()["items"][-1]  # the longest-waiting come first
            path = f"/api/desk/conversations/{waiting['id']}"
            assert http.post(f"{path}/claim").status_code == 204
            expect(page.get_by_text("正在为您服务")).to_be_visible(timeout=10_000)

            assert http.post(f"{path}/messages", json={"text": "您好，我是小王，请讲。"}).status_code == 200
            expect(visitor.log).to_contain_text("我是小王")
            expect(visitor.log).to_contain_text("人工坐席 xiaowang 为您服务")
            page.get_by_role("textbox", name="您想问的事").fill("我的身份证丢在外地了")
            page.get_by_role("button", name="发送", exact=True).click()
            expect(visitor.log.get_by_text("我的身份证丢在外地了")).to_be_visible()
            assert http.post(f"{path}/close").status_code == 204
            expect(page.get_by_text("正在为您服务")).to_have_count(0, timeout=10_000)
            expect(visitor.ask("护照多少钱")).to_contain_text("护照")
        finally:
            http.put("/api/desk/duty", json={"hours": 0})
