"""What speaks against a bundle by itself, whatever the counts say: each is a sentence of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.golden import digest
from bot.models.golden import GoldenChange, GoldenQuestion
from bot.models.knowledge import QA
from bot.settings import Settings
from index.search.normalise import clean
from index.search.ranking import Calibration
from index.versions.calibrations import shipped
from index.versions.store import Loaded
from training.gate.bundles import Candidate
from training.gate.questions import Asked
from training.gate.rows import Row, judged
from training.gate.verdict import Finding

_PROBED = 20
"""Wordings that are encoded again"""
_SAME = 0.98
"""Cosine of a vector with what its text is encoded to: 16 bits and batches change less"""
_LIMITS = {"answer_at": "直接作答的界限", "likely_at": "“您问的可能是”的界限", "clarify_at": "转人工登记的界限"}


def of_files(one: Candidate, loaded: Loaded) -> list[Finding]:
    """Whether the index and its limits are those that the bundle was made of."""
    manifest, found = one.manifest, []
    if not manifest:
        return [Finding("manifest", "never", "发布包的清单不在或者读不出来。")]
    if (manifest["index"], manifest["index_files"]) != (one.index, loaded.manifest["files"]):
        found.append(Finding("index", "never", "索引的文件和发布包登记的不一样：做好以后被换过。"))
    limits = {name: getattr(loaded.calibration, name) for name in _LIMITS}
    if manifest["limits"] != limits:
        found.append(Finding("limits_other", "never", "标定的界限和发布包登记的不一样：做好以后被改过。"))
    return found


def of_encoder(one: Candidate, loaded: Loaded, live: Loaded) -> list[Finding]:
    """Whether the index's vectors are of the encoder that reads the questions."""
    named = loaded.manifest["encoder"]["checksum"] if loaded.manifest["encoder"] else ""
    used = live.manifest["encoder"]["checksum"] if live.manifest["encoder"] else ""
    found = []
    if one.manifest and one.manifest["encoder"] != named:
        found.append(Finding("encoder", "never", "索引用的句向量模型和发布包登记的不是一个。"))
    if one.kind in ("knowledge", "emergency") and named != used:
        found.append(Finding("encoder", "never", "换了句向量模型：知识发布只换知识，换模型要走模型发布。"))
    if (vectors := loaded.retriever.vectors()) is not None and loaded.retriever.encoder is not None:
        texts = [clean(text) for item in loaded.retriever.items for text in item.texts]
        places = np.unique(np.linspace(0, len(texts) - 1, _PROBED).astype(int))
        again = np.concatenate([loaded.retriever.encoder.encode([texts[place]]) for place in places])
        if ((again * vectors[places]).sum(axis=1) < _SAME).any():
            found.append(
                Finding("encoder", "never", "索引里的向量不是用登记的句向量模型算的：同一句话再算一遍，对不上。")
            )
    return found


def of_calibration(one: Candidate, loaded: Loaded, live: Loaded) -> list[Finding]:
    """Whether weights and limits were fitted for this index and this encoder."""
    own, found = loaded.calibration, []
    encoder = loaded.retriever.encoder.checksum if loaded.retriever.encoder else ""
    if own.encoder != encoder:
        found.append(Finding("calibration", "never", "标定是给另一个句向量模型做的。"))
    fitted, items = own.fitted_on.get("items_sha256"), loaded.manifest.get("items_sha256")
    if one.kind in ("knowledge", "emergency"):
        came = shipped(own.encoder)
        if _weights(own) == _weights(live.calibration):
            pass
        elif came is not None and _weights(own) == _weights(came):
            said = "标定和在用的不一样，是随程序附带的：程序更新过，或者在用的是本市自己的。"
            found.append(Finding("calibration_shipped", "two", said))
        else:
            said = "标定和在用的不一样：知识发布不改标定，重新标定要走模型发布。"
            found.append(Finding("calibration", "never", said))
    elif fitted is not None and items is not None and fitted != items:
        found.append(Finding("calibration", "never", "标定是用另一个索引的知识做的，不是这一个的。"))
    return found


def _weights(calibration: Calibration) -> dict[str, Any]:
    return {name: value for name, value in calibration.to_json().items() if name not in ("fitted_on", "encoder")}


