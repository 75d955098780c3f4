"""The typed replies: what the assistant says, before any channel renders it.  Nothing downstream parses prose."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from bot import regions
from bot.errors import NotFound


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Source(_Model):
    """What an answer rests on: one document, and where in it."""

    title: str
    doc_no: str | None = None
    issuer: str | None = None
    clause: str | None = None
    url: str | None = None
    unverified: bool = Field(
        default=False,
        description="依据待核: nobody has compared the answer with this text's official version yet. Show it.",
    )


class Local(_Model):
    """A figure of the citizen's own region (本地标准), which the national answer leaves open."""

    key: str
    label: str
    kind: Literal["amount", "days", "phone", "link", "text"]
    value: str = Field(description="With its unit.")
    region: str = Field(description="The name of the region that it holds for.")
    source: str = Field(description="A document's name and number, or an https address.")
    valid_from: date | None
    valid_to: date | None
    as_of: date | None = Field(description="When it was approved.")

    @property
    def said(self) -> str:
        """In one sentence, for a channel that shows nothing else: 长沙市月最低工资标准：2100元/月，依据 …，截至 2026年11月30日。"""
        since = f"，自 {self.valid_from:%Y年%-m月%-d日} 起" if self.valid_from else ""
        as_of = f"，截至 {self.as_of:%Y年%-m月%-d日}" if self.as_of else ""
        return f"{self.region}{self.label}：{self.value}{since}，依据 {self.source}{as_of}。"


class Guide(_Model):
    """A service guide: how to get the thing done."""

    title: str
    url: str | None = None
    department: str | None = None
    who: str | None = None
    materials: list[str] = []
    steps: list[str] = []
    time_limit: str | None = None
    fee: str | None = None
    channels: list[str] = []
    fallback: str | None = None
    phone: str | None = None
    address: str | None = None
    local: list[Local] = []


class Option(_Model):
    """One numbered option of a question back."""

    number: int = Field(ge=1, le=9)
    qa_id: str
    question: str


class Related(_Model):
    """A question people ask next."""

    qa_id: str
    question: str


class AnswerReply(_Model):
    """A reviewed answer with its sources."""

    type: Literal["answer"] = "answer"
    qa_id: str
    matter: str
    question: str
    text: str
    confidence: float = Field(ge=0, le=1, description="Calibrated probability that this answers the question.")
    opening: str | None = Field(default=None, description="Said before the answer (请节哀。)")
    certainty: Literal["sure", "likely"] = Field(
        default="sure", description="likely: say so above the question (您问的可能是：), and offer the others."
    )
    condition: str | None = Field(
        default=None,
        description="Of a likely answer where a wrong one costs: what decides whether it is the citizen's case.  "
        "Said before the answer (请先看是不是您的情况：).",
    )
    others: list[Option] = Field(
        default=[], description="Of a likely answer: what else may be meant; a number chooses one."
    )
    sources: list[Source]
    guides: list[Guide]
    valid_from: date | None
    valid_to: date | None
    as_of: date | None
    region: str
    local: list[Local] = Field(default=[], description="What the answer leaves to the place, for where the citizen is.")
    related: list[Related]
    calculator: str | None = Field(
        default=None, description="What works it out for one person: offer 替我算 below the answer."
    )
    more: list[str] = Field(
        [],
        description="The message's other questions, in the citizen's words; numbered after `others`, a number asks one.",
    )
    note: str | None = Field(
        None, description="Says what the citizen must know before acting, e.g. knowledge under review."
    )
    can_report: bool = Field(False, description="Offer 我要反映 below the answer: the question was a complaint too.")
    report: list[str] = Field(
        [],
        description="What a ticket on it must say.  Where there is something, offer 帮我登记 below the answer: the question is taken along.",
    )


class Choice(_Model):
    """A button: what stands on it, and what is said with it."""

    label: str
    say: str


class Told(_Model):
    """Something that was understood, and what to say to change it."""

    label: str
    said: str
    change: str


class AskReply(_Model):
    """One thing is asked for, on the way to a result or a ticket: what was told so far, and what may be chosen."""

    type: Literal["ask"] = "ask"
    title: str
    text: str = Field(
        description="The question, with its choices numbered: all of it, for a channel that shows nothing else."
    )
    question: str = Field(description="The question alone.")
    choices: list[Choice] = Field(description="Answers to tap; others may be typed.")
    ways: list[Choice] = Field(description="Ways on besides an answer: skip, back, leave.")
    told: list[Told] = []


