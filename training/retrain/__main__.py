"""``python -m training.retrain STEP FOLDER``: a step of a training, for ``training.retrain.child``; no command for people."""

from __future__ import annotations

import argparse
import contextlib
import os
import time
import traceback
from pathlib import Path

from bot import disk, logs
from bot.errors import YihaodaError
from bot.private import keep_private
from bot.settings import get_settings
from training.retrain import child, making

_EVERY_S = 0.3
_last = 0.0


def _say(doing: str, done: int | None = None, total: int | None = None) -> None:
    """Not more often than anybody looks."""
    global _last
    if time.monotonic() - _last >= _EVERY_S or done is None:
        _last = time.monotonic()
        child.tell(doing=doing, done=done, total=total)


def main() -> int:
    """Do the step; 1 where it could not be done."""
    parser = argparse.ArgumentParser(prog="python -m training.retrain")
    parser.add_argument("step", choices=sorted(making.STEPS))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--encoder", default="")
    parser.add_argument("--nice", type=int, required=True)
    given = parser.parse_args()
    child.end_with_parent()
    child.step_back(given.nice)
    settings = get_settings()
    keep_private(settings)
    logs.configure("WARNING")
    if given.encoder:
        settings = settings.model_copy(update={"encoder": given.encoder})
    try:
        making.STEPS[given.step](settings, given.folder, _say, lambda line: child.tell(log=line))
    except Exception as error:
        traceback.print_exc()
        known = str(error) if isinstance(error, YihaodaError) else disk.reason(error)
        child.tell(failed=known or f"程序出错了（{type(error).__name__}），日志 jobs.log 里有详细的记录。")
        return 1
    return 0


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):  # our parent is gone
        os._exit(main())
