"""Citizens ask and are answered, in a real browser."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from playwright.sync_api import APIResponse, Route, expect
from processes import Stack

from tests.web.visitor import Visitor


def test_an_answer_with_its_sources_its_guide_and_a_rating(visitor: Visitor) -> None:
    visitor.open()
    card = visitor.ask("身份证丢了咋补办")
    expect(card.get_by_role("heading", name="身份证丢了怎么补办")).to_be_visible()
    expect(card).to_contain_text("截至2026年")
    law = card.get_by_text("居民身份证法")
    expect(law).to_have_count(0)
    card.get_by_role("button", name="依据").click()
    expect(law.first).to_be_visible()
    expect(card).not_to_contain_text("待核")
    materials = card.get_by_role("button", name="材料")
    expect(materials).to_have_attribute("aria-expanded", "false")
    materials.click()
    expect(materials).to_have_attribute("aria-expanded", "true")
    expect(card.get_by_text("要带的材料")).to_be_visible()
    expect(card.get_by_role("listitem").filter(has_text="户口簿").first).to_be_visible()
    card.get_by_role("button", name="有用", exact=True).click()
    expect(card.get_by_role("status")).to_have_text("谢谢您的评价")
    expect(card.get_by_role("button", name="有用", exact=True)).to_have_attribute("aria-pressed", "true")


def test_the_answers_words_are_unchanged_its_figures_bold_and_its_numbers_dial(visitor: Visitor) -> None:
    visitor.open()
    with visitor.page.expect_response("**/messages?after=*") as answered:
        card = visitor.ask("高龄津贴几岁能领？")
    text = answered.value.json()["messages"][-1]["replies"][0]["text"]
    told = card.locator(".told")
    assert "".join(told.all_text_contents()) == re.sub(r"\s", "", text)
    assert told.locator(".conclusion").inner_text() == text[: text.index("。") + 1]
    assert told.locator(".told-point").count() > 1
    figure = told.get_by_text("80周岁", exact=True).first
    assert figure.evaluate("(one) => Number(getComputedStyle(one).fontWeight)") >= 700
    expect(told.get_by_role("link", name="12345")).to_have_attribute("href", "tel:12345")


def test_the_sample_notice_is_seen_once_and_goes_with_every_copy(visitor: Visitor) -> None:
    page = visitor.open()
    page.evaluate(
        "void (speechSynthesis.speak = (words) => (window.overheard = (window.overheard ?? '') + words.text))"
    )
    expect(visitor.ask("护照多少钱").get_by_text("示范知识")).to_be_visible()
    second = visitor.ask("身份证丢了咋补办")
    expect(second.get_by_text("示范知识")).to_be_hidden()
    second.get_by_role("button", name="复制", exact=True).click()
    expect(page.get_by_text("已复制")).to_be_visible()
    assert "示范知识" in page.evaluate("navigator.clipboard.readText()")
    second.get_by_role("button", name="朗读").click()
    assert "示范知识" in page.evaluate("window.overheard")
    page.emulate_media(media="print")
    expect(second.get_by_text("示范知识")).to_be_visible()


def test_the_time_is_there_when_one_taps(visitor: Visitor) -> None:
    visitor.open()
    card = visitor.ask("护照多少钱")
    time = card.get_by_text(re.compile(r"^\d+月\d+日 \d\d:\d\d$"))
    expect(time).to_have_count(0)
    card.locator(".conclusion").click()
    expect(time).to_be_visible()


def test_a_basis_to_be_checked_says_so_where_it_stands(visitor: Visitor) -> None:
    visitor.open()
    card = visitor.ask("社保卡丢了怎么挂失？")
    card.get_by_role("button", name="依据（2，1处待核）").click()
    expect(card.locator(".source").filter(has_text="（待核）")).to_have_count(1)
    expect(card.get_by_text("还没有和正式文本核对过")).to_be_visible()
    card.get_by_role("button", name="复制", exact=True).click()
    assert "（待核）" in visitor.page.evaluate("navigator.clipboard.readText()")


def test_where_a_wrong_answer_costs_a_likely_one_says_first_what_decides_also_aloud(visitor: Visitor) -> None:
    visitor.page.add_init_script(
        "const speak = SpeechSynthesis.prototype.speak;"
        "SpeechSynthesis.prototype.speak = function (words) {"
        "  window.overheard = (window.overheard ?? '') + words.text; speak.call(this, words) }"
    )
    visitor.open()
    card = visitor.ask("注册资本")
    expect(card.get_by_text("您问的可能是：")).to_be_visible()
    expect(card.locator(".asking .tag-mark")).to_have_text("?")  # not by colour alone
    decides = card.locator(".condition")
    expect(decides).to_contain_text("请先看是不是您的情况：")
    card.get_by_role("button", name="朗读").click()
    title = card.get_by_role("heading").first.inner_text()
    aloud = visitor.page.evaluate("window.overheard")
    assert aloud.startswith(f"您问的可能是：{title}{decides.inner_text()}")


def test_a_likely_answer_with_nothing_else_to_offer_has_one_button(visitor: Visitor) -> None:
    def alone(route: Route) -> None:
        answer = route.fetch()
        said = answer.json()
        for message in said.get("messages", []):
            message["replies"] = [
                reply | {"others": []} if "others" in reply else reply for reply in message["replies"]
            ]
        route.fulfill(response=answer, json=said)

    visitor.page.route("**/api/conversations/*/messages?*", alone)
    visitor.open()
    card = visitor.ask("注册资本")
    expect(card.get_by_text("您问的可能是：")).to_be_visible()
    expect(card.get_by_text("您问的是：")).to_have_count(0)
    neither = card.get_by_role("button", name="不是我要问的")
    expect(neither).to_have_count(1)
    neither.click()
    visitor.answered(1)
    expect(neither).to_contain_text("您选的")
    visitor.page.unroute_all(behavior="ignoreErrors")  # the page goes on fetching while it is closed


def test_a_likely_answer_with_nothing_beside_it_asks_for_no_choice(visitor: Visitor) -> None:
    visitor.open()
    card = visitor.ask("下个月办喜酒，公司该批我几天婚假")
    expect(card.get_by_text("您问的可能是：")).to_be_visible()
    expect(card.get_by_text("不是这个？您问的是：")).to_have_count(0)
    expect(card.get_by_role("button", name="都不是")).to_have_count(0)
    card.get_by_role("button", name="不是我要问的").click()
    expect(visitor.page.get_by_role("button", name="帮我登记")).to_be_visible()


def test_what_was_no_use_is_asked_why_and_can_be_taken_back(visitor: Visitor) -> None:
    visitor.open()
    card = visitor.ask("护照多少钱")
    card.get_by_role("button", name="没用", exact=True).click()
    card.get_by_role("button", name="看不懂").click()
    expect(card.get_by_role("status")).to_have_text("记下了，我们会改进")
    card.get_by_role("button", name="有用", exact=True).click()
    expect(card.get_by_role("button", name="没用", exact=True)).to_have_attribute("aria-pressed", "false")


def test_an_ambiguous_question_is_asked_back_and_a_choice_answers_it(visitor: Visitor) -> None:
    visitor.open()
    question = visitor.ask("身份证")
    expect(question.get_by_text("请您选一个")).to_be_visible()
    expect(question).not_to_contain_text("请回复")  # there are buttons
    option = question.get_by_role("button").nth(1)
    title = option.inner_text()
    option.click()
    answer = visitor.answered(1)
    expect(visitor.log.get_by_text(title, exact=True).first).to_be_visible()  # what was chosen stands there in words
    expect(answer.get_by_role("heading", name=title)).to_be_visible()
    expect(option).to_be_disabled()
    expect(question.get_by_text("您选的")).to_have_count(1)
    expect(option).to_contain_text("您选的")


def test_where_buttons_register_the_words_for_those_who_have_none_are_left_out(visitor: Visitor) -> None:
    visitor.open()
    card = visitor.ask("养宠物乌龟的市民补贴在哪里申请领取")
    expect(card).to_contain_text("没有查到可靠的依据")
    expect(card).not_to_contain_text("请回复")
    expect(card.get_by_role("button", name="帮我登记")).to_be_visible()
    expect(card.get_by_role("link", name="打12345")).to_be_visible()


def test_a_reload_keeps_history_and_rating(visitor: Visitor) -> None:
    page = visitor.open()
    visitor.ask("护照多少钱").get_by_role("button", name="有用", exact=True).click()
    expect(visitor.last.get_by_role("status")).to_have_text("谢谢您的评价")
    page.reload()
    expect(visitor.log.get_by_text("护照多少钱", exact=True)).to_be_visible()
    expect(visitor.replies).to_have_count(1)
    expect(visitor.last.get_by_role("button", name="有用", exact=True)).to_have_attribute("aria-pressed", "true")


def test_a_long_history_is_there_to_its_end(visitor: Visitor, stack: Stack) -> None:
    """The gateway gives it in pieces of 200 messages."""
    page = visitor.open()
    visitor.ask("身份证丢了咋补办")
    opened = page.evaluate("JSON.parse(localStorage.getItem('yihaoda.session'))")
    path = f"/api/conversations/{opened['id']}/messages"
    with stack.http(headers={"Authorization": f"Bearer {opened['token']}"}) as http:
        for number in range(110):
            text = f"谢谢你{number}"
            assert http.post(path, json={"message_id": f"m{number}", "text": text}).status_code == 200
    page.reload()
    expect(visitor.log.get_by_text("谢谢你109", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="看更早的")).to_be_visible()


def test_nobody_reads_anothers_conversation(visit: Callable[..., Visitor]) -> None:
    mine, other = visit(), visit()
    mine.open()
    mine.ask("护照多少钱")
    other.open()
    expect(other.page.get_by_role("heading", name="您好")).to_be_visible()
    expect(other.page.get_by_text("护照多少钱")).to_have_count(0)
    other.ask("身份证丢了咋补办")
    kept = "Object.entries(localStorage).filter(([key]) => key.includes('session')).map(([, value]) => value).join()"
    my_session, other_session = mine.page.evaluate(kept), other.page.evaluate(kept)
    assert my_session and other_session and my_session != other_session


def test_offline_is_said_and_what_was_written_goes_out_once_when_back(visitor: Visitor) -> None:
    page = visitor.open()
    visitor.ask("护照多少钱")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.post_data or "") if request.method == "POST" else None)
    visitor.context.set_offline(True)
    notice = page.get_by_role("status").filter(has_text="网络断开了")
    expect(notice).to_be_visible()
    page.get_by_role("textbox", name="您想问的事").fill("身份证丢了咋补办")
    page.get_by_role("button", name="发送", exact=True).click()
    expect(visitor.log.get_by_text("没有发出去")).to_be_visible()
    expect(visitor.log.get_by_text("身份证丢了咋补办", exact=True)).to_have_count(1)
    visitor.context.set_offline(False)
    expect(visitor.answered(1).get_by_role("heading", name="身份证丢了怎么补办")).to_be_visible()
    expect(notice).to_have_count(0)
    expect(visitor.log.get_by_text("没有发出去")).to_have_count(0)
    assert len({body for body in sent if "身份证丢了" in body}) == 1, "tried again, it is the same message"
    page.reload()
    expect(visitor.replies).to_have_count(2)
    expect(visitor.log.get_by_text("身份证丢了咋补办", exact=True)).to_have_count(1)
    visitor.forgive("fetching the script")  # the browser looks for a newer service worker meanwhile
    visitor.forgive("ERR_INTERNET_DISCONNECTED")


def test_what_comes_through_from_before_the_network_was_lost_does_not_hide_that(visitor: Visitor) -> None:
    page = visitor.open()
    visitor.ask("护照多少钱")
    held: list[tuple[Route, APIResponse]] = []

    def hold(route: Route) -> None:
        if route.request.method == "GET" and not held:
            held.append((route, route.fetch()))
        else:
            route.continue_()

    page.route("**/api/conversations/*/messages*", hold)
    page.get_by_role("textbox", name="您想问的事").fill("身份证丢了咋补办")
    page.get_by_role("button", name="发送", exact=True).click()
    for _ in range(100):
        if held:
            break
        page.wait_for_timeout(100)
    visitor.context.set_offline(True)
    notice = page.get_by_role("status").filter(has_text="网络断开了")
    expect(notice).to_be_visible()
    route, response = held[0]
    route.fulfill(response=response)
    expect(visitor.answered(1).get_by_role("heading", name="身份证丢了怎么补办")).to_be_visible()
    expect(notice).to_be_visible()
    visitor.context.set_offline(False)
    expect(notice).to_have_count(0)
    visitor.forgive("ERR_INTERNET_DISCONNECTED")


def test_what_was_not_sent_survives_a_reload_without_network(visitor: Visitor) -> None:
    page = visitor.open()
    visitor.ask("护照多少钱")
    page.route("**/api/conversations/*/messages*", lambda route: route.abort())
    page.get_by_role("textbox", name="您想问的事").fill("身份证丢了咋补办")
    page.get_by_role("button", name="发送", exact=True).click()
    expect(visitor.log.get_by_text("没有发出去")).to_be_visible()
    page.reload()
    expect(visitor.log.get_by_text("身份证丢了咋补办", exact=True)).to_be_visible()
    page.unroute("**/api/conversations/*/messages*")
    expect(visitor.replies).to_have_count(2, timeout=30_000)
    expect(visitor.last.get_by_role("heading", name="身份证丢了怎么补办")).to_be_visible()
    visitor.forgive("ERR_FAILED")


def test_an_answer_whose_acknowledgement_was_lost_comes_once(visitor: Visitor) -> None:
    """The gateway has the message, the browser doesn't know: sent again, it makes no second turn."""
    page = visitor.open()
    visitor.ask("护照多少钱")
    lost: list[str] = []

    def lose(route: Route) -> None:
        if route.request.method == "POST" and not lost:
            route.fetch()
            lost.append(route.request.post_data or "")
            route.abort()
        else:
            route.continue_()

    page.route("**/api/conversations/*/messages*", lose)
    page.get_by_role("textbox", name="您想问的事").fill("身份证丢了咋补办")
    page.get_by_role("button", name="发送", exact=True).click()
    visitor.answered(1)
    assert lost
    page.reload()
    expect(visitor.log.get_by_text("身份证丢了咋补办", exact=True)).to_have_count(1)
    expect(visitor.replies).to_have_count(2)
    visitor.forgive("ERR_FAILED")


