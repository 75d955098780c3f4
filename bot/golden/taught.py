"""What the assistant is taught word for word.  A question that is among it proves nothing about the assistant."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.crypto import get_cipher
from bot.models.knowledge import QA
from bot.models.review import NluExample, ReviewDecision
from bot.settings import ROOT, Settings

_SHORT = 4
"""Shorter texts (护照) are everybody's words: no sign that one was copied"""
_QUESTIONS = frozenset({"ask_policy", "follow_up"})
_ENTITY = re.compile(r"\[([^\]]*)\](?:\{[^}]*\}|\([^)]*\))")


def letters(text: str) -> str:
    """What two texts have to share to be the same one."""
    return "".join(one for one in unicodedata.normalize("NFKC", text).lower() if one.isalnum())


def digest_of(text: str) -> str:
    """Tells whether two texts are the same one, and not what they say."""
    return hashlib.sha256(letters(text).encode()).hexdigest()


@dataclass(frozen=True)
class Taught:
    """Letters → where they stand, for people."""

    questions: Mapping[str, str]
    acts: Mapping[str, str]
    """Sentences that Rasa's acts are trained on"""

    def where(self, text: str, act: str | None = None) -> str | None:
        """Where a text is taught word for word; None: nowhere, or it is everybody's words."""
        own = letters(text)
        if len(own) < _SHORT:
            return None
        return self.acts.get(own) if act else self.questions.get(own)


def taught(session: Session, settings: Settings) -> Taught:
    """Of the knowledge, the questions that everything is fitted on, Rasa's examples, and what earlier trainings froze."""
    questions: dict[str, str] = {}
    for path in (*sorted((ROOT / "training" / "questions").glob("*.jsonl")), ROOT / "training" / "followups.jsonl"):
        questions |= {letters(text): f"标定数据 {path.name}" for text in _lines(path, "q")}
    for path in sorted((settings.data_dir / "training").glob("*/labelled.jsonl")):
        questions |= {letters(text): "用来重新训练的提问" for text in _frozen(path)}
    adopted = select(ReviewDecision.wording).where(ReviewDecision.undone_at.is_(None))
    questions |= {letters(text): "待学习里采用的说法" for text in session.scalars(adopted) if text}
    acts: dict[str, str] = {}
    for act, text in _examples():
        acts[letters(text)] = "Rasa 训练数据"
        if act in _QUESTIONS:
            questions[letters(text)] = "Rasa 训练数据"
    for row in session.scalars(select(NluExample)):
        acts[letters(row.text)] = "补充的例句"
    for id_, question, similar in session.execute(select(QA.id, QA.question, QA.similar)):
        questions |= {letters(text): f"问答 {id_}" for text in (question, *similar)}
    return Taught(questions, acts)


def _lines(path: Path, name: str) -> list[str]:
    return list(_read(path, path.stat().st_mtime_ns, name)) if path.exists() else []


def _frozen(path: Path) -> Iterator[str]:
    """Of a training under way; each line is encrypted, and the file goes when the training is done."""
    with contextlib.suppress(FileNotFoundError):
        for line in path.read_text(encoding="utf-8").split("\n"):
            if line:
                yield json.loads(get_cipher().decrypt(line))["text"]


@lru_cache(maxsize=32)
def _read(path: Path, _written: int, name: str) -> tuple[str, ...]:
    lines = path.read_text(encoding="utf-8").split("\n")
    return tuple(str(row[name]) for line in lines if line.strip() and name in (row := json.loads(line)))


def _examples() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "nlu_data" / "nlu").glob("*.yml")):
        yield from _of_rasa(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=32)
def _of_rasa(path: Path, _written: int) -> tuple[tuple[str, str], ...]:
    found = []
    for entry in yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)["nlu"]:
        for line in (entry["examples"] if "intent" in entry else "").split("\n"):
            if text := line.strip().removeprefix("-").strip():
                found.append((entry["intent"], _ENTITY.sub(r"\1", text)))
    return tuple(found)
