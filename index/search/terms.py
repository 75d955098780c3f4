"""The domain's vocabulary, shared by the tokeniser, the homophone repair and Rasa: ``nlu_data/dict/*.txt``."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from bot.settings import ROOT

DICT_DIR = ROOT / "nlu_data" / "dict"


def dictionary_files() -> list[Path]:
    """jieba user dictionaries of the domain, in a fixed order."""
    return sorted(DICT_DIR.glob("*.txt"))


@lru_cache
def policy_terms() -> frozenset[str]:
    """Every term of the dictionaries (first column of each line)."""
    lines = (line for path in dictionary_files() for line in path.read_text(encoding="utf-8").splitlines())
    return frozenset(line.split()[0] for line in lines if line.strip() and not line.startswith("#"))


@lru_cache
def _by_length() -> list[str]:
    return sorted(policy_terms(), key=len, reverse=True)


@lru_cache(maxsize=4096)
def terms_in(text: str) -> tuple[str, ...]:
    """The domain terms that a text names; a term inside a longer one does not count by itself."""
    found = []
    for term in _by_length():
        if term in text:
            found.append(term)
            text = text.replace(term, " ")
    return tuple(found)