def test_when_many_wait_one_is_told_so_and_then_answered(visitor: Visitor) -> None:
    page = visitor.open()
    visitor.ask("护照多少钱")
    held = True

    def slow(route: Route) -> None:
        if route.request.method == "POST":
            said = route.fetch().json()
            busy = {"replies": [], "deferred": True, "notice": "现在咨询的人比较多，请稍等。"}
            route.fulfill(status=202, json=said | busy)
        elif held:
            route.fulfill(json={"state": "bot", "messages": []})
        else:
            route.continue_()

    page.route("**/api/conversations/*/messages*", slow)
    page.get_by_role("textbox", name="您想问的事").fill("身份证丢了咋补办")
    page.get_by_role("button", name="发送", exact=True).click()
    notice = page.get_by_role("status").filter(has_text="现在咨询的人比较多")
    expect(notice).to_be_visible()
    held = False
    visitor.answered(1)
    expect(notice).to_have_count(0)


def test_the_first_phone_number_waits_for_the_privacy_notice(visitor: Visitor) -> None:
    page = visitor.open()
    visitor.ask("护照多少钱")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.post_data or "") if request.method == "POST" else None)
    box = page.get_by_role("textbox", name="您想问的事")
    box.fill("我的电话是13812345678")
    page.get_by_role("button", name="发送", exact=True).click()
    notice = page.get_by_role("dialog", name="个人信息说明")
    expect(notice).to_be_visible()
    notice.get_by_role("button", name="不同意，返回修改").click()
    expect(notice).to_be_hidden()
    expect(box).to_have_value("我的电话是13812345678")
    assert not sent, "nothing left the device"
    page.get_by_role("button", name="发送", exact=True).click()
    notice.get_by_role("button", name="同意并继续").click()
    expect(visitor.log.get_by_text("我的电话是13812345678", exact=True)).to_be_visible()
    visitor.answered(1)
    visitor.ask("再留一个13912345678")
    expect(notice).to_be_hidden()
    agreed = page.evaluate(
        """async () => {
            const { id, token } = JSON.parse(JSON.parse(localStorage.getItem('yihaoda.session')).data ?? localStorage.getItem('yihaoda.session'))
            const answer = await fetch(`/api/conversations/${id}`, { headers: { Authorization: `Bearer ${token}` } })
            return (await answer.json()).privacy_agreed
        }"""
    )
    assert agreed, "the gateway has recorded the consent"


