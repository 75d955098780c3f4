"""A citizen who asks a labelled question, and knows the right answer when it is offered.

The right option is tapped, as the page's button does it: its question is said; so is the button below a card for a danger that
was none.  Where no option is right, or where the set has a reply in words to a question back, those words are said: somebody
wrote them; never an option's own text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, assert_never

from bot.replies import (
    AnswerReply,
    AskReply,
    CalculationReply,
    ClarifyReply,
    EmergencyReply,
    HandoverReply,
    Option,
    PassagesReply,
    Reply,
    TextReply,
    TicketReply,
    TicketStatusReply,
)
from training.evaluate.questions import REPLIES, Question, Written

MAX_TURNS = 3
"""A citizen gives up after so many messages"""

OUTCOMES = {
    "sure right": "答对（确定）",
    "likely right": "答对（可能）",
    "sure wrong": "答错（确定）",
    "likely wrong": "答错（可能）",
    "options": "反问（含正确项）",
    "other options": "反问（不含）",
    "passages": "政策原文",
    "asks": "追问情况",
    "offer": "提出登记",
    "ticket": "登记",
    "declined": "说答不了",
    "act": "当成别的意图",
}
"""What comes of a message.  asks: a calculator, or the region, wants to know more; act: it was taken for something else than a
question (good-bye, a danger, a rating, a person)"""

RIGHT = frozenset({"sure right", "likely right"})


@dataclass(frozen=True)
class Heard:
    """A reply, and how it came about as far as whoever answers tells: ``act``, ``engine``, ``decision``, ``explain``."""

    reply: Reply
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def explain(self) -> dict[str, Any]:
        """Of the decision: step, probability, candidates."""
        return self.detail.get("explain") or {}


def answering(replies: Sequence[Reply]) -> Reply:
    """The one of a turn's replies that counts: where it may have been a danger, the caring question stands before it."""
    return next((reply for reply in replies if not isinstance(reply, EmergencyReply)), replies[0])


class Conversation(Protocol):
    """One conversation with an assistant."""

    def say(self, text: str) -> Heard:
        """One turn."""


Open = Callable[[], Conversation]
"""Opens a conversation of its own."""


@dataclass(frozen=True)
class Said:
    """One message of the citizen, and what came of it."""

    text: str
    how: Literal["question", "tap", "words"]
    outcome: str
    reply: str
    """Type of the reply"""
    qa_id: str | None
    shown: str
    """What the citizen saw: the question that was answered, or the words"""
    offered: tuple[str, ...]
    """Ids of the options, or of the others beside a likely answer"""
    act: str | None
    step: str | None
    engine: str | None

    @property
    def right(self) -> bool:
        """Whether the right answer is there."""
        return self.outcome in RIGHT


@dataclass(frozen=True)
class Asked:
    """A question and what came of it."""

    q: str
    prev: str | None
    register: str
    kind: str
    matter: str
    expected: tuple[str, ...]
    """Ids of the items that answer it; none: it should not be answered"""
    turns: tuple[Said, ...]
    probability: float | None
    """Of the first candidate, in the first turn"""
    rank: int | None
    """Place of the first expected item among the candidates, from 1"""
    understood: bool | None = None
    """Whether a written reply got the right answer; None: none was said"""

    @property
    def outcome(self) -> str:
        """Of the first turn."""
        return self.turns[0].outcome

    @property
    def turns_until_right(self) -> int | None:
        """Messages until the right answer; None: never."""
        return next((n for n, one in enumerate(self.turns, 1) if one.right), None)


NO_MATTER = "（不应作答）"


def ask_all(
    open_: Open, questions: Sequence[Question], matters: dict[str, str], *, at_once: int = 1
) -> Iterator[Asked]:
    """Ask everything, each question in a conversation of its own, ``at_once`` of them side by side; in the given order.

    Args:
        matters: the matter of each item of the knowledge.
    """
    pool = ThreadPoolExecutor(at_once)
    try:
        yield from pool.map(lambda one: ask(open_(), one, matters), questions)
    finally:
        pool.shutdown(cancel_futures=True)  # whoever stops listening does not wait for the rest


