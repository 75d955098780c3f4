"""A morning at the hotline: people, tickets in every state, conversations in every list, a danger.  In the database of our settings."""

from __future__ import annotations

import uuid
from datetime import date, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot import conversations, database, doubts, knowledge, recalls, regions, turns
from bot.accounts import people, service_accounts
from bot.accounts.passwords import hashed
from bot.clock import utcnow
from bot.danger import Kind, card
from bot.desk import callbacks, duty, shield, takeover
from bot.local import figures
from bot.models.asked import Asked
from bot.models.knowledge import QA
from bot.models.versions import QAVersion
from bot.replies import Reply, TextReply
from bot.settings import get_settings
from bot.tickets import moves, numbers, register
from bot.turns import Outcome

PASSWORD = "江边散步-7颗石榴树"
OFFICE = "市人力资源和社会保障局"

PEOPLE = (
    ("1001", "王芳", ("agent",), None),
    ("1002", "李建国", ("agent",), None),
    ("1003", "陈秀英", ("agent", "supervisor"), None),
    ("2001", "赵敏", ("editor",), None),
    ("2002", "周立新", ("approver",), None),
    ("3001", "孙伟", ("officer",), OFFICE),
    ("3002", "吴海燕", ("officer",), "市住房公积金管理中心"),
    ("9001", "郑宏", ("admin",), None),
)

_MATTERS = (
    ("投诉", "楼下烧烤店夜里两点还在营业，油烟和吵闹影响整栋楼，已经连续一个多月", "市城市管理局", 0),
    ("求助", "老人独居，小区连续停水三天，物业电话打不通，请尽快协调送水", "市水务局", 2),
    ("咨询", "去年在外地缴的养老保险，怎么转到本市来，要不要本人去原参保地", OFFICE, 3),
    ("投诉", "公司拖欠三个月工资，劳动监察让等，想知道办到哪一步了", OFFICE, 5),
    ("建议", "学校门口的斑马线磨损看不清，早高峰很危险，建议重新划线并加减速带", "市公安局交通警察支队", 6),
    ("举报", "有工地凌晨偷倒建筑垃圾到河边，车牌看不清，每周二、周五都来", "市生态环境局", 8),
    ("咨询", "新生儿的医保出生多少天内参保可以报销住院费", "市医疗保障局", 9),
    ("求助", "孩子转学材料交了两个月没有答复，开学就没有学上了", "市教育局", 12),
    ("投诉", "公交改线以后，我们小区到地铁站要走四十分钟", "市交通运输局", 15),
    ("咨询", "公积金贷款提前还款要不要预约，有没有违约金", "市住房公积金管理中心", 18),
    ("求助", "残疾证年审窗口周末不开，上班族没法请假，能不能网上办", "市残疾人联合会", 20),
    ("投诉", "电梯坏了半个月，物业说没有维修资金，八楼老人下不来", "市住房和城乡建设局", 21),
)


def staff(session: Session, number: str, name: str, roles: tuple[str, ...], department: str | None = None) -> None:
    """An account whose password is ``PASSWORD``, and need not be changed."""
    person, _ = people.create(session, "命令行", number, name, roles, department=department)
    person.password, person.must_change = hashed(PASSWORD), False


def ticket(session: Session, matter: int = 2, *, age_days: float = 1, working_days: int = 15) -> str:
    """A ticket that was registered some days ago; its number."""
    kind, subject, department, _ = _MATTERS[matter % len(_MATTERS)]
    now = utcnow() - timedelta(days=age_days)
    number = numbers.free_number(session, now)
    register.create(
        session,
        number=number,
        query_code=numbers.new_query_code(),
        conversation_id=None,
        turn_id=None,
        kind=kind,
        subject=subject,
        transcript=[
            {"sender": "citizen", "text": subject},
            {"sender": "bot", "text": "这个问题我没有查到可靠的依据，不能随便回答您。要登记给工作人员，请回复“好”。"},
            {"sender": "citizen", "text": "好，我的电话13912345678"},
        ],
        region=None,
        phone="13912345678",
        department=department,
        days=working_days,
        now=now,
    )
    return number


