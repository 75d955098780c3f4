"""Lets the Rasa server answer only whoever has the services' secret (``YIHAODA_SERVICE_SECRET``), on every route.

Rasa's own ``--auth-token`` and JWT options stand in the process list or in addresses, and leave the REST webhook open.
"""

import hmac
import os
from typing import Any, Optional

from rasa.core import run
from sanic.request import Request
from sanic.response import HTTPResponse, json

SECRET = "YIHAODA_SERVICE_SECRET"


def install() -> None:
    """Guard every server that Rasa makes in this process.  Without a secret it ends with a sentence instead of serving."""
    rasas_own = run.configure_app

    def configure_app(*arguments: Any, **named: Any) -> Any:
        secret = os.environ.get(SECRET)
        if not secret:
            raise SystemExit(f"没有暗号 {SECRET}：Rasa 不单独启动，请用 ./yihaoda run 启动全部服务。")
        app = rasas_own(*arguments, **named)
        guard(app, secret)
        return app

    run.configure_app = configure_app


def guard(app: Any, secret: str) -> None:
    """Answer requests without the secret, on any route and on none, with 401."""
    wanted = f"Bearer {secret}".encode()

    def check(request: Request) -> Optional[HTTPResponse]:
        given = request.headers.get("authorization", "").encode(errors="replace")
        return None if hmac.compare_digest(given, wanted) else json({"error": "unauthorised"}, status=401)

    def put_first(app: Any, _: Any) -> None:
        app.request_middleware.appendleft(check)

    # As late as this: sanic-cors puts itself first when the server starts, and would answer OPTIONS.
    app.register_listener(put_first, "before_server_start")
