"""Put labelled questions to the assistant and count what came of them: ``yihaoda evaluate QUESTIONS.jsonl``.

A question is a line ``{"q", "prev"?, "expect": Q&A id | matter | null, "qa"?: [ids], "kind"?}``; ``qa``, where given, says exactly
which items answer it (none: it should not be answered).  Each is asked in a
conversation of its own, in this process (retrieval, calibration, limits, the knowledge's status of today); Rasa is not
asked: the dialogue act is the one that the fallback path reads off the words.  Nothing is written to the database.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, assert_never
from zoneinfo import ZoneInfo

import numpy as np
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from bot import database
from bot.clock import utcnow
from bot.conversations import Context
from bot.errors import InvalidInput
from bot.models.knowledge import QA
from bot.replies import (
    AnswerReply,
    CalculationReply,
    ClarifyReply,
    EmergencyReply,
    HandoverReply,
    PassagesReply,
    TextReply,
    TicketReply,
    TicketStatusReply,
)
from bot.settings import ROOT, Settings
from bot.turns import Outcome, Turn
from index.assistant.acts import literal_act
from index.assistant.respond import Assistant
from index.search.normalise import clean
from index.versions.store import IndexReader
from training import fit, pictures

OUTCOMES = ("right", "wrong", "options", "other options", "passages", "ticket", "declined")
"""right, wrong     answered, with an expected item (or matter), or with another, or where nothing should be answered
options         asked back, the right one among the options
other options   asked back without it
passages        shown pieces of policy documents
ticket          handed to a human
declined        plain words: not a matter of the hotline"""

OUTCOME_NAMES = {
    "right": "答对",
    "wrong": "答错",
    "options": "反问（含正确项）",
    "other options": "反问（不含）",
    "passages": "政策原文",
    "ticket": "转人工",
    "declined": "婉拒",
}
_NO_MATTER = "（不应作答）"
_MIN_OVERLAP = 4
"""Shorter texts (护照) are everybody's words: no sign that a file was copied."""


@dataclass(frozen=True)
class Question:
    """One line of a question file."""

    q: str
    expect: str | None
    prev: str | None = None
    qa: tuple[str, ...] | None = None
    """The items that answer it, where somebody has looked: none of the matter's may"""
    kind: str = ""

    def right_items(self, matters: dict[str, str]) -> frozenset[str]:
        """Ids of the items that answer it; ``matters``: the matter of each item."""
        if self.qa is not None:
            return frozenset(self.qa)
        return frozenset(id_ for id_, matter in matters.items() if self.expect in (id_, matter))


@dataclass(frozen=True)
class Asked:
    """A question and what came of it."""

    q: str
    prev: str | None
    kind: str
    matter: str
    expected: tuple[str, ...]
    outcome: str
    reply: str
    """Type of the reply"""
    qa_id: str | None
    answered_matter: str | None
    probability: float | None
    rank: int | None
    """Place of the first expected item among the candidates, from 1"""
    options: tuple[str, ...] = field(default=())


def read_questions(path: Path) -> list[Question]:
    """Raises: InvalidInput, with the line, for what is not such a question."""
    questions: list[Question] = []
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # splitlines also cuts at U+2028 within a string
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"读不了问题文件 {path}（应当是 UTF-8 的 JSONL）。") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            text, expect = row["q"], row["expect"]
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidInput(f'{path.name} 第 {number} 行要写成 {{"q": …, "expect": …}}。') from error
        if not isinstance(text, str) or not text.strip() or not isinstance(expect, str | None):
            raise InvalidInput(f"{path.name} 第 {number} 行：q 要有文字，expect 是问答编号、事项名或 null。")
        questions.append(
            Question(
                text, expect, row.get("prev"), tuple(row["qa"]) if "qa" in row else None, str(row.get("kind") or "")
            )
        )
    if not questions:
        raise InvalidInput(f"{path.name} 里没有问题。")
    return questions


def _letters(text: str) -> str:
    return "".join(character for character in clean(text) if character.isalnum())


def refuse_overlap(questions: Sequence[Question], path: Path) -> None:
    """What the assistant was built or fitted from proves nothing about it.

    Raises:
        InvalidInput: questions that are word for word in the knowledge, the calibration's questions or Rasa's examples.
    """
    known: dict[str, str] = {}
    for file in fit.question_files():
        if file.resolve() != path.resolve():
            known |= {_letters(row["q"]): f"标定数据 {file.name}" for row in fit.read_questions(file)}
    known |= {_letters(text): "Rasa 训练数据" for act in ("ask_policy", "follow_up") for text in fit.nlu_examples(act)}
    with database.read() as session:
        for id_, question, similar in session.execute(select(QA.id, QA.question, QA.similar)):
            known |= {_letters(text): f"问答 {id_}" for text in (question, *similar)}
    same = [
        f"「{one.q}」（{known[letters]}）"
        for one in questions
        if len(letters := _letters(one.q)) >= _MIN_OVERLAP and letters in known and one.prev is None
    ]
    if same:
        shown = "、".join(same[:10]) + ("等" if len(same) > 10 else "")
        raise InvalidInput(
            f"{path.name} 有 {len(same)} 个问题和知识库、标定或训练数据重复，评测不作数，请先删去：{shown}"
        )


