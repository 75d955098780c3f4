"""Cut a text into the tokens that BM25 counts: jieba words, characters, or character uni- and bigrams."""

import re
import unicodedata
from functools import cache, lru_cache

import jieba

from index.search.terms import dictionary_files

_REMEMBERED = 64
"""Texts kept cut up: every way of searching cuts the same question"""
_WORD = re.compile(r"\w", re.UNICODE)
# A run of Latin letters or of digits is one unit, any other letter (a Chinese character) stands for itself.
_UNIT = re.compile(r"[a-z]+|[0-9]+|[^\W_]", re.UNICODE)


@cache
def _segmenter() -> jieba.Tokenizer:
    jieba.setLogLevel("WARNING")
    segmenter = jieba.Tokenizer()
    segmenter.initialize()
    for path in dictionary_files():
        segmenter.load_userdict(str(path))
    return segmenter


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


def words(text: str) -> list[str]:
    """jieba's words, width and case folded, punctuation and spaces dropped."""
    return list(_words(text))


@lru_cache(_REMEMBERED)
def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in _segmenter().cut(_fold(text), HMM=False) if _WORD.search(word))


def edges(text: str) -> set[int]:
    """Offsets at which a word begins or ends, the text's own ends among them."""
    found, end = {0}, 0
    for word in _segmenter().cut(text, HMM=False):
        end += len(word)
        found.add(end)
    return found


def is_word(text: str) -> bool:
    """Whether the segmenter's dictionary has ``text`` as one word."""
    return bool(_segmenter().FREQ.get(text))


def characters(text: str) -> list[str]:
    """Chinese characters one by one; a Latin word or a number is one token."""
    return _UNIT.findall(_fold(text))


def ngrams(text: str) -> list[str]:
    """Characters and pairs of neighbouring characters. A pair never spans punctuation or a space."""
    tokens: list[str] = []
    before, end = "", -1
    for match in _UNIT.finditer(_fold(text)):
        unit = match.group()
        tokens.append(unit)
        if match.start() == end:
            tokens.append(before + unit)
        before, end = unit, match.end()
    return tokens
