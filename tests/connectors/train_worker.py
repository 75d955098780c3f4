"""A job worker that a test kills at chosen points of a training: where a step begins, inside it, and at its end.

What is inside: for a step in a process of its own, when that process says something for the first time; for another one, when its first file
is written down.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from bot.releases import files
from connectors.jobs import __main__ as program
from connectors.jobs import steps
from connectors.jobs.steps import Work
from tests.connectors import job_worker
from tests.connectors.job_worker import die_at, trace
from training.retrain import child, frozen

NAMES = tuple(step.name for step in steps.STEPS["train"])
INSIDE = ("freeze", "models", "calibrate", "bundle")
POINTS = [
    f"{name} {where}" for name in NAMES for where in ("begins", "inside", "ends") if where != "inside" or name in INSIDE
]


def folder() -> Path:
    return Path(os.environ["KILL_FOLDER"])


def _watched(name: str, call: Callable[[Work], Any]) -> Callable[[Work], Any]:
    def watched(work: Work) -> Any:
        trace(folder(), name)
        die_at(folder(), f"{name} begins")
        done = call(work)
        die_at(folder(), f"{name} ends")
        return done

    return watched


def prepare() -> None:
    """Let ourselves be killed; and don't stand back, other tests would leave us nothing."""
    program._NICE, child.NICE = 0, 0
    steps.STEPS["train"] = tuple(replace(step, call=_watched(step.name, step.call)) for step in steps.STEPS["train"])
    run, flush = child.run, files.flush

    def running(apart: list[list[str]], env: Any, say: Any, log: Any) -> None:
        def said(*what: Any) -> None:
            die_at(folder(), "calibrate inside" if apart[0][0] == "calibrate" else "models inside")
            say(*what)

        run(apart, env, said, log)

    def flushing(name: str) -> Callable[[Path], None]:
        def flushed(path: Path) -> None:
            die_at(folder(), f"{name} inside")
            flush(path)

        return flushed

    child.run = running
    frozen.flush = flushing("freeze")  # type: ignore[attr-defined]
    files.flush = flushing("bundle")  # type: ignore[attr-defined]


if __name__ == "__main__":
    job_worker.main(prepare)
