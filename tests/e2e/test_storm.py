"""Long ones, for ``make test-full``: many citizens at once while processes die, and a big knowledge base."""

from __future__ import annotations

import concurrent.futures
import contextlib
import random
import time

import pytest
from e2e.test_failures import settled, stubborn
from processes import Citizen, Stack
from sqlalchemy import func, select

from bot import database, knowledge
from bot.models.conversations import InboxMessage
from bot.models.knowledge import QA
from bot.settings import Settings
from index.versions import build, store
from index.versions.store import IndexReader
from training.fit import calibration_for

pytestmark = pytest.mark.full

SAID = (
    "身份证丢了咋补办", "护照多少钱", "你好", "谢谢", "身份证", "2", "以上都不是", "失业金怎么领", "那能领多久", "转人工", "没用",
    "养宠物乌龟的市民补贴在哪里申请领取", "我要投诉楼下烧烤店半夜油烟太大", "长沙市岳麓区", "跳过", "是的", "算了", "再说一遍", "查工单",
    "/restart", "😀", "公鸡金能取不", "明天会下雨吗", "家里着火了快来人",
)  # fmt: skip


@pytest.mark.timeout(900)
def test_forty_citizens_while_processes_die(own_stack: Stack) -> None:
    stack = own_stack
    citizens = [Citizen(stack) for _ in range(40)]
    dice = random.Random(20261120)
    lines = [[dice.choice(SAID) for _ in range(25)] for _ in citizens]

    def talk(number: int) -> int:
        for place, text in enumerate(lines[number]):
            body = stubborn(citizens[number], text, f"m{place}")
            assert body["replies"]
            if place % 7 == 3:  # a client that is not sure sends it again
                assert stubborn(citizens[number], text, f"m{place}") == body
        return len(lines[number])

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        talks = [pool.submit(talk, number) for number in range(len(citizens))]
        deaths = 0
        while not all(one.done() for one in talks) and deaths < 9:
            time.sleep(6)
            with contextlib.suppress(LookupError):
                stack.handle.kill(("rasa", "actions", "gateway")[deaths % 3])
            deaths += 1
        said = sum(one.result(timeout=600) for one in talks)
    stack.handle.wait_ready(timeout_s=180)
    settled(stack, seconds=120)
    with stack.database(), database.read() as session:
        theirs = InboxMessage.conversation_id.in_([citizen.id for citizen in citizens])
        assert session.scalar(select(func.count()).where(theirs)) == said == 40 * 25
    for citizen in citizens:
        asked = [message["message_id"] for message in citizen.messages() if message["sender"] == "citizen"]
        assert asked == [f"m{place}" for place in range(25)]


@pytest.mark.timeout(600)
def test_five_thousand_items_are_built_and_found(sqlite_db: Settings) -> None:
    dice = random.Random(7)
    parts = [
        "申请",
        "补贴",
        "登记",
        "证明",
        "变更",
        "注销",
        "年检",
        "缴费",
        "查询",
        "转移",
        "备案",
        "许可",
        "公示",
        "复核",
    ]
    places = ["东城", "西关", "南湖", "北岭", "河口", "桥头", "新村", "老街"]
    things = ["渔船", "果园", "养蜂场", "诊所", "书店", "车库", "水塔", "仓库", "作坊", "茶馆", "驿站", "苗圃"]

    def question(number: int) -> str:
        return f"{dice.choice(places)}{dice.choice(things)}{dice.choice(parts)}第{number}号事项怎么办"

    items = []
    for number in range(5000):
        first = question(number)
        items.append(
            QA(
                id=f"big-{number}", matter=f"事项{number % 60}", question=first, answer=f"{first}：到窗口办理。",
                similar=[f"{first[:-3]}要什么材料", f"请教{first}"], sources=[], guides=[], related=[], themes=[],
                audience="个人", region="100000", status="draft", revision=0,
            )
        )  # fmt: skip
    with database.write() as session:
        knowledge.upsert(session, items)
    store.publish(sqlite_db, build.build(sqlite_db, calibration_for))
    loaded = IndexReader(sqlite_db).get()
    for item in dice.sample(items, 50):
        found = loaded.retriever.candidates(item.question)
        assert max(found, key=lambda candidate: candidate.features[0]).item.id == item.id
