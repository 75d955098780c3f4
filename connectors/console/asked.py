"""提问记录: what was asked and what came of it; 试一试: what would be answered now."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel, Field

from bot import asked, audit, database, knowledge, regions
from bot.asked import Wanted
from bot.clock import SHANGHAI
from bot.errors import InvalidInput
from bot.masking import mask_record
from bot.models.asked import Asked
from bot.replies import Reply
from connectors.web.access import TheCaller, signed
from connectors.web.context import Body, TheGateway
from connectors.web.errors import answers
from index.assistant import trying

router = APIRouter(
    prefix="/api/console", tags=["knowledge"], dependencies=[Depends(signed)], responses=answers(400, 401, 403)
)

_EXPORTED = 100_000
"""Rows of an export at most"""


class AskedRow(BaseModel):
    """A question and what came of it."""

    id: str
    at: datetime
    text: str
    """Masked"""
    source: str
    channel: str
    region: str | None
    act: str
    decision: str
    certainty: str | None
    probability: float | None
    matter: str | None
    qa_id: str | None
    helpful: bool | None
    refused: bool
    chosen: str | None
    rephrased: str | None
    agent_qa: str | None
    agent_edited: bool | None
    ticket: str | None


def _row(row: Asked) -> AskedRow:
    own = {name: getattr(row, name) for name in AskedRow.model_fields if name != "text"}
    return AskedRow(**own, text=row.said["text"])


@dataclass(frozen=True)
class _Filter:
    """The questions that are wanted."""

    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    decision: Annotated[str | None, Query(max_length=32)] = None
    certainty: Annotated[str | None, Query(max_length=8)] = None
    matter: Annotated[str | None, Query(max_length=200)] = None
    act: Annotated[str | None, Query(max_length=32)] = None
    channel: Annotated[str | None, Query(max_length=16)] = None
    source: Annotated[str | None, Query(max_length=8)] = None
    region: Annotated[str | None, Query(max_length=6, pattern=r"^\d{6}$")] = None
    qa_id: Annotated[str | None, Query(max_length=64)] = None
    result: Annotated[str | None, Query(max_length=16)] = None
    text: Annotated[str, Query(max_length=100)] = ""

    @property
    def wanted(self) -> Wanted:
        return Wanted(**vars(self))


@router.get("/asked", responses=answers(404))
def list_asked(
    wanted: Annotated[_Filter, Depends()],
    before: Annotated[str | None, Query(max_length=32)] = None,
    limit: Annotated[int, Query(ge=1, le=50)] = 50,
) -> list[AskedRow]:
    """What was asked, the newest first; ``before``: the last row of the page before.

    ``result``: what came of it: useful, useless, refused, chosen, rephrased, agent, ticket, nothing.
    """
    with database.read() as session:
        return [_row(row) for row in islice(asked.rows(session, wanted.wanted, before=before), limit)]


@router.get("/asked/export", response_class=StreamingResponse)
def export_asked(wanted: Annotated[_Filter, Depends()], me: TheCaller) -> StreamingResponse:
    """The same as CSV, masked; that it was exported is an entry of the audit log."""
    with database.write() as session:
        chosen = {name: str(value) for name, value in vars(wanted).items() if value and name != "text"}
        audit.record(session, me.number, "asked.export", "提问记录", **chosen)

    def lines() -> Iterator[str]:
        yield "\ufeff" + _line(list(_COLUMNS))
        before, left = None, _EXPORTED
        while left > 0:
            with database.read() as session:  # no transaction while the reader takes its time
                page = list(islice(asked.rows(session, wanted.wanted, before=before), min(500, left)))
                cells = [[_said(cell(row)) for cell in _COLUMNS.values()] for row in page]
            yield from map(_line, cells)
            left -= len(page)
            if len(page) < 500:
                return
            before = page[-1].id

    name = f"asked-{datetime.now(SHANGHAI):%Y%m%d-%H%M}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(lines(), media_type="text/csv; charset=utf-8", headers=headers)


_COLUMNS: dict[str, Callable[[Asked], Any]] = {
    "编号": lambda row: row.id,
    "时间": lambda row: f"{row.at.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}",
    "提问": lambda row: row.said["text"],
    "来源": lambda row: row.source,
    "渠道": lambda row: row.channel,
    "地区": lambda row: row.region,
    "意图": lambda row: row.act,
    "处理": lambda row: row.decision,
    "把握": lambda row: {"sure": "确定", "likely": "可能"}.get(row.certainty or ""),
    "概率": lambda row: row.probability,
    "事项": lambda row: row.matter,
    "条目": lambda row: row.qa_id,
    "有用": lambda row: None if row.helpful is None else "有用" if row.helpful else "没用",
    "不是这个": lambda row: "是" if row.refused else None,
    "市民选了": lambda row: row.chosen,
    "换了说法": lambda row: row.rephrased,
    "坐席用了": lambda row: row.agent_qa,
    "工单": lambda row: row.ticket,
    "索引版本": lambda row: row.version,
}


def _said(value: Any) -> str:
    return "" if value is None else str(value)


def _line(cells: list[str]) -> str:
    # A spreadsheet would compute what begins like a formula (CWE-1236).
    safe = [f"'{cell}" if cell[:1] in "=+-@\t\r" else cell for cell in cells]
    out = io.StringIO()
    csv.writer(out).writerow(safe)
    return out.getvalue()


class Found(BaseModel):
    """An item that was found, and what speaks for it."""

    qa_id: str
    matter: str | None
    question: str | None
    """As it is now; null: it is gone"""
    wording: str | None
    score: float
    features: dict[str, float]


class AskedView(AskedRow):
    """A question with how it was decided."""

    normalised: str
    before: dict[str, str | None] | None
    """What it followed on: matter, question, qa"""
    answer_at: float | None
    likely_at: float | None
    clarify_at: float | None
    reason: str | None
    version: str | None
    candidates: list[Found]
    questions: dict[str, str]
    """The questions of the other items that are named"""


@router.get("/asked/{asked_id}", responses=answers(404))
def read_asked(asked_id: str) -> AskedView:
    """One question: candidates, limits, what came of it."""
    with database.read() as session:
        row = asked.get(session, asked_id)
        found = row.found["candidates"]
        named = [one for one in (row.qa_id, row.chosen, row.agent_qa) if one]
        items = knowledge.get_many(session, [*(one["qa_id"] for one in found), *named])
    decided: dict[str, Any] = {name: row.found.get(name) for name in ("answer_at", "likely_at", "clarify_at", "reason")}
    return AskedView(
        **_row(row).model_dump(),
        **decided,
        normalised=row.said["normalised"],
        before=row.before,
        version=row.version,
        candidates=[
            Found(
                **one,
                matter=item.matter if (item := items.get(one["qa_id"])) else None,
                question=item.question if item else None,
            )
            for one in found
        ],
        questions={id_: items[id_].question for id_ in named if id_ in items},
    )


class Trial(Body):
    """What a citizen might say."""

    text: str = Field(min_length=1, max_length=2000)
    region: str | None = Field(default=None, max_length=6)
    earlier: list[str] = Field(default=[], max_length=10)
    """What they said before"""


class Tried(BaseModel):
    """What they would be told, and why."""

    replies: list[Reply]
    decision: str
    qa_id: str | None
    confidence: float | None
    explain: dict[str, Any]
    """As of a turn; masked"""


@router.post("/try")
def try_out(body: Trial, here: TheGateway) -> Tried:
    """Ask as a citizen would: the same decision, and nothing is written."""
    if body.region is not None:
        regions.get(body.region)
    if any(len(text) > 2000 for text in body.earlier) or not body.text.strip():
        raise InvalidInput("请写要试的话，每句不超过 2000 字。")
    outcome = trying.attempt(here.assistant, [*body.earlier, body.text], body.region)
    return Tried(
        replies=outcome.replies,
        decision=outcome.decision,
        qa_id=outcome.qa_id,
        confidence=outcome.confidence,
        explain=mask_record(outcome.explain),
    )