class CalculationReply(_Model):
    """A rule worked out for one person: figure first, then the steps."""

    type: Literal["calculation"] = "calculation"
    calculator: str
    title: str
    matter: str
    text: str
    steps: list[str]
    caveats: list[str]
    sources: list[Source]
    told: list[Told] = Field(default=[], description="What it was worked out from; each can be changed.")
    figures: dict[str, Any] = Field(default={}, description="The calculator's own figures, see GET /api/calculators.")
    as_of: date | None = Field(None, description="The day on which its rules were checked.")
    guides: list[Guide] = []
    local: list[Local] = Field(default=[], description="The region's own figures that it was worked out with, untold.")
    related: list[Related] = []


class ClarifyReply(_Model):
    """A question back with numbered options; 以上都不是 is always understood."""

    type: Literal["clarify"] = "clarify"
    text: str
    options: list[Option]


class Passage(_Model):
    """A piece of a policy document, word for word, with the sentence that comes nearest to the question."""

    title: str
    doc_no: str | None
    issuer: str | None
    issued: date | None
    url: str | None
    label: str = Field(description="第三条; 一、（二）; empty where the document has no numbers.")
    text: str
    sentence: tuple[int, int] = Field(description="Offsets in text, from and to: what to highlight.")


class PassagesReply(_Model):
    """No reviewed Q&A fits: pieces of policy documents as they stand.  以上都不是 registers the question."""

    type: Literal["passages"] = "passages"
    text: str
    passages: list[Passage]


class TicketReply(_Model):
    """A ticket was made (or already existed for the same question)."""

    type: Literal["ticket"] = "ticket"
    number: str
    query_code: str
    text: str
    due_at: datetime | None = None


class RegionView(_Model):
    """A region: its code (GB/T 2260) and its full name, 湖南省长沙市岳麓区."""

    code: str
    name: str

    @classmethod
    def of(cls, code: str | None) -> RegionView | None:
        """The region with this code; one that our table no longer knows is called by its code."""
        if code is None:
            return None
        try:
            return cls(code=code, name=regions.full_name(code))
        except NotFound:
            return cls(code=code, name=code)


class TicketEventView(_Model):
    """One step of a ticket, as the citizen may see it."""

    at: datetime
    state: str
    text: str


TicketAction = Literal["add", "correct", "withdraw", "rate"]
"""What a citizen may do to a ticket."""


class TicketStatusReply(_Model):
    """Where a ticket stands."""

    type: Literal["ticket_status"] = "ticket_status"
    number: str
    state: str
    text: str
    # Messages stored before these fields came have none of them.
    kind: str = ""
    subject: str = Field("", description="The citizen's own words, personal data masked.")
    region: RegionView | None = None
    address: str | None = Field(None, description="Where it is, below the region.")
    category: str | None = Field(None, description="What it is about, in the city's tree of categories.")
    phone_tail: str | None = Field(None, description="The phone's last four digits.")
    created_at: datetime | None = None
    can: list[TicketAction] = Field([], description="What the citizen may do now: in a stored message, then.")
    answer: str | None = None
    due_at: datetime | None = None
    due_note: str | None = None
    events: list[TicketEventView] = []


class TextReply(_Model):
    """Plain words."""

    type: Literal["text"] = "text"
    text: str
    can_report: bool = Field(
        default=False, description="Offer 帮我登记, and the hotline's number, below: nothing here answers."
    )


class HandoverReply(_Model):
    """A human operator has been asked for, or takes over."""

    type: Literal["handover"] = "handover"
    text: str
    state: str
    agent: str | None = Field(default=None, description="The number of the person who has the conversation, or had it.")
    service: str | None = Field(default=None, description="What may be rated: POST …/services/{service}/rating.")


class EmergencyReply(_Model):
    """Danger to life or property: the number to call, before anything else."""

    type: Literal["emergency"] = "emergency"
    text: str = Field(description="All of it in plain words, for a channel that shows nothing else.")
    phones: list[str] = Field(description="To dial, the first one first and largest.")
    kind: str = Field(default="unknown", description="See bot.danger.")
    possible: bool = Field(
        default=False, description="It may be a danger and may be none: a question, and the numbers."
    )
    lead: str = Field(default="", description="The first sentence of the text")
    steps: list[str] = Field(default_factory=list, description="The others: what to do until help is there")
    labels: dict[str, str] = Field(default_factory=dict, description="What each number is (120: 急救)")
    sms: str | None = Field(default=None, description="Where to write to instead, where speaking is dangerous")
    only_asking: str | None = Field(
        default=None, description="To tap: what to say if nobody is in danger and the message was a question."
    )


Reply = Annotated[
    AnswerReply
    | AskReply
    | CalculationReply
    | ClarifyReply
    | PassagesReply
    | TicketReply
    | TicketStatusReply
    | TextReply
    | HandoverReply
    | EmergencyReply,
    Field(discriminator="type"),
]
"""Any reply; the field ``type`` says which."""

REPLIES: TypeAdapter[list[Reply]] = TypeAdapter(list[Reply])
"""Validates and dumps a list of replies."""
