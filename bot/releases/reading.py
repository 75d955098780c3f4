"""What people look at: the bundles and their history, what two of them differ in, and what a move will do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot.errors import NotFound
from bot.knowledge.reading import get_many
from bot.models.releases import Bundle, ReleaseStep
from bot.releases import files, moves, rollback
from bot.releases.states import LIVE, MODEL, PREVIOUS, SHADOW, SHARE
from bot.settings import Settings

_NAMED = 5
"""Items that a sentence names"""


def get(session: Session, name: str) -> Bundle:
    """Raises: NotFound."""
    bundle = session.get(Bundle, name)
    if bundle is None:
        raise NotFound(f"没有发布包 {name}。")
    return bundle


def listed(session: Session, offset: int = 0, limit: int = 20) -> tuple[Sequence[Bundle], int]:
    """Bundles, the newest first, and how many there are."""
    query = select(Bundle).order_by(Bundle.made_at.desc(), Bundle.name).offset(offset).limit(limit)
    return session.scalars(query).all(), session.scalar(select(func.count()).select_from(Bundle)) or 0


@dataclass(frozen=True)
class Present:
    """Those that matter now; None: there is none."""

    live: Bundle | None
    coming: Bundle | None
    before: Bundle | None
    """Kept ready to go back to"""


def present(session: Session) -> Present:
    """Those that matter now."""
    rows = session.scalars(select(Bundle).where(Bundle.state.in_((LIVE, SHADOW, SHARE, PREVIOUS)))).all()

    def one(*states: str) -> Bundle | None:
        return next((row for row in rows if row.state in states), None)

    return Present(one(LIVE), one(SHADOW, SHARE), one(PREVIOUS))


def history(
    session: Session, *, bundle: str | None = None, offset: int = 0, limit: int = 20
) -> tuple[Sequence[ReleaseStep], int]:
    """What was done, the newest first, and how much there is; with one bundle, or all."""
    where = [ReleaseStep.bundle == bundle] if bundle else []
    query = select(ReleaseStep).where(*where).order_by(ReleaseStep.id.desc()).offset(offset).limit(limit)
    total = session.scalar(select(func.count()).select_from(ReleaseStep).where(*where)) or 0
    return session.scalars(query).all(), total


# --- what two differ in ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ItemChange:
    """An item that two bundles know in different versions; None: not at all."""

    qa_id: str
    question: str
    before: int | None
    after: int | None


@dataclass(frozen=True)
class Difference:
    """What another bundle has otherwise."""

    before: str
    after: str
    said: list[str]
    """All but the items, in sentences"""
    items: list[ItemChange]
    """Some of them"""
    total: int


def difference(
    session: Session, settings: Settings, before: str, after: str, offset: int = 0, limit: int = 20
) -> Difference:
    """From one bundle to another.  Raises: NotFound, BundleDamaged."""
    old, new = files.read(settings, before), files.read(settings, after)
    ids = sorted(
        id_ for id_ in old.knowledge.keys() | new.knowledge.keys() if old.knowledge.get(id_) != new.knowledge.get(id_)
    )
    some = ids[offset : offset + limit]
    items = get_many(session, some)
    said = [
        f"{title}：{old.limits.get(limit, 0):.3f} → {new.limits.get(limit, 0):.3f}"
        for limit, title in LIMITS.items()
        if old.limits.get(limit) != new.limits.get(limit)
    ]
    if old.encoder != new.encoder:
        said.append(f"句向量模型换了：{old.encoder[:12] or '没有'} → {new.encoder[:12] or '没有'}")
    if old.rasa != new.rasa:
        said.append(f"Rasa 模型换了：{old.rasa['model'][:12]} → {new.rasa['model'][:12]}")
    if old.code != new.code:
        said.append(f"程序换了：{old.code.get('version')} → {new.code.get('version')}")
    if old.data != new.data:
        said.append("训练用的数据不同")
    had, has = (_sentences(files.overlay_of(settings, name)) for name in (before, after))
    for title, which in (("多学了", has - had), ("不再学", had - has)):
        if which:
            named = "、".join(f"“{text}”（{act}）" for act, text in sorted(which)[:_NAMED])
            said.append(f"补充语料{title} {len(which)} 句：{named}{'等' if len(which) > _NAMED else ''}")
    if not said and not ids:
        said = ["没有不同。"]
    changes = [
        ItemChange(id_, items[id_].question if id_ in items else "", old.knowledge.get(id_), new.knowledge.get(id_))
        for id_ in some
    ]
    return Difference(before, after, said, changes, len(ids))


LIMITS = {"answer_at": "直接作答的限", "likely_at": "“您问的可能是”的限", "clarify_at": "转人工登记的限"}


def _sentences(overlay: Path | None) -> set[tuple[str, str]]:
    """(act, sentence) of a bundle's own training sentences."""
    if overlay is None:
        return set()
    said = yaml.safe_load(overlay.read_text(encoding="utf-8")) or {}
    return {
        (group["intent"], line.strip().removeprefix("- "))
        for group in said.get("nlu") or ()
        for line in group["examples"].splitlines()
        if line.strip()
    }


