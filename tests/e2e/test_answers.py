"""What citizens get, through the gateway, Rasa and the action server."""

from __future__ import annotations

import re

import pytest
from processes import Citizen, Stack

from index.assistant.respond import MAX_OPTIONS


def test_a_lost_identity_card(citizen: Citizen) -> None:
    reply = citizen.say("身份证丢了咋补办")
    assert reply["type"] == "answer"
    assert reply["matter"] == "身份证换领补领"
    assert "居民身份证法" in reply["sources"][0]["title"]
    assert reply["guides"][0]["materials"] and reply["guides"][0]["steps"]
    assert 0 < reply["confidence"] <= 1
    assert "待本市部门审核" in reply["note"]


def test_it_went_through_rasa(stack: Stack, citizen: Citizen) -> None:
    turn_id = citizen.post("办护照要多少钱").json()["turn_id"]
    with stack.http(headers=stack.operator) as http:
        detail = http.get(f"/api/desk/turns/{turn_id}").json()
    assert detail["engine"] == "rasa"
    assert detail["explain"]["candidates"][0]["matter"] == "护照办理"
    assert detail["explain"]["encoder"]


def test_a_subsidy_that_does_not_exist_becomes_a_ticket_that_can_be_looked_up(stack: Stack, citizen: Citizen) -> None:
    reply = citizen.register("养宠物乌龟的市民补贴在哪里申请领取")
    assert reply["type"] == "ticket", reply
    assert reply["number"] in reply["text"]
    with stack.http() as http:
        found = http.post(f"/api/tickets/{reply['number']}", json={"code": reply["query_code"]})
        assert found.status_code == 200 and found.json()["state"] == "待受理"
        other = Citizen(stack)
        status = other.say(f"{reply['number']} {reply['query_code']}")
        assert status["type"] == "ticket_status" and status["number"] == reply["number"]


def test_the_same_question_keeps_its_ticket(citizen: Citizen) -> None:
    first = citizen.register("养宠物乌龟的市民补贴在哪里申请领取")
    again = citizen.register("养宠物乌龟的市民补贴在哪里申请领取？")
    assert again["number"] == first["number"]


def test_contact_is_asked_once_and_kept(stack: Stack, citizen: Citizen) -> None:
    ticket = citizen.register("养宠物乌龟的市民补贴在哪里申请领取")
    saved = citizen.say("13800138000，长沙市岳麓区")
    assert saved["type"] == "text" and ticket["number"] in saved["text"]
    with stack.http(headers=stack.operator) as http:
        path = f"/api/desk/tickets/{ticket['number']}"
        seen = http.post(f"{path}/claim").json()
        revealed = http.post(f"{path}/reveal", json={"reason": "给市民回电话"}).json()
    assert seen["phone"] == "138****8000" and seen["region"] == "430104"
    assert revealed["phone"] == "13800138000"


def test_weather_is_no_ticket(citizen: Citizen) -> None:
    assert citizen.say("明天会下雨吗")["type"] == "text"


def test_emergency_first(citizen: Citizen) -> None:
    reply = citizen.say("家里着火了快来人")
    assert reply["type"] == "emergency" and "119" in reply["phones"]


def test_a_question_about_a_fire_is_a_question(citizen: Citizen) -> None:
    assert citizen.say("家里失火后能申请临时救助吗")["type"] != "emergency"


def test_greetings_thanks_and_who_are_you(citizen: Citizen) -> None:
    assert "一号答" in citizen.say("你好")["text"]
    assert "不是真人" in citizen.say("你是机器人还是真人呀")["text"]
    assert "不客气" in citizen.say("谢谢你了")["text"]


def test_an_order_to_complain_opens_the_form_and_ends_in_a_ticket(citizen: Citizen) -> None:
    said = [citizen.say("我要投诉楼下烧烤店半夜油烟太大")]
    for answer in ("长沙市岳麓区", "同意，13800138000", "确认"):
        said.append(citizen.say(answer))
    assert said[-1]["type"] == "ticket", said
    assert all(reply["type"] == "ask" for reply in said[:-1])


def test_a_form_can_be_left(citizen: Citizen) -> None:
    citizen.say("我要投诉")
    assert "已退出登记" in citizen.say("算了不填了")["text"]
    assert citizen.say("身份证丢了咋补办")["type"] == "answer"


def test_how_to_complain_is_a_question(citizen: Citizen) -> None:
    reply = citizen.say("公司不给年假怎么投诉")
    assert reply["type"] in ("answer", "clarify")


def test_an_option_is_taken_by_its_number(citizen: Citizen) -> None:
    asked = citizen.say("身份证")
    assert asked["type"] == "clarify", asked
    assert 1 <= len(asked["options"]) <= MAX_OPTIONS
    assert len({option["question"] for option in asked["options"]}) == len(asked["options"])
    chosen = asked["options"][1]
    reply = citizen.say("选第二个吧")
    assert reply["type"] == "answer" and reply["qa_id"] == chosen["qa_id"]


