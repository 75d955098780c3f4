"""What people do with a bundle: one table of moves, and each of them.

What the gate passed, one person lets out, step by step.  What it did not pass, but does not forbid either, takes two: one asks and
says why, another one confirms, for each step anew.  What silences (stop) or brings back what has answered before (back) takes one.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import audit, database, events, jobs, notices
from bot.accounts.roles import ADMIN, APPROVER, SUPERVISOR
from bot.clock import utcnow
from bot.errors import Forbidden, IllegalMove, InvalidInput, NotFound, YihaodaError
from bot.knowledge.moves import permit
from bot.models.release_watch import ReleaseWatch
from bot.models.releases import Bundle, ReleaseStep
from bot.releases import files, rollback, shadow, switching
from bot.releases.states import (
    BUILT,
    EMERGENCY,
    KEPT,
    KNOWLEDGE,
    LIVE,
    MODEL,
    PASSED,
    PREVIOUS,
    REFUSED,
    SHADOW,
    SHARE,
    SHORT,
    STATES,
    STOPPED,
)
from bot.settings import Settings

SYSTEM = "系统"
"""Who releases what passed by itself, and stops what is worse"""
SHARES = (10, 50)
"""Percent of the new sessions, step by step"""
RELEASERS = frozenset({SUPERVISOR, APPROVER, ADMIN})
"""The roles of whoever may let out, stop and go back"""
ONE, TWO, NEVER = "one", "two", "never"
"""How many people it takes to let a bundle out; as the gate says"""


@dataclass(frozen=True)
class Move:
    """Something that a person may do with a bundle."""

    title: str
    states: frozenset[str]
    """The bundle's"""
    roles: frozenset[str] = RELEASERS


_UNRELEASED = frozenset({BUILT, PASSED, SHORT, REFUSED})
_ASKED_FOR = _UNRELEASED | {SHADOW, SHARE, STOPPED}

MOVES: Mapping[str, Move] = MappingProxyType(
    {
        "shadow": Move("影子运行", frozenset({PASSED, SHORT})),
        "share": Move("灰度", frozenset({SHADOW, SHARE})),
        "all": Move("全部启用", frozenset({SHARE, PASSED})),
        "stop": Move("停下", frozenset({SHADOW, SHARE})),
        "back": Move("退回这一版", frozenset({PREVIOUS, KEPT, STOPPED})),
        "ask": Move("申请破例发布", _ASKED_FOR),
        "confirm": Move("同意破例发布", _ASKED_FOR),
        "decline": Move("撤销申请", _ASKED_FOR),
        "drop": Move("删除", _UNRELEASED),
    }
)
"""What may be done, by whom, and when.  ``refusal`` adds what a table can't say."""
NOTICE = "release.stopped"
"""Under this name it is said that one was stopped because it was worse; until somebody lets one out again"""
EXPLAINED = frozenset({"stop", "back", "ask"})
"""Whoever does one of these has to say why"""


@dataclass(frozen=True)
class Held:
    """A bundle with all that decides what may become of it."""

    bundle: Bundle
    live: str | None
    coming: Bundle | None
    """The one that is on its way, be it this one or another"""
    was_live: bool
    was_stopped: bool
    """On its way out; what was stopped once goes on by two people only"""


@dataclass(frozen=True)
class Next:
    """How a bundle goes on: ``share`` with so many percent, or ``all``."""

    move: str
    share: int = 0

    def __str__(self) -> str:
        return f"灰度 {self.share}%" if self.move == "share" else "全部启用"


def held(session: Session, name: str) -> Held:
    """Raises: NotFound."""
    bundle = session.get(Bundle, name, populate_existing=True)
    if bundle is None:
        raise NotFound(f"没有发布包 {name}。")
    query = select(Bundle).where(Bundle.state.in_((LIVE, SHADOW, SHARE))).execution_options(populate_existing=True)
    others = session.scalars(query).all()
    taken = session.scalars(select(ReleaseStep).where(ReleaseStep.bundle == name)).all()
    return Held(
        bundle,
        next((one.name for one in others if one.state == LIVE), None),
        next((one for one in others if one.state != LIVE), None),
        was_live=bundle.state in (LIVE, PREVIOUS, KEPT) or any(step.after == LIVE for step in taken),
        was_stopped=any(step.move == "stop" for step in taken),
    )


def way(one: Held) -> str:
    """How many people it takes to let a bundle out: ``ONE``, ``TWO`` or ``NEVER``."""
    bundle, gate = one.bundle, one.bundle.gate
    if gate is None:
        return TWO if bundle.kind == EMERGENCY else NEVER  # evaluated afterwards
    may = str(gate.get("may", NEVER))
    if may == ONE and (gate.get("verdict") != PASSED or one.was_stopped or bundle.kind == EMERGENCY):
        return TWO
    return may if may in (ONE, TWO) else NEVER


