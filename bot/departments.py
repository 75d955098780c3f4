"""The city's departments (承办单位): from its own list, one a line."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import structlog

from bot.errors import InvalidInput
from bot.settings import Settings

log = structlog.get_logger(__name__)

_MOST, _CHARS = 2000, 100


def listed(settings: Settings) -> tuple[str, ...]:
    """The list's departments, in its order; none without a list, or where it can't be read: the log says why."""
    if not settings.departments_file:
        return ()
    file = Path(settings.departments_file)
    try:
        return _read(file, file.stat().st_mtime_ns)
    except (OSError, InvalidInput) as error:
        log.error("departments.unreadable", file=settings.departments_file, reason=str(error))
        return ()


def read(file: Path) -> tuple[str, ...]:
    """The names in a file (UTF-8 or GB18030), one a line; of a table's lines the first column.  Raises: OSError, InvalidInput."""
    data = file.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("gb18030", "replace")
    names = dict.fromkeys(filter(None, (line.split(",")[0].split("\t")[0].strip(' "\r') for line in text.split("\n"))))
    wrong = [name for name in names if len(name) > _CHARS or not name.isprintable() or "\ufffd" in name]
    if wrong or not names or len(names) > _MOST:
        raise InvalidInput(f"{file.name} 不是承办单位名单：要每行一个名称，最多 {_MOST} 个，每个最多 {_CHARS} 个字。")
    return tuple(names)


@lru_cache(maxsize=2)
def _read(file: Path, _changed: int) -> tuple[str, ...]:
    return read(file)