def evaluate(
    settings: Settings, questions: Sequence[Question], progress: Callable[[], None] = lambda: None
) -> list[Asked]:
    """Ask everything.

    Raises:
        InvalidInput: an expected id or matter is not in the knowledge.
        IndexUnavailable: there is no index yet.
    """
    assistant = Assistant(settings, IndexReader(settings))
    assistant.reader.get()
    with database.read() as session:
        matters: dict[str, str] = {row.id: row.matter for row in session.execute(select(QA.id, QA.matter))}
    named = {name for one in questions for name in (one.expect, *(one.qa or ())) if name}
    if lost := sorted(named - set(matters) - set(matters.values())):
        raise InvalidInput(f"知识库里没有这些编号或事项：{'、'.join(lost[:10])}")
    asked = []
    for one in questions:
        asked.append(_ask(assistant, one, matters))
        progress()
    return asked


def _say(assistant: Assistant, text: str, context: Context) -> Outcome:
    act = literal_act(text) or "ask_policy"
    return assistant.decide(
        Turn("evaluation", "evaluation", text, "bot", context, utcnow(), act=act, engine="fallback")
    )


def _ask(assistant: Assistant, one: Question, matters: dict[str, str]) -> Asked:
    context = Context()
    if one.prev:
        context = _say(assistant, one.prev, context).context
    outcome = _say(assistant, one.q, context)
    reply, right = outcome.replies[0], one.right_items(matters)
    right_matters = {matters[id_] for id_ in right}
    options: tuple[str, ...] = ()
    answered: str | None = None
    match reply:
        case AnswerReply():
            answered = reply.matter
            verdict = "right" if reply.qa_id in right else "wrong"
        case CalculationReply():
            answered = reply.matter
            verdict = "right" if reply.matter in right_matters else "wrong"
        case ClarifyReply():
            options = tuple(option.qa_id for option in reply.options)
            verdict = "options" if right & set(options) else "other options"
        case PassagesReply():
            verdict = "passages"
        case TicketReply() | HandoverReply() | EmergencyReply():
            verdict = "ticket"
        case TextReply() | TicketStatusReply():
            verdict = "declined"
        case _:
            assert_never(reply)
    places = [
        place
        for place, candidate in enumerate(outcome.explain.get("candidates", ()), start=1)
        if candidate["qa_id"] in right
    ]
    return Asked(
        q=one.q,
        prev=one.prev,
        kind=one.kind,
        matter=min(right_matters) if len(right_matters) == 1 else (one.expect or _NO_MATTER),
        expected=tuple(sorted(right)) if one.qa is not None else ((one.expect,) if one.expect else ()),
        outcome=verdict,
        reply=reply.type,
        qa_id=outcome.qa_id,
        answered_matter=answered,
        probability=outcome.explain.get("probability"),
        rank=places[0] if places else None,
        options=options,
    )


def counts(asked: Iterable[Asked]) -> dict[str, int]:
    """How many of each outcome."""
    counted = Counter(one.outcome for one in asked)
    return {outcome: counted[outcome] for outcome in OUTCOMES}


def figures(asked: Sequence[Asked]) -> dict[str, Any]:
    """All figures of a run."""
    total = counts(asked)
    answered = total["right"] + total["wrong"]
    answerable = [one for one in asked if one.expected]
    others = [one for one in asked if not one.expected]
    return {
        "questions": len(asked),
        "answerable": counts(answerable),
        "not_to_be_answered": counts(others),
        "answered": answered,
        "wrong_of_answered": round(total["wrong"] / answered, 4) if answered else None,
        "wrong_upper_bound_95": round(fit.upper_bound(total["wrong"], answered), 4) if answered else None,
        "right_matter_of_answered": sum(
            one.answered_matter == one.matter for one in answerable if one.outcome in ("right", "wrong")
        ),
        "first_right": round(sum(one.rank == 1 for one in answerable) / len(answerable), 4) if answerable else None,
        "right_among_4": round(sum((one.rank or 9) <= 4 for one in answerable) / len(answerable), 4)
        if answerable
        else None,
        "expected_calibration_error": _calibration_error(asked),
        "by_kind": _grouped(asked, lambda one: one.kind or "—"),
        "by_matter": _grouped(asked, lambda one: one.matter),
    }


