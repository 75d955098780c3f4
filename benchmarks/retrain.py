"""A training: how long it takes a city of 5,000 Q&A, and what citizens notice of it.

``python -m benchmarks.retrain speed`` trains a city from nothing (no vectors, no Rasa model), changes one text in twenty and a sentence of
Rasa's, and trains again.  The city is made of the starter knowledge: all of it, and as many items of its own as are missing, each an item of
the starter's said of a district and under a number (东湖街道身份证丢了咋补办（便民点 12）), four wordings each.

``python -m benchmarks.retrain beside`` asks three questions a second of a running assistant, with a training under way and without in turns
(stopped and resumed), and reports the ratio of their p95: the median over the rounds.  Each training is from nothing, so that it has work to do.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from benchmarks import stack
from benchmarks.desk import citizens, quantile
from bot import database, jobs, knowledge
from bot.clock import utcnow
from bot.errors import IllegalMove
from bot.models.jobs import Job
from bot.models.knowledge import QA
from bot.models.review import NluExample
from bot.settings import ROOT, Settings, get_settings
from connectors.run import scratch
from connectors.run.background import free_ports, start_in_background
from connectors.run.services import services
from index.replay import QUESTIONS
from index.search.retriever import Item
from index.versions.store import VECTORS
from training import fit

ITEMS, WORDINGS, CHANGED = 5_000, 4, 20
"""Q&A, wordings of the city's own ones, and of how many texts one changes"""
_DISTRICTS = (
    "东湖",
    "西山",
    "南门",
    "北岭",
    "江岸",
    "青石",
    "龙泉",
    "长安",
    "和平",
    "新华",
    "光明",
    "中兴",
    "永丰",
    "太平",
    "滨河",
    "高新",
)
_PATIENCE_S = 3600.0


# --- the city --------------------------------------------------------------------------------------------------------


def city(count: int) -> Iterator[QA]:
    """The starter knowledge and the city's own items, so many in all."""
    starter = fit.starter_items()
    for number in range(count):
        item = starter[number % len(starter)]
        yield _whole(item) if number < len(starter) else _own(item, number)


def _whole(item: Item) -> QA:
    return _qa(item.id, item, item.texts, item.answer)


def _own(item: Item, number: int) -> QA:
    place = f"{_DISTRICTS[number % len(_DISTRICTS)]}街道"
    start = number % len(item.texts)
    texts = [f"{place}{text}（便民点 {number}）" for text in (item.texts * 2)[start : start + WORDINGS]]
    return _qa(f"own-{number:05}", item, texts, f"{place}便民点 {number} 的说明：{item.answer}")


def _qa(id_: str, item: Item, texts: Any, answer: str) -> QA:
    fields: dict[str, Any] = dict.fromkeys(("valid_from", "valid_to", "as_of", "department"))
    return QA(
        id=id_, matter=item.matter, question=texts[0], similar=list(dict.fromkeys(texts[1:])), answer=answer, sources=[], guides=[],
        related=[], themes=[], report=[], audience=item.audience, region=item.region, status="approved", reviewed_by="基准",
        revision=0, **fields,
    )  # fmt: skip


def change_some() -> int:
    """One text in twenty says something else; how many."""
    changed = seen = 0
    with database.write() as session:
        for qa in session.query(QA).order_by(QA.id):
            texts = [qa.question, *qa.similar]
            for place in range(len(texts)):
                seen += 1
                if seen % CHANGED == 0:
                    texts[place] += f"，{changed} 号来问"
                    changed += 1
            qa.question, qa.similar = texts[0], texts[1:]
        knowledge.bump(session)
    return changed


def teach_rasa() -> None:
    """One more sentence, so that its model is made anew."""
    with database.write() as session:
        text = f"谢谢第 {uuid.uuid4().hex[:6]} 号同志"
        session.add(NluExample(id=uuid.uuid4().hex, act="thanks", text=text, decision="bench", by="bench", at=utcnow()))


def forget(settings: Settings) -> None:
    """Whatever trainings keep for the next one."""
    for name in (VECTORS, QUESTIONS):
        for path in settings.index_dir.glob(f"{name}*"):
            path.unlink(missing_ok=True)


# --- a training ------------------------------------------------------------------------------------------------------


def ask() -> str:
    """Have a training done; the job's id."""
    with database.write() as session:
        return jobs.request(session, "train", "bench", {"why": "benchmark"})


def look(job_id: str) -> Job:
    """The job as it is now."""
    with database.read() as session:
        return session.get_one(Job, job_id)


def watched(job_id: str) -> dict[str, Any]:
    """Wait until it is done; seconds, in all and by step."""
    begun = time.monotonic()
    steps: dict[str, float] = {}
    names = [step.name for step in _steps()]
    last, since = 0, begun
    while (job := look(job_id)).state in jobs.OPEN:
        if time.monotonic() - begun > _PATIENCE_S:
            raise SystemExit("it takes too long")
        if job.step != last:
            for name in names[last : job.step]:
                steps[name] = round(time.monotonic() - since, 1)
                since = time.monotonic()
            last = job.step
        time.sleep(0.1)
    if job.state != jobs.DONE:
        raise SystemExit(f"{job.state}: {job.error}")
    return {"seconds": round(time.monotonic() - begun, 1), "steps": steps, "log": job.log}


