"""Both sides of a comparison: a version of the index asked everything, with what the items say and may say today.

What was asked already is read from a file: the live side of the next evaluation, or one that was broken off.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from bot.settings import Settings
from index.assistant.respond import Assistant
from index.encoder import Encoder
from index.replay import Answers, KeptVectors, Question, Side, expecting
from index.versions.store import IndexReader, Loaded
from index.versions.vector_cache import CachedEncoder
from training.gate.questions import Asked
from training.gate.rows import Heard

VECTORS = "gate.db"
"""Beside the index versions: vectors of the questions that the gate asks"""
_CHUNK = 128
_KEPT = 6
"""Files of what sides came to"""


def heard(
    settings: Settings,
    loaded: Loaded,
    asked: Sequence[Asked],
    answers: Answers,
    now: datetime,
    say: Callable[[int], None],
) -> list[Heard]:
    """What a version makes of each question.

    Args:
        loaded: the version; it need not be the one in use.
        say: told how many are done; whatever it raises ends it, and what is done is kept.
    """
    path = _file(settings, loaded, asked, answers, now)
    done = _read(path)
    if len(done) < len(asked):
        side, begun = _side(settings, loaded, asked, answers), len(done)
        with path.open("a", encoding="utf-8") as file:
            for number in range(len(done), len(asked)):
                say(number)
                if number % _CHUNK == 0 or number == begun:
                    side = expecting(side, [one.question for one in asked[number : number + _CHUNK]])
                one = Heard.of(side.verdict(asked[number].question, now))
                done.append(one)
                file.write(json.dumps(list(vars(one).values())) + "\n")
    say(len(asked))
    _forget(path)
    return done


def _side(settings: Settings, loaded: Loaded, asked: Sequence[Asked], answers: Answers) -> Side:
    encoder = loaded.retriever.encoder
    kept = KeptVectors(encoder, _encoded(settings, encoder, asked)) if encoder is not None else None
    reader = IndexReader(settings)
    loaded = replace(loaded, retriever=loaded.retriever.reading_with(kept))
    return Side(Assistant(settings, reader), loaded, answers)


def _encoded(settings: Settings, encoder: Encoder, asked: Sequence[Asked]) -> list[Question]:
    texts = list(dict.fromkeys(one.question.normalised for one in asked if one.question.vector is None))
    cached = CachedEncoder(encoder, settings.index_dir / VECTORS)
    try:
        vectors = dict(zip(texts, cached.encode(texts), strict=True)) if texts else {}
    finally:
        cached.close()
    return [
        one.question
        if one.question.vector is not None
        else replace(one.question, vector=vectors[one.question.normalised])
        for one in asked
    ]


def _file(settings: Settings, loaded: Loaded, asked: Sequence[Asked], answers: Answers, now: datetime) -> Path:
    """Its name says all that its contents hang on."""
    limits = (settings.answer_at, settings.likely_at, settings.clarify_at, settings.region, settings.dense)
    told = hashlib.sha256(
        json.dumps(
            [loaded.version, loaded.manifest["files"], limits, sorted(answers.items()), str(now.date())]
        ).encode()
    )
    for one in asked:
        question = one.question
        told.update(json.dumps([question.id, question.text, question.region, question.act]).encode())
        told.update(json.dumps(dict(question.before or {}), sort_keys=True).encode())
    folder = settings.data_dir / "evaluations" / "sides"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / f"{told.hexdigest()[:32]}.jsonl"


def _read(path: Path) -> list[Heard]:
    """What is whole of it; the rest is cut off."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return [Heard(*json.loads(line)) for line in lines]


def _forget(used: Path) -> None:
    used.touch()
    old = sorted(used.parent.glob("*.jsonl"), key=lambda path: path.stat().st_mtime)
    for path in old[:-_KEPT]:
        path.unlink(missing_ok=True)
