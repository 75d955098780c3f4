"""What a release costs citizens: a switch and a rollback under load, and shadow runs.

``python -m benchmarks.releases`` starts the assistant, makes a twin of what is in use (the same index and Rasa model under other
names, so that both are really loaded once more) and measures, while citizens talk:

* how long a switch, a rollback to the bundle before and a rollback to any other take to reach citizens, until that bundle's index
  answers and until its Rasa does;
* p50, p95 and p99 of a turn before and during switches, and what was answered late, twice or never;
* p95 of a turn with shadow runs on and off, alternated.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from benchmarks import stack
from bot import database
from bot.clock import utcnow
from bot.models.conversations import InboxMessage, OutboxMessage, TurnEffect
from bot.models.releases import Bundle
from bot.releases import files, shadow, switching
from bot.settings import Settings
from connectors.run import scratch
from connectors.run.background import free_ports, start_in_background
from connectors.run.services import start, wanted

QUESTIONS = ("身份证丢了咋补办", "护照多少钱", "失业金怎么领", "公积金怎么提取", "医保卡丢了怎么办", "居住证怎么办理")
TURNS = 5
"""Of one conversation"""


def twin(settings: Settings, name: str, *, own_rasa: bool = True) -> str:
    """A bundle that answers as the live one does, from files of its own; its name."""
    with database.read() as session:
        live = session.scalars(select(Bundle).where(Bundle.state == "live")).one()
    was = files.read(settings, live.name)
    version = f"{was.index[:15]}-{name}"
    shutil.copytree(settings.index_dir / was.index, settings.index_dir / version)
    path = settings.index_dir / version / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"version": version}), encoding="utf-8")
    model = name if own_rasa else live.rasa_model
    if own_rasa:
        shutil.copy(files.model_file(settings, live.rasa_model), files.model_file(settings, model))
    manifest = replace(
        was,
        name=f"{was.name[:15]}-{name}",
        made_at=utcnow().isoformat(),
        kind="model",
        index=version,
        rasa=was.rasa | {"model": model},
    )
    files.write(settings, manifest, {})
    with database.write() as session:
        session.add(files.row(manifest, "passed", "benchmark"))
    return manifest.name


def put(settings: Settings, name: str, state: str, share: int = 0) -> None:
    """Into a state other than live."""
    with database.write() as session:
        bundle = session.get_one(Bundle, name)
        switching.hold(session, settings, bundle, state, utcnow())
        bundle.share = share


def make_live(settings: Settings, name: str, former: str = "previous") -> None:
    """By the switch that the product uses."""
    switching.make_live(settings, name, by="benchmark", move="all", why=None, figures={}, former=former)


@dataclass
class Load:
    """Citizens who talk, each one a few turns and then another."""

    url: str
    pause_s: float
    seconds: list[tuple[float, float]] = field(default_factory=list)
    """When each turn began, and how long it took"""
    sent: int = 0
    late: int = 0
    """Not answered in the response itself"""

    def talk(self, ended: threading.Event) -> None:
        """One after the other, until told to end."""
        with httpx.Client(base_url=self.url, timeout=60, trust_env=False) as http:
            number = 0
            while not ended.is_set():
                opened = http.post("/api/conversations").raise_for_status().json()
                path = f"/api/conversations/{opened['id']}/messages"
                for turn in range(TURNS):
                    number += 1
                    body = {"message_id": f"m{turn}", "text": QUESTIONS[number % len(QUESTIONS)]}
                    began = time.monotonic()
                    answer = http.post(path, json=body, headers={"Authorization": f"Bearer {opened['token']}"})
                    self.seconds.append((began, time.monotonic() - began))
                    self.sent += 1
                    self.late += not answer.raise_for_status().json()["replies"]
                    if ended.wait(self.pause_s):
                        break

    def between(self, start_: float, end: float) -> list[float]:
        """How long the turns took that began then."""
        return [took for began, took in self.seconds if start_ <= began < end]


@contextmanager
def load(url: str, citizens: int, pause_s: float) -> Iterator[Load]:
    """So many citizens talk meanwhile."""
    one, ended = Load(url, pause_s), threading.Event()
    threads = [threading.Thread(target=one.talk, args=(ended,)) for _ in range(citizens)]
    for thread in threads:
        thread.start()
    try:
        yield one
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def percentiles(seconds: list[float]) -> dict[str, float]:
    """p50, p95, p99 and the longest, in milliseconds, of how many."""
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    found = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "longest": max(seconds)}
    return {name: round(value * 1000, 1) for name, value in found.items()} | {"turns": len(seconds)}


def until(reached: Callable[[], bool], timeout_s: float = 180) -> float:
    """How long it took.  Raises: RuntimeError."""
    began = time.monotonic()
    while not reached():
        if time.monotonic() - began > timeout_s:
            raise RuntimeError("waited in vain")
        time.sleep(0.05)
    return time.monotonic() - began


def answered_by(http: httpx.Client) -> tuple[str, str, str]:
    """(bundle, index version, engine) that answer a citizen who begins now."""
    opened = http.post("/api/conversations").raise_for_status().json()
    headers = {"Authorization": f"Bearer {opened['token']}"}
    body = {"message_id": "m", "text": QUESTIONS[0]}
    turn = http.post(f"/api/conversations/{opened['id']}/messages", json=body, headers=headers).json()["turn_id"]
    with database.read() as session:
        effect = session.get_one(TurnEffect, turn)
        return str(effect.bundle), str((effect.explain or {}).get("version")), effect.engine


def held(http: httpx.Client, name: str) -> dict[str, Any]:
    """What readyz says of a bundle; empty: nothing."""
    found: list[dict[str, Any]] = http.get("/readyz").json().get("bundles", [])
    return next((one for one in found if one["name"] == name), {})


def reaches(http: httpx.Client, settings: Settings, name: str, move: Callable[[], None]) -> dict[str, float]:
    """Seconds from a move until the bundle's index answers, and until its Rasa does."""
    with database.read() as session:
        index = session.get_one(Bundle, name).index_version
    began = time.monotonic()
    move()
    moved = time.monotonic() - began
    until(lambda: answered_by(http)[:2] == (name, index))
    answers = time.monotonic() - began
    until(lambda: answered_by(http) == (name, index, "rasa"))
    return {"move_s": round(moved, 2), "index_s": round(answers, 2), "rasa_s": round(time.monotonic() - began, 2)}