# --- what a move will do ---------------------------------------------------------------------------------------------


def says(
    session: Session, settings: Settings, move: str, name: str, *, share: int | None = None, knowledge: bool = True
) -> list[str]:
    """What a move will do, in sentences.  Raises: NotFound, BundleDamaged."""
    bundle, live = get(session, name), present(session).live
    beside = live.name if live else "没有"
    if move == "confirm":
        then = moves.following(bundle)
        asked = f"{bundle.asked_by} 申请破例发布：{bundle.asked_why}"
        return [asked, *says(session, settings, then.move, name, share=then.share)]
    if move == "ask":
        return [f"另一位有权限的人同意以后：{moves.following(bundle)}。在那以前什么也不变。"]
    if move == "shadow":
        return ["它跟着真实的对话试答，不回复市民，也不登记任何东西。", f"市民看到的还是在用的（{beside}）。"]
    if move == "share":
        return [
            f"以后新开始的会话，有 {share or moves.following(bundle).share}% 由它回答；一个会话从头到尾用同一个，正在进行的不变。",
            "每分钟和在用的比一次，比在用的差就自动停下。",
        ]
    if move == "stop":
        return [f"用过它的会话，从下一句起由在用的（{beside}）回答。"]
    if move == "decline":
        return [f"{bundle.asked_by} 的申请撤销，发布包留着。"]
    if move == "drop":
        return ["它的文件夹删除，不能恢复；做过什么还在历史里。"]
    if move == "back":
        return _says_back(session, settings, bundle, live, knowledge)
    said = [
        "以后新开始的会话都由它回答，正在进行的用原来的答完。",
        f"在用的（{beside}）成为上一版，24 小时里随时可以退回，10 秒以内。",
    ]
    if bundle.kind == MODEL and (count := rollback.behind(session, settings, bundle)):
        said.append(
            f"有 {count} 条问答在它做好以后改过或者新增：新的答案照常生效，新的问法要等索引重建（会自动开始）才找得到。"
        )
    return said


def _says_back(session: Session, settings: Settings, bundle: Bundle, live: Bundle | None, knowledge: bool) -> list[str]:
    said = [
        f"10 秒以内，所有会话从下一句起由 {bundle.name} 回答，正在进行的也是；{live.name if live else '在用的'} 停下。"
    ]
    if bundle.rasa_port is None:
        said.append("它的 Rasa 要先启动，最多 90 秒；这期间网关自己作答。")
    if not knowledge:
        return [*said, "知识不动。"]
    plan = rollback.plan(session, settings, bundle)
    named = _some([f"{one.question}（第 {one.now} 版 → 第 {one.then} 版的内容）" for one in plan.changes])
    said.append(
        f"{len(plan.changes)} 条问答回到那时的内容，另记一版：{named}" if plan.changes else "没有要退回内容的问答。"
    )
    for why in dict.fromkeys(one.why for one in plan.stays):
        kept = [one.question for one in plan.stays if one.why == why]
        said.append(f"{len(kept)} 条不退，保持现在的样子（{rollback.WHY[why]}）：{_some(kept)}")
    if plan.unknown:
        questions = [one.question for one in get_many(session, plan.unknown[:_NAMED]).values()]
        more = "等" if len(plan.unknown) > _NAMED else ""
        said.append(f"{len(plan.unknown)} 条是在它以后新增的，下次重建索引以前找不到：{'、'.join(questions)}{more}")
    return said


def _some(all_: Sequence[str]) -> str:
    return "、".join(all_[:_NAMED]) + ("等" if len(all_) > _NAMED else "")
