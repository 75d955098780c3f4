"""What a running assistant needs: database, starter knowledge, an index version, a Rasa model; and its processes."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import structlog
from sqlalchemy.orm import Session

from bot import database, knowledge, notices, releases
from bot.clock import SHANGHAI, utcnow
from bot.errors import YihaodaError
from bot.releases import files, switching
from bot.settings import ROOT, Settings
from connectors.run.rasa_model import ensure_model, model_id
from connectors.run.supervisor import Service
from index.knowledge_files import starter
from index.versions import adopting, startup

log = structlog.get_logger(__name__)

Say = Callable[[str], None]

_RETRAINED = "rasa.retrained"
_NOTICED_S = 3.0
"""Until everybody has noticed that a bundle is not held any more"""

SECRET = "YIHAODA_SERVICE_SECRET"
"""The environment variable that holds the services' common secret."""


def prepare(settings: Settings, say: Say) -> Path:
    """Bring everything up to date; what has not changed is skipped.

    Returns:
        The Rasa model's path.

    Raises:
        YihaodaError: something can't be made; the text says what.
        OSError: the model can't be kept in the data folder.
    """
    say("检查数据库")
    database.migrate()
    with database.write() as session:
        knowledge.bring_in(session, utcnow().astimezone(SHANGHAI).date())
        report = starter.load_starter(session)
    for problem in report.problems:
        say(f"示范知识有问题：{problem}")
    if report.added or report.changed:
        say(f"载入示范知识：新增 {len(report.added)}，更新 {len(report.changed)}")
    startup.ready(settings, _build_index, say)
    say("检查 Rasa 模型（有变化时训练约一分钟）")
    return _rasa_model(settings, say)


def _rasa_model(settings: Settings, say: Say) -> Path:
    """The live bundle's Rasa model, among the data folder's.

    In production it is started as it is, and trained anew, with the bundle's own sentences, only where the program that it needs has
    changed; that is said among the notices.  In development it follows the sentences in the project's folder, too.
    """
    with database.read() as session:
        live = releases.serving(session).live
    overlay = files.overlay_of(settings, live.name) if live is not None else None
    if live is not None and settings.env == "production":
        kept = files.model_file(settings, live.rasa_model)
        made_with = live.summary.get("code", {}).get("engine")
        if kept.is_file() and made_with == files.engine(ROOT):
            notices.settle(_RETRAINED)
            return kept
        said = "它所依赖的程序文件有更新" if kept.is_file() else "它的文件不在这台机器上"
        say(f"在用的 Rasa 模型 {live.rasa_model} 不能照旧使用（{said}），重新训练")
        notices.put(
            _RETRAINED,
            f"启动时，发布包 {live.name} 的 Rasa 模型不能照旧使用（{said}），已经用当时的语料重新训练并启用，登记为新的发布包。"
            "请用 yihaoda evaluate 检查一遍；下次启动时没有再变化，这一条就没有了。",
        )
    known = files.model_file(settings, model_id(ROOT, overlay))
    return known if known.is_file() else files.keep_model(settings, ensure_model(ROOT, overlay))


def _build_index(of: Literal["all", "approved"]) -> None:
    """In a process of its own: the encoder's libraries would stay in the supervisor's memory for good."""
    command = [sys.executable, "-m", "connectors.terminal.cli", "index", "build", "--publish"]
    command += ["--approved"] if of == "approved" else []
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise YihaodaError(f"索引没有建成：{done.stderr.strip()[-500:]}")


def start(settings: Settings, model: Path, env: Mapping[str, str] | None = None) -> list[Service]:
    """``services``, once what is in use is registered as the live bundle, and each held bundle has its port.

    Raises:
        YihaodaError, OSError: it can't be registered.
    """
    adopting.adopt(settings, model)
    with database.write() as session:
        switching.ports(session, settings, anew=True)
    return services(settings, model, env)


