"""昨日重放: how much of what a change really does its first estimate names.  ``python -m benchmarks.replay`` needs a prepared data folder.

Edits of eight kinds, spread over the knowledge: a wording added that people use, wordings removed, the question put otherwise, the answer
rewritten, a neighbour's questions taken over by mistake, an item split in two, paused, retired.  Each is estimated by itself; then a batch of
them, of matters that have nothing to do with one another, is built into one index and everything is asked.  What a batch changes has to be
named by one of its estimates.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rich.console import Console

from bot import database
from bot.clock import utcnow
from bot.models.knowledge import QA
from bot.settings import get_settings
from index import replay
from index.assistant.respond import Assistant
from index.replay import Change, Question
from index.versions.store import IndexReader

KINDS = ("wording", "fewer", "question", "answer", "neighbour", "split", "pause", "retire")


class _One:
    """An index version that is there already."""

    def __init__(self, loaded: object) -> None:
        self._loaded = loaded

    def get(self) -> object:
        return self._loaded


def _edits(items: dict[str, QA], questions: Sequence[Question], count: int) -> list[tuple[str, Change]]:
    """So many edits, no two of one matter."""
    asked: dict[str, list[str]] = {}
    for one in questions:
        for id_ in one.right[:1]:
            asked.setdefault(id_, []).append(one.text)
    matters: set[str] = set()
    edits: list[tuple[str, Change]] = []
    busiest = sorted((id_ for id_ in asked if id_ in items), key=lambda id_: (-len(asked[id_]), id_))
    for id_ in busiest:
        qa, kind = items[id_], KINDS[len(edits) % len(KINDS)]
        beside = next((one for one in busiest if items[one].matter == qa.matter and one != id_), None)
        if qa.matter in matters or beside is None or len(qa.similar) < 4:
            continue
        similar = list(qa.similar)
        content: dict[str, dict[str, Any]] = {
            "wording": {"similar": [*similar, asked[id_][0]]},
            "fewer": {"similar": similar[::3]},
            "question": {"question": similar[0], "similar": similar[1:]},
            "answer": {"answer": qa.answer[: len(qa.answer) // 2] + "其余以当地规定为准。"},
            "neighbour": {"similar": [*similar, *items[beside].similar[:6], *asked[beside][:3]]},
        }
        change = Change(id_, "content", content.get(kind, {}))
        if kind == "split":
            new = {name: getattr(qa, name) for name in ("matter", "region", "audience", "answer")}
            change = Change(f"{id_}-b", "content", {**new, "question": asked[id_][0], "similar": similar[::2]})
        elif kind in ("pause", "retire"):
            change = Change(
                id_, "pause" if kind == "pause" else "retire", replaced_by=beside if kind == "retire" else None
            )
        matters.add(qa.matter)
        edits.append((kind, change))
        if len(edits) == count:
            return edits
    return edits


def main() -> None:
    """Estimate, build, compare, show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edits", type=int, default=40)
    parser.add_argument("--batch", type=int, default=14)
    parser.add_argument("--every", type=int, default=1, help="of questions of other matters ask every so-manieth only")
    options = parser.parse_args()
    console, settings, now = Console(), get_settings(), utcnow()
    live = IndexReader(settings).get()
    # The published version may be of earlier code: only what the edits do is to differ.
    loaded = replace(live, retriever=replay.built(settings, live))
    assistant = Assistant(settings, _One(loaded))  # type: ignore[arg-type]
    with database.read() as session:
        items = {qa.id: qa for qa in session.query(QA)}
    every = replay.prepared(settings, assistant, Change(next(iter(items)), "pause"), now)[2]
    edits = _edits(items, every, options.edits)
    estimated, seconds, cpu = {}, [], []
    for kind, change in edits:
        began, worked = time.perf_counter(), time.thread_time()
        result = replay.estimate(settings, assistant, change, now)
        seconds.append(time.perf_counter() - began)
        cpu.append(time.thread_time() - worked)
        estimated[change.qa_id] = {one.id: one for one in result.changes}
        console.print(
            kind, change.qa_id, f"{result.looked} looked at, {len(result.changes)} change, {seconds[-1]:.1f} s"
        )
    said = Counter[str]()
    for start in range(0, len(edits), options.batch):
        batch = edits[start : start + options.batch]
        before, _, every, _ = replay.prepared(settings, assistant, batch[0][1], now)
        changed, after = [], before
        with database.read() as session:
            for _, change in batch:
                if change.move == "content":
                    changed.append(replay.item_after(session.get(QA, change.qa_id), change))
                after = replay.after_change(after, change, before.loaded.retriever, now)
        retriever = replay.built(settings, before.loaded, *changed)
        after = replace(after, loaded=replace(after.loaded, retriever=retriever))
        reworded = {item.id for item in changed if replay.is_reworded(loaded, item)}
        matters = {items[change.qa_id].matter for _, change in batch if change.qa_id in items}
        near = {id_ for id_, qa in items.items() if qa.matter in matters}
        for number, question in enumerate(every):
            if number % options.every and near.isdisjoint(question.right):
                continue
            said["asked"] += 1
            first, then = before.verdict(question, now), after.verdict(question, now)
            found = [
                one
                for _, change in batch
                if (one := replay.changed(question, change, first, then, change.qa_id in reworded)) is not None
            ]
            if not found:
                continue
            said["changed"] += 1
            wrong = any(one.taken and one.right_before for one in found)
            said["right to wrong"] += wrong
            named = [
                estimated[change.qa_id][question.id] for _, change in batch if question.id in estimated[change.qa_id]
            ]
            said["named"] += bool(named)
            said["right to wrong, named"] += wrong and bool(named)
            said["right to wrong, named as such"] += wrong and any(one.taken for one in named)
            same = any((one.after.level, one.after.qa_id) == (then.level, then.qa_id) for one in named)
            said["named with what comes of it"] += same
            if not named or (wrong and not any(one.taken for one in named)):
                console.print("  missed" if not named else "  said otherwise", number, question.text[:40], first, then)
        ids = {id_ for _, change in batch for id_ in estimated[change.qa_id]}
        said["estimated"] += len(ids)
        console.print(dict(said))
    console.print(f"{len(edits)} edits, {len(every)} questions: {dict(said)}")
    console.print(f"named {said['named'] / max(said['changed'], 1):.1%} of what changes")
    console.print(
        f"an estimate: median {statistics.median(seconds):.1f} s, longest {max(seconds):.1f} s; CPU {statistics.median(cpu):.1f} s"
    )


if __name__ == "__main__":
    main()
