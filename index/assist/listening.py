"""The question in the story: from the running lines of a call to the few items that may answer what is asked.

A caller greets, says who they are, complains, strays, asks, is asked back, corrects themselves.  Every few lines in a row are read as
one question by the same steps as a citizen's; each reading votes for the items that it finds, as much as it is sure of them.  What the
votes of an item are worth was learned from calls; later readings weigh more, and what was said before a correction (不对，我说错了)
counts for little.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bot import guards
from index.assist.lines import Line
from index.assist.weights import VOTES, Band, Weights, band_of, weights
from index.assistant.acts import wonders
from index.search.find import Place, find, place_in
from index.search.normalise import clean, normalise
from index.search.ranking import Ranked
from index.search.retriever import Item
from index.versions.store import Loaded

SHOWN = 3
"""Items of a question that are shown"""
TOPICS = 3
"""Questions of a call that are kept apart"""
_READ = 3
"""So many of the caller's lines are read together at most"""
_WIDEST, _STORY = 60, 120
"""Characters of what is read together, and of the whole story: the last ones"""
_SHORTEST = 4
"""What has fewer characters asks nothing by itself"""
_ASKED = 6
"""An agent's line of fewer characters (好的，您说) asks nothing back"""
_REPLY = 14
"""A reply to the agent's question has at most so many characters, and is read together with that question"""
_TOP = 6
"""Items of a reading that it votes for"""
_SPREAD = 1.5
"""How fast a reading's votes fall with the score"""
_FADE = 0.93
"""What a line's reading weighs after each further line of the caller's"""
_TAKEN_BACK = 0.15
"""What a reading weighs once the caller has corrected themselves"""
_RECENT = 2
"""So many of the last numbers are recent"""
_LEAD_MAX = 6.0
"""A larger lead says nothing more"""

_BACK = re.compile(
    r"不对不对|不是不是|说错|讲错|搞错|弄错|记错|口误|我不是(?:说|问|要)|不是(?:说|问)?这个|我(?:问|说)的(?:不是|是)|"
    r"(?:哎|诶|啊|哦)?[,，]?(?:不对|不是)[,，。]|重新(?:说|问)|应该是|其实是|我想问的(?:其实)?是"
)
_FILLERS = re.compile(
    r"嗯+|呃+|额+|啊+|哦+|唉+|哎呀?|诶|那个(?=[,，、\s那就我])|就是说|这个(?=[,，、\s这个])|怎么说呢|我跟(?:你|您)(?:说|讲)|(?:你|您)(?:知道|晓得)(?:吧|吗|不)"
)
_FRAME = re.compile(
    r"^(?:喂|你好|您好|同志|姑娘|小(?:姐|伙子|妹)|师傅|老师|您贵姓|(?:我|俺)(?:姓|叫|是)[^,，。]{1,8}|(?:我)?(?:想|要)?(?:问|咨询|打听|反映)(?:一下|下|个事|个事情)?|"
    r"(?:是|这里是|这是)?(?:12345|一二三四五|幺二三四五)(?:吗|么|吧)?|听(?:得)?(?:到|见)(?:吗|么|不)|能听(?:到|见)(?:吗|么))[,，。!！?？\s]*"
)
_TWICE = re.compile(r"(.{1,6}?)[,，、\s]?\1(?=.)")
_FIGURE = re.compile(r"[\d零〇一二三四五六七八九十百千万亿两幺]")
_DENIES = re.compile(r"^(?:不是|没有?[,，]?|不对|不用|不要|哪是|啥|什么)")
_AGREES = re.compile(r"^(?:对|是的?|嗯|就是|没错|对头|是嘞|好)")

Way = Literal["line", "lines", "reply", "story"]
"""How lines are read: one alone, several together, a reply with its question, all that the caller said"""


@dataclass(frozen=True)
class Suggestion:
    """An item that may answer."""

    qa_id: str
    matter: str
    question: str
    probability: float
    """That it does, 0…1"""
    band: Band


@dataclass(frozen=True)
class Topic:
    """One question of a call."""

    question: str
    """In the caller's words, without what is said around it"""
    lines: tuple[int, ...]
    """The numbers of the lines that it was heard in"""
    suggestions: tuple[Suggestion, ...]
    """Best first"""
    near: tuple[Suggestion, ...] = ()
    """What comes after them"""
    standing: tuple[float, ...] = ()
    """What the first one's probability rests on"""


@dataclass(frozen=True)
class _Reading:
    """What some lines, read as one question, find."""

    text: str
    seqs: tuple[int, ...]
    way: Way
    probability: float
    ranked: tuple[Ranked, ...]

    @property
    def first(self) -> Item:
        return self.ranked[0].candidate.item

    def votes(self) -> dict[str, float]:
        """Item → how probable it is by this reading alone."""
        first, *rest = self.ranked
        votes = {first.candidate.item.id: self.probability}
        for one in rest:
            # The first may have the lower score: an item's own wording comes first whatever is like it.
            share = math.exp(min(0.0, one.score - first.score) / _SPREAD)
            votes[one.candidate.item.id] = self.probability * share * (1 - self.probability / 2)
        return votes