def switches(http: httpx.Client, settings: Settings, args: argparse.Namespace) -> dict[str, Any]:
    """The switch, the way back, and the way to any other, while citizens talk."""
    with database.read() as session:
        first = session.scalars(select(Bundle.name).where(Bundle.state == "live")).one()
    second = twin(settings, "second")
    found: dict[str, Any] = {}
    with load(settings.gateway_url, args.citizens, args.pause) as talk:
        time.sleep(args.seconds / 3)
        calm = time.monotonic()
        time.sleep(args.seconds)
        loading = time.monotonic()
        put(settings, second, "share", 50)
        found["made ready"] = round(until(lambda: bool(held(http, second).get("rasa"))), 1)
        ready = time.monotonic()
        time.sleep(args.seconds / 3)
        switching_at = time.monotonic()
        for _ in range(args.rounds):
            found.setdefault("to the coming one", []).append(
                reaches(http, settings, second, lambda: make_live(settings, second))
            )
            time.sleep(1)
            found.setdefault("back to the one before", []).append(
                reaches(http, settings, first, lambda: make_live(settings, first, "previous"))
            )
            time.sleep(1)
        over = time.monotonic()
        put(settings, second, "kept")
        until(lambda: not held(http, second))
        time.sleep(settings.rasa_timeout_s + 10)
        found["to any other"] = reaches(http, settings, second, lambda: make_live(settings, second))
        ended = time.monotonic()
    before, during = talk.between(calm, loading), talk.between(switching_at, over)
    figures = {
        "before": percentiles(before),
        "while the other is loaded": percentiles(talk.between(loading, ready)),
        "while it is switched": percentiles(during),
        "while any other is taken": percentiles(talk.between(over, ended)),
    }
    ratio = figures["while it is switched"]["p99"] / figures["before"]["p99"]
    return found | {"ms": figures, "p99_ratio": round(ratio, 2), "sent": talk.sent, "late": talk.late}


