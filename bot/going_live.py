"""上线准备: what a city still has to do before citizens are let in, worked out from what is really there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot import departments, jobs, regions
from bot.accounts.roles import ADMIN, AGENT, APPROVER, EDITOR, GUARDED, ROLES, SUPERVISOR
from bot.clock import SHANGHAI, utcnow
from bot.local import figures
from bot.models.housekeeping import AuditEntry
from bot.models.jobs import Job
from bot.models.knowledge import QA
from bot.models.people import Person
from bot.seal import seal
from bot.settings import Settings

APPROVED_SHARE = 0.95
"""So much of the knowledge has to be approved: in production the rest is silent"""
LOCAL_SHARE = 0.8
"""So many of the city's figures have to be there: without, the answer says 由当地定"""
_BACKUP_AGE = timedelta(days=7)

State = Literal["done", "todo", "optional"]


@dataclass(frozen=True)
class Line:
    """One thing to do."""

    id: str
    title: str
    state: State
    """optional: not done, and one may go live without it"""
    found: str
    """How it is now"""
    next: str
    """What to do; empty where it is done"""
    page: str = ""
    """The console's page for it"""


def checklist(session: Session, settings: Settings, now: datetime | None = None) -> list[Line]:
    """Every line in the order in which a city goes through them."""
    now = now or utcnow()
    return [line for part in _PARTS for line in part(session, settings, now)]


def ready(lines: list[Line]) -> bool:
    """Whether nothing that is needed is left."""
    return all(line.state != "todo" for line in lines)


def _line(id_: str, title: str, done: bool, found: str, to_do: str, *, page: str = "", optional: bool = False) -> Line:
    state: State = "done" if done else "optional" if optional else "todo"
    return Line(id_, title, state, found, "" if done else to_do, page)


def _city(_session: Session, settings: Settings, _now: datetime) -> Iterator[Line]:
    new_city = "在服务器上运行 ./yihaoda city new，按提示填写，然后重启。"
    here = settings.region != regions.NATION
    where = f"{settings.city}，{regions.full_name(settings.region)}（{settings.region}）"
    yield _line("region", "城市和地区", here and settings.city != "本市", where, new_city)
    yield _line("phone", "热线电话", bool(settings.phone), settings.phone, new_city)
    there = seal(settings.seal_file)
    told = (
        there.name if there else "没有" if not settings.seal_file else f"读不了，或者超过 100 KB：{settings.seal_file}"
    )
    yield _line("seal", "城市标志", there is not None, told, new_city, optional=not settings.seal_file)
    names = departments.listed(settings)
    yield _line("departments", "承办单位名单", bool(names), f"{len(names)} 个单位" if names else "没有", new_city)


def _people(session: Session, settings: Settings, _now: datetime) -> Iterator[Line]:
    active = session.scalars(select(Person).where(Person.active)).all()
    usable = [one for one in active if one.password or settings.oidc_issuer]
    counts = Counter(role for one in usable for role in one.roles)
    needed = (AGENT, SUPERVISOR, EDITOR, APPROVER, ADMIN)
    missing = [ROLES[role] for role in needed if not counts[role]]
    found = "、".join(f"{ROLES[role]} {counts[role]} 人" for role in ROLES if counts[role]) or "还没有账号"
    to_do = f"缺{'、'.join(missing)}：在“账号”页新建；第一个管理员用 ./yihaoda user create 开。"
    yield _line("people", "每种角色有人", not missing, found, to_do, page="/people")
    approvers = {one.number for one in usable if APPROVER in one.roles}
    writers = {one.number for one in usable if {EDITOR, APPROVER} & set(one.roles)}
    two = bool(approvers) and len(writers) > 1
    told = f"能写的 {len(writers)} 人，能审核的 {len(approvers)} 人"
    yield _line(
        "two", "写和审是两个人", two, told, "写的人不能审自己写的：再开一个知识编辑或知识审核的账号。", page="/people"
    )
    guarded = [one for one in active if GUARDED & set(one.roles)]
    bare = [one.name for one in guarded if not one.totp_confirmed]
    told = f"{len(guarded) - len(bare)} 人绑定了，共 {len(guarded)} 人要绑定"
    names = "、".join(bare[:5]) + ("等" if len(bare) > 5 else "")
    to_do = f"{names}还没有绑定：请他们登录后在“我的设置”里绑定。" if bare else "先开管理员、班长、知识审核的账号。"
    yield _line("second_factor", "动态口令", bool(guarded) and not bare, told, to_do, page="/settings")


