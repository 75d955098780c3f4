"""Writes that gather go together; one that fails takes no other with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import database
from bot.models import Document
from bot.settings import Settings
from connectors.write_queue import WriteQueue


def document(id_: str) -> Callable[[Session], str]:
    def work(session: Session) -> str:
        session.add(Document(id=id_, title=id_, region="100000", status="有效"))
        session.flush()
        return id_

    return work


def present() -> set[str]:
    with database.read() as session:
        return set(session.scalars(select(Document.id)))


def test_many_writes_in_their_order_and_a_failure_alone(db: Settings) -> None:
    async def scenario() -> None:
        queue = WriteQueue("test")
        works = [document(f"d-{number % 40}") for number in range(50)]  # the last ten break a key
        results = await asyncio.gather(*map(queue.do, works), return_exceptions=True)
        assert results[:40] == [f"d-{number}" for number in range(40)]
        assert all(isinstance(result, Exception) for result in results[40:])
        assert await queue.do(document("later")) == "later"
        queue.close()

    asyncio.run(scenario())
    assert present() == {f"d-{number}" for number in range(40)} | {"later"}


def test_who_stops_waiting_does_not_undo_the_write(db: Settings) -> None:
    async def scenario() -> None:
        queue = WriteQueue("test")
        waiting = asyncio.create_task(queue.do(document("kept")))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await queue.do(document("next"))
        queue.close()

    asyncio.run(scenario())
    assert present() == {"kept", "next"}
