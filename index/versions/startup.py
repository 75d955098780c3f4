"""What a start does about the index: in production it publishes nothing as long as the version in use can be read.

It then says how that version differs from what this program would build, and what to do.  Only where it can't be read is one
built, from what was published alone, and that is said too; the old version stays on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from bot import database, notices, releases
from bot.clock import SHANGHAI, utcnow
from bot.settings import Settings
from index.versions import store

_DIFFERS, _REBUILT = "index.differs", "index.rebuilt"
Build = Callable[[Literal["all", "approved"]], None]
"""Builds a version, from all items or from the published ones, and publishes it"""


def ready(settings: Settings, build: Build, say: Callable[[str], None]) -> None:
    """See to it that there is a version that can be read.

    Raises:
        YihaodaError: none could be built.
    """
    if settings.env != "production" and not _released():
        if store.stale(settings):
            say("构建知识索引")
            build("all")
        return
    current, _ = store.pointer(settings)
    if (reason := store.unreadable(settings)) is None:
        store.keep_encoder(settings, store.manifest_of(settings, current or ""))
        for line in tell(settings):
            say(line)
    elif current is None:
        say("构建知识索引")
        build("all")
    else:
        say(f"在用的索引现在的程序读不了（{reason}），用发布过的知识重新构建")
        build("approved")
        day = f"{utcnow().astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
        notices.put(
            _REBUILT,
            f"{day} 启动时，现在的程序读不了在用的索引版本 {current}（{reason}），已经用发布过的问答和随程序附带的标定重新构建并启用。"
            "旧版本还在磁盘上，留给旧的程序。请用 yihaoda evaluate 检查一遍，没有问题就运行 yihaoda index build --publish，这一条就没有了。",
        )


def _released() -> bool:
    """Whether what is in use was released: then nothing but another release takes its place."""
    with database.read() as session:
        live = releases.serving(session).live
        return live is not None and live.kind != "start"


def tell(settings: Settings) -> list[str]:
    """Say among the notices how the version in use differs from what this program would build, or that it does not any more."""
    found = store.differences(settings)
    if not found:
        notices.settle(_DIFFERS)
        return []
    current, _ = store.pointer(settings)
    said = (
        f"在用的索引版本 {current} 和现在的程序不一致：{'；'.join(found)}。照旧作答，没有自动更换。"
        "要换上，请先用 yihaoda evaluate 看看会不会变差，再运行 yihaoda index build --publish。"
    )
    notices.put(_DIFFERS, said)
    return [said]


def published(settings: Settings) -> None:
    """After somebody published a version: what was to be said of the one before is over."""
    notices.settle(_REBUILT)
    tell(settings)
