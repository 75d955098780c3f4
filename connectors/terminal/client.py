"""Replies on a terminal, and the small client that fetches them from the gateway."""

from __future__ import annotations

import time
import uuid
from http import HTTPStatus
from typing import Any, Self, assert_never

import httpx
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.panel import Panel

from bot import database, turns
from bot.errors import YihaodaError
from bot.models.conversations import TurnEffect
from bot.replies import (
    REPLIES,
    AnswerReply,
    AskReply,
    CalculationReply,
    ClarifyReply,
    EmergencyReply,
    HandoverReply,
    PassagesReply,
    Reply,
    Source,
    TextReply,
    TicketReply,
    TicketStatusReply,
)
from bot.settings import Settings
from index.assistant import phrases


class GatewayDown(YihaodaError):
    """The gateway does not answer."""

    code = "gateway_down"


class Client:
    """One conversation with the gateway."""

    def __init__(
        self, settings: Settings, http: httpx.Client | None = None, *, patient: bool = False, trial: bool = False
    ) -> None:
        """
        Args:
            http: connections to share with other conversations (`connections`); its owner closes them.
            patient: where the gateway takes no more for now, wait and ask again.
            trial: only to try: no ticket is made, nobody is asked for.

        Raises:
            GatewayDown: it does not answer.
        """
        self._settings = settings
        self._http = http or connections(settings)
        self._patient = patient
        opened = self._call("POST", "/api/conversations", json={"trial": trial})
        self._path = f"/api/conversations/{opened['id']}/messages"
        self._headers = {"Authorization": f"Bearer {opened['token']}"}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._http.close()

    def say(self, text: str) -> dict[str, Any]:
        """One turn.  Raises: GatewayDown, YihaodaError."""
        body = {"message_id": uuid.uuid4().hex, "text": text}
        turn = self._call("POST", self._path, json=body, headers=self._headers)
        while turn["deferred"]:  # the same message again waits for the same turn
            turn = self._call("POST", self._path, json=body, headers=self._headers)
        return turn

    def explain(self, turn_id: str) -> dict[str, Any]:
        """How a turn was decided: read from this machine's database.  Raises: YihaodaError: the gateway has another one."""
        with database.read() as session:
            effect = session.get(TurnEffect, turn_id)
        if effect is None:
            raise YihaodaError("这一轮不在本机的数据库里，看不到是怎么得出的。请在网关所在的机器上运行。")
        return turns.explained(effect)

    def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        try:
            response = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise GatewayDown(f"一号答没有在运行（{self._settings.gateway_url}）。请先运行 make run。") from error
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS and self._patient:
            time.sleep(float(response.headers.get("Retry-After", "1")))
            return self._call(method, path, **options)
        if response.is_error:
            try:
                message = response.json()["error"]["message"]
            except (ValueError, KeyError, TypeError):
                message = f"网关返回 {response.status_code}"
            raise YihaodaError(message)
        answer: dict[str, Any] = response.json()
        return answer


def connections(settings: Settings) -> httpx.Client:
    """Connections to the gateway."""
    return httpx.Client(base_url=settings.gateway_url, timeout=settings.reply_wait_s + 10, trust_env=False)


def keys_in_use(settings: Settings) -> list[str] | None:
    """The fingerprints of the keys that the running gateway knows; None if there is none on this machine."""
    try:
        answer = httpx.get(f"{settings.gateway_url}/readyz", timeout=10, trust_env=False).json()
    except (httpx.HTTPError, ValueError):
        return None
    return list(answer.get("keys", []))


def replies_of(turn: dict[str, Any]) -> list[Reply]:
    """What was said in a turn."""
    return REPLIES.validate_python(turn["replies"])


def show(console: Console, reply: Reply) -> None:
    """Print one reply."""
    match reply:
        case AnswerReply():
            likely = reply.certainty == "likely"
            title = f"{phrases.LIKELY}{reply.question}" if likely else reply.question
            border = "cyan" if likely else "green"
            console.print(Panel(_answer(reply), title=escape(title), title_align="left", border_style=border))
        case CalculationReply():
            lines = [escape(reply.text), *(f"[dim]· {escape(step)}[/]" for step in reply.steps)]
            lines += [f"[green]用的本地标准：{escape(one.said)}[/]" for one in reply.local]
            lines += [f"[dim]依据：{escape(_source(source))}[/]" for source in reply.sources]
            if reply.as_of:
                lines.append(f"[dim]按截至 {reply.as_of} 的规定计算[/]")
            console.print(Panel("\n".join(lines), title=escape(reply.title), title_align="left", border_style="green"))
        case PassagesReply():
            parts = [escape(reply.text)]
            for one in reply.passages:
                start, end = one.sentence
                head, told, tail = one.text[:start], one.text[start:end], one.text[end:]
                parts += [
                    f"[bold]《{escape(one.title)}》[/]{escape(one.doc_no or '')} {escape(one.label)}",
                    f"{escape(head)}[reverse]{escape(told)}[/]{escape(tail)}",
                ]
            console.print(Panel("\n".join(parts), title="政策原文", title_align="left", border_style="yellow"))
        case ClarifyReply():
            lines = [reply.text, *(f"  [bold cyan]{one.number}[/] {escape(one.question)}" for one in reply.options)]
            console.print(Panel("\n".join([*lines, "  [dim]以上都不是[/]"]), border_style="cyan"))
        case TicketReply():
            console.print(Panel(escape(reply.text), title="已登记", title_align="left", border_style="yellow"))
        case TicketStatusReply():
            lines = [f"[bold]{reply.number}[/]  {reply.state}", escape(reply.text)]
            if reply.answer:
                lines.append(f"答复：{escape(reply.answer)}")
            console.print(Panel("\n".join(lines), title="工单进度", title_align="left", border_style="yellow"))
        case EmergencyReply():
            calls = [f"[bold red]{phone}[/] {escape(reply.labels.get(phone, ''))}" for phone in reply.phones]
            console.print(Panel("\n".join([*calls, "", escape(reply.text)]), border_style="bold red"))
        case TextReply() | HandoverReply() | AskReply():
            console.print(escape(reply.text))
        case _:
            assert_never(reply)


