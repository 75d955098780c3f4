"""Links: asked gently, told apart rightly, kept with their date; a real server on this machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from bot import database, links
from bot.clock import utcnow
from bot.models.reviews import LinkCheck
from bot.settings import Settings


class Site:
    """Pages that are there, gone, moved, slow, or don't like HEAD."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, float]] = []
        self.busy = 0
        self.most = 0
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                site.busy += 1
                site.most = max(site.most, site.busy)
                try:
                    self._answer()
                finally:
                    site.busy -= 1

            do_GET = do_HEAD

            def _answer(self) -> None:
                site.asked.append((self.command, self.path, time.monotonic()))
                name = self.path.strip("/")
                if name == "slow":
                    time.sleep(1.0)
                head = self.command == "HEAD"
                status = {"gone": 404, "broken": 500, "nohead": 405 if head else 200, "headless": 404 if head else 200}
                self.send_response(302 if name in ("moved", "loop") else status.get(name, 200))
                if name in ("moved", "loop"):
                    self.send_header("Location", "/there" if name == "moved" else "/loop")
                self.send_header("Content-Length", "0" if name != "big" else str(10**9))
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.server.shutdown()
    made.server.server_close()


def check(urls: list[str], gap_s: float = 0.01) -> dict[str, links.Checked]:
    timeout = httpx.Timeout(0.4)
    return {one.url: one for one in links.check(urls, threading.Event(), gap_s=gap_s, timeout=timeout)}


def test_what_is_there_and_what_is_not(site: Site) -> None:
    names = ("there", "moved", "nohead", "headless", "big", "gone", "broken", "loop", "slow")
    found = check([f"{site.url}/{name}" for name in names] + ["http://127.0.0.1:9/x", "http://[", "http://a b/"])
    ok = {url.rsplit("/", 1)[-1] for url, one in found.items() if one.ok}
    assert ok == {"there", "moved", "nohead", "headless", "big"}
    assert (found[f"{site.url}/gone"].status, found[f"{site.url}/gone"].said) == (404, "网页已经没有了")
    assert found[f"{site.url}/slow"].said == "太久没有回应"
    assert found[f"{site.url}/loop"].said == "跳转太多次"
    assert found["http://127.0.0.1:9/x"].said == "连接不上"
    assert len(found) == len(names) + 3
    assert ("GET", "/there") not in {(method, path) for method, path, _ in site.asked}, "HEAD was enough"
    assert site.most <= links.AT_ONCE


def test_one_host_is_asked_at_most_once_in_a_while(site: Site) -> None:
    check([f"{site.url}/{name}" for name in ("a", "b", "nohead", "moved")], gap_s=0.2)
    times = sorted(at for _, _, at in site.asked)
    assert len(times) == 6, "redirects and second tries wait too"
    assert min(later - sooner for sooner, later in pairwise(times)) > 0.15


def test_stopped_it_asks_no_more(site: Site) -> None:
    found = links.check([f"{site.url}/{n}" for n in range(50)], threading.Event(), gap_s=0.05)
    next(found)
    found.close()
    asked = len(site.asked)
    assert asked < 10
    time.sleep(0.3)
    assert len(site.asked) == asked


def test_results_are_kept_and_one_failure_is_not_yet_a_death(db: Settings) -> None:
    now = utcnow()

    def keep(url: str, ok: bool, status: int | None, days: int) -> None:
        with database.write() as session:
            links.keep(session, [links.Checked(url, ok, status, "说明")], now + timedelta(days=days))

    keep("https://a/", True, 200, 0)
    keep("https://b/", False, 503, 0)
    keep("https://c/", False, 404, 0)
    with database.read() as session:
        assert links.standing(session) == ({"https://c/": "说明"}, ["https://a/"])
        assert links.due(session, ["https://a/", "https://d/", "https://d/", "mailto:x"], now) == ["https://d/"]
        assert "https://a/" in links.due(session, ["https://a/"], now + timedelta(days=1))
    keep("https://b/", False, None, 1)
    keep("https://c/", True, 200, 1)
    with database.write() as session:
        assert links.standing(session) == ({"https://b/": "说明"}, ["https://a/", "https://c/"])
        assert session.get_one(LinkCheck, links._key("https://c/")).ok_at == now + timedelta(days=1)
        links.forget(session, ["https://a/"])
        assert session.scalars(select(LinkCheck.url)).all() == ["https://a/"]
