"""A job worker with a kind of its own, 演练, which a test can hold and kill at every point.

Run as a program it loads the libraries once and forks a worker for each line on its standard input, which names environment
variables (JSON); it answers with the process's id.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bot import jobs
from connectors.jobs import __main__ as program
from connectors.jobs import steps, worker
from connectors.jobs.steps import Step, Work

KIND = "rehearsal"
NAMES = ("one", "two", "three")
WHOLE = "一半" * 500
POINTS = [f"{name} {where}" for name in NAMES for where in ("begins", "half", "renamed", "remembered")] + ["written"]
"""Where a job can be killed: within each step and, remembered by DBOS, not yet by us, between them; when all is written down"""


def die_at(folder: Path, point: str) -> None:
    """SIGKILL, once for each time that the point stands in the file ``kill``."""
    plan = folder / "kill"
    points = plan.read_text("utf-8").splitlines() if plan.exists() else []
    if point in points:
        points.remove(point)
        plan.write_text("\n".join(points), "utf-8")
        trace(folder, f"killed: {point}")
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)


def trace(folder: Path, line: str) -> None:
    with (folder / "trace").open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


def rehearse(name: str, work: Work) -> str:
    """Write a file aside, in two halves, and rename it; wait in between as long as the test holds it."""
    folder = Path(str(work.job.arguments["folder"]))
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            trace(folder, "TWO AT ONCE")
        trace(folder, name)
        die_at(folder, f"{name} begins")
        assert list(work.results) == list(NAMES[: NAMES.index(name)])
        draft = folder / f".{name}"
        with draft.open("w", encoding="utf-8") as file:
            file.write(WHOLE[:500])
            file.flush()
            die_at(folder, f"{name} half")
            while (folder / f"hold {name}").exists():
                work.progress(f"{name} 等着", 1, 2)
                time.sleep(0.02)
            if (folder / f"fail {name}").exists():
                raise OSError(28, "No space left on device")
            file.write(WHOLE[500:])
        draft.replace(folder / name)
        die_at(folder, f"{name} renamed")
    work.log(f"{name} 写好了，有事找13800138000。")
    return name


def install() -> None:
    """Make the kind known to this process."""
    jobs.KINDS[KIND] = jobs.Kind(
        "演练", "写三个文件。", {"folder": jobs.Argument("文件夹", str, "")}, lambda settings: None
    )
    steps.STEPS[KIND] = tuple(Step(f"{name}{os.environ.get('OTHER_STEPS', '')}", name, _call(name)) for name in NAMES)


def _call(name: str):  # type: ignore[no-untyped-def]
    return lambda work: rehearse(name, work)


def _watch_between_the_steps() -> None:
    """Two more points to be killed at: the step is remembered, and the end is written down."""
    write = worker._Work.write

    def watched(work: worker._Work, **values: object) -> None:
        folder = Path(str(work.job.arguments.get("folder", "/nowhere")))
        if work.job.kind == KIND and values.get("step"):
            done = list(work.results)
            die_at(folder, f"{done[-1]} remembered" if done else "")
        write(work, **values)
        if values.get("state") == jobs.DONE:
            die_at(folder, "written")

    worker._Work.write = watched  # type: ignore[method-assign,assignment]


def prepare() -> None:
    """Make this process a worker that knows rehearsals."""
    install()
    _watch_between_the_steps()


def main(prepare: Callable[[], None] = prepare) -> None:
    """Fork workers; each one calls ``prepare`` first."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        wanted = json.loads(line)
        child = os.fork()
        if child:
            print(child, flush=True)
            continue
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        output = os.open(wanted.pop("OUTPUT"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for descriptor in (1, 2):
            os.dup2(output, descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ.update(wanted)
        prepare()
        sys.argv[1:] = []
        program.main()


if __name__ == "__main__":
    main()
