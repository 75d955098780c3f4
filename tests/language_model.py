"""A language model's server on this machine: speaks OpenAI's form, and fails as real ones do."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from bot.language_model import LanguageModel


class FakeModel:
    """Says what it is told to say."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self._content = "好的"
        self._failing = ""
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                fake.keys.append(self.headers.get("Authorization"))
                fake.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                with contextlib.suppress(OSError):  # the other side gave up
                    fake._answer(self)

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def client(self) -> LanguageModel:
        """With the patience of a test."""
        return LanguageModel(self.url, "fake", "秘密".encode().hex(), read_s=0.5, whole_s=1.0)

    def says(self, content: str) -> None:
        """From now on."""
        self._content, self._failing = content, ""

    def fails(self, how: str) -> None:
        """From now on: a status, html, empty, cut, prose, hang, drop, trickle, huge."""
        self._failing = how

    def _answer(self, to: BaseHTTPRequestHandler) -> None:
        how = self._failing
        if how == "drop":
            to.connection.close()
            return
        if how == "hang":
            time.sleep(1.5)
        if how.isdigit():
            to.send_response(int(how))
            to.end_headers()
            to.wfile.write('{"error": {"message": "秘密"}}'.encode())
            return
        content = {"empty": " ", "prose": "这份文件主要讲高龄津贴。", "huge": "长" * 500_000}.get(how, self._content)
        reply = {"choices": [{"message": {"content": content}, "finish_reason": "length" if how == "cut" else "stop"}]}
        body = b"<html>busy</html>" if how == "html" else json.dumps(reply).encode()
        to.send_response(200)
        to.send_header("Content-Length", str(len(body)))
        to.end_headers()
        if how == "trickle":
            for at in range(len(body)):
                to.wfile.write(body[at : at + 1])
                to.wfile.flush()
                time.sleep(0.1)
        to.wfile.write(body)


@pytest.fixture
def fake_model() -> Iterator[FakeModel]:
    made = FakeModel()
    yield made
    made.server.shutdown()
    made.server.server_close()
