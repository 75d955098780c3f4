"""From what a citizen typed to a query: width, case, traditional characters, filler words, typos in the domain's words."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import opencc

from index.search import tokenize
from index.search.terms import policy_terms

_CONTROL = re.compile(r"[\u0000-\u001f\u007f-\u009f]+")
# What has no width parts nothing: 1<U+200B>0000 is one number, and so is a row of keycaps.
_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u20e3\ufe00-\ufe0f\ufeff]+")
# Signs that are a number of their own (¹ ½ ① ⑴ ㈠ ㋀ 🄂): as plain digits they would run into the digits beside them.
_SIGNS = re.compile(
    "[\u00b2\u00b3\u00b9\u00bc-\u00be\u2070-\u209c\u2150-\u218b\u2460-\u24ff\u2776-\u2793\u3192-\u319f"
    "\u3220-\u325f\u3280-\u32cb\u3358-\u3370\u33e0-\u33fe\U0001f100-\U0001f10c]"
)
_SPACE = re.compile(r"\s+")
# Never digits: 10000 is not 1000.
_RUN = re.compile(r"([^\d零〇一二三四五六七八九十百千万亿wk])\1{3,}")
_PICTURES = re.compile(r"[\u2190-\u2bff\U0001f000-\U0001faff\U000e0020-\U000e007f]+")
"""Arrows, signs and emoji: they ask nothing."""
_MEANING = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffffa-z0-9]")
_HAN_RUN = re.compile(r"[\u4e00-\u9fff]+")

# What people say around a question.  Only at the beginning, the end, or between punctuation: inside a sentence the same
# words can matter.
_OPENERS = re.compile(
    r"^(?:(?:你好|您好|喂|哈喽|hello|hi|在吗|在不在|请问(?:一下)?|麻烦(?:问|请问)?(?:一下|下)?|打扰(?:一下|了)?|咨询(?:一下|下)?|"
    r"我?想(?:要)?(?:请教|咨询|问|了解)(?:一下|下|问)?|问(?:一下|下|个问题)|同志|老师|小姐姐|客服|那个|就是|嗯+|哦+|呃+|啊+)"
    r"(?:[\s,，。.!！?？、~:：;；]+|(?=[^\s])))+"
)
_CLOSERS = re.compile(
    r"(?:[\s,，。.!！?？、~;；]*(?:谢谢(?:你|您|了|啦)?|多谢|感谢|麻烦(?:你|您)?了|辛苦了|拜托了?|急+|在线等|求(?:解答|回复|助)))+"
    r"[\s,，。.!！?？、~;；]*$"
)


@dataclass(frozen=True)
class Query:
    """A normalised question.

    Attributes:
        raw: as it was typed.
        text: what retrieval sees.
        repairs: (typed, meant) pairs of typos that were put right.
    """

    raw: str
    text: str
    repairs: tuple[tuple[str, str], ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing in it that could mean anything: no letter, digit or Chinese character."""
        return _MEANING.search(self.text) is None


@lru_cache
def _converter() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")


def clean(text: str) -> str:
    """Width, case, script and white space; keeps every word and every number."""
    text = _SIGNS.sub(r" \g<0> ", _INVISIBLE.sub("", text))
    text = _CONTROL.sub(" ", unicodedata.normalize("NFKC", text))
    text = _converter().convert(text).lower()
    return _RUN.sub(r"\1\1\1", _SPACE.sub(" ", text)).strip()


def normalise(text: str) -> Query:
    """The query for a message."""
    cleaned = clean(text)
    plain = _SPACE.sub(" ", _PICTURES.sub(" ", cleaned)).strip()
    cleaned = plain if _MEANING.search(plain) else cleaned
    without = _CLOSERS.sub("", _OPENERS.sub("", cleaned)).strip(" ,，。.、~;；")
    body = without if _MEANING.search(without) else cleaned
    repaired, repairs = repair(body)
    return Query(raw=text, text=repaired, repairs=tuple(repairs))


# --- the same question, in other function words ------------------------------------------------------------------------

_VARIANTS = (
    ("怎么样", "怎样"),
    ("咋个", "怎么"),
    ("啷个", "怎么"),
    ("咋", "怎么"),
    ("怎样", "怎么"),
    ("如何", "怎么"),
    ("啥", "什么"),
    ("哪里", "哪"),
    ("哪儿", "哪"),
    ("办理", "办"),
    ("娃儿", "孩子"),
    ("娃", "孩子"),
    ("小孩", "孩子"),
)
_EMPTY_WORDS = re.compile(r"[\W_]+|[吗呢啊呀吧的了嘛哦啦撒嘞呗哇呦]|请问|麻烦|一下")


