"""The tree of errors that `bot/errors.py` draws is the one that the code has."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator

from bot import errors
from bot.errors import YihaodaError
from bot.settings import ROOT

PACKAGES = ("bot", "index", "actions", "connectors", "training")
ELSEWHERE = ("bot/rasa/", "bot/migrations/", "connectors/miniprogram/", "training/gate/parse_acts.py")
"""What only Rasa's or alembic's process can import, and what holds no Python of ours."""


def drawn() -> dict[str, str]:
    """Each error of the docstring's tree with its parent."""
    tree: dict[str, str] = {}
    above: list[str] = []
    for indent, name, meaning in re.findall(r"^((?: {4})+)(\w+)(?: {2,}(\S.*))?$", errors.__doc__ or "", re.MULTILINE):
        above[len(indent) // 4 - 1 :] = [name]
        if len(above) > 1:
            assert name not in tree, f"{name} is drawn twice"
            assert meaning, f"{name} is not explained"
            tree[name] = above[-2]
    return tree


def defined(parent: type[YihaodaError] = YihaodaError) -> Iterator[tuple[str, str]]:
    """Each error of ours with its parent; those that tests define are none of ours."""
    for kind in parent.__subclasses__():
        if kind.__module__.split(".")[0] in PACKAGES:
            yield kind.__name__, parent.__name__
        yield from defined(kind)


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            path = file.relative_to(ROOT)
            if not path.as_posix().startswith(ELSEWHERE):
                importlib.import_module(".".join(path.with_suffix("").parts).removesuffix(".__init__"))
    found = list(defined())
    assert len(found) == len(set(found)) == len(dict(found)), "two errors have one name"
    assert drawn() == dict(found)