def ask(conversation: Conversation, one: Question, matters: dict[str, str]) -> Asked:
    """One question, until the right answer is there or the citizen gives up."""
    right = one.right_items(matters)
    right_matters = {matters[id_] for id_ in right}
    if one.prev:
        # Whoever is asked back, or shown another answer first, follows on what they then chose.
        before = conversation.say(one.prev).reply
        if tap := next((option for option in _options(before) if option.qa_id == one.prev_qa), None):
            conversation.say(tap.question)

    def say(text: str, how: Literal["question", "tap", "words"]) -> tuple[Said, list[Option], Heard]:
        heard = conversation.say(text)
        options = _options(heard.reply)
        said = Said(
            text=text,
            how=how,
            outcome=_outcome(heard, right, right_matters),
            reply=heard.reply.type,
            qa_id=heard.reply.qa_id if isinstance(heard.reply, AnswerReply) else None,
            shown=_shown(heard.reply),
            offered=tuple(option.qa_id for option in options),
            act=heard.detail.get("act"),
            step=heard.explain.get("step"),
            engine=heard.detail.get("engine"),
        )
        return said, options, heard

    first, options, heard = say(one.q, "question")
    turns, explain, words, understood = [first], heard.explain, one.words, None
    while right and len(turns) < MAX_TURNS:
        last = turns[-1]
        tap = next((option for option in options if option.qa_id in right), None)
        wordy = words is not None and understood is None and fits(words, last, right)
        if words is not None and wordy and (one.register == REPLIES or (tap is None and not last.right)):
            said, options, heard = say(words.text, "words")
            understood = said.right or (last.right and said.outcome == "asks" and said.step == "option")
        elif not last.right and tap is not None:
            said, options, heard = say(tap.question, "tap")
        elif isinstance(heard.reply, EmergencyReply) and heard.reply.only_asking:
            said, options, heard = say(heard.reply.only_asking, "tap")
        else:
            break
        turns.append(said)
    candidates = enumerate(explain.get("candidates", ()), start=1)
    return Asked(
        q=one.q,
        prev=one.prev,
        register=one.register,
        kind=one.kind,
        matter=min(right_matters) if len(right_matters) == 1 else (one.expect or NO_MATTER),
        expected=tuple(sorted(right)),
        turns=tuple(turns),
        probability=explain.get("probability"),
        rank=next((place for place, candidate in candidates if candidate["qa_id"] in right), None),
        understood=understood,
    )


def fits(words: Written, last: Said, right: frozenset[str]) -> bool:
    """Whether somebody who sees this would still say so.  Words were written for what was shown then, which may have changed.

    Where the right answer already stands there, only a yes to it is left to say.
    """
    if last.reply != "clarify" and not (last.offered or last.outcome.startswith("likely")):
        return False  # nothing is open
    first = last.qa_id or (last.offered[0] if last.offered else None)
    if words.style == "yes":
        return first in right
    if last.right:
        return False
    match words.style:
        case "ordinal":
            place = words.place or 0
            return len(last.offered) == words.options and last.offered[place - 1] in right
        case "correction":
            return last.qa_id == words.shown
        case "none":
            return not right & set(last.offered)
        case "words":
            return True
        case _:
            assert_never(words.style)


def _options(reply: Reply) -> list[Option]:
    match reply:
        case ClarifyReply():
            return reply.options
        case AnswerReply():
            return reply.others
        case _:
            return []


def _outcome(heard: Heard, right: frozenset[str], right_matters: set[str]) -> str:
    reply, step = heard.reply, heard.explain.get("step")
    match reply:
        case AnswerReply():
            return f"{reply.certainty} {'right' if reply.qa_id in right else 'wrong'}"
        case CalculationReply():
            return f"sure {'right' if reply.matter in right_matters else 'wrong'}"
        case ClarifyReply():
            return "options" if right & {option.qa_id for option in reply.options} else "other options"
        case PassagesReply():
            return "passages"
        case TicketReply():
            return "ticket"
        case TextReply() if reply.can_report:
            return "offer"
        case TextReply() if step is None or "reason" in heard.explain:
            return "declined"
        case TextReply() if step in ("question", "calculator", "calculation", "option"):
            return "asks"
        case AskReply():
            return "asks" if step in ("question", "calculator", "calculation", "option") else "act"
        case TextReply() | TicketStatusReply() | HandoverReply() | EmergencyReply():
            return "act"
        case _:
            assert_never(reply)


def _shown(reply: Reply) -> str:
    match reply:
        case AnswerReply():
            return reply.question
        case CalculationReply():
            return reply.title
        case _:
            return reply.text
