"""What the worker remembers of a job: the steps that are done, with what came of them.  DBOS, and nothing else here knows it.

It only remembers steps.  A run's body always ends with `LetGo`, which is no ``Exception``, so that DBOS records no outcome:
whether a job is done stands in our own table alone.  In SQLite the memory is a file of its own, ``jobs.db`` in the data folder; in
PostgreSQL a schema of its own in our database, ``jobs``.  What is written is JSON (DBOS would pickle), and DBOS's own console, telemetry
and scheduler stay unused: no port, no connection but the database's.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection
from typing import Any

from dbos import DBOS, DBOSConfig, Serializer, SetWorkflowID
from dbos import error as dbos_error

from bot import database
from bot.settings import Settings

_VERSION = "1"
"""DBOS continues only runs of the same version; whether ours fit is decided step by step."""
_OVER = ("SUCCESS", "ERROR")


class LetGo(BaseException):
    """Ends a run in this process and leaves what is remembered of it as it is."""


MemoryFailed = dbos_error.DBOSException
"""What DBOS raises"""
OtherSteps = dbos_error.DBOSUnexpectedStepError
"""A run was begun with other steps, by an earlier program"""


class _Json(Serializer):
    def serialize(self, data: Any) -> str:
        return json.dumps(data, ensure_ascii=True)

    def deserialize(self, serialized_data: str) -> Any:
        return json.loads(serialized_data)

    def name(self) -> str:
        return "json"


class Memory:
    """The runs that are not over, and their steps.  One in a process."""

    def __init__(self, settings: Settings, perform: Callable[[str, str], None], process: str) -> None:
        """
        Args:
            perform: The body of a run, called in a thread of its own with the job's id and the run's; ends with `LetGo`.
            process: Names this process: what another one had under way is not continued before `begin` asks for it.
        """
        logger = logging.getLogger("dbos")  # made ready before DBOS does: our handlers, and no advertisement
        logger.addHandler(logging.NullHandler())
        config: DBOSConfig = {
            "name": "yihaoda",
            "executor_id": process,
            "application_version": _VERSION,
            "log_level": "WARNING",
            "enable_otlp": False,
            "use_listen_notify": False,
            "serializer": _Json(),
            "scheduler_polling_interval_sec": 3600.0,
            "dbos_system_schema": "jobs",
        }
        engine = database.get_engine()
        if engine.dialect.name == "sqlite":
            config["system_database_url"] = f"sqlite:///{settings.data_dir.resolve() / 'jobs.db'}"
        else:
            config["system_database_url"] = engine.url.render_as_string(hide_password=False)
            config["system_database_engine"] = database.make_engine(settings.database)
        DBOS(config=config)

        @DBOS.workflow(name="job", max_recovery_attempts=None)
        def job(job_id: str, run: str) -> None:
            perform(job_id, run)

        self._flow = job
        DBOS.launch()

    def begin(self, job_id: str, run: str) -> None:
        """Have the run's body called: from its first step on, or behind those that are remembered."""
        known = DBOS.get_workflow_status(run)
        if known is not None and known.status in _OVER:  # none of ours ends so
            self.forget(run)
            known = None
        if known is None:
            with SetWorkflowID(run):
                DBOS.start_workflow(self._flow, job_id, run)
        else:
            DBOS.resume_workflow(run)

    def step(self, name: str, call: Callable[[], Any]) -> Any:
        """What ``call`` returns, or what it returned when this run did the step before.  Within a run's body.

        Raises:
            Exception: DBOS's own: the run is remembered otherwise, or is somebody else's by now.  What ``call`` raises must be no
                ``Exception``, or it would be remembered as what came of the step.
        """
        return DBOS.run_step({"name": name}, call)

    def forget(self, run: str) -> None:
        """Drop what is remembered of a run that is over."""
        DBOS.delete_workflow(run)

    def keep_only(self, runs: Collection[str]) -> None:
        """Drop everything else: a process may have been killed between a job's end and `forget`."""
        for known in DBOS.list_workflows(load_input=False, load_output=False):
            if known.workflow_id not in runs:
                self.forget(known.workflow_id)
