"""The disks under the gateway, looked at when somebody asks whether it is well."""

from __future__ import annotations

import asyncio
import time

from bot import disk, logs, security_log
from bot.settings import Settings
from connectors import metrics

_FRESH_S = 5.0
_WAIT_S = 2.0


class Disks:
    """What is wrong with data folder and logs.  Looks at most every few seconds, and one look at a time: a disk may hang."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._looked_at = 0.0
        self._look: asyncio.Task[list[str]] | None = None

    async def reasons(self) -> list[str]:
        """A sentence for each thing that an operator should see to."""
        now = time.monotonic()
        if self._look is None or (self._look.done() and now - self._looked_at > _FRESH_S):
            self._looked_at = now
            self._look = asyncio.create_task(asyncio.to_thread(troubles, self._settings))
        done, _ = await asyncio.wait({self._look}, timeout=_WAIT_S)
        return list(self._look.result()) if done else ["磁盘没有反应。请检查磁盘。"]


def troubles(settings: Settings) -> list[str]:
    """What is wrong with the folders that this process and its supervisor write to, and with its logs."""
    least = settings.disk_free_mb * 1_000_000
    found = [disk.trouble(settings.data_dir, "数据目录", least), disk.trouble(settings.logs, "日志文件夹", least)]
    if logs.output.failing:
        found.append(f"网关的日志写不出去，已经丢了 {logs.output.dropped} 行。")
    if security_log.lost():
        found.append(f"安全日志写不进去，已经少记了 {security_log.lost()} 行。")
    return [reason for reason in found if reason]


def measure(settings: Settings) -> None:
    """Set the gauges.  Raises: OSError."""
    metrics.LOG_LOST.labels("gateway").set(logs.output.dropped)
    metrics.LOG_LOST.labels("security").set(security_log.lost_in_all())
    for name, folder in (("data", settings.data_dir), ("logs", settings.logs)):
        metrics.DISK_FREE.labels(name).set(disk.free_bytes(folder))