def of_limits(rows: Sequence[Row], before: Loaded, after: Loaded, settings: Settings) -> list[Finding]:
    """Whether lower limits are what makes answers wrong."""
    lower = [
        f"{title}从 {was:g} 降到 {now:g}"
        for name, title in _LIMITS.items()
        if (now := getattr(after.calibration, name)) < (was := getattr(before.calibration, name))
        and not getattr(settings, name)
    ]
    if not lower:
        return []
    was = {"sure": before.calibration.answer_at, "likely": before.calibration.likely_at}
    questions = judged(rows)
    through = [
        row
        for row in questions
        if row.now == "wrong"
        and row.after.probability < was.get(row.after.level, 0.0)
        and (row.was != "wrong" or (row.after.level == "sure" != row.before.level))
    ]
    if 100 * len(through) > settings.gate_wrong_margin * len(questions):
        said = f"{'、'.join(lower)}：有 {len(through)} 题只因为界限低了才答错或者错得更肯定，超过 {settings.gate_wrong_margin:g}%。"
        return [Finding("limits", "never", said)]
    return [Finding("limits_lower", "note", f"{'、'.join(lower)}；只因为这样答错的有 {len(through)} 题。")]


def of_knowledge(session: Session, one: Candidate, after: Loaded, live: Candidate, before: Loaded) -> list[Finding]:
    """Whether the bundle knows what the live one knows, and no older."""
    retired = set(session.scalars(select(QA.id).where(QA.status == "retired")))
    titles = {qa.id: qa.question for qa in session.execute(select(QA.id, QA.question))}
    there = {item.id for item in after.retriever.items}
    missing = sorted(id_ for id_ in {item.id for item in before.retriever.items} - there if id_ not in retired)
    missing += sorted(id_ for id_ in live.knowledge if id_ not in one.knowledge and id_ in there and one.knowledge)
    older = sorted(
        id_ for id_, version in live.knowledge.items() if id_ in one.knowledge and one.knowledge[id_] < version
    )
    found = []
    if missing:
        said = f"少了 {len(missing)} 条在用的问答：{_named(missing, titles)}"
        found.append(Finding("missing", "never", said))
    if older:
        said = f"有 {len(older)} 条问答比在用的旧：{_named(older, titles)}请按现在的知识重新做一个发布包。"
        found.append(Finding("older", "never", said))
    return found


def _named(ids: Sequence[str], titles: Mapping[str, str], most: int = 5) -> str:
    shown = "、".join(f"{id_}“{titles[id_]}”" if id_ in titles else id_ for id_ in ids[:most])
    return f"{shown}等。" if len(ids) > most else f"{shown}。"


def of_golden(session: Session, now: Collection[GoldenQuestion], before: Mapping[str, str]) -> list[Finding]:
    """Whether what counted when the live bundle was evaluated counts still, but for what two people took out.

    Args:
        before: id → digest, of the live bundle's report.
    """
    standing = {row.id: digest(row) for row in now}
    query = select(GoldenChange.question, GoldenChange.move).where(
        GoldenChange.state == "confirmed", GoldenChange.by != GoldenChange.decided_by
    )
    decided: dict[str, set[str]] = {}
    for question, move in session.execute(query):
        decided.setdefault(question, set()).add(move)
    gone = [id_ for id_ in before if id_ not in standing and "retire" not in decided.get(id_, ())]
    other = [
        id_
        for id_, was in before.items()
        if id_ in standing and standing[id_] != was and "change" not in decided.get(id_, ())
    ]
    found = []
    if gone:
        found.append(Finding("golden", "never", f"题库比在用的那次评测少了 {len(gone)} 题，没有两个人同意停用的记录。"))
    if other:
        found.append(Finding("golden", "never", f"题库里有 {len(other)} 题的内容变了，没有两个人同意改的记录。"))
    return found


def of_training(asked: Sequence[Asked], trained: frozenset[str], digest_of: Callable[[str], str]) -> list[Finding]:
    """Whether any question that judges was trained on.  A sentence that judges the acts may stand among questions: it teaches no act."""
    judging = (one for one in asked if one.counted and one.source != "replay" and one.act is None)
    same = [one for one in judging if digest_of(one.question.text) in trained]
    if not same:
        return []
    shown = [f"“{one.question.text[:40]}”" for one in same if one.named][:5]
    named = f"：{'、'.join(shown)}" if shown else ""
    return [Finding("trained", "never", f"有 {len(same)} 道考题在这次的训练数据里，考不出好坏{named}。")]


def of_size(questions: int, settings: Settings) -> list[Finding]:
    """Whether the golden set is large enough to judge by."""
    if questions >= settings.gate_golden_min:
        return []
    said = f"题库里能用的只有 {questions} 题，不到 {settings.gate_golden_min} 题。"
    return [Finding("few", "short", said)]
