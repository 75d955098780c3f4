"""The job worker: ``python -m connectors.jobs``.  It listens on no port; ``yihaoda run`` starts it and watches over it."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
from pathlib import Path

import structlog

from bot import database, logs, security_log
from bot.private import keep_private
from bot.settings import get_settings
from connectors.jobs.worker import OwnershipLost, Worker

log = structlog.get_logger(__name__)

_NICE = 10
"""Citizens' turns come first."""


def main() -> None:
    """Work until stopped."""
    parser = argparse.ArgumentParser(description="一号答的后台任务")
    parser.add_argument("--alive", type=Path, help="活着就不断更新的文件，给看管的程序看")
    alive = parser.parse_args().alive
    settings = get_settings()
    keep_private(settings)
    os.nice(_NICE)
    logs.configure(settings.log_level)
    security_log.source.set("后台任务")
    worker = Worker(settings, alive)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: worker.ending.set())
    code = 0
    try:
        worker.run()
    except OwnershipLost:
        log.error("jobs.lost", reason="和数据库的连接断过，别的进程可能已经接手")
        code = 1
    except Exception:
        log.exception("jobs.crashed")
        code = 1
    with contextlib.suppress(Exception):
        database.reset_engine()  # the last one to leave takes SQLite's write-ahead log along
    # A step that did not come to its end runs in a thread that would keep us: it runs again, whenever that is.
    os._exit(code)


if __name__ == "__main__":
    main()