def following(bundle: Bundle) -> Next:
    """How it goes on from here, one step after the other."""
    if bundle.kind != MODEL:
        return Next("all")
    share = next((share for share in SHARES if share > bundle.share), None)
    return Next("share", share) if share else Next("all")


def refusal(move: str, one: Held, by: str, share: int | None = None) -> YihaodaError | None:
    """Why a person may not make this move now; None: they may, if they have the role."""
    rule, bundle = MOVES[move], one.bundle
    if bundle.state not in rule.states:
        return IllegalMove(f"发布包 {bundle.name} 现在是「{STATES[bundle.state]}」，不能{rule.title}。")
    if move in ("stop", "drop"):
        return None
    if move == "back":
        return None if one.was_live else IllegalMove(f"发布包 {bundle.name} 没有全部启用过，不能退回到它。")
    if move == "decline":
        return None if bundle.asked_by else IllegalMove(f"发布包 {bundle.name} 没有等着同意的申请。")
    if bundle.state == STOPPED and one.was_live:
        return IllegalMove(f"发布包 {bundle.name} 全部启用过，要用它请用“退回这一版”。")
    people = way(one)
    if people == NEVER:
        return IllegalMove(_never(bundle))
    if one.coming is not None and one.coming.name != bundle.name and bundle.kind == MODEL:
        return IllegalMove(
            f"发布包 {one.coming.name} 正在{STATES[one.coming.state]}，一次只发布一个：请等它结束，或先停下它。"
        )
    against = (bundle.gate or {}).get("against")
    if bundle.kind == KNOWLEDGE and against not in (None, one.live):
        return IllegalMove(
            f"发布包 {bundle.name} 是和 {against} 比的，在用的已经换成了 {one.live}：请再重建一次索引，用新做的发布包。"
        )
    if move == "ask":
        if people == ONE:
            return IllegalMove(f"发布包 {bundle.name} 评测通过了，不用申请，直接发布就行。")
        return IllegalMove(f"发布包 {bundle.name} 已经有一份申请在等着同意。") if bundle.asked_by else None
    if move == "confirm":
        if bundle.asked_by is None:
            return IllegalMove(f"发布包 {bundle.name} 没有等着同意的申请。")
        return Forbidden("申请是您提的，要请另一位同意。") if bundle.asked_by == by else None
    if move == "shadow":
        return None if bundle.kind == MODEL else IllegalMove("知识和紧急更正不用影子运行，直接全部启用。")
    if people == TWO:
        return IllegalMove(f"发布包 {bundle.name} 不能一个人发布：{_why_two(one)}。请写明原因申请，由另一位同意。")
    if move == "share" and (share not in SHARES or share <= bundle.share):
        further = [f"{one}%" for one in SHARES if one > bundle.share]
        return InvalidInput(f"灰度可以是{'、'.join(further)}。" if further else "灰度已经最大，下一步是全部启用。")
    if move == "all" and bundle.kind == MODEL and bundle.state != SHARE:
        return IllegalMove("模型要先影子运行、再灰度，然后才能全部启用。")
    return None


def _never(bundle: Bundle) -> str:
    if bundle.gate is None:
        return f"发布包 {bundle.name} 还没有评测，不能发布。"
    return f"发布包 {bundle.name} 评测没有通过，谁也不能发布：{''.join(bundle.gate.get('reasons', []))}"


def _why_two(one: Held) -> str:
    if one.bundle.kind == EMERGENCY:
        return "紧急更正要两个人，发布以后再评测"
    if one.was_stopped:
        return "它灰度的时候停过"
    return "评测没有通过"


def open_to(one: Held, by: str, roles: frozenset[str]) -> list[str]:
    """The moves that a person may make now."""
    return [
        move
        for move, rule in MOVES.items()
        if roles & rule.roles
        and any(refusal(move, one, by, share) is None for share in (SHARES if move == "share" else (None,)))
    ]


# --- making a move ---------------------------------------------------------------------------------------------------


def take(
    settings: Settings,
    move: str,
    name: str,
    by: str,
    *,
    why: str | None = None,
    share: int | None = None,
    knowledge: bool = True,
) -> None:
    """Make a move.

    Args:
        why: has to be said where the move is one of ``EXPLAINED``.
        share: of ``share``: a value of ``SHARES``.
        knowledge: of ``back``: the items, too, go back to what they said then; see ``rollback``.

    Raises:
        NotFound, IllegalMove, Forbidden, InvalidInput.
    """
    if move not in MOVES:
        raise InvalidInput(f"没有这种操作。现有：{'、'.join(MOVES)}。")
    why = (why or "").strip() or None
    if move in EXPLAINED and why is None:
        raise InvalidInput("请写明原因。")
    with database.read() as session:
        permit(session, by, MOVES[move].roles)
    _take(settings, move, name, by, why, share, knowledge)
    if move in ("shadow", "share", "all", "confirm", "drop"):
        notices.settle(NOTICE)


