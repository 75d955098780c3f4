"""Files that only our own account may read: called first by every process, before it writes anything."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import make_url

from bot.settings import ROOT, Settings


def keep_private(settings: Settings) -> str | None:
    """Let whatever this process and its children create be its account's alone (0700, 0600), and shut what stands open.

    Tightened are the data folder with all that is in it, a SQLite database and logs that lie elsewhere, and ``.env``.  A file of
    another account's is left alone, and so is one that a link leads to.

    Returns:
        What was found open, in a sentence; None where nothing was.
    """
    os.umask(0o077)
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    shut, failed = 0, 0
    for path in _ours(settings):
        try:
            found = path.lstat()
            if found.st_uid != os.geteuid() or stat.S_ISLNK(found.st_mode) or not found.st_mode & 0o077:
                continue
            path.chmod(stat.S_IMODE(found.st_mode) & 0o700)
            shut += 1
        except FileNotFoundError:
            continue  # gone meanwhile
        except OSError:
            failed += 1  # a file system without modes, or read-only
    if failed:
        return (
            f"{settings.data_dir} 里有 {failed} 个文件或文件夹，本机其他账号能读，而且改不了权限。请检查它所在的磁盘。"
        )
    if shut:
        return f"{settings.data_dir} 里有 {shut} 个文件或文件夹，本机其他账号原来能读，现在已经改为只有本账号能读。"
    return None


def _ours(settings: Settings) -> Iterator[Path]:
    yield ROOT / ".env"
    url = make_url(settings.database)
    if url.get_backend_name() == "sqlite" and url.database:
        yield from (Path(f"{url.database}{suffix}") for suffix in ("", "-wal", "-shm"))
    for service in ("gateway", "actions", "rasa", "jobs", "security"):  # the folder itself may be everybody's
        yield from settings.logs.glob(f"{service}*.log*")
    data = settings.data_dir.resolve()
    yield data
    if not ROOT.is_relative_to(data):  # else it would be the whole project, and what is around it
        for folder, folders, files in os.walk(data):
            yield from (Path(folder) / name for name in (*folders, *files))
