"""The gateway's OpenAPI description as JSON: ``python -m connectors.gateway.openapi [FILE]``.  The client's types come from it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from connectors.gateway.app import create_app


def main() -> None:
    """Write it to the file, or print it; no server, database or index is touched."""
    text = json.dumps(create_app().openapi(), ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
