"""Whether the gateway is well: what a load balancer, systemd and Prometheus ask for."""

from __future__ import annotations

import asyncio
import time

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from bot import alarms, crypto, database, disk, jobs, notices
from bot.clock import utcnow
from bot.releases.states import LIVE
from connectors import metrics
from connectors.gateway.disks import measure
from connectors.turns.dispatcher import depths
from connectors.web.context import Gateway
from index.danger.classifier import bundled

log = structlog.get_logger(__name__)

router = APIRouter(tags=["service"])

_WORKER_LATE_S = 60.0
"""So long after our start the job worker may be missing."""


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process lives."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"description": "Citizens can't be answered; says why"}})
async def readyz(request: Request) -> JSONResponse:
    """Whether messages are accepted (database) and answered (index); ``degraded`` with 200 where the gateway still answers.

    One gateway serves a database: a Rasa that is down, a disk without room, or a log that can't be written, is for people
    to see to, not for a load balancer, which would take the last gateway away.
    """
    here: Gateway = request.app.state.gateway
    reasons: list[str] = await request.app.state.disks.reasons()
    checks: dict[str, object] = {"accepting": False, "answering": False, "rasa": False}
    checks["bundles"] = releases = await _bundles(here)
    live = next((one for one in releases if one["state"] == LIVE), None)
    checks["rasa"] = live["rasa"] if live else await here.rasa.ready()
    checks |= {"reasons": reasons, "keys": crypto.get_cipher().fingerprints}
    if not checks["rasa"]:
        reasons.append("Rasa 没有应答，网关自己作答。")
    for one in releases:
        if one["index_error"]:
            reasons.append(f"发布包 {one['name']} 的索引装不上（{one['index_error']}），由在用的索引代它作答。")
    if bundled() is None:
        reasons.append("险情识别的模型读不出来，现在只靠词句规则。")
    try:
        checks["accepting"] = await asyncio.to_thread(depths) is not None
        up_s = time.monotonic() - request.app.state.started_at
        reasons += await asyncio.to_thread(_found_by_others, up_s)
        if not here.loading.done():
            return JSONResponse({"status": "loading", **checks}, status_code=503)
        loaded = await asyncio.to_thread(here.assistant.reader.get)
        checks["answering"] = True
        checks["index"] = loaded.version
        checks["index_error"] = here.assistant.reader.error
    except Exception as error:
        checks["error"] = disk.reason(error) or str(error)
        return JSONResponse({"status": "unavailable", **checks}, status_code=503)
    return JSONResponse({"status": "degraded" if reasons else "ok", **checks})


async def _bundles(here: Gateway) -> list[dict[str, object]]:
    """The releases that are held, and whether each one's index is in memory and its Rasa answers."""
    in_memory = here.assistant.reader.standing()
    held = here.holder.serving.held
    ready = await asyncio.gather(*(here.rasa.ready(one.rasa_port) for one in held if one.rasa_port is not None))
    answering = dict(zip([one.name for one in held if one.rasa_port is not None], ready, strict=True))
    return [
        {
            "name": one.name,
            "state": one.state,
            "share": one.share,
            "index": one.index_version,
            "in_memory": one.index_version in in_memory and in_memory[one.index_version] is None,
            "index_error": in_memory.get(one.index_version),
            "rasa": answering.get(one.name, False),
        }
        for one in held
    ]


@router.get("/metrics", response_class=PlainTextResponse)
async def prometheus(request: Request) -> Response:
    """Prometheus metrics."""
    here: Gateway = request.app.state.gateway
    try:
        outbox, inbox = await asyncio.to_thread(depths)
        metrics.OUTBOX_DEPTH.set(outbox)
        metrics.INBOX_OPEN.set(inbox)
        metrics.DANGERS_UNSEEN.set(await asyncio.to_thread(_dangers_unseen))
        await asyncio.to_thread(measure, here.settings)
        if here.loading.done():
            metrics.INDEX_LAG.set(await asyncio.to_thread(here.assistant.reader.lag))
    except Exception:
        log.exception("metrics.incomplete")
    return PlainTextResponse(metrics.render(), media_type="text/plain; version=0.0.4")


def _found_by_others(up_s: float) -> list[str]:
    """What other processes have to say, and whether the job worker lives: it starts after us."""
    with database.read() as session:
        found = notices.texts(session)
        if up_s > _WORKER_LATE_S and not jobs.worker(session, utcnow()).alive:
            found.append("后台任务没有在运行：到期清除、备份等都停着，发起的任务会等着。请看日志 jobs.log。")
    return found


def _dangers_unseen() -> int:
    with database.read() as session:
        return alarms.count_unseen(session)