def _steps() -> Any:
    from connectors.jobs.steps import STEPS

    return STEPS["train"]


@contextlib.contextmanager
def worker() -> Iterator[None]:
    """The job worker alone."""
    with subprocess.Popen([sys.executable, "-m", "connectors.jobs"], cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


def speed(count: int, folder: Path) -> dict[str, Any]:
    """From nothing, and after some texts changed."""
    described = stack.machine()
    stack.warn_if_busy(described)
    stack.prepare_data(folder / "data")  # the gate compares with what is in use: the starter knowledge
    settings = get_settings()
    with database.write() as session:
        knowledge.upsert(session, list(city(count)))
    forget(settings)
    teach_rasa()
    with worker():
        first = watched(ask())
        changed = change_some()
        teach_rasa()
        again = watched(ask())
    with database.read() as session:
        wordings = sum(1 + len(one) for one in session.scalars(_similar()))
    database.reset_engine()
    report = {"machine": described, "items": count, "wordings": wordings, "changed": changed}
    return report | {"from_nothing": first, "changed_texts": again, "index": str(settings.index_dir)}


def _similar() -> Any:
    from sqlalchemy import select

    return select(QA.similar)


# --- beside citizens -------------------------------------------------------------------------------------------------


async def beside(rounds: int, seconds: float, folder: Path) -> dict[str, Any]:
    """Citizens with a training and without."""
    described = stack.machine()
    stack.warn_if_busy(described)
    model = stack.prepare_data(folder / "data")
    env = stack.settings_env(folder / "data", free_ports(3))
    settings = scratch.use(env)
    with start_in_background(services(settings, model, env), log_dir=folder / "logs", timeout_s=180):
        await phase(settings.gateway_url, 10)  # warm
        under_way: str | None = None
        found = []
        for number in range(rounds):
            measured: dict[bool, dict[str, Any]] = {}
            for training in (False, True) if number % 2 else (True, False):
                if training:
                    under_way = going_on(settings, under_way)
                measured[training] = await phase(settings.gateway_url, seconds)
                if training:
                    measured[True]["step"] = look(under_way or "").step
                    stopped(under_way or "")
            ratio = measured[True]["p95_ms"] / measured[False]["p95_ms"]
            found.append({"off": measured[False], "on": measured[True], "ratio": ratio})
            print(json.dumps(found[-1], ensure_ascii=False), file=sys.stderr)
    return {
        "machine": described,
        "rounds": found,
        "ratio": round(statistics.median(one["ratio"] for one in found), 2),
        "off_p95_ms": statistics.median(one["off"]["p95_ms"] for one in found),
        "on_p95_ms": statistics.median(one["on"]["p95_ms"] for one in found),
    }


async def phase(address: str, seconds: float) -> dict[str, Any]:
    """Some seconds of questions."""
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(base_url=address, timeout=60, trust_env=False, limits=limits) as http:
        waits = await citizens(http, time.monotonic() + seconds)
    return {"turns": len(waits), "p50_ms": quantile(waits, 0.5), "p95_ms": quantile(waits, 0.95)}


def going_on(settings: Settings, job_id: str | None) -> str:
    """A training that is under way: the one that was stopped, or a new one from nothing."""
    if job_id is not None and look(job_id).state == jobs.STOPPED:
        with database.write() as session:
            jobs.resume(session, job_id, "bench")
    else:
        forget(settings)
        teach_rasa()
        job_id = ask()
    while look(job_id).state != jobs.RUNNING:
        time.sleep(0.1)
    return job_id


def stopped(job_id: str) -> None:
    """Have it stop, unless it is done."""
    with contextlib.suppress(IllegalMove), database.write() as session:
        jobs.stop(session, job_id, "bench")
    while look(job_id).state in jobs.OPEN:
        time.sleep(0.1)


def main() -> None:
    """Print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retrain", description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("speed", "beside"))
    parser.add_argument("--items", type=int, default=ITEMS, help="speed: Q&A of the city")
    parser.add_argument("--rounds", type=int, default=10, help="beside")
    parser.add_argument("--seconds", type=float, default=20, help="beside: of each phase")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there as well")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yihaoda-bench-") as temporary:
        if given.what == "speed":
            report = speed(given.items, Path(temporary))
            for name in ("from_nothing", "changed_texts"):
                print(f"{name}: {report[name]['seconds']} s, {report[name]['steps']}")
        else:
            report = asyncio.run(beside(given.rounds, given.seconds, Path(temporary)))
            print(
                f"citizens' p95 {report['off_p95_ms']} ms without a training, {report['on_p95_ms']} ms with one: "
                f"ratio {report['ratio']} (median of rounds)"
            )
    if given.json:
        stack.write_json(given.json, report)


if __name__ == "__main__":
    main()
