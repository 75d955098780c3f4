"""What the assistant decides on labelled questions it was not fitted on: right, wrong, asked back, ticket, plain words.

``python -m benchmarks.decisions`` asks every question of ``tests/data/questions_dev.jsonl`` in a fresh conversation, in
this process (``Assistant.decide``: retrieval, calibration, limits, knowledge at its status of today), once with vectors
and once with BM25 alone.  Rasa is not asked: the dialogue act is the one that the fallback path would read off the words.
Works in a temporary data folder.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import stack
from bot import conversations, database, turns
from bot.conversations import Context
from bot.models import utcnow
from bot.replies import ClarifyReply
from bot.settings import ROOT, Settings
from bot.turns import Turn
from index import knowledge_files, versions
from index.acts import literal_act
from index.assistant import Assistant
from index.fit import TARGET, read_questions, upper_bound
from index.versions import IndexReader

QUESTIONS = ROOT / "tests" / "data" / "questions_dev.jsonl"
NO_MATTER = "(none of ours)"
OUTCOMES = ("right", "wrong", "options with", "options without", "ticket", "words", "other")
"""right, wrong    answered, by a Q&A that the label names, or by another (or where no Q&A answers it)
options …       asked back, with a right option among those offered, or without one
ticket, words   a ticket; a friendly text
other           an emergency notice, a hand-over"""


@dataclass(frozen=True)
class Asked:
    """A question and what came of it."""

    question: str
    kind: str
    matter: str
    scope: str
    right: tuple[str, ...]
    outcome: str
    qa_id: str | None
    confidence: float | None
    rank: int | None
    """Place of the first right candidate (1…5); None if not among them, or if nothing is right"""


def ask(assistant: Assistant, conversation_id: str, row: dict[str, Any]) -> Asked:
    """Put one labelled question to the assistant.  Writes nothing."""
    turn = Turn(
        turn_id="benchmark",
        conversation_id=conversation_id,
        text=row["q"],
        state="bot",
        context=Context(),
        received_at=utcnow(),
        act=literal_act(row["q"]) or "ask_policy",
        engine="fallback",
    )
    outcome = assistant.decide(turn)
    right = tuple(row.get("qa") or ())
    reply = outcome.replies[0]
    if outcome.decision == "answer":
        verdict = "right" if outcome.qa_id in right else "wrong"
    elif isinstance(reply, ClarifyReply):
        verdict = "options with" if any(option.qa_id in right for option in reply.options) else "options without"
    else:
        verdict = {"ticket": "ticket", "text": "words"}.get(outcome.decision, "other")
    found = [candidate["qa_id"] for candidate in outcome.explain.get("candidates", ())]
    places = [place for place, qa_id in enumerate(found, start=1) if qa_id in right]
    return Asked(
        question=row["q"],
        kind=row["kind"],
        matter=row["expect"] or NO_MATTER,
        scope=row["scope"],
        right=right,
        outcome=verdict,
        qa_id=outcome.qa_id,
        confidence=outcome.explain.get("probability"),
        rank=places[0] if places else None,
    )


def counts(asked: Sequence[Asked]) -> dict[str, int]:
    """How many of each outcome."""
    counted = Counter(one.outcome for one in asked)
    return {outcome: counted[outcome] for outcome in OUTCOMES}


def by(asked: Sequence[Asked], key: Callable[[Asked], str]) -> dict[str, dict[str, int]]:
    """Counts of each group, the groups in the order of their first question."""
    groups = dict.fromkeys(key(one) for one in asked)
    return {group: counts([one for one in asked if key(one) == group]) for group in groups}


def judged(asked: Sequence[Asked], limits: tuple[float, float]) -> dict[str, Any]:
    """All figures of one variant."""
    total = counts(asked)
    answered = total["right"] + total["wrong"]
    answerable = [one for one in asked if one.right]
    service = [one for one in asked if one.scope == "service" and not one.right]
    other = [one for one in asked if one.scope != "service"]
    return {
        "questions": len(asked),
        "answer_at": round(limits[0], 3),
        "clarify_at": round(limits[1], 3),
        "counts": total,
        "answered": answered,
        "wrong_share": round(total["wrong"] / answered, 4) if answered else None,
        "wrong_upper_bound": round(upper_bound(total["wrong"], answered), 4) if answered else None,
        "groups": {
            "answerable by a Q&A": counts(answerable),
            "public service, no Q&A": counts(service),
            "not a public service": counts(other),
        },
        "hit1": round(sum(one.rank == 1 for one in answerable) / max(len(answerable), 1), 4),
        "hit4": round(sum((one.rank or 9) <= 4 for one in answerable) / max(len(answerable), 1), 4),
        "by_kind": by(asked, lambda one: one.kind),
        "by_matter": by(asked, lambda one: one.matter),
        "wrong_answers": [asdict(one) for one in asked if one.outcome == "wrong"],
    }


def variant(settings: Settings, rows: Sequence[dict[str, Any]], *, dense: bool) -> tuple[list[Asked], dict[str, Any]]:
    """Ask everything, with vectors or without."""
    own = settings.model_copy(update={"dense": dense})
    assistant = Assistant(own, IndexReader(own))
    calibration = assistant.reader.get().calibration
    answer_at = own.answer_at or calibration.answer_at
    limits = (answer_at, min(own.clarify_at or calibration.clarify_at, answer_at))
    with database.write() as session:
        conversation, _ = conversations.create(session, "web")
        session.flush()
        turns.receive(session, conversation, "1", rows[0]["q"], own)  # a ticket shows the conversation so far
        conversation_id = conversation.id
    asked = [ask(assistant, conversation_id, row) for row in rows]
    return asked, judged(asked, limits)


def measure(questions: Path, folder: Path) -> dict[str, Any]:
    """The report."""
    settings = stack.use(stack.settings_env(folder))
    database.migrate()
    with database.write() as session:
        knowledge_files.load_starter(session)
    versions.publish(settings, versions.build(settings))
    rows = read_questions(questions)
    fused, fused_report = variant(settings, rows, dense=True)
    lexical, lexical_report = variant(settings, rows, dense=False)
    database.reset_engine()
    return {
        "questions": str(questions.relative_to(ROOT) if questions.is_relative_to(ROOT) else questions.name),
        "target": TARGET,
        "results": {"fused": fused_report, "bm25": lexical_report},
        "decided_differently": sum(
            (a.outcome, a.qa_id) != (b.outcome, b.qa_id) for a, b in zip(fused, lexical, strict=True)
        ),
    }


def show(report: dict[str, Any]) -> None:
    """Tables, and every wrong answer by name."""
    console = Console(width=120)
    results = report["results"]
    for title, key in (("by what they are", "groups"), ("by kind", "by_kind"), ("by matter", "by_matter")):
        table = Table(title=f"{report['questions']} {title} (with vectors · BM25 alone where it differs)")
        table.add_column(title.removeprefix("by "))
        for outcome in OUTCOMES:
            table.add_column(outcome, justify="right")
        for group, fused in results["fused"][key].items():
            lexical = results["bm25"][key][group]
            table.add_row(group, *(_pair(fused[outcome], lexical[outcome]) for outcome in OUTCOMES))
        console.print(table)
    for name, one in results.items():
        print(
            f"{name:6} hit@1 {one['hit1']:.3f}  hit@4 {one['hit4']:.3f}  answered {one['answered']} of {one['questions']}"
            f"  wrong {one['counts']['wrong']} = {one['wrong_share'] or 0:.1%}"
            f"  (95 % upper bound {one['wrong_upper_bound'] or 0:.1%}, target {report['target']:.0%})"
            f"  limits {one['answer_at']}/{one['clarify_at']}"
        )
    print(f"decided differently without vectors: {report['decided_differently']}")
    for name, one in results.items():
        print(f"\nwrong answers, {name}:")
        for wrong in one["wrong_answers"]:
            wanted = "/".join(wrong["right"]) or "none"
            print(
                f"  [{wrong['kind']}] {wrong['question']} → {wrong['qa_id']} ({wrong['confidence']:.2f}), right: {wanted}"
            )


def _pair(fused: int, lexical: int) -> str:
    if fused == lexical:
        return str(fused) if fused else "·"
    return f"{fused} · {lexical}"


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decisions", description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=Path, default=QUESTIONS, help="another file of labelled questions")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there as well")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yihaoda-bench-") as folder:
        report = measure(arguments.questions.resolve(), Path(folder))
    show(report)
    if arguments.json:
        stack.write_json(arguments.json, report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
