"""What the assistant waits for: one thing at a time, replaced as a whole."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Expected(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")  # a newer version's field must not stop an older one


class Nothing(_Expected):
    """Whatever comes next stands for itself."""

    kind: Literal["nothing"] = "nothing"


class Options(_Expected):
    """A choice among the Q&A items that were offered for a question, or a word on the one that was shown as likely."""

    kind: Literal["options"] = "options"
    question: str
    offered: tuple[str, ...] = ()
    """Q&A ids in their order; empty only beside a shown one"""
    shown: str | None = None
    """The Q&A id that was answered as likely"""
    complaint: bool = False
    """Whether the question was a complaint: so will its ticket be"""

    @property
    def items(self) -> list[str]:
        """All that was put before the citizen: the shown one first."""
        return [*filter(None, [self.shown]), *self.offered]


class Passages(_Expected):
    """Whether passages of policy documents answered the question."""

    kind: Literal["passages"] = "passages"
    question: str


class Region(_Expected):
    """Where the citizen is, for a question whose answer depends on it."""

    kind: Literal["region"] = "region"
    question: str


class Form(_Expected):
    """The next answer of the ticket form."""

    kind: Literal["form"] = "form"
    draft: dict[str, Any]
    """``bot.ticket_form.Draft``"""


class Contact(_Expected):
    """Phone and region for the ticket that was just made."""

    kind: Literal["contact"] = "contact"
    ticket: str


class TicketNumber(_Expected):
    """The number of a ticket, or what is still missing beside it."""

    kind: Literal["ticket"] = "ticket"
    number: str | None = None
    """The number that still needs its query code,"""
    code: str | None = None
    """or the last digits of the phone beside this code"""


class Offer(_Expected):
    """Whether a question that nothing here answers is to be registered for the staff."""

    kind: Literal["offer"] = "offer"
    question: str
    complaint: bool = False


class Calculation(_Expected):
    """An input of a calculator."""

    kind: Literal["calculation"] = "calculation"
    state: dict[str, Any]
    """``index.calculators.dialogue.Open``"""


class ServiceRating(_Expected):
    """Whether a person's service was satisfying."""

    kind: Literal["service_rating"] = "service_rating"
    service: str
    """``HumanService.id``"""


Expects = Annotated[
    Nothing | Options | Passages | Region | Form | Contact | TicketNumber | Offer | Calculation | ServiceRating,
    Field(discriminator="kind"),
]
NOTHING = Nothing()

SHOWN = {
    "nothing": "",
    "options": "等市民选择",
    "passages": "等市民看政策原文",
    "region": "等市民说地区",
    "form": "等市民填登记内容",
    "contact": "等市民留电话或地区",
    "ticket": "等市民说工单编号或查询码",
    "offer": "等市民说要不要登记",
    "calculation": "等市民说计算要用的数",
    "service_rating": "等市民评价人工服务",
}
"""What the staff reads of it, by kind"""


def question_of(expects: Expects) -> str | None:
    """The question that waits, if one does."""
    return expects.question if isinstance(expects, Options | Passages | Region | Offer) else None


def from_earlier(memory: dict[str, Any]) -> dict[str, Any]:
    """What memories of before said in nine fields, in one.

    Until November 2026 a memory held ``awaiting`` beside the fields that only some of its values gave a meaning to.  Where
    several things were open the one that was looked at first counts.
    """
    question = memory.get("pending_question")
    awaiting = memory.get("awaiting", "none")
    if memory.get("draft"):
        return {"kind": "form", "draft": memory["draft"]}
    if memory.get("calculation"):
        return {"kind": "calculation", "state": memory["calculation"]}
    if awaiting == "passages" and question:
        return {"kind": "passages", "question": question}
    if memory.get("offered"):
        return {"kind": "options", "question": question or "", "offered": memory["offered"]}
    if awaiting == "region" and question:
        return {"kind": "region", "question": question}
    if awaiting == "contact" and memory.get("contact_ticket"):
        return {"kind": "contact", "ticket": memory["contact_ticket"]}
    if awaiting == "ticket":
        return {"kind": "ticket", "number": memory.get("asked_number"), "code": memory.get("asked_code")}
    return {"kind": "nothing"}
