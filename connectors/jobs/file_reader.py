"""Reads one file that somebody brought, in a process of its own with bounds on memory and time: whatever a file does to a reader,
the worker lives.  ``python -m connectors.jobs.file_reader FILE RESULT``; what is known of columns comes on standard input (JSON).
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

MEMORY = 1_500_000_000
"""Bytes of address space; reading a sheet of 5,000 rows takes a fifth of it"""
CPU_S = 300
UNPACKED = 400_000_000
"""Bytes that an Office file may unpack to"""


def main() -> None:
    """Write what was read, or why not, to the second file."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)
    path, result = Path(sys.argv[1]), Path(sys.argv[2])
    result.write_text(json.dumps(read(path, json.load(sys.stdin)), ensure_ascii=False), encoding="utf-8")


def read(path: Path, layouts: dict[str, Any]) -> dict[str, Any]:
    """What stands in the file (see ``comparing.kept``), its tables and problems; or ``refused``, a sentence, and whether for secrecy."""
    from bot.errors import InvalidInput
    from index.knowledge_files import columns, comparing, documents, office_files, reading, secrecy
    from index.knowledge_files.tables import Layout

    name = office_files.shown_name(path)
    try:
        secrecy.check_name(path, name)
        office_files.refuse_unreadable(path)
        office_files.refuse_disguised(path, UNPACKED)
        internal: dict[str, str] = {}
        if path.suffix.lower() in documents.SUFFIXES:
            bundle, internal = documents.as_bundle(name, documents.read(path), reading.default_region(None))
        else:
            bundle = reading.read(path, layouts={key: Layout(*one) for key, one in layouts.items()})
    except InvalidInput as refused:
        return {"refused": str(refused), "classified": isinstance(refused, secrecy.Classified)}
    reviewed = comparing.drafts_only(bundle)
    return {
        "items": [
            {"kind": kind, "id": id_, "internal": internal.get(id_), **content}
            | dict(zip(("file", "line"), bundle.places.get((kind, id_), ("", 0)), strict=True))
            for kind, id_, content in comparing.kept(bundle)
        ],
        "tables": [columns.described(head) for head in bundle.heads],
        "problems": [list(problem) for problem in bundle.problems],
        "reviewed": {id_: at.isoformat() for id_, at in reviewed.items()},
    }


if __name__ == "__main__":
    main()
