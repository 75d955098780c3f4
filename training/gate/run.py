"""An evaluation from its beginning to its end: both sides are asked, rows made, judged, written down.

Cheap to take up again: what a side came to is kept as it goes (``sides``), and so is what a Rasa model hears (``acts``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import audit, database, golden
from bot.clock import SHANGHAI, utcnow
from bot.errors import NotFound, YihaodaError
from bot.models.golden import GoldenQuestion
from bot.models.releases import Bundle, ReleaseStep
from bot.releases import evaluations, serving
from bot.releases.states import BUILT, PASSED, PREVIOUS, REFUSED, SHORT
from bot.settings import Settings
from index.replay import answers_today
from index.versions import store
from index.versions.store import Loaded
from training.gate import acts, bundles, checks, questions, report, sides
from training.gate.bundles import Candidate
from training.gate.questions import Asked
from training.gate.rows import Heard, Row
from training.gate.verdict import Finding, figures, judge
from training.retrain import labelled

log = structlog.get_logger(__name__)
Say = Callable[[str, int | None, int | None], None]
"""Told what is being done, how much of it, of how much; whatever it raises ends the evaluation"""
SYSTEM = "系统"
_UNDECIDED = frozenset({BUILT, PASSED, SHORT, REFUSED})
"""States that a verdict changes; whatever is released is evaluated for the record"""


def _quiet(_doing: str, _done: int | None = None, _total: int | None = None) -> None:
    pass


def evaluate(settings: Settings, bundle_name: str, say: Say = _quiet, *, by: str = SYSTEM) -> dict[str, Any]:
    """Evaluate a bundle against what answers now, and write down what came of it.

    Returns:
        The verdict, as ``Bundle.gate`` keeps it: {"verdict": passed, short or refused; "may": one, two or never (people it takes);
        "reasons", "notes": sentences; "stops": keys of the reasons; "figures", "share", "against", "at"}.

    Raises:
        NotFound: there is no such bundle.
        IndexUnavailable, NotFound, IndexDamaged: there is nothing to compare with.
    """
    now = utcnow()
    say("读取题库", None, None)
    with database.write() as session:
        row = session.get(Bundle, bundle_name)
        if row is None:
            raise NotFound(f"没有这个发布包：{bundle_name}")
        golden.start(session, settings)
        one, against = bundles.candidate(settings, row), _against(session, settings, bundle_name)
    before = store.load(settings, against.index)
    after, problem = bundles.load(settings, one)
    counted: Mapping[str, str] = {}
    rows: list[Row] = []
    if after is None:
        stopped = [Finding("index", "never", f"发布包的索引读不出来：{problem}")]
        told = judge(one.kind, rows, figures(rows), stopped, settings)
    else:
        told, rows, counted = _compared(settings, one, after, against, before, now, say)
    told |= {"against": against.name, "at": now.isoformat()}
    report.write(settings, bundle_name, {"bundle": bundle_name, "kind": one.kind, "golden": counted, **told}, rows)
    _keep(bundle_name, told, by, now)
    say(f"评测完：{TITLES[told['verdict']]}", None, None)
    log.info("gate.evaluated", bundle=bundle_name, verdict=told["verdict"], stops=told["stops"])
    return told


TITLES = {PASSED: "通过", SHORT: "样本不足", REFUSED: "没有通过"}
"""Of the verdicts, for people"""


def _against(session: Session, settings: Settings, name: str) -> Candidate:
    """What a bundle is compared with: the live one; of the live one itself, the one before; else the index in use."""
    there = serving(session)
    other = there.live
    if other is None or other.name == name:
        other = session.scalar(select(Bundle).where(Bundle.state == PREVIOUS, Bundle.name != name).limit(1))
    if other is not None:
        return bundles.candidate(settings, other)
    current, _ = store.pointer(settings)
    if current is None:
        raise NotFound("还没有启用过任何索引，没有可比的。")
    return Candidate(None, "start", current, "", {})


@dataclass(frozen=True)
class _Material:
    """What is asked, and what is to be known of it."""

    asked: Sequence[Asked]
    answers: Mapping[str, str | None]
    golden: Mapping[str, str]
    """id → digest, of all that counts today"""
    found: list[Finding]


def _compared(
    settings: Settings,
    one: Candidate,
    after: Loaded,
    against: Candidate,
    before: Loaded,
    now: datetime,
    say: Say,
) -> tuple[dict[str, Any], list[Row], Mapping[str, str]]:
    material = _gathered(settings, one, after, against, before, now)
    asked = questions.for_retrieval(material.asked)
    total = 2 * len(asked)

    def progress(start: int, what: str) -> Callable[[int], None]:
        return lambda done: say(what, start + done, total)

    first = sides.heard(settings, before, asked, material.answers, now, progress(0, "问在用的"))
    then = sides.heard(settings, after, asked, material.answers, now, progress(len(asked), "问新的"))
    rows = [_row(*each) for each in zip(asked, first, then, strict=True)]
    more, found = _acts(settings, one, against, questions.for_acts(material.asked), say)
    rows += more
    found += [*material.found, *checks.of_files(one, after), *checks.of_encoder(one, after, before)]
    found += [*checks.of_calibration(one, after, before), *checks.of_limits(rows, before, after, settings)]
    say("统计", total, total)
    return judge(one.kind, rows, figures(rows), found, settings), rows, material.golden


def _gathered(
    settings: Settings, one: Candidate, after: Loaded, against: Candidate, before: Loaded, now: datetime
) -> _Material:
    wordings = frozenset(
        labelled.digest(text) for loaded in (before, after) for item in loaded.retriever.items for text in item.texts
    )
    ours = questions.ours()
    with database.read() as session:
        answers = answers_today(session, settings, now.astimezone(SHANGHAI).date())
        set_ = golden.in_force(session)
        asked, found = questions.of_golden(set_, answers, wordings | ours)
        usable = sum(each.counted and each.act is None for each in asked)
        held_out = questions.held_out(session, answers, ours)
        replayed, own = questions.replayed(session, settings, before, now)
        found += checks.of_knowledge(session, one, after, against, before)
        found += checks.of_golden(session, set_, _counted_then(settings, against))
        digests = _digests(set_)
    asked = [*asked, *held_out]
    found += checks.of_size(usable, settings)
    found += checks.of_training(asked, bundles.trained_on(settings, one), labelled.digest)
    if own > len(replayed):
        said = f"最近一周有 {own} 种不同的提问，重放了问得最多的 {len(replayed)} 种。"
        found.append(Finding("replayed", "note", said))
    if _encoder(before) != _encoder(after):
        replayed = [replace(each, question=replace(each.question, vector=None)) for each in replayed]
    return _Material([*asked, *replayed], answers, digests, found)


def _digests(rows: Iterable[GoldenQuestion]) -> dict[str, str]:
    return {row.id: golden.digest(row) for row in rows}


def _counted_then(settings: Settings, against: Candidate) -> dict[str, str]:
    """What counted when the other side was evaluated; nothing: it never was."""
    try:
        found: dict[str, str] = evaluations.report(settings, against.name or "")["golden"]
    except (NotFound, KeyError):
        return {}
    return found


def _encoder(loaded: Loaded) -> str:
    return loaded.retriever.encoder.checksum if loaded.retriever.encoder else ""


def _row(asked: Asked, before: Heard, after: Heard) -> Row:
    question = asked.question
    return Row(
        id=question.id,
        source=asked.source,
        stratum=asked.stratum,
        text=question.text if asked.named else None,
        right=asked.right,
        act=asked.act,
        must=asked.must,
        times=question.times,
        counted=asked.counted,
        before=before,
        after=after,
    )


def _acts(
    settings: Settings, one: Candidate, against: Candidate, asked: Sequence[Asked], say: Say
) -> tuple[list[Row], list[Finding]]:
    """What both Rasa models hear; nothing where it is one model."""
    if one.rasa == against.rasa:
        return [], [Finding("acts_same", "note", "意图模型和在用的是同一个，没有再考意图。")]
    texts = [each.question.text for each in asked]
    say("听意图", 0, len(texts))
    try:
        after = acts.heard(settings, one.rasa, texts)
    except acts.NoModel as error:
        return [], [Finding("acts_model", "never", str(error))]
    try:
        before = acts.heard(settings, against.rasa, texts)
    except YihaodaError:
        told = Finding("acts_before", "short", "在用的意图模型读不出来，没有可比的：意图没有考。")
        return [], [told]
    say("听意图", len(texts), len(texts))
    return [_row(*each) for each in zip(asked, before, after, strict=True)], []


def _keep(name: str, told: dict[str, Any], by: str, now: datetime) -> None:
    with database.write() as session:
        row = session.get_one(Bundle, name, with_for_update=True)
        was = row.state
        row.gate = told
        if was in _UNDECIDED:
            row.state = told["verdict"]
            row.since = now
        session.add(
            ReleaseStep(
                bundle=name,
                at=now,
                by=by,
                move="evaluate",
                before=was,
                after=row.state,
                why="；".join(told["reasons"])[:2000] or None,
                figures=told["figures"],
            )
        )
        audit.record(session, by, "release.evaluate", name, verdict=told["verdict"], stops=told["stops"])