def test_everything_can_be_erased(visitor: Visitor) -> None:
    page = visitor.open()
    visitor.ask("护照多少钱")
    visitor.go("设置")
    with page.expect_download() as fetched:
        page.get_by_role("button", name="取一份我的记录").click()
    copy = json.loads(fetched.value.path().read_text("utf-8"))
    assert fetched.value.suggested_filename == "我的记录.json" and copy["messages"]
    expect(page.get_by_text("已存成文件")).to_be_visible()
    page.get_by_role("button", name="清除我的记录").click()
    group = page.get_by_role("group", name="清除我的记录")
    group.get_by_role("button", name="不清除").click()
    visitor.go("问答")
    expect(visitor.replies).to_have_count(1)
    visitor.go("设置")
    page.get_by_role("button", name="清除我的记录").click()
    group.get_by_role("button", name="确定清除").click()
    expect(page.get_by_role("status").filter(has_text="已清除")).to_be_visible()
    page.goto("/")
    expect(page.get_by_role("heading", name="您好")).to_be_visible()
    expect(visitor.replies).to_have_count(0)
    visitor.ask("身份证丢了咋补办")
    expect(visitor.replies).to_have_count(1)


def test_a_theme_leads_to_an_answer(visitor: Visitor) -> None:
    page = visitor.open()
    visitor.go("主题")
    page.get_by_role("button", name="生育").first.click()
    question = page.get_by_role("button", name=re.compile("？$")).first
    title = question.inner_text()
    question.click()
    expect(visitor.log.get_by_text(title, exact=True).first).to_be_visible()
    visitor.answered(0)