def canonical(text: str) -> str:
    """A normalised text without particles and punctuation, one form for each question word: equal for equal questions.

    身份证丢了咋补办 and 身份证丢了怎么补办？ are one.
    """
    for typed, meant in _VARIANTS:
        text = text.replace(typed, meant)
    return _EMPTY_WORDS.sub("", text)


# --- typos -----------------------------------------------------------------------------------------------------------

# Sounds that many speakers (and their keyboards) do not keep apart.
_FUZZY = ((re.compile(r"^([zcs])h"), r"\1"), (re.compile(r"([aei])ng$"), r"\1n"))


@lru_cache(maxsize=8192)
def _sound(character: str) -> str:
    from pypinyin import lazy_pinyin  # a third of a second

    sound = lazy_pinyin(character)[0]
    for pattern, replacement in _FUZZY:
        sound = pattern.sub(replacement, sound)
    return sound


def _sounds(text: str) -> tuple[str, ...]:
    # Character by character: a reading that depends on the neighbours would differ between the typo and the term.
    return tuple(_sound(character) for character in text)


# Characters that handwriting keyboards and tired eyes take for one another.
_LOOKALIKES = [
    "未末",
    "己已巳",
    "人入",
    "拨拔",
    "侯候",
    "睛晴",
    "请清情",
    "贷货",
    "免兔",
    "徽微",
    "析折",
    "士土",
    "干千",
    "午牛",
    "没设",
    "住往",
    "遗遣",
    "辨辩辫",
    "帐账",
    "赡瞻",
    "抚扶",
    "博搏",
    "籍藉",
    "休体",
    "待侍",
    "治冶",
    "刺剌",
    "推堆",
    "驶驳",
    "险检验",
    "职识",
    "缴激",
    "津律",
    "补扑",
    "助肋",
    "贴帖",
    "证征",
    "担坦",
    "担但",
    "孤狐",
    "老考",
    "养羊",
    "庭廷",
    "暂渐",
    "圾坂",
    "晚挽",
    "育肓",
]
_LOOK = {character: group[0] for group in reversed(_LOOKALIKES) for character in group}


def _looks(text: str) -> tuple[str, ...]:
    return tuple(_LOOK.get(character, character) for character in text)


@lru_cache
def _repairable() -> frozenset[str]:
    """What typos are put right to: the domain's dictionaries, and ``repairable.txt`` (words separated by white space)."""
    lines = (Path(__file__).parent / "repairable.txt").read_text(encoding="utf-8").splitlines()
    return policy_terms() | {word for line in lines if not line.startswith("#") for word in line.split()}


@lru_cache
def _likenesses() -> dict[tuple[str, ...], str | None]:
    """Sounds, and looks, of each repairable word → the word; None where two sound or look alike."""
    table: dict[tuple[str, ...], str | None] = {}
    for term in _repairable():
        if _HAN_RUN.fullmatch(term):
            for likeness in (_sounds(term), _looks(term)):
                table[likeness] = term if table.get(likeness, term) == term else None
    return table


def repair(text: str) -> tuple[str, list[tuple[str, str]]]:
    """Put right homophones and lookalikes of the domain's words (公鸡金 → 公积金, 护口 → 户口, 帐户 → 账户).

    A stretch is replaced when it sounds or looks like exactly one repairable word, shares about half of its characters with it in
    place, differs in no particle, is not itself a word, and cuts no word of the sentence in two; one of two characters only
    where the segmenter makes nothing of either.

    Returns:
        The text, and the (typed, meant) pairs in their order.
    """
    table = _likenesses()
    terms = _repairable()
    repairs: list[tuple[str, str]] = []
    for run in _HAN_RUN.finditer(text):
        word = run.group()
        edges = tokenize.edges(word)
        start = 0
        while start < len(word) - 1:
            for length in range(min(8, len(word) - start), 1, -1):
                typed = word[start : start + length]
                meant = table.get(_sounds(typed)) or table.get(_looks(typed))
                if meant is None or meant == typed or typed in terms or not _plausible(typed, meant):
                    continue
                if not {start, start + length} <= edges or (length == 2 and start + 1 not in edges):
                    continue
                repairs.append((typed, meant))
                start += length - 1
                break
            start += 1
    for typed, meant in repairs:
        text = text.replace(typed, meant)
    return text, repairs


# Characters that sentences are held together with: 户口不在这边 says nothing of a 户口簿, 许可怎么办 of no 许可证.
_PARTICLES = frozenset("不之将以为的了在是有没和就都也还要会能到给被把跟对从又很再吗么呢吧怎可非据")


def _plausible(typed: str, meant: str) -> bool:
    wrong = [a for a, b in zip(typed, meant, strict=True) if a != b]
    if len(wrong) * 2 > len(typed) + 1 or _PARTICLES & set(wrong):
        return False
    return not tokenize.is_word(typed)
