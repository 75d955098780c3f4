"""One word for one thing: what citizens read keeps to docs/words.zh.md."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from bot.settings import ROOT

GLOSSARY = ROOT / "docs" / "words.zh.md"
CLIENT = ROOT / "connectors" / "miniprogram" / "src"
SERVER = (
    *("actions", "connectors/citizens", "connectors/turns", "connectors/web", "connectors/wechat", "index/assistant"),
    *("bot/danger.py", "bot/desk/words.py", "bot/reminders.py", "bot/ticket_form.py", "index/calculators"),
)
CHINESE = re.compile(r"[\u4e00-\u9fff]")
PATTERN = re.compile(r"[|\[\]^$\\]|\(\?")
"""A regular expression, which knows the citizens' own words"""
COMMENT = re.compile(r"<!--.*?-->|/\*.*?\*/|(?m:^|(?<=\s))//[^\n]*", re.DOTALL)


def glossary() -> list[tuple[str, list[str]]]:
    """Each word with those that aren't used for the same."""
    rows = [line.strip("| ").split("|") for line in GLOSSARY.read_text("utf-8").splitlines() if line.startswith("|")]
    return [(row[0].strip(), row[2].strip().split("、")) for row in rows[2:]]


def said_by_client(file: Path) -> Iterator[str]:
    """The Chinese of a source, without its comments."""
    for line in COMMENT.sub("", file.read_text("utf-8")).splitlines():
        if CHINESE.search(line):
            yield line.strip()


def said_by_server(file: Path) -> Iterator[str]:
    """The texts of a module: no documentation, no patterns, no single words that are understood."""
    tree = ast.parse(file.read_text("utf-8"))
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in documentation:
            continue
        if re.search(r"[，。：；？]", node.value) and not PATTERN.search(node.value):
            yield node.value


@cache
def everything() -> list[tuple[Path, str]]:
    """What citizens read, and where it is written."""
    sources = [
        one for name in ("*.vue", "*.ts", "*.json") for one in sorted(CLIENT.rglob(name)) if "schema" not in one.name
    ]
    modules = [one for name in SERVER for one in (sorted((ROOT / name).rglob("*.py")) or [ROOT / name])]
    modules.remove(ROOT / "connectors/web/access.py")  # speaks to staff alone
    found = [(file, text) for file in sources for text in said_by_client(file)]
    return found + [(file, text) for file in modules for text in said_by_server(file)]


def test_everything_that_citizens_read_is_looked_at() -> None:
    files = {file.name for file, _ in everything()}
    assert {
        "Welcome.vue",
        "conversation.vue",
        "pages.json",
        "words.ts",
        "phrases.py",
        "ticket_form.py",
        "words.py",
    } <= files
    assert len(everything()) > 500


@pytest.mark.parametrize(("word", "others"), glossary(), ids=lambda value: value if isinstance(value, str) else "")
def test_one_word_for_one_thing(word: str, others: list[str]) -> None:
    said = everything()
    wrong = [f"{file.relative_to(ROOT)}: {text[:80]}" for file, text in said for other in others if other in text]
    assert not wrong, "\n".join(wrong)
    assert len(others) == len(set(others)) and word not in others
    stem = word.split("…")[0]
    assert any(stem in text for _, text in said), f"nobody says {word}"