def test_a_calculator_works_a_rule_out(visitor: Visitor) -> None:
    page = visitor.open("pages/themes")
    page.get_by_role("button", name="退休时间").click()
    page.get_by_role("button", name="算一算", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()
    visitor.forgive("422")
    page.get_by_label("出生年月").fill("1976年3月")
    page.get_by_label("类别").select_option("female_50")
    page.get_by_role("button", name="算一算", exact=True).click()
    result = page.get_by_role("region", name="结果")
    expect(result.get_by_text("退休").first).to_be_visible()
    result.get_by_role("button", name="怎么算出来的").click()
    expect(result.get_by_role("listitem").first).to_be_visible()


def test_the_region_is_kept_and_belongs_to_the_conversation(visitor: Visitor) -> None:
    page = visitor.open()
    visitor.ask("护照多少钱")
    visitor.go("设置")
    place = page.get_by_role("combobox", name="所在地区")
    place.select_option("北京市")
    page.get_by_role("button", name="保存地区").click()
    expect(page.get_by_role("status").filter(has_text="已保存：北京市")).to_be_visible()
    page.reload()
    expect(place).to_have_value("110000")


def test_in_danger_the_number_is_on_the_first_screen_and_the_whole_box_dials(visit: Callable[..., Visitor]) -> None:
    visitor = visit(width=320, height=640)
    visitor.open()
    visitor.elder()
    card = visitor.ask("我爸躺地上怎么喊都不应声").locator(".emergency")
    expect(card).to_have_attribute("role", "alert")
    call = card.locator(".call").first
    expect(call.get_by_role("link")).to_have_attribute("href", "tel:120")
    expect(call).to_contain_text("急救")
    expect(call).to_be_in_viewport(ratio=1)
    box, whole, link = call.bounding_box(), card.bounding_box(), call.get_by_role("link").bounding_box()
    assert box and whole and link
    assert box["width"] >= 0.8 * whole["width"] and box["height"] >= 44
    at = {"x": box["x"] + 6, "y": box["y"] + 6}
    reached = visitor.page.evaluate(
        "({x, y}) => document.elementFromPoint(x, y).closest('a')?.getAttribute('href')", at
    )
    assert reached == "tel:120"
    # A long number is not broken.
    longest = visitor.ask("我不想活了").locator(".call .link").first
    assert longest.inner_text() == "12356" and longest.evaluate("link => link.getClientRects().length") == 1


def test_what_follows_on_a_danger_and_its_end(visitor: Visitor) -> None:
    visitor.open()
    visitor.ask("家里厨房着火了")
    expect(visitor.ask("打不通").locator(".emergency")).to_contain_text("119")
    expect(visitor.ask("已经灭了")).to_contain_text("那就好")


def test_a_question_that_sounds_like_a_danger_is_answered_all_the_same(visit: Callable[..., Visitor]) -> None:
    visitor = visit(width=320, height=640)
    visitor.open()
    both = visitor.ask("昨晚打车下车把钱包忘在后座了，打司机电话不接")
    expect(both.locator(".emergency")).to_be_visible()
    expect(both).to_contain_text("出租车")
    expect(both.locator(".call").first).to_be_in_viewport(ratio=1)
    card = visitor.ask("一进厨房闻到煤气味，头有点晕，先打哪个号好").locator(".emergency")
    before = visitor.replies.count()
    card.get_by_role("button", name="没有危险，我想咨询").click()
    expect(visitor.answered(before)).not_to_contain_text("请马上带大家到室外")


def test_who_lost_somebody_hears_condolence_before_the_guidance(visitor: Visitor) -> None:
    visitor.open()
    expect(visitor.ask("我爸去世了丧葬费怎么领")).to_contain_text("请节哀。")
