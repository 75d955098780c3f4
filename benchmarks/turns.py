"""Turns per second and latency: the assistant through its REST API, beside the same Rasa project as ``rasa run`` has it.

``python -m benchmarks.turns`` starts both on free ports and drives them with the same conversations in turn (A B A B …).

yihaoda   gateway → Rasa (validator built once, bounded tracker store, sender id rotated by session) → action server.
plain     Rasa by its own ``rasa run``: same model, same credentials, its default in-memory tracker store, same actions
          in an action server of its own.  Its REST webhook is driven directly.  The actions answer stored turns only, so
          the turns are stored beforehand and plain Rasa is not charged for it: no gateway, no inbox, no authentication.

Each has a database of its own: the gateway would take the plain variant's waiting turns for lost ones and answer them.
A client says its next line when it has the reply to the last one; so many clients do so at once as the column says.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import shutil
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import stack
from bot import conversations, database, turns
from bot.settings import ROOT, Settings
from connectors.run import scratch
from connectors.run.background import Handle, free_ports, start_in_background
from connectors.run.services import SECRET, services

CONCURRENCY = (1, 8)
ROUNDS = 8
BUDGET_S, QUICK_BUDGET_S = 340.0, 60.0
QUICK_TURNS = 15
TIMEOUT_S = 60.0

# What belongs together stays together; each conversation has the scenes in an order of its own. 30 turns in all.
SCENES: tuple[tuple[str, ...], ...] = (
    ("身份证丢了咋补办", "那要多少钱", "有用"),
    ("临时身份证多久能拿到",),
    ("外地户口在这边办居住证要啥材料", "谢谢"),
    ("护照到期了怎么换新的", "再说一遍"),
    ("养老保险要交满多少年才能领", "我交了十二年够不够"),
    ("被公司辞退了能领失业金吗", "那能领多久"),
    ("公积金", "2"),
    ("租房可以提公积金不", "没用"),
    ("异地就医备案怎么弄", "备案以后多久生效"),
    ("房贷利息能抵多少个税", "你是机器人吗"),
    ("领结婚证要带什么",),
    ("老板拖欠工资不给咋办劳动仲裁", "仲裁要花钱吗"),
    ("工作五年了年假有几天",),
    ("公司不让休年假给钱吗",),
    ("养乌龟能领什么补贴", "不用了"),
    ("今天天气怎么样",),
)
FIRST, LAST = "你好", "再见"


@dataclass(frozen=True)
class Phase:
    """One variant at one concurrency in one round."""

    seconds: float
    latencies_s: tuple[float, ...]
    cpu_ms: dict[str, float]
    """CPU time a turn, milliseconds, of each service"""
    answers: tuple[tuple[str, str | None], ...]
    """(type, Q&A id) of each reply, in the scripts' order; ("none", None) where there was no reply"""

    def figures(self) -> dict[str, float]:
        """Turns per second and percentiles in milliseconds."""
        p50, p95, p99 = np.percentile(np.array(self.latencies_s) * 1000, [50, 95, 99])
        return {
            "turns_per_s": len(self.latencies_s) / self.seconds,
            "p50_ms": float(p50),
            "p95_ms": float(p95),
            "p99_ms": float(p99),
        }


@dataclass(frozen=True)
class Talk:
    """One conversation to be held: its lines, and what its variant needs to say them."""

    lines: tuple[str, ...]
    id: str
    token: str = ""
    turn_ids: tuple[str, ...] = ()


class Variant(Protocol):
    """A way to have turns answered."""

    name: str
    handle: Handle
    services: tuple[str, ...]

    async def open(self, scripts: Sequence[tuple[str, ...]]) -> list[Talk]:
        """Make conversations ready; not timed."""

    async def say(self, talk: Talk, number: int) -> dict[str, Any] | None:
        """Say line ``number``; the reply, or None where there was none.  Timed."""


