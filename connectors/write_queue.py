"""Many small writes in few transactions.

SQLite has one write lock and hands it out by polling: hundreds that wait for it, each with a transaction of its own, wait for
seconds.  Here whatever has gathered while the last transaction ran goes into the next, in its order, each in a savepoint.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from bot import database

T = TypeVar("T")
_MOST = 200


class WriteQueue:
    """One thread that writes for an event loop."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._waiting: list[tuple[Callable[[Session], Any], asyncio.Future[Any]]] = []
        self._worker: asyncio.Task[None] | None = None

    async def do(self, work: Callable[[Session], T]) -> T:
        """The result of ``work`` in a committed transaction.  Cancelling the wait does not undo it.

        Raises: what ``work`` raised, and then nothing of it is written; what the database raises.
        """
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, done))
        if self._worker is None:
            self._worker = asyncio.create_task(self._drain())
        return await asyncio.shield(done)

    def close(self) -> None:
        """No more writes."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
                try:
                    results = await loop.run_in_executor(self._thread, _together, [work for work, _ in batch])
                except Exception as error:
                    results = [error] * len(batch)
                for (_, done), result in zip(batch, results, strict=True):
                    if done.done():
                        continue
                    if isinstance(result, Exception):
                        done.set_exception(result)
                        done.exception()  # whoever asked may be gone: that is no error of the loop's
                    else:
                        done.set_result(result)
        finally:
            self._worker = None


def _together(works: list[Callable[[Session], Any]]) -> list[Any]:
    results: list[Any] = []
    with database.write() as session:
        for work in works:
            try:
                with session.begin_nested():
                    result = work(session)
            except Exception as error:
                result = error
            results.append(result)
    return results
