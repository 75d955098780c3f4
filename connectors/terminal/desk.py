"""``yihaoda desk play``: plays a recorded transcript to the desk as speech recognition would, for practice and for tests.

It is also how a telephone system talks to us: begin the call, stream segments over one WebSocket, keep each final one until it is
acknowledged, come again after a break and send what was not, hang up.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import httpx
import typer
import websockets
from rich.console import Console

from bot.errors import InvalidInput
from bot.settings import Settings, get_settings
from connectors.terminal.client import GatewayDown
from index.search.terms import policy_terms

app = typer.Typer(help="坐席工作台。", no_args_is_help=True)
out = Console()

_CHARACTERS_A_SECOND = 4.5
"""How fast people speak on the telephone"""
_PAUSE_S = 0.6
"""Between two lines"""
_PARTIAL_EVERY = 6
"""A partial segment after so many more characters"""
_PATIENCE_S = 60.0
"""For so long an interrupted connection is tried again"""


@dataclass(frozen=True)
class Spoken:
    """One line of a recorded transcript."""

    speaker: Literal["caller", "agent"]
    text: str


@dataclass(frozen=True)
class Errors:
    """How badly it is recognised; each share 0…1, all drawn from one seed.

    Attributes:
        homophones: of the words of the domain that are written with other characters of the same sound.
        dropped: of the characters that are not heard (never a figure).
        speaker: of the lines that are taken for the other one's.
        cut: of the lines that are cut into two by an interruption.
        late: of the final segments that come only after the next one.
        corrected: of the final segments that come wrong at first, and again right with a higher version.
    """

    homophones: float = 0.0
    dropped: float = 0.0
    speaker: float = 0.0
    cut: float = 0.0
    late: float = 0.0
    corrected: float = 0.0

    @classmethod
    def some(cls, share: float) -> Errors:
        """All kinds in the proportions of everyday recognition: most are wrong characters, few a wrong speaker."""
        return cls(share, share / 10, share / 5, share / 2, share / 2, share / 2)


def read_transcript(path: Path, number: int = 1) -> list[Spoken]:
    """A transcript of a file: JSON lines, each a call with ``lines`` of ``{"s": "caller"|"agent", "t": text}``.

    Args:
        number: which call of the file, from 1.

    Raises:
        InvalidInput: no such file or call, or a malformed one, with its line.
    """
    try:
        rows = [row for row in path.read_text(encoding="utf-8").split("\n") if row.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"读不了 {path.name}：{error}") from error
    if not 1 <= number <= len(rows):
        raise InvalidInput(f"{path.name} 里有 {len(rows)} 通电话，没有第 {number} 通。")
    try:
        raw = json.loads(rows[number - 1])["lines"]
        spoken = [Spoken(line["s"], str(line["t"]).strip()) for line in raw if str(line["t"]).strip()]
        if not spoken or any(line.speaker not in ("caller", "agent") for line in spoken):
            raise ValueError("没有内容，或者说话人不是 caller、agent")
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{path.name} 第 {number} 通电话的格式不对：{error}") from error
    return spoken


def segments(spoken: Sequence[Spoken], errors: Errors, seed: int = 0) -> Iterator[tuple[float, dict[str, Any]]]:
    """(seconds from the call's start, segment) in the order in which a recogniser sends them: partials grow, then comes the final one."""
    dice = random.Random(seed)
    at, held = 0.0, []
    for seq, line in enumerate(_cut(spoken, errors, dice), 1):
        heard = _misheard(line, errors, dice)
        begin = at
        for size in range(_PARTIAL_EVERY, len(heard.text), _PARTIAL_EVERY):
            yield begin + size / _CHARACTERS_A_SECOND, _segment(seq, heard, heard.text[:size], begin, final=False)
        at = begin + len(line.text) / _CHARACTERS_A_SECOND + _PAUSE_S
        final = _segment(seq, heard, heard.text, begin, final=True)
        if dice.random() < errors.late:
            held.append(final)
            continue
        yield at, final
        for late in held:
            yield at, late
        held.clear()
        if heard != line and dice.random() < errors.corrected:
            yield at, _segment(seq, line, line.text, begin, final=True, version=1)
    for late in held:
        yield at, late


def _segment(seq: int, line: Spoken, text: str, begin_s: float, *, final: bool, version: int = 0) -> dict[str, Any]:
    start_ms = round(begin_s * 1000)
    return {
        "seq": seq,
        "speaker": line.speaker,
        "text": text,
        "final": final,
        "start_ms": start_ms,
        "version": version,
    }


def _cut(spoken: Sequence[Spoken], errors: Errors, dice: random.Random) -> Iterator[Spoken]:
    for line in spoken:
        if len(line.text) >= 8 and dice.random() < errors.cut:
            middle = dice.randint(3, len(line.text) - 3)
            yield replace(line, text=line.text[:middle] + "——")
            yield replace(line, text=line.text[middle:])
        else:
            yield line


def _misheard(line: Spoken, errors: Errors, dice: random.Random) -> Spoken:
    text = line.text
    for term in sorted(policy_terms(), key=lambda term: (-len(term), term)):
        if term in text and len(term) >= 2 and dice.random() < errors.homophones:
            text = text.replace(term, _same_sound(term, dice), 1)
    kept = [one for one in text if one.isascii() or one in _FIGURES or dice.random() >= errors.dropped]
    speaker = line.speaker
    if dice.random() < errors.speaker:
        speaker = "agent" if speaker == "caller" else "caller"
    return Spoken(speaker, "".join(kept) or text)


_FIGURES = "零〇一二三四五六七八九十百千万亿两幺廿卅半元块毛角分年月日号天"
_SOUNDS: dict[str, list[str]] = {}


def _same_sound(term: str, dice: random.Random) -> str:
    """The term with one character, never a figure, put for another of the domain's with the same sound."""
    from pypinyin import lazy_pinyin  # half a second that no other command needs

    if not _SOUNDS:
        for character in sorted({one for word in policy_terms() for one in word}):
            _SOUNDS.setdefault(lazy_pinyin(character)[0], []).append(character)
    places = [
        (place, others)
        for place, one in enumerate(term)
        if one not in _FIGURES and (others := [same for same in _SOUNDS.get(lazy_pinyin(one)[0], []) if same != one])
    ]
    if not places:
        return term
    place, others = dice.choice(places)
    return term[:place] + dice.choice(others) + term[place + 1 :]


@app.command()
def play(
    file: Annotated[Path, typer.Argument(help="录下来的通话文字（每行一通，JSON）")],
    agent: Annotated[str, typer.Option(help="由哪位坐席接听（工号）")],
    key: Annotated[str, typer.Option(envvar="YIHAODA_CALLS_KEY", help="有“送来电话和转写”权限的程序密钥")],
    number: Annotated[int, typer.Option(min=1, help="放文件里的第几通")] = 1,
    speed: Annotated[float, typer.Option(min=0.1, max=1000, help="几倍速")] = 1.0,
    errors: Annotated[float, typer.Option(min=0, max=1, help="识别错误有多少，0 是没有")] = 0.0,
    seed: Annotated[int, typer.Option(help="错误怎么出，同一个数每次都一样")] = 0,
    real: Annotated[bool, typer.Option(help="当作真的电话计入统计；不写就是练习")] = False,
) -> None:
    """把录下来的一通电话放给坐席工作台：练习用，不计入任何统计。"""
    spoken = read_transcript(file, number)
    player = Player(get_settings(), key)
    call = asyncio.run(player.play(segments(spoken, Errors.some(errors), seed), agent, speed, practice=not real))
    out.print(f"放完了：{len(spoken)} 行，电话编号 {call}。")


class Player:
    """A telephone system, as far as we know one."""

    def __init__(self, settings: Settings, key: str) -> None:
        self._base = settings.gateway_url
        self._headers = {"Authorization": f"Bearer {key}"}

    async def play(
        self, some: Iterator[tuple[float, dict[str, Any]]], agent: str, speed: float, *, practice: bool
    ) -> str:
        """Play it to its end; our id of the call.

        Raises:
            GatewayDown: it can't be reached for a minute.
            InvalidInput: it refuses, and says why.
        """
        async with httpx.AsyncClient(base_url=self._base, headers=self._headers, timeout=30, trust_env=False) as http:
            body = {"external_id": uuid.uuid4().hex, "agent": agent, "practice": practice}
            begun = await self._post(http, "/api/desk/calls", body)
            call: str = begun["id"]
            await self._post(http, f"/api/desk/calls/{call}/told")
            await self._stream(call, some, speed)
            await self._post(http, f"/api/desk/calls/{call}/hang-up")
        return call

    async def _post(self, http: httpx.AsyncClient, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask until it is reached: each of these may be said twice."""
        clock = asyncio.get_running_loop().time
        begun = clock()
        while True:
            try:
                response = await http.post(path, json=body)
                break
            except httpx.TransportError as error:
                if clock() - begun > _PATIENCE_S or "external_id" in (body or {}):
                    raise GatewayDown("助手没有在运行，请先启动（make run）。") from error
                await asyncio.sleep(0.5)
        if response.is_error:
            raise InvalidInput(response.json()["error"]["message"])
        return dict(response.json()) if response.content else {}

    async def _stream(self, call: str, some: Iterator[tuple[float, dict[str, Any]]], speed: float) -> None:
        """Send each segment at its time; what is final and not acknowledged is sent again after a break."""
        waiting: dict[tuple[int, int], dict[str, Any]] = {}
        clock = asyncio.get_running_loop().time
        begin = clock()
        ahead: tuple[float, dict[str, Any]] | None = next(some, None)
        last_there = clock()
        while ahead is not None or waiting:
            try:
                async with self._socket() as socket:
                    last_there = clock()
                    for one in list(waiting.values()):
                        await socket.send(json.dumps(one))
                    while ahead is not None or waiting:
                        due = begin + ahead[0] / speed if ahead is not None else clock() + 0.2
                        await self._hear(socket, waiting, max(0.0, due - clock()))
                        if ahead is not None and clock() >= due:
                            one = {"call": call, **ahead[1]}
                            if one["final"]:
                                waiting[one["seq"], one["version"]] = one
                            await socket.send(json.dumps(one))
                            ahead = next(some, None)
            except (OSError, websockets.WebSocketException) as error:
                if clock() - last_there > _PATIENCE_S:
                    raise GatewayDown("和助手的连接断了，一分钟里没有恢复。") from error
                await asyncio.sleep(0.5)

    @contextlib.asynccontextmanager
    async def _socket(self) -> AsyncIterator[websockets.ClientConnection]:
        address = self._base.replace("http", "ws", 1) + "/api/desk/calls/stream"
        async with websockets.connect(address, additional_headers=self._headers, proxy=None) as socket:
            yield socket

    async def _hear(
        self, socket: websockets.ClientConnection, waiting: dict[tuple[int, int], dict[str, Any]], wait_s: float
    ) -> None:
        """Take acknowledgements for so long."""
        deadline = asyncio.get_running_loop().time() + wait_s
        while (left := deadline - asyncio.get_running_loop().time()) > 0:
            try:
                told = json.loads(await asyncio.wait_for(socket.recv(), left))
            except TimeoutError:
                return
            if "refused" in told:
                raise InvalidInput(told["refused"]["message"])
            seq = told["stored"]["seq"]
            for key in [key for key in waiting if key[0] == seq]:
                del waiting[key]