@dataclass
class Listener:
    """Hears one call.  What was read once is not read again, and what is shown stays while it is likely enough."""

    loaded: Loaded
    served: str
    """The region that we serve"""
    fitted: Weights = field(default_factory=weights)
    _read: dict[tuple[str, str | None], tuple[float, tuple[Ranked, ...]]] = field(default_factory=dict)
    _showing: set[str] = field(default_factory=set)
    """Matters of the questions that are shown"""

    def hear(self, lines: Sequence[Line], region: str | None = None, without: Iterable[str] = ()) -> list[Topic]:
        """The questions of a call so far that are to be shown, the one that was put last first.

        Args:
            lines: all of them so far; they are put into order here.
            region: where the caller is, if that is known.
            without: items that the agent said don't fit.
        """
        fitted, shown = self.fitted, []
        for number, topic in enumerate(self.topics(lines, region, without)):
            first = topic.suggestions[0]
            if first.probability >= (fitted.keep_at if first.matter in self._showing else fitted.show_at):
                shown.append(topic)
            elif number == 0 and not self._showing:
                break  # where even the first question is not clear, no second one is
        self._showing = {topic.suggestions[0].matter for topic in shown}
        return sorted(shown, key=lambda topic: -max(topic.lines))

    def topics(self, lines: Sequence[Line], region: str | None = None, without: Iterable[str] = ()) -> list[Topic]:
        """All questions that may have been asked, the likeliest first, however unsure."""
        refused = frozenset(without)
        ordered = sorted(lines, key=lambda line: line.seq)
        left = [one for one in (self._find(*some, region, refused) for some in readings_of(ordered)) if one.ranked]
        ages = _ages(ordered)
        topics: list[Topic] = []
        while left and len(topics) < TOPICS:
            topic, matter = _topic(left, ordered, ages, self.fitted)
            topics.append(topic)
            own = {id(one) for one in left if one.first.matter == matter}
            heard = {seq for one in left if id(one) in own and one.way == "line" for seq in one.seqs}
            left = [one for one in left if one.way != "story" and id(one) not in own and not heard & set(one.seqs)]
        return topics

    def ask(self, text: str, region: str | None = None, without: Iterable[str] = ()) -> Topic | None:
        """What the agent typed instead: one question, its items however unsure; None where nothing is found."""
        reading = self._find(text, (), "line", region, frozenset(without))
        if not reading.ranked:
            return None
        votes = sorted(reading.votes().items(), key=lambda pair: -pair[1])[:SHOWN]
        items = {one.candidate.item.id: one.candidate.item for one in reading.ranked}
        return Topic(text, (), tuple(_suggestion(items[id_], probability) for id_, probability in votes))

    def _find(
        self, text: str, seqs: tuple[int, ...], way: Way, region: str | None, refused: frozenset[str]
    ) -> _Reading:
        key = text, region
        if key not in self._read:
            place = Place(self.served, region or place_in(text), anywhere=region is None)
            found = find(self.loaded.retriever, self.loaded.calibration, normalise(text), place)
            self._read[key] = found.probability, tuple(found.ranked[:_TOP])
        probability, ranked = self._read[key]
        if ranked and ranked[0].candidate.item.id in refused:
            probability /= 2
        return _Reading(
            text, seqs, way, probability, tuple(one for one in ranked if one.candidate.item.id not in refused)
        )


def readings_of(lines: Sequence[Line]) -> list[tuple[str, tuple[int, ...], Way]]:
    """What is read as one question: up to three of the caller's lines in a row, a short reply with what it replies to, the story as a whole."""
    found: list[tuple[str, tuple[int, ...], Way]] = []
    run: list[tuple[str, int]] = []
    asked: tuple[str, int] | None = None
    begin = 0
    for line in lines:
        text = plain(line.text)
        if line.speaker == "agent":
            asked = (text, line.seq) if len(text) >= _ASKED else asked
            continue
        if not text:
            continue
        if takes_back(text):
            begin = len(run)
        run.append((text, line.seq))
        for size in range(1, min(_READ, len(run)) + 1):
            _add(found, run[-size:], _WIDEST, "line" if size == 1 else "lines")
        if asked is not None and len(run) > 1 and len(text) <= _REPLY and not _DENIES.search(text):
            _add(found, [run[-2], asked, run[-1]], _WIDEST, "reply")
            if _AGREES.search(text):
                found.append((asked[0], (asked[1], line.seq), "reply"))
        asked = None
    _add(found, run[begin:], _STORY, "story")
    return found


def _add(found: list[tuple[str, tuple[int, ...], Way]], some: Sequence[tuple[str, int]], widest: int, way: Way) -> None:
    text = guards.ending("，".join(said for said, _ in some), widest)
    if len(text) >= _SHORTEST:
        found.append((text, tuple(seq for _, seq in some), way))