def _answer(reply: AnswerReply) -> str:
    deciding = f"{phrases.CONDITION.format(condition=reply.condition)}\n" if reply.condition else ""
    parts = [escape(f"{reply.opening or ''}{deciding}{reply.text.strip()}")]
    parts += [f"[green]{escape(one.said)}[/]" for one in reply.local]
    parts += [f"[dim]依据：{escape(_source(source))}[/]" for source in reply.sources]
    for guide in reply.guides:
        parts.append(f"[bold]办事指南：{escape(guide.title)}[/]")
        rows = {"材料": "、".join(guide.materials), "时限": guide.time_limit, "费用": guide.fee}
        parts += [f"  {name}：{escape(value)}" for name, value in rows.items() if value]
        if guide.url:
            parts.append(f"  网址：{guide.url}")
        parts += [f"  [green]{escape(one.said)}[/]" for one in guide.local]
    dates = [f"截至 {reply.as_of}"] if reply.as_of else []
    if reply.valid_from:
        dates.append(f"自 {reply.valid_from} 起施行")
    dates.append(f"把握 {reply.confidence:.0%}")
    parts.append(f"[dim]{'，'.join(dates)}[/]")
    if reply.note:
        parts.append(f"[yellow]{escape(reply.note)}[/]")
    if reply.others:
        parts.append(f"{phrases.NOT_THIS}回复数字看别的：")
        parts += [f"  [bold cyan]{one.number}[/] {escape(one.question)}" for one in reply.others]
    elif reply.certainty == "likely":
        parts.append(phrases.NOT_THIS_ONE)
    if reply.more:
        parts.append("您还问了（回复数字接着回答）：")
        first = len(reply.others) + 1
        parts += [f"  [bold cyan]{number}[/] {escape(text)}" for number, text in enumerate(reply.more, start=first)]
    if reply.related:
        parts.append("[dim]还可以问：" + "；".join(escape(one.question) for one in reply.related) + "[/]")
    return "\n".join(parts)


def _source(source: Source) -> str:
    number = f"（{source.doc_no}）" if source.doc_no else ""
    mark = "（依据待核）" if source.unverified else ""
    return f"《{source.title}》{number}{source.clause or ''}{mark}"


def show_explanation(console: Console, detail: dict[str, Any]) -> None:
    """Print how a turn was decided."""
    explain = detail["explain"] or {}
    console.print(
        f"[dim]引擎 {detail['engine']}，意图 {detail['act']}，决定 {detail['decision']}；索引 {explain.get('version')}，"
        f"向量 {explain.get('encoder') or '未使用'}[/]"
    )
    if "probability" not in explain:
        return
    console.print(
        f"检索用语：{escape(explain['query'])}；首选正确的概率 [bold]{explain['probability']:.2f}[/]，"
        f"≥{explain['answer_at']} 直接作答，≥{explain['likely_at']} 说“可能是”，≥{explain['clarify_at']} 反问"
    )
    for place, one in enumerate(explain["candidates"], 1):
        console.print(
            f"{place}  [bold]{one['score']:.1f}[/]  {escape(one['question'])}  [dim]{one['qa_id']}[/]", highlight=False
        )
        features = (f"{_FEATURES.get(name, name)} {value:.2f}" for name, value in one["features"].items())
        console.print(Padding(f"[dim]{'　'.join(features)}[/]", (0, 0, 0, 3)), highlight=False)


_FEATURES = {
    "char": "字面",
    "word": "词",
    "answer": "答案",
    "official": "官方用语",
    "learned": "分类",
    "dense": "向量",
    "centroid": "向量均值",
    "passage": "答案句",
    "coverage": "词都提到",
    "overlap": "字重合",
}
"""What each of ``index.search.retriever.FEATURES`` is called"""
