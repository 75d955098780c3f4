"""``Assistant.respond``: the one place where a turn becomes an answer, a question back, a ticket or plain words.

Rasa's actions call it with the dialogue act that Rasa recognised; the gateway calls it by itself where Rasa fails.  The
conversation's own state comes first (an open form, offered options, a region that was asked for), then the act, then
retrieval: whatever is not clearly another act is a question.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Literal

import structlog
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from bot import (
    conversations,
    danger,
    database,
    doubts,
    guards,
    knowledge,
    policy_changes,
    regions,
    ticket_form,
    turns,
    working_days,
)
from bot.asked import Look
from bot.clock import SHANGHAI, utcnow
from bot.conversations import Context, OpenDanger
from bot.danger import KINDS, Kind
from bot.desk import duty, lists, takeover
from bot.desk import words as desk_words
from bot.desk.lists import Place as QueuePlace
from bot.errors import NotFound, PhoneTailNeeded, TooMany
from bot.expects import (
    NOTHING,
    Calculation,
    Contact,
    Form,
    Nothing,
    Offer,
    Options,
    Passages,
    Region,
    ServiceRating,
    TicketNumber,
    question_of,
)
from bot.knowledge import Standing
from bot.local import figures as local_figures
from bot.models.conversations import OutboxMessage
from bot.models.knowledge import QA, Document
from bot.models.tickets import Ticket
from bot.ratings import rate
from bot.replies import (
    REPLIES,
    AnswerReply,
    AskReply,
    CalculationReply,
    Choice,
    ClarifyReply,
    EmergencyReply,
    HandoverReply,
    Local,
    Option,
    Passage,
    PassagesReply,
    Reply,
    TextReply,
    TicketReply,
    Told,
)
from bot.settings import Settings, get_settings
from bot.tickets import categories, citizen, lookup, numbers, register
from bot.tickets.particulars import Particulars
from bot.turns import Outcome, Settled, Turn
from index import calculators
from index.assist.categories import Suggestion, suggest
from index.assistant import acts, phrases
from index.calculators import RULES_AS_OF, Calculator, Result
from index.calculators import dialogue as calculation
from index.danger.hearing import CARE, Heard, hear
from index.search import scope
from index.search.find import LETTER, SHORT, Before, Finding, Place, find, naming, place_in
from index.search.lexicon import official_words
from index.search.normalise import Query, canonical, normalise
from index.search.ranking import VERBATIM, Spoken
from index.search.retriever import FEATURES, Item
from index.search.terms import terms_in
from index.versions.store import IndexReader, IndexUnavailable, Loaded

log = structlog.get_logger(__name__)

Level = Literal["sure", "likely", "doubtful", "none"]
"""How sure a question's first candidate is: it is answered, shown as likely, offered among others, not offered"""

MAX_OPTIONS = 5
MAX_OTHERS = 3
MAX_RELATED = 3
MAX_MORE = 4
MAX_CLARIFIED = 2
"""After so many questions back in a row the best item is shown as likely."""

_SMALLTALK = {
    "greet": phrases.GREETING,
    "goodbye": phrases.GOODBYE,
    "thanks": phrases.THANKS,
    "bot_identity": phrases.IDENTITY,
    "capabilities": phrases.CAPABILITIES,
    "abuse": phrases.ABUSE,
    "chitchat": phrases.CHITCHAT,
    "affirm": phrases.AFFIRM,
    "deny": phrases.DENY,
}
_QUESTIONS = frozenset({"ask_policy", "follow_up", "report_problem"})
"""Acts that retrieval decides about in any case."""

_YIELDING = frozenset(
    {"goodbye", "abuse", "thanks", "check_ticket", "capabilities", "affirm", "deny", "rate_bad", "rate_good"}
)
"""Acts that are taken from Rasa only where the knowledge has nothing to offer either"""

_CHAT = frozenset(_SMALLTALK) - {"affirm", "deny"}
"""Acts that are no reply to what was offered"""

_CONTACT_WORDS = 16
"""A phone number and a place come with at most so many other characters (我姓王，电话…，家住岳麓区)."""

_SHORT = 20
"""A message of up to so many characters may leave out what was spoken of before."""

_CLEAR = 0.8
"""A message this clear by itself leaves nothing out."""

_CARRIED = 80
"""Characters of a question and its follow-ups that the next follow-up is read with."""

_FOLLOWS = 0.75
"""Probability from which on what follows on something is likely, where the limit of questions is lower: of ``training/followups.jsonl``, asked one
after the other, .73 get the right answer and .053 a wrong one so; from .69 on .75 and .065."""
_PLACE = 8
"""A reply of up to so many characters to the question where somebody is names a place that we don't know."""

_NEAR = 4.0
"""How much less score than the first one another item may have to be offered beside it"""

_FEW_WORDS = 20
"""A reply of up to so many characters to offered options is read together with the question that they were offered for."""

_SAID_NOW = 1.0
"""Weight of the score that an option has by the reply alone, beside the one together with the question"""

_OPTIONS_FIRST = 8.0
"""It then means one of them, unless another item has so much more score."""

_UNCLEAR = 8
"""Nothing fits a message of up to so many characters: it is asked to say more"""

_SPOKEN_OF, _ASKED_OF = 0.15, 0.35
"""Whoever tells in words of their own which of the offered is meant shares so much of them with it; a question, so much"""

_SAYS_SO = 0.3
"""So probable is what the sentence asks at least, to speak for what the whole text seems to ask"""

_STORY = 0.93
"""So probable is what a long text seems to ask as a whole, at least, to be likely where no sentence of it says so (of 371 labelled ones 277 are
right and 10 wrong so, 176 and 7 if it never is; .88 gives 294 and 13)"""

_ASKING = 4
"""So many sentences of it that ask are looked at"""

_CRY = 8
"""A message of up to so many characters in which danger is heard is no question besides"""

_DANGER_OPEN = timedelta(minutes=30)
"""So long what follows on a danger is read in its light"""

FOR_ME = "替我算"
"""What the button below an answer says whose matter has a calculator"""

_TERSE = 4
"""A message of up to so many characters is no question behind another act, unless it is surely one."""


@dataclass
class _Work:
    """A turn in progress: what it knows, and a copy of the memory that it may change."""

    turn: Turn
    text: str
    memory: Context
    now: datetime
    act: str
    """As Rasa saw it, or as it turned out"""
    explain: dict[str, Any] = field(default_factory=dict)
    refused: frozenset[str] = frozenset()
    """Items that the citizen has just refused"""


@dataclass(frozen=True)
class Limits:
    """Probabilities from which on an item is answered, shown as likely, offered."""

    answer_at: float
    likely_at: float
    clarify_at: float

    @property
    def below_likely(self) -> float:
        """The most that is not likely."""
        return math.nextafter(self.likely_at, 0.0)

    @property
    def below_sure(self) -> float:
        """The most that is not sure."""
        return math.nextafter(self.answer_at, 0.0)


@dataclass(frozen=True)
class Understood:
    """What a question means to an index version."""

    finding: Finding
    limits: Limits
    hangs: bool
    """It is the rest of a question whose subject was named before"""

    @property
    def level(self) -> Level:
        """How sure the first candidate is."""
        if self.finding.first is None:
            return "none"
        if self.finding.probability >= self.limits.answer_at:
            return "sure"
        if self.finding.probability >= self.limits.likely_at:
            return "likely"
        # What hangs on the question before speaks of the same matter, however little it says.
        return "doubtful" if self.finding.probability >= self.limits.clarify_at or self.hangs else "none"

    @property
    def near(self) -> list[Item]:
        """The items that may be offered where it is doubtful, as far as they may answer: ``MAX_OPTIONS`` of them."""
        best = self.finding.ranked[0].score
        return [one.candidate.item for one in self.finding.ranked[: 2 * MAX_OPTIONS] if one.score > best - _NEAR]


