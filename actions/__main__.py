"""The action server: ``python -m actions --port 5055``, on this machine only, and only for whoever has the services' secret.

rasa-sdk's own command listens on every address, runs the server in a second process, and would load the index on the first
citizen's question; here it is loaded before the server says that it is ready.
"""

from __future__ import annotations

import argparse
import hmac
from typing import Any

import structlog
from rasa_sdk.endpoint import create_app
from rasa_sdk.executor import ActionExecutor
from sanic import HTTPResponse, Request, Sanic, response

from actions.dialogue import ACTS, Respond, SessionStart
from bot import database, logs
from bot.errors import YihaodaError
from bot.private import keep_private
from bot.settings import get_settings
from index.assistant.respond import get_assistant
from index.versions.holding import Holder

log = structlog.get_logger(__name__)


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description="一号答的动作服务")
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    secret = get_settings().service_secret.get_secret_value()
    if not secret:
        parser.exit(1, "没有暗号 YIHAODA_SERVICE_SECRET：动作服务不单独启动，请用 ./yihaoda run 启动全部服务。\n")
    keep_private(get_settings())
    logs.configure(get_settings().log_level)
    executor = Executor()
    for action in (*map(Respond, ACTS), SessionStart()):
        executor.register_action(action)
    app = create_app(executor, cors_origins=None)
    guard(app, secret)
    # Once more: what was set up meanwhile may have brought handlers of its own.
    logs.configure(get_settings().log_level)
    app.register_listener(_warm_up, "before_server_start")
    app.register_listener(_close, "after_server_stop")
    app.run("127.0.0.1", port, single_process=True, access_log=False, motd=False)


def guard(app: Sanic[Any, Any], secret: str) -> None:
    """Answer requests without the secret, on any route and on none, with 401.  ``bot/rasa/guard.py`` does it for Rasa."""
    wanted = f"Bearer {secret}".encode()

    def check(request: Request) -> HTTPResponse | None:
        given = request.headers.get("authorization", "").encode(errors="replace")
        return None if hmac.compare_digest(given, wanted) else response.json({"error": "unauthorised"}, status=401)

    app.register_middleware(check, "request")


class Executor(ActionExecutor):  # type: ignore[misc]
    """Runs actions without the domain: they don't need it, and Rasa is told not to send it."""

    def update_and_return_domain(self, payload: dict[str, Any], action_name: str) -> dict[str, Any]:
        """An empty domain."""
        return {}


async def _warm_up(app: Sanic[Any, Any], *_: Any) -> None:
    app.ctx.holder = Holder(get_assistant().reader, get_settings())
    try:
        app.ctx.holder.start()
        get_assistant().warm_up()
    except YihaodaError as error:
        log.error("index.unavailable", reason=str(error))  # questions become tickets until there is one


async def _close(app: Sanic[Any, Any], *_: Any) -> None:
    app.ctx.holder.close()
    database.reset_engine()


if __name__ == "__main__":
    main()