def _knowledge(session: Session, settings: Settings, now: datetime) -> Iterator[Line]:
    own = session.scalar(select(func.count()).select_from(QA).where(QA.region.startswith(_stem(settings))))
    imported = session.scalar(
        select(func.count())
        .select_from(AuditEntry)
        .where(AuditEntry.action == "knowledge.import", AuditEntry.actor != jobs.SYSTEM)
    )
    told = f"导入过 {imported or 0} 次，本市自己的问答 {own or 0} 条"
    to_do = "把各部门的常见问题导入：./yihaoda kb import 常见问题.xlsx --dry-run 先看，没问题再去掉 --dry-run。"
    yield _line("import", "第一次导入", bool(imported), told, to_do)
    counts = dict(session.execute(select(QA.status, func.count()).group_by(QA.status)).all())
    approved, drafts = counts.get("approved", 0), counts.get("draft", 0)
    share = approved / (approved + drafts) if approved + drafts else 0.0
    told = f"审核过 {approved} 条，草稿 {drafts} 条（{share:.0%}）"
    to_do = f"到 {APPROVED_SHARE:.0%} 以上再上线，没审核的在正式环境不作答：./yihaoda kb review 列出要看的，kb approve 审核。"
    yield _line("approved", "知识审核", share >= APPROVED_SHARE, told, to_do)
    lines = [line for line in figures.overview(session, settings, now) if line.region == settings.region]
    live = sum(line.live is not None for line in lines)
    waiting = sum(line.copy is not None for line in lines)
    share = live / len(lines) if lines else 1.0
    told = f"有 {live} 项，共 {len(lines)} 项（{share:.0%}），待审核 {waiting} 项"
    to_do = f"到 {LOCAL_SHARE:.0%} 以上再上线：在“本地标准”页填，问得多的在前；也可以导出表格给各部门填。"
    yield _line("local", "本地标准", share >= LOCAL_SHARE, told, to_do, page="/local")


def _stem(settings: Settings) -> str:
    """What the codes of the served region and of its parts begin with; nothing of the whole nation's is a city's own."""
    level = regions.get(settings.region).level
    return settings.region[: 2 * level] if level else "-"


def _machine(session: Session, settings: Settings, now: datetime) -> Iterator[Line]:
    last = session.scalar(select(func.max(Job.ended_at)).where(Job.kind == "backup", Job.state == jobs.DONE))
    told = f"最近一次 {last.astimezone(SHANGHAI):%Y年%-m月%-d日 %H:%M}" if last else "还没有做过"
    to_do = "在“后台任务”页发起一次备份，看它完成；把文件另存到别的机器上，恢复一次试试。"
    yield _line("backup", "备份做过", bool(last and now - last < _BACKUP_AGE), told, to_do, page="/jobs")
    told = f"每天 {settings.backup_time}" if settings.backup_time else "不自动备份"
    yield _line("backup_time", "每天自动备份", bool(settings.backup_time), told, "设置 YIHAODA_BACKUP_TIME，如 03:00。")
    alive = jobs.worker(session, now).alive
    yield _line(
        "worker",
        "后台任务在运行",
        alive,
        "在运行" if alive else "没有在运行",
        "看日志 jobs.log；用 make run 启动全部服务。",
        page="/jobs",
    )
    production = settings.env == "production"
    told = "正式环境" if production else "开发环境：草稿也作答"
    to_do = "设置 YIHAODA_ENV=production 和 YIHAODA_SECRET_KEYS，重启；步骤见运维手册的“上线检查”。"
    yield _line("production", "正式环境", production, told, to_do)
    https = settings.public_url.startswith("https://")
    told = settings.public_url or "没有设置"
    yield _line("https", "公网地址（https）", https, told, "配好反向代理和证书，设置 YIHAODA_PUBLIC_URL=https://…。")
    postgres = settings.database.startswith("postgresql")
    told = "PostgreSQL" if postgres else "SQLite"
    yield _line(
        "database",
        "数据库",
        postgres,
        told,
        "访问量大的城市建议用 PostgreSQL：设置 YIHAODA_DATABASE_URL。",
        optional=True,
    )
    connected = [
        name for name, id_ in (("公众号", settings.wechat_app_id), ("小程序", settings.miniprogram_app_id)) if id_
    ]
    told = f"接了{'、'.join(connected)}" if connected else "没有接"
    yield _line("wechat", "微信", bool(connected), told, "只用网页可以不接；要接，见文档“微信”。", optional=True)
    told = "通知到值班群" if settings.danger_webhook else "只在工作台上提示"
    yield _line(
        "danger",
        "险情通知",
        bool(settings.danger_webhook),
        told,
        "设置 YIHAODA_DANGER_WEBHOOK，听到险情时通知值班群。",
        optional=True,
    )


_PARTS: tuple[Callable[[Session, Settings, datetime], Iterator[Line]], ...] = (_city, _people, _knowledge, _machine)
