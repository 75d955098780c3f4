"""The gateway's OpenAPI description as JSON: ``python -m connectors.gateway.openapi [FILE]``.  The clients' types come from it.

With ``--citizens`` it has the routes alone that ask for no account: what the citizens' client may call.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from connectors.gateway.app import create_app
from connectors.web.access import ACCESS, EVERYONE


def main() -> None:
    """Write it to the file, or print it; no server, database or index is touched."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--citizens", action="store_true")
    given = parser.parse_args()
    described = create_app().openapi()
    if given.citizens:
        described["paths"] = citizens(described["paths"])
    text = json.dumps(described, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    if given.file is not None:
        given.file.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


def citizens(paths: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The routes that ask for no account."""
    open_ = {
        path: {method: one for method, one in methods.items() if ACCESS[f"{method.upper()} {path}"] is EVERYONE}
        for path, methods in paths.items()
    }
    return {path: methods for path, methods in open_.items() if methods}


if __name__ == "__main__":
    main()