class Yihaoda:
    """Through the gateway."""

    name = "yihaoda"
    services: tuple[str, ...] = ("gateway", "rasa", "actions")

    def __init__(self, handle: Handle, http: httpx.AsyncClient) -> None:
        self.handle, self._http = handle, http

    async def open(self, scripts: Sequence[tuple[str, ...]]) -> list[Talk]:
        """One POST a conversation."""
        talks = []
        for lines in scripts:
            opened = (await self._http.post("/api/conversations")).raise_for_status().json()
            talks.append(Talk(lines, opened["id"], opened["token"]))
        return talks

    async def say(self, talk: Talk, number: int) -> dict[str, Any] | None:
        """As a citizen's client does."""
        response = await self._http.post(
            f"/api/conversations/{talk.id}/messages",
            json={"message_id": uuid.uuid4().hex, "text": talk.lines[number]},
            headers={"Authorization": f"Bearer {talk.token}"},
        )
        replies: list[dict[str, Any]] = response.raise_for_status().json()["replies"]
        return replies[0] if replies else None

    async def engines(self) -> dict[str, int]:
        """Turns so far by who decided them: all should be Rasa's."""
        lines = (await self._http.get("/metrics")).text.splitlines()
        found = (line.rsplit(" ", 1) for line in lines if line.startswith("yihaoda_turns_total{"))
        return {labels.split('"')[1]: int(float(count)) for labels, count in found}


class Plain:
    """Straight to Rasa's REST webhook; this process is set to the variant's database (``stack.use``)."""

    name = "plain"
    services: tuple[str, ...] = ("rasa", "actions")

    def __init__(self, handle: Handle, http: httpx.AsyncClient, settings: Settings) -> None:
        self.handle, self._http, self._settings = handle, http, settings

    async def open(self, scripts: Sequence[tuple[str, ...]]) -> list[Talk]:
        """Store each line as the gateway would, in one transaction."""
        talks = []
        with database.write() as session:
            for lines in scripts:
                conversation, _ = conversations.create(session, "web")
                session.flush()
                receipts = [
                    turns.receive(session, conversation, str(number), text, self._settings)
                    for number, text in enumerate(lines)
                ]
                talks.append(Talk(lines, conversation.id, turn_ids=tuple(receipt.turn_id for receipt in receipts)))
        return talks

    async def say(self, talk: Talk, number: int) -> dict[str, Any] | None:
        """The webhook's ``custom`` payload; the sender id stays the same for the whole conversation."""
        body = {
            "sender": f"{talk.id}-1",
            "message": talk.lines[number],
            "metadata": {"turn_id": talk.turn_ids[number]},
        }
        replies = (await self._http.post("/webhooks/rest/webhook", json=body)).raise_for_status().json()
        custom: dict[str, Any] | None = replies[0].get("custom") if replies else None
        return custom


def script(seed: int) -> tuple[str, ...]:
    """A conversation's lines: the scenes in the order that ``seed`` gives."""
    scenes = list(SCENES)
    random.Random(seed).shuffle(scenes)
    return (FIRST, *(line for scene in scenes for line in scene), LAST)


async def drive(variant: Variant, scripts: Sequence[tuple[str, ...]], concurrency: int) -> Phase:
    """Hold the conversations, ``concurrency`` at a time."""
    talks = await variant.open(scripts)
    waiting = iter(enumerate(talks))
    latencies: list[float] = []
    answers: dict[tuple[int, int], tuple[str, str | None]] = {}

    async def client() -> None:
        for which, talk in waiting:
            for number in range(len(talk.lines)):
                began = time.perf_counter()
                reply = await variant.say(talk, number)
                latencies.append(time.perf_counter() - began)
                answers[which, number] = (reply["type"], reply.get("qa_id")) if reply else ("none", None)

    cpu_before = {name: stack.cpu_seconds(variant.handle.pid(name)) for name in variant.services}
    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(concurrency)))
    seconds = time.perf_counter() - began
    cpu = {name: stack.cpu_seconds(variant.handle.pid(name)) - cpu_before[name] for name in variant.services}
    return Phase(
        seconds,
        tuple(latencies),
        {name: used * 1000 / len(latencies) for name, used in cpu.items()},
        tuple(answers[key] for key in sorted(answers)),
    )