def test_none_of_these_brings_in_a_person(citizen: Citizen) -> None:
    assert citizen.say("身份证")["type"] == "clarify"
    assert citizen.say("以上都不是")["can_report"]
    assert citizen.say("好的，帮我登记吧")["type"] == "ticket"


def test_nobody_is_asked_back_for_ever(citizen: Citizen) -> None:
    kinds = [
        citizen.say(text)["type"] for text in ("身份证", "身份证的事", "办身份证", "身份证啊", "问身份证", "身份证呢")
    ]
    longest = max((len(run) for run in re.findall("c+", "".join(kind[0] for kind in kinds))), default=0)
    assert 1 <= longest <= 2, kinds


def test_another_question_is_not_taken_for_the_third_try(citizen: Citizen) -> None:
    kinds = [citizen.say(text)["type"] for text in ("身份证", "公积金", "年假", "护照")]
    assert "ticket" not in kinds, kinds


def test_a_follow_up_keeps_its_subject(citizen: Citizen) -> None:
    assert citizen.say("失业金怎么申领？要带什么？")["matter"] == "失业保险金领取"
    reply = citizen.say("那能领多久")
    assert reply["type"] in ("answer", "clarify")
    if reply["type"] == "answer":
        assert reply["matter"] == "失业保险金领取"


def test_no_agent_on_duty_makes_a_ticket(citizen: Citizen) -> None:
    reply = citizen.say("转人工")
    assert reply["type"] == "ticket" and "没有工作人员在线" in reply["text"]


def test_repeat_says_it_again(citizen: Citizen) -> None:
    first = citizen.say("身份证丢了咋补办")
    assert citizen.say("再说一遍") == first


def test_two_bad_ratings_bring_in_a_person(citizen: Citizen) -> None:
    citizen.say("身份证丢了咋补办")
    assert not citizen.say("没用")["can_report"]
    assert citizen.say("没用")["can_report"]


def test_a_complaint_gets_guidance_first_and_a_ticket_where_it_is_wanted(citizen: Citizen) -> None:
    reply = citizen.say("小区半夜装修太吵了没人管")
    assert reply["type"] in ("answer", "clarify"), reply
    if reply["type"] == "clarify":
        assert "登记" in reply["text"]
        assert citizen.say("登记")["type"] == "ticket"


@pytest.mark.parametrize("text", ["垃圾", "不要脸", "费心了", "到此为止", "罢了", "满分", "好评", "我满意", "满意满意"])
def test_a_word_of_chat_gets_no_policy(citizen: Citizen, text: str) -> None:
    assert citizen.say(text)["type"] == "text"


@pytest.mark.parametrize("text", ["我80了", "我爹90了", "我妈八十八了", "丢了", "字太小了"])
def test_what_rasa_is_not_sure_of_is_no_good_bye(citizen: Citizen, text: str) -> None:
    assert "再见" not in citizen.say(text)["text"]


@pytest.mark.parametrize("text", ["离婚", "护照", "失业金", "工伤", "补身份证"])
def test_what_names_one_matter_is_answered(citizen: Citizen, text: str) -> None:
    assert citizen.say(text)["certainty"] in ("sure", "likely")


def test_what_two_matters_may_mean_is_asked_back(citizen: Citizen) -> None:
    reply = citizen.say("结婚")  # the registration, or the leave
    assert reply["type"] == "clarify" and any("结婚" in one["question"] for one in reply["options"])


@pytest.mark.parametrize("asked", ["公积金", "离婚"], ids=["asked back", "likely"])
@pytest.mark.parametrize("text", ["火星签证怎么办", "今天天气怎么样", "给我讲个笑话", "附近哪有电影院"])
def test_a_question_of_its_own_is_no_reply_to_what_was_offered(citizen: Citizen, asked: str, text: str) -> None:
    assert citizen.say(asked)["type"] in ("clarify", "answer")
    assert citizen.say(text)["type"] == "text"


@pytest.mark.parametrize(
    ("asked", "answer", "text", "then"),
    [
        ("公积金哪些情况能取", "gjj-001", "申请了几天打到卡上", "gjj-007"),
        ("买房可以提公积金吗", "gjj-003", "不买房，就想把家里重新装一下", "gjj-006"),
        ("身份证到期了去哪换新的", "sfz-002", "加钱能快点不", "sfz-010"),
    ],
)
def test_what_is_asked_about_a_likely_answer_is_a_question_about_it(
    stack: Stack, asked: str, answer: str, text: str, then: str
) -> None:
    citizen = Citizen(stack)
    assert citizen.say(asked)["qa_id"] == answer
    assert citizen.say(text)["qa_id"] == then