def shadows(settings: Settings, args: argparse.Namespace) -> dict[str, Any]:
    """p95 of a turn with shadow runs on and off, alternated."""
    name = twin(settings, "shadow", own_rasa=False)
    ratios: list[float] = []
    all_on: list[float] = []
    all_off: list[float] = []
    with load(settings.gateway_url, args.citizens, args.pause) as talk:
        time.sleep(args.seconds / 3)
        for number in range(args.rounds):
            figures = {}
            stretches = [("shadow", all_on), ("kept", all_off)]
            for state, all_ in stretches if number % 2 else reversed(stretches):
                put(settings, name, state)
                time.sleep(3)  # until everybody has noticed, and its index is loaded
                began = time.monotonic()
                time.sleep(args.seconds)
                took = talk.between(began, time.monotonic())
                all_ += took
                figures[state] = percentiles(took)["p95"]
            ratios.append(round(figures["shadow"] / figures["kept"], 3))
        put(settings, name, "kept")
        time.sleep(7)
    with database.read() as session:
        seen = shadow.figures(session, name)
    return {
        "on": percentiles(all_on),
        "off": percentiles(all_off),
        "p95_ratios": ratios,
        "median_ratio": statistics.median(ratios),
        "compared": seen.compared,
        "same": seen.same,
        "skipped": seen.skipped,
        "mean_ms": seen.mean_ms and round(seen.mean_ms, 1),
    }


def lost_or_doubled() -> dict[str, int]:
    """Messages without an effect, and replies beyond one a turn."""
    with database.read() as session:
        open_ = session.scalar(select(func.count()).where(InboxMessage.settled.is_(False))) or 0
        bot = OutboxMessage.sender == "bot"
        replies = session.scalar(select(func.count()).where(bot)) or 0
        turns = session.scalar(select(func.count(func.distinct(OutboxMessage.turn_id))).where(bot)) or 0
        effects = session.scalar(select(func.count()).select_from(TurnEffect)) or 0
    return {"open": open_, "doubled": replies - turns, "without_reply": effects - turns}


def measure(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The report.  Raises: RuntimeError."""
    described = stack.machine()
    stack.warn_if_busy(described)
    ports = free_ports(5)
    env = stack.settings_env(folder / "data", ports[:3]) | {
        "YIHAODA_RASA_SPARE_PORTS": f"{ports[3]},{ports[4]}",
        "YIHAODA_DATABASE_URL": args.database,
    }
    settings: Settings = scratch.use(env)
    model = scratch.fill(settings, lambda line: print(f"· {line}", file=sys.stderr))
    ones = start(settings, model, env)
    with (
        start_in_background(ones, log_dir=folder / "logs", wanted=wanted(settings, ones)),
        httpx.Client(base_url=settings.gateway_url, timeout=60.0, trust_env=False) as http,
    ):
        report: dict[str, Any] = {"machine": described, "citizens": args.citizens, "pause_s": args.pause}
        if "shadow" in args.what:
            report["shadow"] = shadows(settings, args)
        if "switch" in args.what:
            report["switch"] = switches(http, settings, args)
        report["messages"] = lost_or_doubled()
    return report


def show(report: dict[str, Any]) -> None:
    """Tables, and the rest as it is."""
    rows = [(f"switch: {name}", row) for name, row in report.get("switch", {}).get("ms", {}).items()]
    rows += [(f"shadow runs {name}", report["shadow"][name]) for name in ("on", "off") if "shadow" in report]
    table = Table(title=f"ms a turn, {report['citizens']} citizens, {report['pause_s']} s between their messages")
    for column in ("", "turns", "p50", "p95", "p99", "longest"):
        table.add_column(column, justify="left" if not column else "right")
    for name, row in rows:
        table.add_row(name, *(str(row[column]) for column in ("turns", "p50", "p95", "p99", "longest")))
    Console(width=100).print(table)
    for part in ("switch", "shadow"):
        print({name: value for name, value in report.get(part, {}).items() if name not in ("ms", "on", "off")})
    print(report["messages"])


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.releases", description=__doc__.splitlines()[0])
    parser.add_argument("--what", nargs="+", choices=("switch", "shadow"), default=["switch", "shadow"])
    parser.add_argument("--citizens", type=int, default=4)
    parser.add_argument("--pause", type=float, default=1.0, metavar="S", help="between a citizen's messages")
    parser.add_argument("--seconds", type=float, default=30.0, metavar="S", help="of each stretch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--database", default="", metavar="URL", help="of an empty database (default: SQLite)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there as well")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yihaoda-bench-") as folder:
        report = measure(arguments, Path(folder))
    show(report)
    if arguments.json:
        stack.write_json(arguments.json, report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