def conversation(*lines: str, state: str = "waiting", agent: str | None = None, danger: Kind | None = None) -> str:
    """A conversation with these lines of the citizen, each answered by the assistant; its id."""
    settings = get_settings()
    with database.write() as session:
        made, _ = conversations.create(session, "web")
        id_ = made.id
    for place, line in enumerate(lines):
        with database.write() as session:
            receipt = turns.receive(session, conversations.lock(session, id_), f"m{place}", line, settings)
        with database.read() as session:
            turn = turns.load(session, receipt.turn_id)
        last = place == len(lines) - 1
        reply: Reply = TextReply(text="请您补充一下在哪个区、是什么时候的事，我帮您查。")
        decision = "clarify"
        if danger and last:
            reply, decision = card([danger]), "emergency"
        explain = {
            "candidates": [
                {"qa_id": "yl-transfer", "matter": "养老保险关系转移", "question": "换城市工作，养老保险怎么转移？"},
                {"qa_id": "yl-flexible", "matter": "灵活就业参保", "question": "灵活就业人员怎么参加养老保险？"},
            ]
        }
        outcome = Outcome([reply], turn.context, decision=decision, confidence=0.47, explain=explain)
        turns.settle(turn, outcome)
    if state != "bot":
        with database.write() as session:
            conversations.move(
                session, conversations.lock(session, id_), "waiting", "市民", "conversation.ask_for_human"
            )
    if state in ("human", "closed"):
        with database.write() as session:
            takeover.claim(session, id_, agent or "1002", settings)
            takeover.speak(
                session, id_, agent or "1002", [TextReply(text="您好，我是热线工作人员，这件事我来帮您核实。")]
            )
    if state == "closed":
        with database.write() as session:
            takeover.end(session, id_, agent or "1002")
    return id_


TRANSFER, FLEXIBLE = "yl-transfer", "yl-flexible"
"""What the assistant finds in every conversation of the scene"""
_ANSWERS = {
    TRANSFER: (
        "养老保险关系转移",
        "换城市工作，养老保险怎么转移？",
        "到新参保地的社保经办机构申请转移就行，不用回原参保地。",
    ),
    FLEXIBLE: (
        "灵活就业参保",
        "灵活就业人员怎么参加养老保险？",
        "在户籍地或者就业地的社保经办机构登记，按月、按季或者按年缴费。",
    ),
}


def knows(session: Session) -> None:
    """The items that are found, reviewed."""
    lists: dict[str, list[str]] = {name: [] for name in ("similar", "sources", "guides", "related", "themes", "report")}
    for id_, (matter, question, answer) in _ANSWERS.items():
        item = QA(id=id_, matter=matter, question=question, answer=answer, audience="个人", region="100000",
                  status="approved", reviewed_by="2002", revision=0, **lists)  # fmt: skip
        knowledge.upsert_qa(session, item)


def owed() -> None:
    """What the morning left over: calls that are owed, an item that is reported, civil words that were asked for."""
    now, settings = utcnow(), get_settings()
    with database.write() as session:
        whys: tuple[tuple[str, callbacks.Why], ...] = (
            ("13912345678", "leave"),
            ("13800138000", "nobody"),
            ("13712348888", "hung_up"),
        )
        for place, (phone, why) in enumerate(whys):
            since = now - timedelta(minutes=50 - 10 * place)
            callbacks.owe(session, "call", uuid.uuid4().hex, phone, why, since, since + timedelta(minutes=8))
        old = now - timedelta(minutes=14)
        doubts.report(session, FLEXIBLE, "缴费档次今年七月调过，还写着旧的", "1002", settings, old)
        doubts.report(session, FLEXIBLE, "市民说窗口已经搬了", "1001", settings, now - timedelta(minutes=3))
        shield.mark(session, "call", uuid.uuid4().hex, "1002", now - timedelta(minutes=6))


_FIGURES = (
    ("zuidi-gongzi", "2100元/月", "湘人社规〔2024〕9号", 4000),
    ("xiaoshi-gongzi", "21元/小时", "湘人社规〔2024〕9号", 4000),
    ("dibao-chengshi", "820元/月", "长民发〔2026〕2号", 20),
    ("gaoling-80", "100元/月", "长民发〔2025〕11号", 4000),
    ("gongshui-dianhua", "0731-96533", "https://www.supplywater.com", 4000),
)
"""Some of the city's own figures: value, source, and in how many days they end"""