def services(settings: Settings, model: Path, env: Mapping[str, str] | None = None) -> list[Service]:
    """Rasa, the action server, the gateway, and the job worker; ``env`` is added to each one's environment.

    A secret made for this start is in the environments of those three: Rasa and the action server answer nobody without it.
    The job worker comes last and is not needed: citizens are answered without it.
    """
    local = "127.0.0.1"
    alive = settings.data_dir.resolve() / "jobs.alive"
    alone = _environment(env)
    shared = alone | {SECRET: secrets.token_urlsafe(32)}
    secret_header = {"Authorization": f"Bearer {shared[SECRET]}"}
    return [
        rasa(settings, model, settings.rasa_port, shared, needed=True),
        Service(
            name="actions",
            title="动作服务",
            command=(sys.executable, "-m", "actions", "--port", str(settings.action_port)),
            env=shared,
            port=settings.action_port,
            port_setting="YIHAODA_ACTION_PORT",
            ready_url=f"http://{local}:{settings.action_port}/health",
            probe_headers=secret_header,
            cwd=ROOT,
        ),
        Service(
            name="gateway",
            title="网关",
            command=(
                sys.executable, "-m", "uvicorn", "connectors.gateway.app:app",
                "--host", settings.host,
                "--port", str(settings.port),
                "--no-access-log",
                "--ws-per-message-deflate", "false",  # an event is a hundred bytes, told to every open page
                "--no-proxy-headers",  # the gateway reads them itself, from the proxies in the settings
            ),
            env=shared,
            host=settings.host,
            port=settings.port,
            port_setting="YIHAODA_PORT",
            ready_url=f"{settings.gateway_url}/readyz",
            live_url=f"{settings.gateway_url}/healthz",
            cwd=ROOT,
        ),
        Service(
            name="jobs",
            title="后台任务",
            command=(sys.executable, "-m", "connectors.jobs", "--alive", str(alive)),
            env=alone,
            alive_file=alive,
            needed=False,
            cwd=ROOT,
        ),
    ]  # fmt: skip


def rasa(settings: Settings, model: Path, port: int, shared: Mapping[str, str], *, needed: bool = False) -> Service:
    """A Rasa server with this model; ``shared``: the environment of the services, with their secret."""
    folder = ROOT / "bot" / "rasa"
    first = port == settings.rasa_port
    local = "127.0.0.1"
    return Service(
        name="rasa" if first else f"rasa-{port}",
        title="Rasa 对话服务" if first else f"Rasa 对话服务（端口 {port}）",
        command=(
            str(ROOT / ".venv-rasa" / "bin" / "python"), "-m", "bot.rasa", "run",
            "--model", str(model),
            "--endpoints", str(folder / "endpoints.yml"),
            "--credentials", str(folder / "credentials.yml"),
            "--interface", local,
            "--port", str(port),
        ),
        env={**shared, "YIHAODA_ACTION_URL": settings.action_url, "TF_CPP_MIN_LOG_LEVEL": "3"},
        port=port,
        port_setting="YIHAODA_RASA_PORT" if first else "YIHAODA_RASA_SPARE_PORTS",
        ready_url=f"http://{local}:{port}/webhooks/rest/",
        probe_headers={"Authorization": f"Bearer {shared[SECRET]}"},
        needed=needed,
        comes_and_goes=True,
        drain_s=settings.rasa_timeout_s + _NOTICED_S,
        cwd=ROOT,
    )  # fmt: skip


def wanted(settings: Settings, started: Sequence[Service]) -> Callable[[], Sequence[Service]]:
    """Which Rasa servers are wanted now: one for each port and model of the bundles that are held, or the one that was started.

    Args:
        started: What ``services`` gave; the others have its environment.
    """
    first = next(one for one in started if one.comes_and_goes)
    engine = database.make_engine(settings.database)  # of its own: whoever watches over services holds no database open

    def look() -> Sequence[Service]:
        try:
            with Session(engine) as session:
                held = [(one.rasa_port, one.rasa_model) for one in releases.serving(session).held]
        finally:
            engine.dispose()
        if not held:
            return [first]
        found = {}
        for port, model in held:
            file = files.model_file(settings, model)
            if port is not None and file.is_file():
                found[port] = rasa(settings, file, port, first.env)
        return list(found.values())

    return look


def _environment(env: Mapping[str, str] | None) -> dict[str, str]:
    return {
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
    } | dict(env or {})
