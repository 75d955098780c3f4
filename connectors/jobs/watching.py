"""The watch over what is asked now: a thread beside the jobs, since it looks every minute and has nothing to resume."""

from __future__ import annotations

import threading

import structlog
from sqlalchemy.exc import DBAPIError

from bot import disk
from bot.clock import utcnow
from bot.errors import StoreBusy

log = structlog.get_logger(__name__)

LOOK_S = 60.0


def watch(ending: threading.Event) -> None:
    """Until ``ending`` is set.  What goes wrong is said in the log, and it goes on."""
    seeing = None
    while not ending.wait(LOOK_S):
        try:
            if seeing is None:
                from training.review.watch import (
                    Watch,  # loaded here: a worker that just started has more urgent things to do
                )

                seeing = Watch()
            for raised in seeing.look(utcnow()):
                log.info("surge.raised", surge=raised)
        except (StoreBusy, DBAPIError) as error:
            log.warning("surges.later", reason=disk.reason(error) or str(error))
            seeing = None  # what was not written is not known either: read it anew
        except Exception:
            log.exception("surges.unwatched")
            seeing = None