class Assistant:
    """Answers turns from the current index version and the database."""

    def __init__(self, settings: Settings, reader: IndexReader) -> None:
        self._settings = settings
        self.reader = reader

    def warm_up(self) -> None:
        """Load the index, and what a first question needs besides: seconds.  Raises: IndexUnavailable."""
        hear("您好")
        self.reader.get().retriever.candidates(normalise("您好，公鸡金怎么取").text)

    def respond(self, turn: Turn) -> list[Reply]:
        """Answer a turn and settle it; if somebody settled it before, their replies."""
        return self.settle(turn).replies

    def settle(self, turn: Turn) -> Settled:
        """``respond``, with what the conversation remembers now."""
        return turns.settle(turn, self.decide(turn))

    def decide(self, turn: Turn) -> Outcome:
        """What the turn comes to; writes nothing but the count of wrong query codes."""
        work = self._begin(turn)
        outcome = self._decide(work)
        self._explain(work, outcome, {})
        first = outcome.replies[0]
        if not isinstance(first, EmergencyReply):
            if kinds := guards.speaks_of_danger(work.text):
                _add_note(first, danger.IF_NOW.format(phones=danger.named(danger.phones_of(kinds)[:2])))
            if guards.tells_of_death(work.text):
                _open_with(first, phrases.CONDOLENCE)
        if len(turn.text) > len(work.text):
            _add_note(first, phrases.TRUNCATED.format(limit=len(work.text)))
        return outcome

    def apologise(self, turn: Turn) -> Outcome:
        """The last resort, where ``decide`` itself fails: a ticket, made without dialogue or retrieval."""
        work = self._begin(turn)
        return self._ticket(work, work.text if work.text.strip() else phrases.NO_WORDS, phrases.TICKET_BROKEN)

    def _begin(self, turn: Turn) -> _Work:
        text = guards.beginning(turn.text, self._settings.message_chars)
        return _Work(turn, text, turn.context.model_copy(deep=True), utcnow(), turn.act)

    # --- conversation before retrieval -------------------------------------------------------------------------------

    def _decide(self, work: _Work) -> Outcome:
        for name, look in STEPS:
            if outcome := look(self, work):
                work.explain["step"] = name
                return outcome
        raise AssertionError("the last step settles every turn")

    def hears(self, turn: Turn) -> Outcome | None:
        """What a message in which somebody is in danger comes to, in every state and without Rasa or an index; else None."""
        work = self._begin(turn)
        outcome = self._danger(work)
        if outcome is not None:
            self._explain(work, outcome, {"step": "danger"})
        return outcome

    @staticmethod
    def _explain(work: _Work, outcome: Outcome, more: dict[str, Any]) -> None:
        """Everything that is known of how an outcome came about."""
        outcome.explain = work.explain | outcome.explain | more
        outcome.look = outcome.explain.pop("look", None)  # travels with the explanation, as far as that is kept

    def _danger(self, work: _Work) -> Outcome | None:
        memory = work.memory
        before = memory.danger if memory.danger and work.now - memory.danger.at < _DANGER_OPEN else None
        memory.danger = before
        if before is not None and work.turn.state != "human" and not guards.dangers(work.text):
            kinds = _kinds(before.kinds)
            phones = danger.phones_of(kinds)
            if before.said and guards.only_asks(work.text):
                return None
            if guards.over(work.text):
                memory.danger = None
                return _say(work, TextReply(text=danger.IT_IS_OVER.format(phones=danger.named(phones[:2]))))
            if guards.goes_on(work.text):
                memory.danger = before.model_copy(update={"at": work.now})
                words = danger.GO_ON.format(phones=danger.named(phones[:3]))
                return _say(work, danger.card(kinds, words=words, may_ask=bool(before.said)))
        reply = memory.expects != NOTHING and len(work.text) <= _FEW_WORDS
        heard = hear(work.text, open_=before is not None, reply=reply)
        if heard is None or (isinstance(memory.expects, Options) and self._in_its_own_words(work, memory.expects)):
            return None  # what we offered ourselves tells of nothing
        possible = heard.level == "question"
        # Who cries for help, speaks of dying or says little more than that asks nothing.
        cries = guards.cries_for_help(work.text) or not CARE.isdisjoint(heard.kinds)
        may_ask = (
            len(guards.plain(work.text)) > _CRY and work.turn.state != "human" and (_is_a_guess(heard) or not cries)
        )
        work.explain["danger"] = {"by": heard.by, "probability": round(heard.probability, 4)}
        memory.danger = OpenDanger(kinds=heard.kinds, at=work.now, said=work.text if may_ask else "")
        beside = self._beside(work) if possible and may_ask and CARE.isdisjoint(heard.kinds) else None
        card = danger.card(heard.kinds, possible=possible, may_ask=may_ask and beside is None)
        if beside is None:
            return _say(work, card)
        beside.replies = [card, *beside.replies]
        return beside

    def _beside(self, work: _Work) -> Outcome | None:
        """What answers a message that may tell of a danger and may be a question: said below the caring question; None where
        nothing does, or where something else is open."""
        if not isinstance(work.memory.expects, Nothing | Options | Passages | Offer):
            return None
        aside = replace(work, memory=work.memory.model_copy(deep=True), explain={}, act="ask_policy")
        try:
            outcome = self._question(aside, normalise(work.text))
        except Exception:  # whatever it is, it must not cost anybody the number to call
            log.exception("danger.beside")
            return None
        if outcome.decision != "answer":
            return None  # a list to choose from stands in the way of whoever is in danger
        outcome.explain = aside.explain | outcome.explain
        return outcome

    def _only_asking(self, work: _Work) -> Outcome | None:
        """没有危险，我想咨询: the answer to what was taken for a danger."""
        memory = work.memory
        if memory.danger is None or not memory.danger.said or not guards.only_asks(work.text):
            return None
        work.text, memory.danger, work.act = memory.danger.said, None, "ask_policy"
        return self._question(work, normalise(work.text))

    def _human_wanted(self, work: _Work) -> Outcome | None:
        return self._human(work) if guards.wants_human(work.text) else None

    def _order(self, work: _Work) -> Outcome | None:
        """帮我投诉…: an explicit order opens the form."""
        if report := self._report(work):
            return report
        ordered = acts.order(work.text)
        return self._open_form(work, *ordered) if ordered else None

    def _report(self, work: _Work) -> Outcome | None:
        """登记 below an answer that can be registered: the form, with the question in it, asks for what a ticket on it must say."""
        memory = work.memory
        if memory.last_qa is None or not isinstance(memory.expects, Nothing | Options) or not acts.register(work.text):
            return None
        with database.read() as session:
            qa = knowledge.get(session, memory.last_qa, _day(work))
        if qa is None or not qa.report:
            return None
        asked = memory.last_question or qa.question
        return self._form_step(
            work, ticket_form.start(asked, needs=qa.report, region=memory.region, find_region=place_in)
        )

    def _act(self, work: _Work) -> Outcome | None:
        """Another act than a question, unless a question hides behind it."""
        text = work.text
        literal = acts.literal_act(text)
        query = normalise(text)
        if query.empty and not literal:
            return _say(work, TextReply(text=phrases.EMPTY))
        act = literal or work.turn.act
        if act == "check_ticket" and acts.about_own_ticket(text) and (own := self._own_ticket(work)):
            return own
        if literal is None and act not in _QUESTIONS:
            # Rasa may be wrong, and a question lost in small talk is lost: what the knowledge has wins over any other act.
            hidden = self._question(replace(work, memory=work.memory.model_copy(deep=True)), query)
            # Who asks after their own ticket means that, and so does a word of chat (满分, 费心了), unless the words are a
            # reviewed question's.
            means_it = len(query.text) <= _TERSE or (act == "check_ticket" and acts.about_own_ticket(text))
            if hidden.decision == "answer" and not (means_it and (hidden.confidence or 0.0) < VERBATIM):
                return hidden
            if hidden.decision == "clarify" and act in _YIELDING - {"check_ticket"} and not means_it:
                return hidden
            work.explain.clear()
        match act:
            case "request_human":
                return self._human(work)
            case "check_ticket":
                return self._ask_ticket(work)
            case "rate_good" | "rate_bad":
                return self._rate(work, helpful=act == "rate_good")
            case "repeat":
                return self._repeat(work)
            case "simpler":
                return self._simpler(work)
        if guards.writes_phone(text) and len(_besides_digits(text)) <= _CONTACT_WORDS // 2:
            return _say(work, TextReply(text=phrases.PHONE_UNASKED))
        if guards.option_number(text) is not None or literal == "none_of_these":
            return _say(work, TextReply(text=phrases.NOTHING_OFFERED))
        if act in _SMALLTALK:
            return _say(work, TextReply(text=_SMALLTALK[act].format(city=self._settings.city)))
        return None

    def _taken_off(self, work: _Work) -> Outcome | None:
        """扣了八百多: what for?  The items that the usual readings of it find are offered."""
        if not acts.only_taken_off(work.text):
            return None
        loaded = self.reader.get(work.turn.index)
        read = [self._find(loaded, normalise(said), work) for said in phrases.TAKEN_OFF_READINGS]
        sure = [one for one in read if one.probability >= self._limits(loaded).likely_at]
        options = self._options([id_ for one in sure if (id_ := _item_id(one))], MAX_OPTIONS, work)
        return self._ask_back(work, work.text, options, phrases.TAKEN_OFF) if len(options) > 1 else None

    def _asked(self, work: _Work) -> Outcome:
        return self._question(work, normalise(work.text))

    def _human(self, work: _Work) -> Outcome:
        memory = work.memory
        subject = question_of(memory.expects) or memory.last_question or "市民请求人工服务"
        if isinstance(memory.expects, Form | Contact):
            memory.expects = NOTHING
        if work.turn.trial:
            return _say(work, TextReply(text=phrases.TRIAL_HUMAN))
        with database.read() as session:
            if work.turn.state == "waiting":
                place = lists.place(session, work.turn.conversation_id) or lists.next_place(session)
                return _say(work, HandoverReply(text=_placed(phrases.ALREADY_WAITING, place), state="waiting"))
            if duty.anybody(session, work.now, region=memory.region):
                said = _placed(phrases.WAITING, lists.next_place(session))
                outcome = _say(work, HandoverReply(text=said, state="waiting"))
                outcome.state = "waiting"
                return outcome
        return self._ticket(work, subject, phrases.TICKET_HUMAN)

    def nobody_came(self, turn: Turn) -> Outcome:
        """Whoever waits for a person though none is there any more: a ticket for what they asked.  ``turn``: their last one."""
        work = self._begin(turn)
        memory = work.memory
        subject = question_of(memory.expects) or memory.last_question or "市民请求人工服务"
        return self._ticket(work, subject, phrases.TICKET_NOBODY, own_turn=False)

    def _leave_queue(self, work: _Work) -> Outcome | None:
        """Whoever waits for a person does not want to any longer."""
        if work.turn.state != "waiting" or not guards.leaves_queue(work.text):
            return None
        outcome = _say(work, HandoverReply(text=desk_words.LEFT, state="bot"))
        outcome.state = "bot"
        return outcome

    def _service_rated(self, work: _Work) -> Outcome | None:
        """A word on the person who has just served; whatever else is said means that none is given."""
        memory, expects = work.memory, work.memory.expects
        if not isinstance(expects, ServiceRating):
            return None
        memory.expects = NOTHING
        rating = guards.satisfaction(work.text)
        if rating is None:
            return None
        outcome = _say(work, TextReply(text=phrases.SERVICE_RATED))
        conversation_id, service = work.turn.conversation_id, expects.service
        outcome.effect = lambda session: takeover.rate(session, conversation_id, service, rating, work.now)
        return outcome

    def _form(self, work: _Work) -> Outcome | None:
        """The open ticket form, if the message is for it; a question in between is answered and the form stays open."""
        memory = work.memory
        form = memory.expects
        if not isinstance(form, Form):
            return None
        draft = ticket_form.Draft.from_json(form.draft)
        if asked := ticket_form.put_aside(work.text):
            memory.expects, memory.parked = NOTHING, form.draft
            outcome = self._question(work, normalise(asked))
            _add_note(outcome.replies[0], phrases.FORM_PARKED)
            return outcome
        if not guards.leaves_form(work.text) and not ticket_form.looks_like_answer(draft, work.text):
            aside = replace(work, memory=memory.model_copy(deep=True, update={"expects": NOTHING}), explain={})
            outcome = self._question(aside, normalise(work.text))
            if outcome.decision == "answer":
                outcome.context.expects = form
                outcome.explain = aside.explain
                _add_note(outcome.replies[0], phrases.FORM_STILL_OPEN)
                return outcome
        return self._form_step(work, ticket_form.advance(draft, work.text, find_region=place_in))

    def _resume(self, work: _Work) -> Outcome | None:
        """接着登记: the form that was put aside."""
        memory = work.memory
        if memory.parked is None or not guards.resumes_form(work.text):
            return None
        draft, memory.parked = ticket_form.Draft.from_json(memory.parked), None
        return self._form_step(work, ticket_form.again(draft))

    def _open_form(self, work: _Work, kind: str, content: str) -> Outcome:
        started = ticket_form.start(content or None, kind=kind, region=work.memory.region, find_region=place_in)
        return self._form_step(work, started)

    def _form_step(self, work: _Work, step: ticket_form.FormStep) -> Outcome:
        memory = work.memory
        memory.expects = NOTHING if step.draft is None or step.done else Form(draft=step.draft.to_json())
        if step.draft is None:
            return _say(work, TextReply(text=step.text))
        if not step.done:
            return _say(work, _form_asks(step.draft, step.text))
        draft, memory.parked = step.draft, None
        memory.region = draft.region or memory.region
        return self._ticket(
            work,
            draft.content,
            phrases.TICKET_COMPLAINT,
            kind=draft.kind,
            region=draft.region,
            address=draft.address,
            phone=draft.phone,
            ask_contact=False,
        )

    def _calculate(self, work: _Work) -> Outcome | None:
        """A question that tells a figure of the citizen's own, and that a calculator works out."""
        today = _day(work)
        request = calculators.recognise(work.text, today)
        if request is None:
            return None
        work.explain["look"] = Look(normalise(work.text).text, work.memory.region)
        local = self._local(work, request.calculator)
        return self._calculation(work, calculation.begin(request, today=today, local=local))

    def _go_on_calculating(self, work: _Work) -> Outcome | None:
        """The reply to what a calculator asked; None if the message is something else, and then nothing is asked any more."""
        memory, today = work.memory, _day(work)
        if not isinstance(memory.expects, Calculation):
            return None
        opened = calculation.Open.from_json(memory.expects.state)
        memory.expects = NOTHING
        if guards.leaves_form(work.text) and not calculation.goes_back(work.text):
            return _say(work, TextReply(text=phrases.CALCULATION_LEFT))
        step = calculation.advance(opened, work.text, today=today) if opened else None
        return self._calculation(work, step) if step else None

    def _for_me(self, work: _Work) -> Outcome | None:
        """替我算 below an answer whose matter has a calculator; what the question told is taken along."""
        memory, today = work.memory, _day(work)
        calculator = calculators.of_matter(memory.last_matter) if guards.plain(work.text) == FOR_ME else None
        if calculator is None:
            return None
        request = calculators.recognise(memory.last_question or "", today)
        if request is None or request.calculator != calculator.id:
            request = calculators.Request(calculator.id)
        return self._calculation(
            work, calculation.begin(request, today=today, local=self._local(work, request.calculator))
        )

    def _local(self, work: _Work, calculator: str) -> dict[str, str]:
        """The region's own figures that a calculator wants to know, as text, by field."""
        today = work.now.astimezone(SHANGHAI).date()
        with database.read() as session:
            found = calculators.local_figures(session, self._settings, calculator, self._place(work), today)
        return {name: one.text for name, one in found.items()}

    def _calculation(self, work: _Work, step: calculation.Step) -> Outcome:
        memory, calculator = work.memory, step.calculator
        today = _day(work)
        memory.last_matter = calculator.matter
        memory.expects = Calculation(state=step.open.to_json()) if step.open else NOTHING
        known = calculation.told(calculator, step.open, today) if step.open else []
        told = [Told(label=one.label, said=one.said, change=f"改{one.label}") for one in known]
        if step.result is None:
            if step.open is None or step.asked is None:
                return _say(work, TextReply(text=step.text))
            return _say(work, _asking(f"算一算：{calculator.title}", step, told))
        memory.last_question, memory.clarified = work.text, 0
        memory.last_qa, memory.rateable = None, work.turn.turn_id
        reply = calculation_reply(calculator, step.result)
        reply.told = told
        reply.local = self._used(work, step)
        work.explain["calculator"] = calculator.id
        return _say(work, reply)

    def _used(self, work: _Work, step: calculation.Step) -> list[Local]:
        """The region's own figures that a result rests on: those that the citizen did not replace."""
        used = step.open.local if step.open else {}
        today = work.now.astimezone(SHANGHAI).date()
        with database.read() as session:
            found = calculators.local_figures(session, self._settings, step.calculator.id, self._place(work), today)
        return [one.figure for name, one in found.items() if used.get(name) == one.text]

    def _option(self, work: _Work) -> Outcome | None:
        """A choice among the offered options, or of another question of the last message."""
        memory, expects = work.memory, work.memory.expects
        if isinstance(expects, Options):
            act = work.act
            if expects.complaint:
                work.act = "report_problem"
            if outcome := self._to_options(work, expects):
                return outcome
            work.act = act
            return None
        if isinstance(expects, Passages):
            memory.expects = NOTHING
            if (
                guards.none_of_these(work.text)
                or work.turn.act == "none_of_these"
                or acts.literal_act(work.text) in ("none_of_these", "rate_bad")
            ):
                return self._offer(work, expects.question, phrases.OFFER_REFUSED)
        number = guards.option_number(work.text) if memory.more else None
        return self._next_question(work, number) if number is not None else None

    def _to_options(self, work: _Work, expects: Options) -> Outcome | None:
        """The reply to offered options or to a likely answer; None where the message is a question or an act of its own."""
        memory = work.memory
        if (number := guards.option_number(work.text)) is not None:
            return self._numbered(work, expects, number)
        if acts.register(work.text):
            shown = self._report(work) if expects.shown else None
            return shown or self._register(work, expects.question or work.text)
        if guards.leaves_form(work.text):
            memory.expects = NOTHING
            return _say(work, TextReply(text=phrases.DENY))
        if (chosen := self._in_its_own_words(work, expects)) is not None:
            return self._answer(work, chosen, 1.0, expects.question or None)
        if expects.shown and (guards.is_yes(work.text) or acts.this_one(work.text)):
            memory.expects = NOTHING
            return _say(work, TextReply(text=phrases.RIGHT_ONE))
        if guards.is_yes(work.text) or acts.this_one(work.text):
            first, *rest = expects.offered
            # Of several a bare yes may mean any: said as likely, the others beside it.
            return self._answer(work, first, 1.0, expects.question or None, others=rest)
        refusal = acts.refusal(work.text)
        if refusal is not None and (refusal.rest or refusal.not_):
            return self._corrected(work, expects, refusal)
        none = guards.none_of_these(work.text)
        if none or refusal is not None or guards.is_no(work.text):
            return self._refused(work, expects, all_of_them=none)
        return self._by_words(work, expects)

    def _in_its_own_words(self, work: _Work, expects: Options) -> str | None:
        """The offered item whose question is said (a button of the page says it)."""
        said = canonical(normalise(work.text).text)
        with database.read() as session:
            found = knowledge.get_many(session, list(expects.offered), _day(work))
        return next((id_ for id_, qa in found.items() if canonical(normalise(qa.question).text) == said), None)

    def _numbered(self, work: _Work, expects: Options, number: int) -> Outcome:
        more = len(work.memory.more) if expects.shown else 0
        last = len(expects.offered) + more
        if number == -1:
            number = last
        if not 1 <= number <= last:
            return _say(work, TextReply(text=phrases.NO_SUCH_OPTION.format(last=last)))
        if number > len(expects.offered):
            return self._next_question(work, number - len(expects.offered))
        return self._answer(work, expects.offered[number - 1], 1.0, expects.question or None)

    def _next_question(self, work: _Work, number: int) -> Outcome:
        """Another question of the last message; -1 is the last one."""
        more = work.memory.more
        if number == -1:
            number = len(more)
        if not 1 <= number <= len(more):
            return _say(work, TextReply(text=phrases.NO_SUCH_OPTION.format(last=len(more))))
        return self._question(work, normalise(more[number - 1]), [*more[: number - 1], *more[number:]])

    def _refused(self, work: _Work, expects: Options, *, all_of_them: bool) -> Outcome:
        """不是这个: what else was meant; 以上都不是: nothing here."""
        work.explain["refused"] = True
        options = [] if all_of_them or not expects.shown else self._options(expects.offered, MAX_OTHERS, work)
        if options:
            outcome = self._ask_back(work, expects.question, options, phrases.WHICH_THEN)
        else:
            outcome = self._offer(work, expects.question or work.text, phrases.OFFER_REFUSED)
        rated = work.memory.rateable if expects.shown else None
        if rated is not None:
            outcome.effect = _both(
                outcome.effect, lambda session: rate(session, rated, False, phrases.NOT_THIS, expects.shown)
            )
        return outcome

    def _corrected(self, work: _Work, expects: Options, refusal: acts.Refusal) -> Outcome:
        """都不对，我是问…; 不是补办，是到期换: the rest is asked, what was refused is left out."""
        if not refusal.all_ and (refusal.not_ or len(refusal.rest) <= _FEW_WORDS // 2):
            # It says which of the offered is meant, or what about the same thing.
            left = self._without(work, expects.items if refusal.not_ else expects.offered, refusal.not_)
            if left and (outcome := self._chosen(work, expects, refusal.rest, left)):
                return outcome
        work.refused = frozenset(expects.items)
        work.explain["refused"] = True
        work.act = "ask_policy"
        rest = refusal.rest if len(refusal.rest) > _TERSE else f"{expects.question}，{refusal.rest}"
        return self._question(work, normalise(rest))

    def _without(self, work: _Work, ids: Sequence[str], not_: str) -> list[str]:
        """Those of the items whose questions don't speak of what it isn't."""
        if len(not_) < 2:  # one character tells nothing
            return list(ids)
        with database.read() as session:
            found = knowledge.get_many(session, list(ids), _day(work))
        return [id_ for id_ in ids if id_ in found and not_ not in found[id_].question]

    def _by_words(self, work: _Work, expects: Options) -> Outcome | None:
        """A few words that tell which of the offered is meant (老人的, 离职那个), read together with the question.

        Not where an answer was shown: whoever has read that asks on, and its neighbours were not what they were asked about.
        """
        if expects.shown or not expects.question or len(work.text) > _FEW_WORDS:
            return None
        if acts.literal_act(work.text) or work.turn.act in _CHAT:
            return None
        said, not_ = acts.told_apart(work.text)
        left = self._without(work, expects.items, not_) or expects.items
        return self._chosen(work, expects, said or work.text, left, own=True)

    def _chosen(
        self, work: _Work, expects: Options, words: str, among: Sequence[str], *, own: bool = False
    ) -> Outcome | None:
        """The one among the offered that the words fit best, said as likely; None if they are a question of their own.

        ``own``: they may be one that has nothing to do with the offered.
        """
        query = normalise(words)
        if query.empty:
            return None
        try:
            loaded = self.reader.get(work.turn.index)
        except IndexUnavailable:
            return None
        limits = self._limits(loaded)
        if own:
            enough = _ASKED_OF if acts.asks_itself(words) else _SPOKEN_OF
            about = acts.subject(query.text)
            if max((loaded.retriever.covers(about, id_) for id_ in expects.items), default=0.0) < enough:
                return None  # 火星签证怎么办: none of them speaks of such a thing
        alone = self._find(loaded, query, work)
        if alone.first is not None and alone.first.item.id not in among and alone.probability >= limits.likely_at:
            return None
        together = self._find(loaded, query, work, (expects.question,))
        scores = {one.candidate.item.id: one.score for one in together.ranked}
        said_now = {one.candidate.item.id: one.score for one in alone.ranked}
        lowest = min(said_now.values(), default=0.0)
        fitting = [id_ for id_ in among if id_ in scores]
        if not fitting or max(scores[id_] for id_ in fitting) < together.ranked[0].score - _OPTIONS_FIRST:
            return None
        # What is said now tells them apart better than the question, which found them all.
        best = max(fitting, key=lambda id_: scores[id_] + _SAID_NOW * said_now.get(id_, lowest))
        work.explain |= {"by_words": query.text, "chosen": best}
        others = [id_ for id_ in expects.items if id_ != best]
        return self._answer(work, best, limits.likely_at, expects.question, others=others[:MAX_OTHERS])

    def _region(self, work: _Work) -> Outcome | None:
        """A message that says where the citizen is."""
        memory, expects = work.memory, work.memory.expects
        if not isinstance(expects, Region) and work.turn.act != "provide_region":
            return None
        found = regions.find(work.text, within=self._settings.region if self._settings.region != "100000" else None)
        if len(found) > 1:
            names = "、".join(regions.full_name(region.code) for region in found[:4])
            return _say(work, TextReply(text=phrases.REGION_UNCLEAR.format(names=names)))
        if not found:
            # The next words are no place: whoever asked goes without, so that nobody is asked twice.
            if isinstance(expects, Region) and len(work.text) <= _PLACE and not acts.literal_act(work.text):
                memory.expects, memory.last_question = NOTHING, expects.question
                return _say(work, TextReply(text=phrases.REGION_UNKNOWN))
            return None
        memory.region = found[0].code
        if isinstance(expects, Region):
            memory.expects = NOTHING
            return self._question(work, normalise(expects.question))
        if isinstance(expects, Contact):
            return None
        return _say(work, TextReply(text=phrases.REGION_KNOWN.format(region=regions.full_name(found[0].code))))

    def _contact(self, work: _Work) -> Outcome | None:
        """Phone and region for the ticket that was just made; asked once, never insisted on."""
        memory, expects = work.memory, work.memory.expects
        if not isinstance(expects, Contact):
            return None
        memory.expects = NOTHING
        number = expects.ticket
        if len(_besides_digits(work.text)) > _CONTACT_WORDS:
            return None  # a question or a story that has a number in it
        phone, region = guards.phone_in(work.text), place_in(work.text)
        if guards.is_no(work.text) or guards.leaves_form(work.text):
            return _say(work, TextReply(text=phrases.CONTACT_DECLINED))
        if phone is None and (region is None or work.turn.act not in ("provide_region", "provide_phone")):
            return None
        memory.region = region or memory.region
        what = "、".join(filter(None, ["联系电话" if phone else "", regions.full_name(region) if region else ""]))
        outcome = _say(work, TextReply(text=phrases.CONTACT_SAVED.format(number=number, what=what)))
        outcome.effect = lambda session: _ignore(citizen.set_contact(session, number, phone=phone, region=region))
        return outcome

    def _ticket_status(self, work: _Work) -> Outcome | None:
        memory = work.memory
        number, code = guards.ticket_number_in(work.text), guards.query_code_in(work.text)
        tail = guards.phone_tail_in(work.text)
        if number is None and isinstance(memory.expects, TicketNumber):
            code = code or (memory.expects.code if tail is not None else None)
            number = memory.expects.number if code else None
        if number is None:
            return None
        memory.expects = NOTHING
        if work.turn.trial:
            return _say(work, TextReply(text=phrases.TRIAL_LOOKUP))
        with database.read() as session:
            if own := register.own(session, number, work.turn.conversation_id):
                return _say(work, citizen.status_reply(own))
        said, asked_code = phrases.ASK_CODE, None
        if code is not None:
            try:
                with database.write() as session:
                    found = lookup.find(session, number, code, phone_tail=tail, source=work.turn.source, now=work.now)
                    return _say(work, citizen.status_reply(found))
            except PhoneTailNeeded:
                said, asked_code = phrases.ASK_PHONE_TAIL, code
            except (NotFound, TooMany) as error:
                said = str(error)
        memory.expects = TicketNumber(number=number, code=asked_code)
        return _say(work, TextReply(text=said))

    def _ask_ticket(self, work: _Work) -> Outcome:
        """查工单 without a number: this conversation's own newest ticket, else the question which one."""
        if own := self._own_ticket(work):
            return own
        work.memory.expects = TicketNumber()
        return _say(work, TextReply(text=phrases.ASK_TICKET))

    def _own_ticket(self, work: _Work) -> Outcome | None:
        with database.read() as session:
            own = session.scalars(
                select(Ticket)
                .where(Ticket.conversation_id == work.turn.conversation_id)
                .order_by(Ticket.created_at.desc())
                .limit(1)
            ).first()
            return _say(work, citizen.status_reply(own)) if own is not None else None

    def _rate(self, work: _Work, *, helpful: bool) -> Outcome:
        memory = work.memory
        rated = memory.rateable
        if rated is None:
            return _say(work, TextReply(text=phrases.NOTHING_TO_RATE))
        qa_id = memory.last_qa
        if helpful:
            memory.unhelpful = 0
            outcome = _say(work, TextReply(text=phrases.RATED_GOOD))
        else:
            memory.unhelpful += 1
            if memory.unhelpful >= 2 and memory.last_question:
                memory.unhelpful = 0
                outcome = self._offer(work, memory.last_question, phrases.OFFER_REFUSED)
            else:
                outcome = _say(work, TextReply(text=phrases.RATED_BAD))
        outcome.effect = _both(outcome.effect, lambda session: rate(session, rated, helpful, None, qa_id))
        return outcome

    def _repeat(self, work: _Work) -> Outcome:
        with database.read() as session:
            last = session.scalars(
                select(OutboxMessage)
                .where(
                    OutboxMessage.conversation_id == work.turn.conversation_id,
                    or_(
                        OutboxMessage.turn_id.is_not(None), OutboxMessage.sender == "agent"
                    ),  # no reminder, no change of hands
                )
                .order_by(OutboxMessage.seq.desc())
                .limit(1)
            ).first()
        if last is None:
            return _say(work, TextReply(text=phrases.NOTHING_TO_REPEAT))
        replies = REPLIES.validate_python(last.replies)
        return Outcome(replies=replies, context=work.memory, decision="repeat")

    def _simpler(self, work: _Work) -> Outcome:
        """看不懂, 读给我听: the last answer's beginning, and who else can help."""
        with database.read() as session:
            qa = knowledge.get(session, work.memory.last_qa, _day(work))
            doubted = qa is not None and bool(doubts.doubted(session, [qa.id]))
        if qa is None:
            return _say(work, TextReply(text=phrases.NOTHING_TO_SIMPLIFY))
        begin = _first_sentence(qa.answer) + (phrases.DOUBTED if doubted else "")
        return _say(work, TextReply(text=phrases.SIMPLER.format(begin=begin)))

    # --- retrieval ---------------------------------------------------------------------------------------------------

    def _question(self, work: _Work, query: Query, more: Sequence[str] = ()) -> Outcome:
        """``more``: what else the citizen asked in the same message."""
        memory = work.memory
        memory.expects, memory.more = NOTHING, list(more)
        try:
            loaded = self.reader.get(work.turn.index)
        except IndexUnavailable as error:
            log.error("index.unavailable", reason=str(error))
            work.explain |= {"reason": "index unavailable", "look": Look(query.text, memory.region)}
            return self._ticket(work, work.text, phrases.TICKET_BROKEN)
        act = work.act
        understood = self._understood(loaded, query, work)
        finding, limits, level = understood.finding, understood.limits, understood.level
        work.explain |= _explained(loaded, finding, limits)
        work.explain["look"] = _look(loaded, finding, memory)
        if needs := self._needs_region(work, finding, limits.clarify_at):
            return needs
        said = guards.ending(f"{memory.last_question} {query.text}", _CARRIED) if finding.before else finding.query.text
        memory.last_question = said
        first = finding.first
        if first is not None and level == "sure":
            return self._answer(work, first.item.id, finding.probability, memory.last_question)
        if level == "likely":
            return self._likely(work, finding)
        doubtful = level == "doubtful"
        if first is not None and first.item.matter != memory.last_matter:
            memory.clarified = 0  # another question: about this one nothing was asked back yet
        if doubtful and (memory.clarified >= MAX_CLARIFIED or work.refused):
            memory.clarified = 0
            return self._likely(
                work, finding
            )  # rather than asking again whoever has just said what it is, or a third time
        if doubtful and (outcome := self._clarify(work, understood)):
            return outcome
        if act != "report_problem" and (outcome := self._policy_texts(work, loaded, query)):
            return outcome
        if finding.probability < limits.clarify_at and not self._ours(loaded, query, act):
            work.explain["reason"] = "not a public service"
            too_short = phrases.UNCLEAR if len(query.text) <= _UNCLEAR else phrases.NOT_OURS
            outcome = _say(work, TextReply(text=phrases.CHITCHAT if act == "chitchat" else too_short))
            outcome.decision = "text" if act == "chitchat" else "not_ours"
            return outcome
        unclear = len(query.text) <= _UNCLEAR and act != "report_problem"
        return self._offer(work, query.raw, phrases.OFFER_UNCLEAR if unclear else "")

    def read(self, turn: Turn, loaded: Loaded) -> Understood:
        """What a turn's text means to an index version when it is taken for a question; decides and writes nothing."""
        work = self._begin(turn)
        return self._understood(loaded, normalise(work.text), work)

    def _understood(self, loaded: Loaded, query: Query, work: _Work) -> Understood:
        limits, act = self._limits(loaded), work.act
        finding = self._understand(loaded, query, work)
        hangs = bool(finding.before) and act in _QUESTIONS and _hangs(act, query)
        if hangs and finding.first and acts.asks_itself(query.text):
            # Rasa sees the rest of a question in 附近哪有公厕 too.
            covered = loaded.retriever.covers(acts.subject(query.text), finding.first.item.id)
            hangs = covered >= _ASKED_OF and finding.first.item.matter == work.memory.last_matter
        finding = self._first_of_several(loaded, query, work, finding, limits.answer_at)
        if len(query.text) > LETTER:
            finding = self._letter(loaded, query, work, finding, limits)
        return Understood(_named(loaded, query, finding, limits), limits, hangs)

    def _understand(self, loaded: Loaded, query: Query, work: _Work) -> Finding:
        """What a message asks for: alone, or where that is not clear, with what was spoken of before."""
        memory = work.memory
        alone = self._find(loaded, query, work)
        limits = self._limits(loaded)
        may_leave_out = _hangs(work.act, query) or len(query.text) <= _SHORT
        may_leave_out = may_leave_out and canonical(query.text) != canonical(memory.last_question or "")
        if not may_leave_out or alone.probability >= min(limits.answer_at, _CLEAR):
            return alone
        if memory.last_matter and memory.last_question:
            spoken = Spoken(memory.last_matter, memory.last_question, memory.last_qa)
            both = self._find(loaded, query, work, follows=Before(spoken, alone))
            if both.first and acts.asks_itself(query.text):
                said = loaded.retriever.covers(acts.subject(query.text), both.first.item.id)
                if said < _ASKED_OF:
                    return alone  # a question of its own, about something else
            # Too few follow-ups are labelled to show that so few of the sure ones are wrong.
            most = limits.below_sure if both.probability >= _FOLLOWS else limits.below_likely
            both = replace(both, probability=min(both.probability, most))
        elif before := tuple(filter(None, (memory.last_matter, memory.last_question))):
            both = self._find(loaded, query, work, before)
        else:
            return alone
        return replace(both, probability=max(both.probability, min(alone.probability, limits.clarify_at)))

    def _first_of_several(self, loaded: Loaded, query: Query, work: _Work, whole: Finding, answer_at: float) -> Finding:
        """Of a message with several questions the first clear one, the others kept for later; else the whole message."""
        pieces = acts.questions(query.text)
        if len(pieces) == 1:
            return whole
        asked = [self._find(loaded, replace(query, text=normalise(piece).text), work) for piece in pieces]
        chosen = next((n for n, one in enumerate(asked) if one.probability >= answer_at), None)
        # One question may take two sentences: the whole message stands where only together they say something else.
        if chosen is None or (
            chosen > 0 and whole.probability >= answer_at and _item_id(whole) != _item_id(asked[chosen])
        ):
            return whole
        work.memory.more = [*pieces[:chosen], *pieces[chosen + 1 :], *work.memory.more][:MAX_MORE]
        return asked[chosen]

    def _letter(self, loaded: Loaded, query: Query, work: _Work, whole: Finding, limits: Limits) -> Finding:
        """The question in a long story.  Length makes nothing likelier: a sentence that asks has to mean the same, or more clearly
        another, unless the whole leaves hardly a doubt."""
        asked = [
            self._find(loaded, replace(query, text=normalise(piece).text), work)
            for piece in acts.asking(query.text)[:_ASKING]
        ]
        best = max(asked, key=lambda one: one.probability, default=None)
        unsure = min(whole.probability, limits.below_sure)
        if best is not None and best.probability >= _SAYS_SO and _item_id(best) == _item_id(whole):
            return replace(whole, probability=min(max(best.probability, unsure), limits.below_sure))
        if best is not None and best.probability > unsure:
            return replace(best, probability=min(best.probability, limits.below_sure))
        return replace(whole, probability=unsure if whole.probability >= _STORY else min(unsure, limits.below_likely))

    def _find(
        self, loaded: Loaded, query: Query, work: _Work, before: Sequence[str] = (), follows: Before | None = None
    ) -> Finding:
        memory = work.memory
        place = Place(
            self._settings.region,
            memory.region or place_in(query.raw),
            anywhere=not memory.region_asked,
            without=work.refused,
        )
        return find(loaded.retriever, loaded.calibration, query, place, before, follows)

    def _limits(self, loaded: Loaded) -> Limits:
        settings, calibration = self._settings, loaded.calibration
        answer_at = settings.answer_at or calibration.answer_at
        likely_at = min(settings.likely_at or calibration.likely_at, answer_at)
        return Limits(answer_at, likely_at, min(settings.clarify_at or calibration.clarify_at, likely_at))

    def _needs_region(self, work: _Work, finding: Finding, clarify_at: float) -> Outcome | None:
        """Ask once where the citizen is, when the best answer holds only in a part of our region."""
        first, memory = finding.first, work.memory
        if first is None or memory.region or memory.region_asked or finding.probability < clarify_at:
            return None
        place = place_in(finding.query.raw)
        if place:
            memory.region = place
            return None
        if regions.is_within(self._settings.region, first.item.region):
            return None
        memory.region_asked, memory.expects = True, Region(question=finding.query.raw)
        return _say(work, TextReply(text=phrases.ASK_REGION))

    def _ours(self, loaded: Loaded, query: Query, act: str) -> bool:
        """Whether an unanswered text is something a government hotline answers."""
        features = scope.features(query, loaded.retriever.encoder)
        probability = loaded.calibration.scope.probability(features)
        # Rasa saw chat in it as well: then the word weighs more.
        return probability >= (scope.OURS_AT if act not in ("chitchat", "abuse") else 2 * scope.OURS_AT)

    # --- outcomes ----------------------------------------------------------------------------------------------------

    def _likely(self, work: _Work, finding: Finding) -> Outcome:
        """The best item's answer, said as likely, the next ones beside it."""
        first, *rest = finding.ranked
        near = [one.candidate.item.id for one in rest if one.score > first.score - _NEAR]
        return self._answer(work, first.candidate.item.id, finding.probability, work.memory.last_question, others=near)

    def _options(self, ids: Sequence[str], most: int, work: _Work) -> list[Option]:
        """Those of the items that may answer today, each question once, numbered."""
        today = _day(work)
        production = self._settings.env == "production"
        kept: dict[str, str] = {}
        with database.read() as session:
            for qa in knowledge.get_many(session, ids, today).values():
                if knowledge.answerable(qa, today=today, production=production).answers:
                    kept.setdefault(qa.question, qa.id)
        return [Option(number=n, qa_id=id_, question=q) for n, (q, id_) in enumerate(list(kept.items())[:most], 1)]

    def _in_force(self, session: Session, work: _Work, qa_id: str, today: date) -> tuple[QA | None, str | None]:
        """The item, or what took its place, if it may answer today, and a note on it; else None, and why in a citizen's words."""
        production = self._settings.env == "production"
        qa = knowledge.get(session, qa_id, today)
        standing = knowledge.answerable(qa, today=today, production=production) if qa else Standing.NOT_APPROVED
        if qa and standing in (Standing.EXPIRED, Standing.RETIRED, Standing.BASIS_GONE):
            since = _no_longer(qa, today)
            replacement = knowledge.get(session, qa.replaced_by, today)
            if replacement and knowledge.answerable(replacement, today=today, production=production).answers:
                return replacement, phrases.REPLACED.format(when=since)
            work.explain["reason"] = f"{standing}"
            gone = standing is Standing.BASIS_GONE
            return None, (phrases.BASIS_GONE if gone else phrases.EXPIRED).format(when=since)
        if qa and standing is Standing.NOT_YET and qa.valid_from:
            return None, phrases.NOT_YET.format(when=f"{qa.valid_from:%Y年%-m月%-d日}")
        if qa is None or not standing.answers:
            work.explain["reason"] = f"{standing}"
            return None, None
        return qa, phrases.UNDER_REVIEW if standing is Standing.UNDER_REVIEW else None

    def _answer(
        self, work: _Work, qa_id: str, confidence: float, question: str | None, others: Sequence[str] | None = None
    ) -> Outcome:
        """The item's answer, if it may answer today; else what took its place, or the offer of a ticket.

        ``others``: it is likely and not sure, and the first of these that may answer may be meant instead.  An item that somebody
        reported as wrong is never sure.
        """
        memory = work.memory
        today = _day(work)
        production = self._settings.env == "production"
        with database.read() as session:
            qa, note = self._in_force(session, work, qa_id, today)
            if qa is None:
                opening = phrases.OFFER_RULE.format(opening=note) if note else ""
                return self._offer(work, question or work.text, opening)
            local = local_figures.beside(session, self._settings, qa.id, qa.guides, self._place(work), today)
            sources, guides, related = knowledge.expand(
                session, qa, today=today, production=production, local=local.guides
            )
            doubted = bool(doubts.doubted(session, [qa.id]))
            changed = policy_changes.under_review(session, qa, today)
        if doubted and others is None:
            others = ()  # never sure while it is being checked
        beside = self._options([id_ for id_ in others or () if id_ != qa.id], MAX_OTHERS, work)
        memory.last_question, memory.last_qa, memory.last_matter = question, qa.id, qa.matter
        memory.expects, memory.clarified = NOTHING, 0
        if others is not None:
            memory.expects = Options(
                question=question or "",
                offered=tuple(one.qa_id for one in beside),
                shown=qa.id,
                complaint=work.act == "report_problem",
            )
        memory.rateable = work.turn.turn_id
        reply = AnswerReply(
            qa_id=qa.id,
            matter=qa.matter,
            question=qa.question,
            text=qa.answer,
            confidence=round(min(confidence, 1.0), 4),
            certainty="sure" if others is None else "likely",
            condition=qa.condition if others is not None and qa.stakes == "high" else None,
            others=beside,
            sources=sources,
            guides=guides,
            valid_from=qa.valid_from,
            valid_to=qa.valid_to,
            as_of=qa.as_of,
            region=qa.region,
            local=local.answer,
            related=related[:MAX_RELATED] if others is None else [],
            more=list(memory.more),
            note=note,
            can_report=work.act == "report_problem",
            report=list(qa.report),
            calculator=found.id if (found := calculators.of_matter(qa.matter)) else None,
        )
        if qa.as_of is None and any(character.isdigit() for character in qa.answer):
            _add_note(reply, phrases.NO_DATE)
        if qa.review_by is not None and qa.review_by < today:
            _add_note(reply, phrases.REVIEW_DUE)
        if doubted:
            _add_note(reply, phrases.DOUBTED)
        if changed is not None:
            title, what, since = changed
            how, when = policy_changes.SAID[what], f"{since:%Y年%-m月%-d日}"
            _add_note(reply, phrases.BASIS_CHANGED.format(title=title, when=when, how=how))
        outcome = _say(work, reply)
        outcome.qa_id, outcome.qa_version, outcome.confidence = qa.id, qa.version, reply.confidence
        return outcome

    def _place(self, work: _Work) -> str:
        """Where the citizen is: the place that the message names, else what was said before, else the region that is served."""
        return place_in(work.text) or work.memory.region or self._settings.region

    def _clarify(self, work: _Work, understood: Understood) -> Outcome | None:
        """Offer the nearest items that may answer; None where there is nothing to offer."""
        finding, near = understood.finding, understood.near
        options = self._options([item.id for item in near], MAX_OPTIONS, work)
        if not options:
            return None
        work.memory.last_matter = next(item.matter for item in near if item.id == options[0].qa_id)
        text = phrases.CLARIFY if len(options) > 1 else phrases.CLARIFY_ONE
        if work.act == "report_problem":
            text = phrases.CLARIFY_COMPLAINT
        outcome = self._ask_back(work, finding.query.raw, options, text)
        outcome.confidence = round(finding.probability, 4)
        return outcome

    def _ask_back(self, work: _Work, question: str, options: list[Option], text: str) -> Outcome:
        work.memory.expects = Options(
            question=question,
            offered=tuple(one.qa_id for one in options),
            complaint=work.act == "report_problem",
        )
        work.memory.clarified += 1
        work.explain["open"] = question
        return _say(work, ClarifyReply(text=text, options=options))

    def _policy_texts(self, work: _Work, loaded: Loaded, query: Query) -> Outcome | None:
        """Passages of policy documents that hold most of the question's words; None where there are none."""
        memory = work.memory
        if loaded.policy_texts is None:
            return None
        place = frozenset(regions.ancestors(memory.region or place_in(query.raw) or self._settings.region))
        found = loaded.policy_texts.search(query.text, loaded.retriever.encoder, place)
        today = _day(work)
        with database.read() as session:
            documents = knowledge.find(session, Document, [one.passage.document_id for one in found])
        shown = [
            Passage(
                title=document.title,
                doc_no=document.doc_no,
                issuer=document.issuer,
                issued=document.issued,
                url=document.url,
                label=one.passage.label,
                text=one.passage.text,
                sentence=one.sentence,
            )
            for one in found
            if (document := documents.get(one.passage.document_id)) and knowledge.in_force(document, today)
        ]
        if not shown:
            return None
        memory.expects, memory.clarified = Passages(question=query.raw), 0
        work.explain["open"] = query.raw
        return _say(work, PassagesReply(text=phrases.PASSAGES, passages=shown))

    def _offer(self, work: _Work, subject: str, text: str = "") -> Outcome:
        """Nothing here answers: one sentence, and a ticket if the citizen wants it."""
        complaint = work.act == "report_problem"
        memory = work.memory
        memory.expects, memory.clarified = Offer(question=subject, complaint=complaint), 0
        said = text or (phrases.OFFER_COMPLAINT if complaint else phrases.OFFER)
        work.explain["open"] = subject
        outcome = _say(work, TextReply(text=said, can_report=True))
        outcome.decision = "offer"
        return outcome

    def _offered(self, work: _Work) -> Outcome | None:
        """The reply to the offer of a ticket: a yes or a phone number takes it."""
        memory, expects = work.memory, work.memory.expects
        if not isinstance(expects, Offer):
            return None
        memory.expects = NOTHING
        phone = guards.phone_in(work.text)
        bare = phone is not None and len(_besides_digits(work.text)) <= _CONTACT_WORDS
        if guards.is_yes(work.text) or acts.register(work.text) or bare:
            work.act = "report_problem" if expects.complaint else "ask_policy"
            return self._register(work, expects.question, phone)
        if guards.is_no(work.text) or guards.leaves_form(work.text):
            return _say(work, TextReply(text=phrases.OFFER_DECLINED))
        return None

    def _register(self, work: _Work, question: str, phone: str | None = None) -> Outcome:
        """The ticket that was offered and is wanted."""
        complaint = work.act == "report_problem"
        return self._ticket(
            work,
            question,
            phrases.TICKET_COMPLAINT if complaint else phrases.TICKET,
            kind="投诉" if complaint else "咨询",
            phone=phone,
            ask_contact=phone is None,
        )

    def category_of(self, text: str, tree: categories.Catalogue | None = None) -> Suggestion:
        """Which category of a tree, the project's own by default, a text is about; by its words alone while there is no index."""
        try:
            encoder = self.reader.get().retriever.encoder
        except (IndexUnavailable, OSError):  # a ticket must come of it all the same
            encoder = None
        return suggest(text, encoder, tree)

    def _ticket(
        self,
        work: _Work,
        subject: str,
        text: str,
        *,
        kind: str = "咨询",
        region: str | None = None,
        address: str | None = None,
        phone: str | None = None,
        ask_contact: bool = True,
        own_turn: bool = True,
    ) -> Outcome:
        """One ticket for a question; the same question in a conversation keeps its ticket; a daily bound."""
        memory, turn, days = work.memory, work.turn, self._settings.ticket_days
        memory.expects, memory.clarified = NOTHING, 0
        if turn.trial:
            return _say(work, TextReply(text=phrases.TRIAL_TICKET))
        with database.read() as session:
            same = register.same_question(session, turn.conversation_id, subject)
            if same is not None:
                reply = ticket_reply(
                    phrases.TICKET_AGAIN, same.number, same.query_code, same.due_at, same.due_estimated
                )
                return _say(work, reply)
            if register.count_today(session, turn.conversation_id, work.now) >= self._settings.tickets_per_day:
                return _say(work, TextReply(text=phrases.TOO_MANY_TICKETS))
            number = numbers.free_number(session, work.now)
            transcript = conversations.transcript(session, turn.conversation_id)
            due = working_days.due(work.now, days, working_days.overrides_from(session))
            tree, channel = categories.current(session), conversations.channel_of(session, turn.conversation_id)
        about = self.category_of(subject, tree)
        more = Particulars(address=address, category=about.code, category_scheme=about.scheme, channel=channel)
        code = numbers.new_query_code()
        reply = ticket_reply(text, number, code, due.at, due.estimated)
        where = region or memory.region
        if ask_contact:
            reply.text += phrases.ASK_CONTACT
            memory.expects = Contact(ticket=number)
        outcome = _say(work, reply)
        outcome.effect = lambda session: _ignore(
            register.create(
                session,
                number=number,
                query_code=code,
                conversation_id=turn.conversation_id,
                turn_id=turn.turn_id if own_turn else None,
                kind=kind,
                subject=subject,
                transcript=transcript,
                region=where,
                phone=phone,
                department=None,
                days=days,
                now=work.now,
                more=more,
            )
        )
        return outcome


STEPS: tuple[tuple[str, Callable[[Assistant, _Work], Outcome | None]], ...] = (
    ("danger", Assistant._danger),
    ("only_asking", Assistant._only_asking),
    ("leave_queue", Assistant._leave_queue),
    ("service_rated", Assistant._service_rated),
    ("human", Assistant._human_wanted),
    ("resume", Assistant._resume),
    ("form", Assistant._form),
    ("calculation", Assistant._go_on_calculating),
    ("for_me", Assistant._for_me),
    ("order", Assistant._order),
    ("option", Assistant._option),
    ("offer", Assistant._offered),
    ("region", Assistant._region),
    ("contact", Assistant._contact),
    ("ticket", Assistant._ticket_status),
    ("calculator", Assistant._calculate),
    ("taken_off", Assistant._taken_off),
    ("act", Assistant._act),
    ("question", Assistant._asked),
)
"""The order of decisions: the first step that has an outcome settles the turn.  What is expected comes before what Rasa saw."""


def calculation_reply(calculator: Calculator, result: Result) -> CalculationReply:
    """What a calculator found, as a reply."""
    return CalculationReply(
        calculator=calculator.id,
        title=calculator.title,
        matter=calculator.matter,
        text=result.to_answer_text(),
        steps=list(result.steps),
        caveats=list(result.caveats),
        sources=list(result.sources),
        figures=result.figures(),
        as_of=RULES_AS_OF,
    )


@lru_cache
def get_assistant() -> Assistant:
    """The process's assistant."""
    settings = get_settings()
    return Assistant(settings, IndexReader(settings))


# --- small parts -----------------------------------------------------------------------------------------------------


def _say(work: _Work, reply: Reply) -> Outcome:
    return Outcome(replies=[reply], context=work.memory, decision=reply.type)


def _asking(title: str, step: calculation.Step, told: list[Told]) -> AskReply:
    """What a calculator asks for, with what can be tapped."""
    asked = step.asked
    assert asked is not None
    choices = [Choice(label=one.label, say=one.label) for one in asked.choices]
    if asked.kind == "bool":
        choices = [Choice(label="是", say="是"), Choice(label="否", say="否")]
    ways = [Choice(label="跳过", say="跳过")] if asked.optional else []
    ways += [Choice(label="上一步", say="返回")] if step.open and step.open.inputs else []
    ways.append(Choice(label="不算了", say="算了"))
    question = step.text.partition("\n")[0] if asked.kind == "choice" else step.text
    text = step.text + phrases.CALCULATION_LEAVE
    return AskReply(title=title, text=text, question=question, choices=choices, ways=ways, told=told)


_WAYS: dict[str, tuple[str, ...]] = {
    "content": (),
    "details": ("跳过",),
    "region": ("跳过",),
    "phone": ("跳过",),
    "confirm": ("改内容", "改地区", "改电话"),
}
"""Step of the ticket form → ways on besides an answer"""


def _form_asks(draft: ticket_form.Draft, text: str) -> AskReply:
    """What the ticket form asks for, with what can be tapped."""
    choices = [Choice(label="提交", say="是")] if draft.step == "confirm" else []
    ways = [Choice(label=way, say=way) for way in _WAYS[draft.step]]
    ways.append(Choice(label="不登记了", say="算了"))
    return AskReply(title="登记工单", text=text, question=text, choices=choices, ways=ways)


def _placed(text: str, place: QueuePlace) -> str:
    said = phrases.PLACE_NEXT if place.position == 1 else phrases.PLACE.format(before=place.position - 1)
    if place.minutes is not None:
        said += phrases.PLACE_MINUTES.format(minutes=place.minutes)
    return text.format(place=said)


def ticket_reply(text: str, number: str, code: str, due_at: datetime, estimated: bool) -> TicketReply:
    """A ticket as its citizen is told of it: ``text`` with number, code and deadline filled in."""
    due = f"{due_at.astimezone(SHANGHAI):%Y年%-m月%-d日}"
    said = text.format(number=number, code=code, due=due, estimated=phrases.ESTIMATED if estimated else "")
    return TicketReply(number=number, query_code=code, text=said, due_at=due_at)


def _add_note(reply: Reply, note: str) -> None:
    if isinstance(reply, AnswerReply):
        reply.note = f"{reply.note} {note}" if reply.note else note
    else:
        reply.text += f"\n{note}"


def _day(work: _Work) -> date:
    """The day in China on which the message was said."""
    return work.now.astimezone(SHANGHAI).date()


def _open_with(reply: Reply, words: str) -> None:
    if isinstance(reply, AnswerReply):
        reply.opening = words
    else:
        reply.text = f"{words}{reply.text}"


def _kinds(stored: Sequence[str]) -> tuple[Kind, ...]:
    """Kinds of danger as a memory keeps them; a newer version's are not known."""
    return tuple(kind for kind in KINDS if kind in stored) or ("unknown",)


def _no_longer(qa: QA, today: date) -> str:
    """Since when a rule is out of force, as words: the day after its last, or the day it was retired."""
    if qa.valid_to is not None and qa.valid_to < today:
        after = date.fromordinal(qa.valid_to.toordinal() + 1)
        return f"{after:%Y年%-m月%-d日}"
    if qa.stops_on is not None and qa.status != "retired":
        return f"{qa.stops_on:%Y年%-m月%-d日}"
    return "规定调整之日"


def _is_a_guess(heard: Heard) -> bool:
    """Whether the classifier alone hears a danger, and asks."""
    return heard.by == "classifier" and heard.level == "question"


def _first_sentence(text: str) -> str:
    """The first sentence: an answer says there what counts."""
    return re.split(r"(?<=[。！？])", text.strip(), maxsplit=1)[0].strip()


def _besides_digits(text: str) -> str:
    """The letters of a text: what it says besides a number."""
    return "".join(character for character in text if character.isalpha())


def _hangs(act: str, query: Query) -> bool:
    """Whether a message is the rest of a question whose subject was named before."""
    return act == "follow_up" or acts.elliptic(query.text)


def _item_id(finding: Finding) -> str | None:
    return finding.first.item.id if finding.first else None


def _named(loaded: Loaded, query: Query, finding: Finding, limits: Limits) -> Finding:
    """A very short message is judged by what it names: one matter is likely meant; several, or a word of the domain, are asked back.

    Of a matter that is merely named, the items come as the knowledge lists them: what matters most to most stands first.
    """
    first = finding.first
    if first is None or finding.before or finding.probability >= VERBATIM:
        return finding
    named = naming(loaded.retriever, query)
    said = canonical(query.text)
    if len(said) <= SHORT and (terms_in(query.text) or official_words(query.text) or said in first.item.matter):
        finding = replace(finding, probability=max(finding.probability, limits.clarify_at))
    if named is False:
        return replace(finding, probability=min(finding.probability, limits.below_likely))
    if named != first.item.matter or finding.probability >= limits.likely_at:
        return finding
    own = [one for one in finding.ranked if one.candidate.item.matter == named]
    own.sort(key=lambda one: loaded.retriever.place(one.candidate.item.id))
    others = [one for one in finding.ranked if one.candidate.item.matter != named]
    return replace(finding, ranked=[*own, *others], probability=limits.likely_at)


def _explained(loaded: Loaded, finding: Finding, limits: Limits) -> dict[str, Any]:
    return {
        "version": loaded.version,
        "encoder": loaded.manifest["encoder"]["name"] if loaded.retriever.encoder else None,
        "query": finding.query.text,
        "repairs": [list(pair) for pair in finding.query.repairs],
        "probability": round(finding.probability, 4),
        "answer_at": limits.answer_at,
        "likely_at": limits.likely_at,
        "clarify_at": limits.clarify_at,
        "candidates": [
            {
                "qa_id": one.candidate.item.id,
                "matter": one.candidate.item.matter,
                "question": one.candidate.item.texts[0],
                "wording": one.candidate.wording,
                "score": round(one.score, 3),
                "features": {
                    name: round(float(value), 3) for name, value in zip(FEATURES, one.candidate.features, strict=True)
                },
            }
            for one in finding.ranked[:5]
        ],
    }


def _look(loaded: Loaded, finding: Finding, memory: Context) -> Look:
    """What is kept of how a question was read; its vector is the one that it was found by."""
    query, encoder = finding.query, loaded.retriever.encoder
    vector = loaded.retriever.vector(query.text)
    before = {"matter": memory.last_matter, "question": memory.last_question, "qa": memory.last_qa}
    return Look(
        normalised=query.text,
        region=memory.region or place_in(query.raw),
        before=before if finding.before else None,
        vector=None if vector is None else vector.astype("<f2").tobytes(),
        encoder=encoder.checksum if encoder else None,
    )


def _both(first: Callable[[Session], None] | None, second: Callable[[Session], None]) -> Callable[[Session], None]:
    def effect(session: Session) -> None:
        if first is not None:
            first(session)
        second(session)

    return effect


def _ignore(_result: object) -> None:
    """Turns a call with a result into an effect without one."""