def release_passed(settings: Settings, name: str) -> None:
    """Let a knowledge bundle out that the gate has passed: nobody has to be asked.  One that is live already is left so.

    Raises: NotFound, IllegalMove.
    """
    with database.read() as session:
        if held(session, name).bundle.state == LIVE:
            return
    _take(settings, "all", name, SYSTEM, None, None, True)


def stop_worse(settings: Settings, name: str, why: str) -> None:
    """Stop a bundle on its way out that turned out worse.  Raises: NotFound, IllegalMove."""
    _take(settings, "stop", name, SYSTEM, why, None, True)


def _take(
    settings: Settings, move: str, name: str, by: str, why: str | None, share: int | None, knowledge: bool
) -> None:
    with database.read() as session:
        seen = held(session, name).bundle
    then = following(seen) if move == "confirm" else Next(move, share or 0)
    if move == "confirm":
        why = why or seen.asked_why

    def checked(session: Session, bundle: Bundle) -> dict[str, Any]:
        """In the transaction of the move: it may still be made, and is what was seen.  What is known of it at this moment."""
        switching.lock(session)
        one = held(session, name)
        if (refused := refusal(move, one, by, share)) is not None:
            raise refused
        if move == "confirm" and (following(bundle), bundle.asked_at) != (then, seen.asked_at):
            raise IllegalMove("刚刚有了变化，请再看一眼。")
        return _figures(session, bundle)

    def going_live(session: Session, bundle: Bundle) -> dict[str, Any]:
        figures = checked(session, bundle)
        if then.move == "back":
            figures["knowledge"] = rollback.carry_out(session, settings, bundle, by) if knowledge else None
        elif bundle.kind == MODEL and rollback.behind(session, settings, bundle):
            jobs.request_once(session, "index", by)  # what was approved since it was made is found once that is done
        if bundle.gate is None and then.move == "all":
            jobs.request(session, "evaluate", by, {"bundle": name})
        _no_more_asked(bundle)
        _tell(session, then.move, by, bundle, why, figures)
        return figures

    if then.move in ("all", "back"):
        former = STOPPED if then.move == "back" else PREVIOUS
        switching.make_live(
            settings, name, by=by, move=then.move, why=why, figures={}, former=former, within=going_live
        )
        return
    with database.write() as session:
        bundle = session.get_one(Bundle, name, with_for_update=True, populate_existing=True)
        figures = checked(session, bundle)
        if then.move == "share":
            figures["share"] = then.share
        _change(session, settings, bundle, then, by, why, figures, utcnow())
        _tell(session, then.move, by, bundle, why, figures)
    if then.move == "drop":
        shutil.rmtree(files.folder(settings, name), ignore_errors=True)


_BECOMES = {"shadow": SHADOW, "share": SHARE, "stop": STOPPED}


def _change(
    session: Session,
    settings: Settings,
    bundle: Bundle,
    then: Next,
    by: str,
    why: str | None,
    figures: Mapping[str, Any],
    now: datetime,
) -> None:
    after = _BECOMES.get(then.move, bundle.state)
    switching.note(session, bundle, after, by=by, move=then.move, why=why, figures=figures, now=now)
    _no_more_asked(bundle)
    if then.move == "ask":
        bundle.asked_by, bundle.asked_why, bundle.asked_at = by, why, now
    elif then.move == "drop":
        session.delete(bundle)
    elif then.move in _BECOMES:
        bundle.share = then.share
        switching.hold(session, settings, bundle, after, now)


def _no_more_asked(bundle: Bundle) -> None:
    bundle.asked_by = bundle.asked_why = bundle.asked_at = None


def _tell(session: Session, move: str, by: str, bundle: Bundle, why: str | None, figures: Mapping[str, Any]) -> None:
    said = {name: figures[name] for name in ("share", "gate", "asked_by", "knowledge") if name in figures}
    audit.record(session, by, f"release.{move}", bundle.name, why=why, **said)
    events.publish(session, "release", bundle.name)


def _figures(session: Session, bundle: Bundle) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    if bundle.gate is not None:
        figures["gate"] = {name: bundle.gate.get(name) for name in ("verdict", "may")}
    if bundle.state == SHARE and (watch := session.get(ReleaseWatch, bundle.name)) is not None:
        figures["watch"] = watch.figures
    if bundle.state == SHADOW:
        figures["shadow"] = asdict(shadow.figures(session, bundle.name))
    if bundle.asked_by is not None:
        figures |= {"asked_by": bundle.asked_by, "asked_why": bundle.asked_why}
    return figures
