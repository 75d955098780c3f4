"""Whether the addresses that the knowledge names still lead somewhere: asked gently, and what came of it kept with its date.

A page that says 404 or 410 is gone; anything else that fails (refused, too slow, an error of the server) counts once it has failed twice in a row.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from bot.models.reviews import LinkCheck

AT_ONCE = 4
"""Addresses that are asked at a time"""
GAP_S = 1.0
"""One host is asked at most once in so long, redirects and second tries included"""
FRESH = timedelta(hours=12)
"""What was checked so lately is not checked again: a check that was cut off goes on where it was"""
TWICE = 2
_TIMEOUT = httpx.Timeout(connect=5.0, read=10.0, write=5.0, pool=5.0)
_REDIRECTS = 5
_GONE = (404, 410)
_AGENT = "Mozilla/5.0 (compatible; Yihaoda link check)"


@dataclass(frozen=True)
class Checked:
    """What an address answered."""

    url: str
    ok: bool
    status: int | None
    """None: no answer at all"""
    said: str


def check(
    urls: Iterable[str], ended: threading.Event, *, gap_s: float = GAP_S, timeout: httpx.Timeout = _TIMEOUT
) -> Generator[Checked, None, None]:
    """Ask each address, in the order in which they answer, a few at a time.

    Args:
        ended: once set, nothing more is asked.
    """
    pace = _Pace(gap_s, ended)
    hooks: dict[str, list[Callable[[httpx.Request], None]]] = {"request": [pace]}
    with (
        httpx.Client(
            timeout=timeout,
            follow_redirects=True,
            max_redirects=_REDIRECTS,
            trust_env=False,
            event_hooks=hooks,
            headers={"User-Agent": _AGENT},
        ) as http,
        ThreadPoolExecutor(AT_ONCE, thread_name_prefix="links") as pool,
    ):
        asked = [pool.submit(_ask, http, url, ended) for url in dict.fromkeys(urls)]
        try:
            for one in as_completed(asked):
                if (found := one.result()) is not None:
                    yield found
        finally:
            ended.set()
            pool.shutdown(cancel_futures=True)


class _Pace:
    """Holds a request back until its host's turn has come."""

    def __init__(self, gap_s: float, ended: threading.Event) -> None:
        self._gap_s = gap_s
        self._ended = ended
        self._next: dict[str, float] = {}
        self._lock = threading.Lock()

    def __call__(self, request: httpx.Request) -> None:
        host = request.url.host
        with self._lock:
            at = max(time.monotonic(), self._next.get(host, 0.0))
            self._next[host] = at + self._gap_s
        self._ended.wait(max(0.0, at - time.monotonic()))


def _ask(http: httpx.Client, url: str, ended: threading.Event) -> Checked | None:
    """HEAD first; what a server does not answer well to that may be well all the same, so GET decides, and only its head is read."""
    if ended.is_set():
        return None
    try:
        answer = http.head(url)
        if answer.is_error:
            with http.stream("GET", url) as whole:
                answer = whole
    except httpx.TimeoutException:
        return Checked(url, False, None, "太久没有回应")
    except httpx.TooManyRedirects:
        return Checked(url, False, None, "跳转太多次")
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return Checked(url, False, None, "连接不上")
    if answer.is_error:
        said = "网页已经没有了" if answer.status_code in _GONE else f"网站返回 {answer.status_code}"
        return Checked(url, False, answer.status_code, said)
    return Checked(url, True, answer.status_code, "能打开")


def due(session: Session, urls: Iterable[str], now: datetime) -> list[str]:
    """Those that were not checked lately, each once; addresses that are none of the web's are left out."""
    wanted = [url for url in dict.fromkeys(urls) if url.startswith(("http://", "https://"))]
    lately = set(session.scalars(select(LinkCheck.url).where(LinkCheck.checked_at > now - FRESH)))
    return [url for url in wanted if url not in lately]


def keep(session: Session, found: Sequence[Checked], now: datetime) -> None:
    """Write down what came of checks."""
    for one in found:
        key = _key(one.url)
        row = session.get(LinkCheck, key) or LinkCheck(key=key, url=one.url, failures=0, ok_at=None)
        row.checked_at, row.status, row.said = now, one.status, one.said
        row.failures = 0 if one.ok else row.failures + 1
        row.ok_at = now if one.ok else row.ok_at
        session.add(row)


def standing(session: Session) -> tuple[dict[str, str], list[str]]:
    """The dead addresses, with what they said, and those that lead somewhere."""
    dead, alive = {}, []
    for row in session.scalars(select(LinkCheck).order_by(LinkCheck.url)):
        if row.failures == 0:
            alive.append(row.url)
        elif row.status in _GONE or row.failures >= TWICE:
            dead[row.url] = row.said
    return dead, alive


def forget(session: Session, urls: Iterable[str]) -> None:
    """Drop what the knowledge names no more."""
    named = {_key(url) for url in urls}
    gone = [key for key in session.scalars(select(LinkCheck.key)) if key not in named]
    for start in range(0, len(gone), 500):
        session.execute(delete(LinkCheck).where(LinkCheck.key.in_(gone[start : start + 500])))


def _key(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()
