"""What a running assistant needs: database, starter knowledge, an index version, a Rasa model; and its processes."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import structlog

from bot import database, knowledge
from bot.clock import SHANGHAI, utcnow
from bot.errors import YihaodaError
from bot.settings import ROOT, Settings
from connectors.run.rasa_model import ensure_model
from connectors.run.supervisor import Service
from index.knowledge_files import starter
from index.versions import startup

log = structlog.get_logger(__name__)

Say = Callable[[str], None]

SECRET = "YIHAODA_SERVICE_SECRET"
"""The environment variable that holds the services' common secret."""


def prepare(settings: Settings, say: Say) -> Path:
    """Bring everything up to date; what has not changed is skipped.

    Returns:
        The Rasa model's path.

    Raises:
        YihaodaError: something can't be made; the text says what.
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
    return ensure_model(ROOT)


def _build_index(of: Literal["all", "approved"]) -> None:
    """In a process of its own: the encoder's libraries would stay in the supervisor's memory for good."""
    command = [sys.executable, "-m", "connectors.terminal.cli", "index", "build", "--publish"]
    command += ["--approved"] if of == "approved" else []
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise YihaodaError(f"索引没有建成：{done.stderr.strip()[-500:]}")


def services(settings: Settings, model: Path, env: Mapping[str, str] | None = None) -> list[Service]:
    """Rasa, the action server, the gateway, and the job worker; ``env`` is added to each one's environment.

    A secret made for this start is in the environments of those three: Rasa and the action server answer nobody without it.
    The job worker comes last and is not needed: citizens are answered without it.
    """
    rasa_python = ROOT / ".venv-rasa" / "bin" / "python"
    folder = ROOT / "bot" / "rasa"
    local = "127.0.0.1"
    alive = settings.data_dir.resolve() / "jobs.alive"
    shared = {
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
    } | dict(env or {})
    alone = dict(shared)
    shared[SECRET] = secrets.token_urlsafe(32)
    secret_header = {"Authorization": f"Bearer {shared[SECRET]}"}
    return [
        Service(
            name="rasa",
            title="Rasa 对话服务",
            command=(
                str(rasa_python), "-m", "bot.rasa", "run",
                "--model", str(model),
                "--endpoints", str(folder / "endpoints.yml"),
                "--credentials", str(folder / "credentials.yml"),
                "--interface", local,
                "--port", str(settings.rasa_port),
            ),
            env=shared | {"YIHAODA_ACTION_URL": settings.action_url, "TF_CPP_MIN_LOG_LEVEL": "3"},
            port=settings.rasa_port,
            port_setting="YIHAODA_RASA_PORT",
            ready_url=f"{settings.rasa_url}/webhooks/rest/",
            probe_headers=secret_header,
            cwd=ROOT,
        ),
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