def _probabilities(asked: Sequence[Asked]) -> tuple[list[float], list[bool]]:
    """Of each question that has candidates, the probability of the first one and whether it was right."""
    found = [(one.probability, one.rank == 1) for one in asked if one.probability is not None]
    return [probability for probability, _ in found], [right for _, right in found]


def _calibration_error(asked: Sequence[Asked]) -> float | None:
    sure, right = _probabilities(asked)
    return round(fit.calibration_error(np.array(sure), np.array(right, dtype=np.int64)), 4) if sure else None


def _grouped(asked: Sequence[Asked], key: Callable[[Asked], str]) -> dict[str, dict[str, int]]:
    groups = dict.fromkeys(key(one) for one in asked)
    return {group: counts(one for one in asked if key(one) == group) for group in groups}


# --- a run as a folder -----------------------------------------------------------------------------------------------


def save(settings: Settings, path: Path, asked: Sequence[Asked], folder: Path | None = None) -> Path:
    """Write a run: ``config.json``, ``figures.json``, ``questions.jsonl`` and two pictures.  Returns the folder."""
    now = datetime.now(ZoneInfo("Asia/Shanghai"))
    run = folder or settings.data_dir / "evaluations" / f"{now:%Y%m%d-%H%M%S}"
    run.mkdir(parents=True, exist_ok=True)
    loaded = IndexReader(settings).get()
    config = {
        "questions": str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name,
        "at": now.isoformat(timespec="seconds"),
        "index": loaded.version,
        "knowledge_revision": loaded.manifest["knowledge_revision"],
        "encoder": loaded.manifest["encoder"]["name"] if loaded.retriever.encoder else None,
        "answer_at": settings.answer_at or loaded.calibration.answer_at,
        "clarify_at": settings.clarify_at or loaded.calibration.clarify_at,
    }
    (run / "config.json").write_text(json.dumps(config, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    (run / "figures.json").write_text(json.dumps(figures(asked), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    rows = "".join(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in asked)
    (run / "questions.jsonl").write_text(rows, encoding="utf-8")
    pictures.draw(*_probabilities(asked), config["answer_at"], run)
    return run


def compare(run: Path, asked: Sequence[Asked]) -> list[tuple[dict[str, Any], Asked]]:
    """The questions of an earlier run that come out differently now: (then, now).

    Raises:
        InvalidInput: the folder is no run.
    """
    try:
        lines = filter(None, (run / "questions.jsonl").read_text(encoding="utf-8").split("\n"))
        then = {(row["prev"], row["q"]): row for row in map(json.loads, lines)}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{run} 不是一次评测的结果文件夹。") from error
    pairs = [(then[one.prev, one.q], one) for one in asked if (one.prev, one.q) in then]
    return [(old, now) for old, now in pairs if (old["outcome"], old["qa_id"]) != (now.outcome, now.qa_id)]


def show(console: Console, asked: Sequence[Asked]) -> None:
    """The figures as tables, and every wrong answer by name."""
    figured = figures(asked)
    for title, key in (("按问法", "by_kind"), ("按事项", "by_matter")):
        table = Table(title=title)
        table.add_column("")
        for outcome in OUTCOMES:
            table.add_column(OUTCOME_NAMES[outcome], justify="right")
        for group, counted in figured[key].items():
            table.add_row(group, *(str(counted[outcome] or "·") for outcome in OUTCOMES))
        console.print(table)
    for name, key in (("能答的", "answerable"), ("不该答的", "not_to_be_answered")):
        counted = figured[key]
        said = "，".join(f"{OUTCOME_NAMES[outcome]} {counted[outcome]}" for outcome in OUTCOMES)
        console.print(f"{name} {sum(counted.values())} 问：{said}")
    if figured["answered"]:
        console.print(
            f"作答 {figured['answered']} 问，答错占 {figured['wrong_of_answered']:.1%}"
            f"（95% 单侧上限 {figured['wrong_upper_bound_95']:.1%}）"
        )
    if figured["first_right"] is not None:
        console.print(f"检索：第一条正确 {figured['first_right']:.1%}，前四条里有 {figured['right_among_4']:.1%}")
    for one in asked:
        if one.outcome == "wrong":
            wanted = "、".join(one.expected) or "不应作答"
            chance = f"{one.probability:.2f}" if one.probability is not None else "计算"
            console.print(
                f"  答错：{one.q} → {one.qa_id or one.answered_matter}（{chance}），应为 {wanted}",
                highlight=False,
                markup=False,
            )
