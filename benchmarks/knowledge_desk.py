"""How long lists and the editor take with 5,000 Q&A and 5,000 kept questions: milliseconds of a request, as whoever is on the same machine waits.

Each request is made ``--times`` times in random order, over items drawn at random; one client, nobody else asks.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from benchmarks import stack
from benchmarks.desk import quantile
from benchmarks.retrain import city
from bot import asked, conversations, database, knowledge
from bot.accounts import people, sign_in
from bot.clock import utcnow
from bot.models.conversations import InboxMessage
from bot.models.knowledge import QA
from bot.models.people import Person
from bot.settings import ROOT
from connectors.run import scratch
from connectors.run.background import free_ports, start_in_background
from connectors.run.services import services
from connectors.web.access import SESSION
from index.assistant import trying
from index.assistant.respond import get_assistant

ITEMS, QUESTIONS = 5_000, 5_000
Make = Callable[[str], tuple[str, str, Any]]
"""Method, path and body of a request about an item"""

REQUESTS: dict[str, Make] = {
    "list, first page": lambda _: ("GET", "/api/knowledge/items?limit=50", None),
    "list, last page": lambda _: ("GET", f"/api/knowledge/items?limit=50&offset={ITEMS - 50}", None),
    "list, words": lambda _: ("GET", "/api/knowledge/items?limit=50&text=便民点 49", None),
    "list, what waits": lambda _: ("GET", "/api/knowledge/items?limit=50&list=review", None),
    "counts": lambda _: ("GET", "/api/knowledge/counts", None),
    "matters": lambda _: ("GET", "/api/knowledge/matters", None),
    "editor: the item": lambda id_: ("GET", f"/api/knowledge/items/{id_}", None),
    "editor: versions": lambda id_: ("GET", f"/api/knowledge/items/{id_}/versions", None),
    "editor: how it was asked": lambda id_: ("GET", f"/api/knowledge/items/{id_}/wordings", None),
    "editor: unanswered questions near it": lambda id_: ("POST", "/api/knowledge/near-questions", id_),
    "editor: what to look at": lambda id_: ("POST", "/api/knowledge/check", id_),
}


def sign_in_editor() -> dict[str, str]:
    """Headers of an editor's browser."""
    with database.write() as session:
        if session.get(Person, "bench") is None:
            person, _ = people.create(session, "bench", "bench", "编辑", ["editor"])
            person.must_change = False
        entered = sign_in.admit(session, "bench", source="bench", agent="bench", by="bench")
    return {"Cookie": f"{SESSION}={entered.token}", "Sec-Fetch-Site": "same-origin"}


def ask_much(count: int) -> int:
    """Keep questions as citizens ask them, each of somebody else, decided by the index in use; how many."""
    texts = [row["q"] for path in sorted((ROOT / "training/questions").glob("*.jsonl")) for row in rows_of(path)]
    assistant, now = get_assistant(), utcnow()
    decided = [(text, trying.attempt(assistant, [text])) for text in texts[:count]]
    for start in range(0, count, 500):
        with database.write() as session:
            for number in range(start, min(start + 500, count)):
                text, outcome = decided[number % len(decided)]
                conversation, _ = conversations.create(session, "web")
                message = InboxMessage(turn_id=uuid.uuid4().hex, conversation_id=conversation.id, text=text)
                at = now - timedelta(days=7) * (number / count)
                asked.note(session, conversation, message, "ask_policy", outcome, at)
    return count


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Lines of a file of questions."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def measured(http: httpx.Client, ids: list[str], times: int, rng: random.Random) -> dict[str, dict[str, float]]:
    """By request: median and p95."""
    took: dict[str, list[float]] = {name: [] for name in REQUESTS}
    contents: dict[str, Any] = {}
    for name in rng.sample([*REQUESTS] * times, len(REQUESTS) * times):
        id_ = rng.choice(ids)
        method, path, body = REQUESTS[name](id_)
        if body is not None:
            if id_ not in contents:
                contents[id_] = http.get(f"/api/knowledge/items/{id_}").json()["content"]
            body = {"qa_id": id_, "content": contents[id_]}
        begun = time.monotonic()
        http.request(method, path, json=body).raise_for_status()
        took[name].append(time.monotonic() - begun)
    return {name: {"p50_ms": quantile(each, 0.5), "p95_ms": quantile(each, 0.95)} for name, each in took.items()}


def run(times: int, folder: Path) -> dict[str, Any]:
    """Everything; the report."""
    described = stack.machine()
    stack.warn_if_busy(described)
    model = stack.prepare_data(folder / "data")
    env = stack.settings_env(folder / "data", free_ports(3))
    settings = scratch.use(env)
    with database.write() as session:
        knowledge.upsert(session, list(city(ITEMS)))
        ids = [id_ for (id_,) in session.query(QA.id)]
    questions = ask_much(QUESTIONS)
    with (
        start_in_background(services(settings, model, env), log_dir=folder / "logs", timeout_s=180),
        httpx.Client(base_url=settings.gateway_url, headers=sign_in_editor(), timeout=60, trust_env=False) as http,
    ):
        measured(http, ids, 2, random.Random(1))  # warm
        found = measured(http, ids, times, random.Random(2))
    return {"machine": described, "items": len(ids), "questions": questions, "requests": found}


def main() -> None:
    """Print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.knowledge_desk", description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=40)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there as well")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yihaoda-bench-") as temporary:
        report = run(given.times, Path(temporary))
    for name, one in report["requests"].items():
        print(f"{name}: median {one['p50_ms']} ms, p95 {one['p95_ms']} ms")
    if given.json:
        stack.write_json(given.json, report)


if __name__ == "__main__":
    main()