async def measure(variants: Sequence[Variant], turns_each: int | None, deadline: float, rounds: int) -> list[Any]:
    """Rounds of alternating phases until ``rounds`` are done or another would pass the ``deadline`` (monotonic).

    Returns:
        One {concurrency: {variant: Phase}} a round.
    """
    for variant in variants:  # first calls load the index, open connections, fill caches
        await drive(variant, [script(seed)[:turns_each] for seed in range(-4, 0)], 4)
    done: list[dict[int, dict[str, Phase]]] = []
    longest = 0.0
    while len(done) < rounds and (not done or time.monotonic() + 1.1 * longest < deadline):
        began = time.monotonic()
        result: dict[int, dict[str, Phase]] = {}
        for concurrency in CONCURRENCY:
            # Two conversations one after the other where there is one client: 30 turns alone say little.
            scripts = [script(1000 * len(done) + i)[:turns_each] for i in range(max(2, concurrency))]
            result[concurrency] = {variant.name: await drive(variant, scripts, concurrency) for variant in variants}
        done.append(result)
        longest = max(longest, time.monotonic() - began)
        said = ", ".join(
            f"{name} at {concurrency}: {phase.figures()['turns_per_s']:.1f}/s"
            for concurrency, phases in result.items()
            for name, phase in phases.items()
        )
        print(f"round {len(done)} ({longest:.0f} s): {said}", file=sys.stderr)
    return done


def summary(rounds: Sequence[dict[int, dict[str, Phase]]]) -> dict[str, Any]:
    """Medians over the rounds, and the median of each round's ratio (ours ÷ plain)."""
    report: dict[str, Any] = {}
    for concurrency in CONCURRENCY:
        here: dict[str, Any] = {}
        for name in rounds[0][concurrency]:
            phases = [one[concurrency][name] for one in rounds]
            figures = [phase.figures() for phase in phases]
            here[name] = {key: round(statistics.median(f[key] for f in figures), 1) for key in figures[0]} | {
                "cpu_ms_per_turn": {
                    service: round(statistics.median(phase.cpu_ms[service] for phase in phases), 1)
                    for service in phases[0].cpu_ms
                },
                "turns": sum(len(phase.latencies_s) for phase in phases),
                "without_reply": sum(phase.answers.count(("none", None)) for phase in phases),
            }
        pairs = [(one[concurrency]["yihaoda"], one[concurrency]["plain"]) for one in rounds]
        compared = [(a, b) for ours, plain in pairs for a, b in zip(ours.answers, plain.answers, strict=True)]
        here["ratio"] = {
            key: round(statistics.median(ours.figures()[key] / plain.figures()[key] for ours, plain in pairs), 2)
            for key in ("turns_per_s", "p50_ms", "p95_ms", "p99_ms")
        }
        here["same_answer"] = round(sum(a == b for a, b in compared) / len(compared), 4)
        report[str(concurrency)] = here
    return report


def show(report: dict[str, Any]) -> None:
    """The table."""
    table = Table(
        title=f"turns through REST, medians of {report['rounds']} round(s), servers on {report['cores']} cores"
    )
    for column in ("clients", "variant", "turns/s", "p50 ms", "p95 ms", "p99 ms", "CPU ms a turn", "no reply"):
        table.add_column(column, justify="left" if column == "variant" else "right")
    for concurrency, here in report["summary"].items():
        for name in ("plain", "yihaoda"):
            row = here[name]
            cpu = " + ".join(f"{service} {used:.0f}" for service, used in row["cpu_ms_per_turn"].items())
            timed = [f"{row[key]:.1f}" for key in ("turns_per_s", "p50_ms", "p95_ms", "p99_ms")]
            table.add_row(concurrency, name, *timed, cpu, str(row["without_reply"]))
        ratios = [f"×{here['ratio'][key]:.2f}" for key in ("turns_per_s", "p50_ms", "p95_ms", "p99_ms")]
        table.add_row(concurrency, "yihaoda ÷ plain", *ratios, f"same answer: {here['same_answer']:.1%}", "")
        table.add_section()
    Console(width=120).print(table)
    print(f"yihaoda's turns by engine (all should be Rasa's): {report['engines']}")


