"""``yihaoda evaluate``: labelled questions through gateway and Rasa, recorded as a run."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select

from bot import database
from bot.errors import YihaodaError
from bot.models.knowledge import QA
from bot.settings import Settings, get_settings
from connectors.run import scratch
from connectors.run.background import start_in_background
from connectors.run.services import start
from connectors.terminal.client import Client, connections, replies_of
from training.evaluate.citizen import Asked, Heard, Open, answering, ask_all
from training.evaluate.questions import known_matters, read_sets, refuse_overlap, refuse_unknown
from training.evaluate.runs import Run, compare, default_folder

AT_ONCE = 4
"""Conversations side by side: as many turns as go to Rasa at once"""


class BrokenOff(YihaodaError):
    """The evaluation was broken off; the message says what is left of it."""


class _Conversation:
    """One conversation with a gateway."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def say(self, text: str) -> Heard:
        turn = self._client.say(text)
        return Heard(answering(replies_of(turn)), self._client.explain(turn["turn_id"]))


@contextlib.contextmanager
def through(settings: Settings) -> Iterator[Open]:
    """Opens conversations with the gateway of ``settings``."""
    with connections(settings) as http:
        yield lambda: _Conversation(Client(settings, http, patient=True))


@contextlib.contextmanager
def _assistant(running: bool, check: Callable[[], None], say: Callable[[str], None]) -> Iterator[Settings]:
    """The running assistant, or one of its own that ends when it is left; meanwhile this process sees its knowledge.

    ``check`` may refuse the questions, before anything is started.
    """
    if running:
        database.migrate()
        check()
        yield get_settings()
        return
    with (
        tempfile.TemporaryDirectory(prefix="yihaoda-") as name,
        scratch.copied(Path(name), say) as (settings, model),
    ):
        check()
        say("启动网关、Rasa 和动作服务")
        with start_in_background(start(settings, model), log_dir=Path(name) / "logs", timeout_s=300):
            yield settings


def evaluate(
    paths: Sequence[Path],
    *,
    running: bool,
    into: Path | None,
    earlier: Path | None,
    say: Callable[[str], None],
    progress: Callable[[int, int], None],
) -> tuple[Run, dict[str, Any], list[tuple[dict[str, Any], Asked]]]:
    """Put every question of the files to an assistant.

    Args:
        running: ask the running assistant, not one that is started for it.
        into: the run's folder.
        earlier: the folder of a run to compare with.
        say: called with what is being prepared.
        progress: called with how many are asked, and of how many.

    Returns:
        The run, its figures, what came out differently from the earlier run.

    Raises:
        InvalidInput: a file, a line, an item or the earlier run is none.
        GatewayDown: the running assistant does not answer.
        BrokenOff: while it was asked; the folder keeps what came of the others.
    """
    questions = read_sets(paths)
    if earlier is not None:
        compare(earlier, [])
    folder = into or default_folder(get_settings().data_dir)

    def check() -> None:
        refuse_unknown(questions, known_matters())
        refuse_overlap(paths)

    with _assistant(running, check, say) as settings:
        with database.read() as session:
            titles = {row.id: row.question for row in session.execute(select(QA.id, QA.question))}
        with through(settings) as open_:
            limits = _limits(open_)
            name = "正在运行的一号答" if running else "另起的一号答"
            run = Run(folder, [path.resolve() for path in paths], len(questions), f"{name}，经过网关和 Rasa", titles)
            finished = False
            try:
                for one in ask_all(open_, questions, known_matters(), at_once=AT_ONCE):
                    run.add(one)
                    progress(len(run.asked), len(questions))
                finished = True
            except (KeyboardInterrupt, YihaodaError) as error:
                why = "" if isinstance(error, KeyboardInterrupt) else f"：{error}"
                raise BrokenOff(
                    f"评测中断了{why}。问了 {len(run.asked)} 个，共 {len(questions)} 个；已有的结果在 {folder}"
                ) from error
            finally:
                made = run.close(finished=finished, limits=limits)
    return run, made, compare(earlier, run.asked) if earlier is not None else []


def _limits(open_: Open) -> dict[str, Any]:
    """The index version and the limits of the assistant, from a first question."""
    return open_().say("身份证丢了怎么补").explain
