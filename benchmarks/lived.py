"""What a citizen lives through: every question of ``tests/data/lived`` (``--half dev``: of the other half) through a whole assistant of its own, and what came of it.

``python -m benchmarks.lived --half final`` starts gateway, Rasa and actions on free ports of 127.0.0.1, asks each question in a
conversation of its own, and where it is asked back or shown a likely answer that is wrong, taps the right option if it is
there.  ``--json FILE`` names every miss.  No limit was fitted on the final halves.  ``final``: by writers who saw no item, then
labelled; ``fresh``: by others who wrote with the list of items beside them, which is easier.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table
from scipy.stats import beta

from benchmarks.stack import machine, prepare_data, settings_env, use, write_json
from bot.settings import ROOT
from connectors.run.background import free_ports, start_in_background
from connectors.run.services import services
from training.fit import read_questions

FOLDER = ROOT / "tests" / "data" / "lived"
FITTED = ROOT / "training" / "questions" / "lived.jsonl"
"""The development half, which the limits were fitted on among others"""
REGISTERS = ("questions", "spoken", "letters", "short")
AT_ONCE = 4
_ANSWERS = ("sure right", "likely right", "calculation")


@dataclass(frozen=True)
class Lived:
    """What came of one question."""

    q: str
    right: tuple[str, ...]
    kind: str
    first: str
    """sure right, sure wrong, likely right, likely wrong, asked back, offer, ticket, calculation, passages, emergency, words"""
    then: str = ""
    """The same of the second turn, where the right option was there to be tapped"""
    shown: str | None = None
    replies: list[dict[str, Any]] = field(default_factory=list)


def main() -> None:
    """Ask, count, show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--half", choices=("dev", "final", "fresh"), default="final")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        model = prepare_data(data)
        settings = use(settings_env(data, free_ports(3)))
        with start_in_background(services(settings, model), log_dir=Path(folder) / "logs", timeout_s=300):
            found = {name: list(_ask_all(settings.gateway_url, name, options.half)) for name in REGISTERS}
    Console().print(_table(found))
    if options.json:
        report = {name: [one.__dict__ for one in lived] for name, lived in found.items()}
        write_json(options.json, {"machine": machine(), "half": options.half, "lived": report})


def _ask_all(url: str, name: str, half: str) -> Iterator[Lived]:
    rows = (
        read_questions(FOLDER / f"{name}_{half}.jsonl")
        if half != "dev"
        else [row for row in read_questions(FITTED) if row["register"] == name]
    )
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as http, ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(lambda row: _ask(http, row), rows)


def _ask(http: httpx.Client, row: dict[str, Any]) -> Lived:
    opened = http.post("/api/conversations").json()
    right = tuple(row["qa"])

    def say(text: str, number: int) -> dict[str, Any]:
        body = {"message_id": f"m{number}", "text": text}
        while True:  # the same message again waits for the same turn
            turn = http.post(
                f"/api/conversations/{opened['id']}/messages",
                json=body,
                headers={"Authorization": f"Bearer {opened['token']}"},
            ).json()
            if not turn["deferred"]:
                return dict(turn["replies"][0])

    reply = say(row["q"], 1)
    first, then = _came_of(reply, right), ""
    offered = [*reply.get("options", ()), *reply.get("others", ())]
    tap = next((one for one in offered if one["qa_id"] in right), None)
    if first in ("asked back", "likely wrong") and tap is not None:
        then = _came_of(say(tap["question"], 2), right)
    return Lived(row["q"], right, row["kind"], first, then, reply.get("qa_id"), replies=[reply])


def _came_of(reply: dict[str, Any], right: tuple[str, ...]) -> str:
    match reply["type"]:
        case "answer":
            return f"{reply['certainty']} {'right' if reply['qa_id'] in right else 'wrong'}"
        case "clarify":
            return "asked back"
        case "text":
            return "offer" if reply["can_report"] else "words"
        case other:
            return str(other)


def share(count: int, total: int) -> str:
    """A share with its two-sided 95 % interval (Clopper & Pearson 1934)."""
    if not total:
        return "–"
    low = float(beta.ppf(0.025, count, total - count + 1)) if count else 0.0
    high = float(beta.ppf(0.975, count + 1, total - count)) if count < total else 1.0
    return f"{count / total:.3f} ({low:.2f}–{high:.2f})"


def _table(found: dict[str, list[Lived]]) -> Table:
    everything = {**found, "all": [one for lived in found.values() for one in lived]}
    table = Table("", *everything)

    def row(title: str, of: str, *counted: str) -> None:
        cells = []
        for lived in everything.values():
            chosen = [one for one in lived if bool(one.right) is (of == "answerable")]
            cells.append(share(sum(_is(one, counted) for one in chosen), len(chosen)))
        table.add_row(title, *cells)

    table.add_row("with an answer", *(str(sum(bool(one.right) for one in lived)) for lived in everything.values()))
    row("right at once", "answerable", *_ANSWERS)
    row("· sure", "answerable", "sure right")
    row("within two turns", "answerable", *_ANSWERS, "then right")
    row("misled: sure", "answerable", "sure wrong")
    row("misled: likely", "answerable", "likely wrong")
    row("asked back in vain", "answerable", "in vain")
    row("ticket or offer though there is an answer", "answerable", "ticket", "offer")
    row("other words", "answerable", "words", "passages", "emergency", "handover")
    table.add_row("without an answer", *(str(sum(not one.right for one in lived)) for lived in everything.values()))
    row("shown a sure answer", "none", "sure wrong")
    row("shown a likely answer", "none", "likely wrong")
    row("asked back", "none", "asked back")
    row("offered a ticket", "none", "offer", "ticket")
    table.caption = str(dict(Counter(one.first for one in everything["all"])))
    return table


def _is(one: Lived, counted: tuple[str, ...]) -> bool:
    if one.first in counted:
        return True
    if "then right" in counted and one.then.endswith("right"):
        return True
    return "in vain" in counted and one.first == "asked back" and not one.then.endswith("right") and bool(one.right)


if __name__ == "__main__":
    main()
