"""The data folder and settings of an assistant of its own beside the running one: for evaluations and benchmarks."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from bot import crypto, database
from bot.models.housekeeping import Counter
from bot.models.knowledge import QA, Document, Passage, ServiceGuide
from bot.models.releases import Bundle
from bot.models.versions import QAVersion, WorkingCopy
from bot.releases.states import LIVE
from bot.settings import Settings, get_settings
from connectors.run.background import free_ports
from connectors.run.services import prepare

Say = Callable[[str], None]

_KNOWLEDGE = (Document, Passage, ServiceGuide, QA, QAVersion, WorkingCopy)
_SILENT = ("WECHAT_APP_ID", "MINIPROGRAM_APP_ID", "DANGER_WEBHOOK")
"""It tells nobody outside"""
_PATIENT = {"YIHAODA_RASA_TIMEOUT_S": "60"}
"""Whoever asks wants to know what Rasa says, however busy the machine is"""


def environment(data: Path, ports: Iterable[int] = ()) -> dict[str, str]:
    """Environment of an assistant of its own: its data folder, its ports (gateway, Rasa, actions), no rate limits.

    A database that the caller's environment names is set aside, so that it is never touched.
    """
    names = ("YIHAODA_PORT", "YIHAODA_RASA_PORT", "YIHAODA_ACTION_PORT")
    return {
        "YIHAODA_DATA_DIR": str(data),
        "YIHAODA_DATABASE_URL": "",
        "YIHAODA_LOG_DIR": "",
        "YIHAODA_HOST": "127.0.0.1",
        "YIHAODA_RATE_PER_MINUTE": "1000000",
        "YIHAODA_CONVERSATIONS_PER_MINUTE": "1000000",
        **{f"YIHAODA_{name}": "" for name in _SILENT},
        **{name: str(port) for name, port in zip(names, ports, strict=False)},
    }


def use(env: Mapping[str, str]) -> Settings:
    """Make this process see the assistant that ``env`` describes; the settings as it sees them."""
    os.environ.update(env)
    get_settings.cache_clear()
    database.reset_engine()
    return get_settings()


@contextlib.contextmanager
def using(env: Mapping[str, str]) -> Iterator[Settings]:
    """``use``, until it is left."""
    before = {name: os.environ.get(name) for name in env}
    try:
        yield use(env)
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        get_settings.cache_clear()
        database.reset_engine()


def fill(settings: Settings, say: Say) -> Path:
    """Complete the data folder in use: starter knowledge, index, secrets.  Leaves no open connection, so it may be copied.

    Returns:
        The Rasa model's path (trained first if it is not in the cache).
    """
    model = prepare(settings, say)
    crypto.get_cipher()
    database.reset_engine()
    return model


@contextlib.contextmanager
def copied(folder: Path, say: Say) -> Iterator[tuple[Settings, Path]]:
    """A data folder below ``folder`` with a copy of this machine's knowledge, index and live release, or where there is none the
    starter knowledge; meanwhile this process's settings and database are those.  Yields the settings and the Rasa model.

    Raises:
        YihaodaError: something can't be made; the text says what.
    """
    database.migrate()
    knowledge, origin = _knowledge(), get_settings().data_dir
    with using(environment(folder / "data", free_ports(3)) | _PATIENT) as settings:
        database.migrate()
        _put(knowledge)
        for name in ("index", "bundles", "rasa"):
            if (origin / name).is_dir():
                shutil.copytree(origin / name, settings.data_dir / name)
        yield settings, fill(settings, say)


def _knowledge() -> list[tuple[Any, list[dict[str, Any]]]]:
    """The rows of the knowledge and of the live release, by table, and of the counters that say which revision it is and what was loaded."""
    with database.read() as session:
        held: list[tuple[Any, list[dict[str, Any]]]] = [
            (model, list(map(dict, session.execute(select(model.__table__)).mappings()))) for model in _KNOWLEDGE
        ]
        live = session.execute(select(Bundle.__table__).where(Bundle.state == LIVE)).mappings()
        held.append((Bundle, list(map(dict, live))))
        counters = session.execute(select(Counter.__table__).where(Counter.expires_at.is_(None))).mappings()
        return [*held, (Counter, list(map(dict, counters)))]


def _put(held: list[tuple[Any, list[dict[str, Any]]]]) -> None:
    with database.write() as session:
        for model, rows in held:
            if rows:
                session.execute(insert(model.__table__), rows)