@contextlib.contextmanager
def both_running(folder: Path, cores: set[int]) -> Iterator[tuple[Handle, Settings, Handle, Settings]]:
    """Both variants, each on a data folder and on ports of its own."""
    model = stack.prepare_data(folder / "yihaoda")
    shutil.copytree(folder / "yihaoda", folder / "plain")
    ports = free_ports(6)
    envs = {
        "yihaoda": stack.settings_env(folder / "yihaoda", ports[:3]),
        "plain": stack.settings_env(folder / "plain", ports[3:]),
    }
    ours = scratch.use(envs["yihaoda"])
    plain = scratch.use(envs["plain"])  # from here on, the plain variant's database is this process's own
    endpoints = folder / "endpoints.yml"
    secret = f"  headers:\n    Authorization: Bearer ${{{SECRET}}}\n"
    endpoints.write_text(f"action_endpoint:\n  url: {plain.action_url}\n{secret}", encoding="utf-8")
    by_name = {service.name: service for service in services(plain, model, envs["plain"])}
    rasa = by_name["rasa"]
    plain_rasa = replace(
        rasa,
        command=(
            rasa.command[0], "-m", "rasa", "run",
            "--model", str(model),
            "--endpoints", str(endpoints),
            "--credentials", str(ROOT / "bot" / "rasa" / "credentials.yml"),
            "--interface", "127.0.0.1",
            "--port", str(plain.rasa_port),
        ),
        env={**rasa.env, "RASA_TELEMETRY_ENABLED": "false"},
    )  # fmt: skip
    with contextlib.ExitStack() as running, stack.on_cores(cores):
        first = running.enter_context(
            start_in_background(services(ours, model, envs["yihaoda"]), log_dir=folder / "logs-yihaoda")
        )
        second = running.enter_context(
            start_in_background([plain_rasa, by_name["actions"]], log_dir=folder / "logs-plain")
        )
        yield first, ours, second, plain


async def run(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Everything; the report."""
    began = time.monotonic()
    described = stack.machine()
    stack.warn_if_busy(described)
    server_cores, driver_cores = stack.split_cores(arguments.cores)
    budget = arguments.seconds or (QUICK_BUDGET_S if arguments.quick else BUDGET_S)
    with both_running(folder, server_cores) as (first, ours, second, plain), stack.on_cores(driver_cores):
        async with (
            httpx.AsyncClient(base_url=ours.gateway_url, timeout=TIMEOUT_S, trust_env=False) as to_gateway,
            httpx.AsyncClient(base_url=plain.rasa_url, timeout=TIMEOUT_S, trust_env=False) as to_rasa,
        ):
            yihaoda = Yihaoda(first, to_gateway)
            variants: list[Variant] = [yihaoda, Plain(second, to_rasa, plain)]
            done = await measure(
                variants,
                QUICK_TURNS if arguments.quick else None,
                began + budget,
                1 if arguments.quick else arguments.rounds,
            )
            engines = await yihaoda.engines()
        deaths = {name: first.deaths(name) for name in Yihaoda.services}
        deaths |= {f"plain {name}": second.deaths(name) for name in Plain.services}
    return {
        "machine": described,
        "cores": len(server_cores) or "all",
        "driver_cores": len(driver_cores - server_cores) or "shared",
        "rounds": len(done),
        "turns_per_conversation": len(script(0)[: QUICK_TURNS if arguments.quick else None]),
        "summary": summary(done),
        "engines": engines,
        "crashes": sum(deaths.values()),
        "by_round": [
            {str(c): {name: phase.figures() for name, phase in phases.items()} for c, phases in one.items()}
            for one in done
        ],
        "seconds": round(time.monotonic() - began, 1),
    }


def main() -> int:
    """0, or 1 where the run proves nothing: a crash, or turns that Rasa did not answer."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.turns", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round of half the turns, about a minute")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"at most so many rounds (default {ROUNDS})")
    parser.add_argument("--seconds", type=float, help=f"begin no round that would end later (default {BUDGET_S:.0f})")
    parser.add_argument("--cores", type=int, default=2, help="cores for all server processes (default 2; 0: all)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there as well")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work in this new folder and leave it (logs)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yihaoda-bench-") as temporary:
        report = asyncio.run(run(arguments, arguments.keep or Path(temporary)))
    show(report)
    if arguments.json:
        stack.write_json(arguments.json, report)
    lost = sum(report["summary"][str(c)][name]["without_reply"] for c in CONCURRENCY for name in ("yihaoda", "plain"))
    strays = sum(count for engine, count in report["engines"].items() if engine != "rasa")
    if lost or strays or report["crashes"]:
        print(f"not valid: {lost} turns without reply, {strays} not decided by Rasa, {report['crashes']} crashes")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