def plain(text: str) -> str:
    """A line without what is said around a question: fillers, greetings, who one is, words said twice.  No figure is touched."""
    said = clean(text)
    before = ""
    while said != before:
        before, said = said, _FRAME.sub("", said)
    said = _FILLERS.sub("", said)
    said = _TWICE.sub(lambda found: found[0] if _FIGURE.search(found[0]) else found[1], said)
    return said.strip(" ,，。.、!！?？—-…")


def takes_back(text: str) -> bool:
    """Whether the caller takes back what they said before."""
    return _BACK.search(clean(text)) is not None


def _ages(lines: Sequence[Line]) -> dict[int, float]:
    """Line → what a reading that ends in it weighs."""
    ages: dict[int, float] = {}
    weight = 1.0
    for line in reversed(lines):
        ages[line.seq] = weight
        if line.speaker == "caller":
            weight *= _FADE
            if takes_back(line.text):
                weight *= _TAKEN_BACK
    return ages


def _topic(
    readings: Sequence[_Reading], lines: Sequence[Line], ages: dict[int, float], fitted: Weights
) -> tuple[Topic, str]:
    """What the readings speak of together, and its matter."""
    items = {one.candidate.item.id: one.candidate.item for reading in readings for one in reading.ranked}
    votes = _votes(readings, items, lines, ages)
    scores = {id_: fitted.ranker.logit(np.array([one[name] for name in VOTES])) for id_, one in votes.items()}
    order = sorted(scores, key=lambda id_: (-scores[id_], id_))
    best = items[order[0]]
    standing = _standing(order, scores, votes[best.id], items, readings, lines)
    probability = fitted.right.probability(standing)
    own = [one for one in readings if one.first.matter == best.matter] or list(readings)
    clearest = max(
        own, key=lambda one: (one.votes().get(best.id, 0.0) * (1.0 if wonders(one.text) else 0.8), one.seqs[-1])
    )
    return (
        Topic(
            question=clearest.text,
            lines=tuple(sorted({seq for one in own if one.way != "story" for seq in one.seqs} or set(clearest.seqs))),
            suggestions=tuple(
                _suggestion(items[id_], probability * math.exp(min(0.0, scores[id_] - scores[best.id])))
                for id_ in order[:SHOWN]
            ),
            near=tuple(_suggestion(items[id_], 0.0) for id_ in order[SHOWN : 2 * SHOWN]),
            standing=tuple(standing.tolist()),
        ),
        best.matter,
    )


def _suggestion(item: Item, probability: float) -> Suggestion:
    return Suggestion(item.id, item.matter, item.texts[0], round(probability, 4), band_of(probability))


def _votes(
    readings: Sequence[_Reading], items: dict[str, Item], lines: Sequence[Line], ages: dict[int, float]
) -> dict[str, dict[str, float]]:
    """Item → its votes, by the names of ``VOTES``."""
    last = max((line.seq for line in lines if line.speaker == "caller"), default=0)
    found = {id_: dict.fromkeys(VOTES, 0.0) for id_ in items}
    for reading in readings:
        age, asks = ages.get(reading.seqs[-1], 1.0), wonders(reading.text)
        for id_, vote in reading.votes().items():
            one, weighed = found[id_], vote * age
            one["best"] = max(one["best"], weighed)
            one[reading.way] = max(one[reading.way], vote if reading.way == "story" else weighed)
            if last - reading.seqs[-1] <= _RECENT:
                one["recent"] = max(one["recent"], weighed)
            if asks:
                one["asking"] = max(one["asking"], weighed)
            one["sum"] += weighed
            one["firsts"] += id_ == reading.first.id
    matters: dict[str, float] = {}
    for id_, one in found.items():
        one["sum"], one["firsts"] = math.log1p(one["sum"]), math.log1p(one["firsts"])
        matters[items[id_].matter] = matters.get(items[id_].matter, 0.0) + one["sum"]
    for id_, one in found.items():
        one["matter"] = math.log1p(matters[items[id_].matter])
    return found


def _standing(
    order: Sequence[str],
    scores: dict[str, float],
    votes: dict[str, float],
    items: dict[str, Item],
    readings: Sequence[_Reading],
    lines: Sequence[Line],
) -> NDArray[np.float64]:
    """What the first one's probability rests on, by the names of ``STANDING``."""
    best = order[0]
    matter = items[best].matter
    others = [scores[id_] for id_ in order[1:]]
    other_matters = [scores[id_] for id_ in order[1:] if items[id_].matter != matter]
    said = [plain(line.text) for line in lines if line.speaker == "caller"]
    return np.array(
        [
            scores[best],
            min(_LEAD_MAX, scores[best] - others[0]) if others else _LEAD_MAX,
            min(_LEAD_MAX, scores[best] - other_matters[0]) if other_matters else _LEAD_MAX,
            votes["best"],
            votes["asking"],
            votes["story"],
            votes["recent"],
            votes["sum"],
            math.log1p(sum(map(len, said))),
            float(any(wonders(text) for text in said[-3:])),
            math.log1p(len(said)),
            sum(one.first.id == best for one in readings) / len(readings),
        ]
    )