def local_figures() -> None:
    """Figures of the city in every state."""
    city = get_settings().region
    today = utcnow().date()
    for key, value, source, days in _FIGURES:
        _propose(key, city, figures.Content(value, source, valid_to=today + timedelta(days=days)))
        with database.write() as session:
            copy = figures.working_copy(session, key, city)
            figures.approve(session, "2002", key, city, copy.revision if copy else 0)
    _propose("shiyejin-biaozhun", city, figures.Content("1890元/月", "长人社发〔2026〕3号"))
    _propose("zuidi-gongzi", city, figures.Content("2200元/月", "湘人社规〔2026〕12号", valid_from=date(2027, 1, 1)))
    _propose("chanjia-tianshu", city, figures.Content("158天", "湖南省人口与计划生育条例"))
    with database.write() as session:
        figures.send_back(session, "2002", "chanjia-tianshu", city, 1, "请写明是哪一条。")


def _propose(key: str, city: str, written: figures.Content) -> None:
    with database.write() as session:
        figures.propose(session, "2001", key, city, written)


def everybody(session: Session) -> None:
    """The accounts of ``PEOPLE``."""
    for number, name, roles, department in PEOPLE:
        staff(session, number, name, roles, department)


def found_wrong() -> None:
    """In a city that was asked: the answer that most citizens got is withdrawn, and a recall of it waits for approval."""
    published = select(QAVersion.qa_id).where(QAVersion.withdrawn_at.is_(None))
    given = select(Asked.qa_id).where(Asked.qa_id.in_(published)).group_by(Asked.qa_id).order_by(func.count().desc())
    with database.write() as session:
        most = str(session.scalars(given.limit(1)).one())
        qa = knowledge.withdraw(session, most, "1003", "金额是去年的")
        correction = "以今年公布的标准为准，正在逐条核对，核对好以后再告诉您。"
        recalls.draft(session, most, [qa.version], correction, "1003")


def morning() -> None:
    """All of it."""
    with database.write() as session:
        everybody(session)
        for offset in range(14):
            person, _ = people.create(session, "9001", f"11{offset:02}", f"坐席{offset + 1:02}", ["agent"])
            person.must_change = offset % 5 == 0
        service_accounts.create(session, "9001", "oa-gateway", ["tickets.read", "tickets.write"])
        service_accounts.create(session, "9001", "call-centre", ["dangers", "conversations"])
        knows(session)
    made = []
    for round_ in range(4):
        for place, (*_, age) in enumerate(_MATTERS):
            with database.write() as session:
                made.append(ticket(session, place, age_days=age + round_ * 2, working_days=(5, 10, 15, 20)[round_]))
    with database.write() as session:
        for number in made[2:9]:
            moves.assign(session, number, OFFICE, "1003")
        moves.claim(session, made[3], "3001")
        moves.send_back(session, made[3], "3001", "不属于本局职责，应由市水务局办理。")
        for number in (made[10], made[14], made[18]):
            moves.claim(session, number, "1001")
        moves.claim(session, made[20], "1002")
        moves.reply(session, made[20], "1002", "经核实，该路段已列入本月划线计划，预计15日前完成。")
        for number, hours in (("1001", 6), ("1002", 8), ("1003", 8)):
            duty.set_duty(session, number, utcnow() + timedelta(hours=hours))
            people.get(session, number).capacity = 20
        people.get(session, "1002").skills = ["医保"]
    if get_settings().region != regions.NATION:
        local_figures()
    conversation("想问下社保断缴两个月有什么影响", "我要找人工")
    conversation("孩子上学的事问了好几次都没有答复", "转人工，我不想和机器说话")
    conversation("我的养老保险在外地缴了六年，现在回来工作", "要本人去办吗", "还是找个人跟我说吧")
    conversation("家里煤气味很大，老人有点头晕", danger="gas")
    conversation("公积金贷款没批下来，想知道为什么", "转人工", state="human", agent="1001")
    conversation("燃气公司上门收费不开票", "人工", state="human", agent="1002")
    conversation("居住证丢了怎么补", state="bot")
    conversation("失业金领了几个月，又找到工作了怎么停", "人工", state="closed")
    owed()
