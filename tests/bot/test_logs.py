"""A service's log, in processes of its own: what is in it is masked, and where it can't be written the work goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.logs import readable
from bot.masking import mask
from bot.settings import ROOT

SERVICE = """
import asyncio, dataclasses, logging, sys, threading, warnings
import structlog, uvicorn
from bot import logs
config = uvicorn.Config(lambda: None)  # sets uvicorn's own handlers up, as its command does before it loads the application
logs.configure("INFO")
log = structlog.get_logger("ours")
PHONE, ID = "13812345678", "11010519491231002X"

@dataclasses.dataclass
class Citizen:
    phone_number: str
class Unprintable:
    def __repr__(self): raise RuntimeError(PHONE)
class Says:
    def __str__(self): raise RuntimeError(ID)

def fail():
    text = f"我的手机是{PHONE}"
    raise ValueError(f"{text}，身份证{ID}")

log.info("values", citizen=Citizen(PHONE), many={PHONE}, by={PHONE: ID}, raw=PHONE.encode(), error=ValueError(ID), id=int(PHONE))
log.info("surrogate", text="\\ud83d" + PHONE)
log.info("figure", confidence=0.8234567890123456)
log.info("long", text=PHONE + "好" * 60_000 + PHONE, much=[PHONE] * 1000)
log.info("unprintable " + PHONE, value=Unprintable())
log.debug("not at this level")
for logger in ("uvicorn.error", "asyncio", "sanic.error", "some.library"):
    try:
        fail()
    except ValueError:
        logging.getLogger(logger).exception("in %s of %s", logger, PHONE)
try:
    fail()
except ValueError:
    log.exception("crashed")
logging.getLogger("library").warning("wrong format %d", PHONE)
logging.getLogger("library").warning("%s", Says())
warnings.warn(f"{PHONE} is a bad idea")
thread = threading.Thread(target=fail)
thread.start()
thread.join()
class Dying:
    def __del__(self): fail()
dying = Dying()
del dying
for number in range(int(sys.argv[2])):
    log.info("many", number=number)
print("a print")
open(sys.argv[1], "w").write("all done")
"""


def run(tmp_path: Path, out: Any, lines: int = 0, **options: Any) -> bool:
    """Whether the service got to its end."""
    done = tmp_path / "done"
    command = [sys.executable, "-c", SERVICE, str(done), str(lines)]
    subprocess.run(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, timeout=60, check=False, **options)
    return done.exists() and done.read_text() == "all done"


def test_whatever_writes_it_a_line_is_masked_json(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w+") as log:
        assert run(tmp_path, log)
        log.seek(0)
        said = log.read()
    assert "12345678" not in said and "19491231" not in said
    lines = [json.loads(line) for line in said.splitlines() if line != "a print"]
    by_event: dict[str, dict[str, Any]] = {line["event"]: line for line in lines}
    assert by_event["values"]["citizen"] == "Citizen(phone_number='138****5678')"
    assert by_event["values"]["by"] == {"138****5678": "110***************"}
    assert by_event["figure"]["confidence"] == 0.823457
    assert by_event["long"]["text"].startswith("138****5678好") and by_event["long"]["text"].endswith("138****5678")
    assert "not at this level" not in by_event
    assert all(len(line) < 70_000 for line in said.splitlines())
    for name in ("uvicorn.error", "asyncio", "sanic.error", "some.library"):
        assert "我的手机是138****5678，身份证110" in by_event[f"in {name} of 138****5678"]["exception"]
    for event in ("crashed", "thread.crashed", "error.ignored"):
        assert "ValueError: 我的手机是138****5678" in by_event[event]["exception"]
    assert [line["of"] for line in lines if line["event"] == "log.unwritten"] == [
        "unprintable 138****5678",
        "library",
        "library",
    ]
    assert sum(line["lines"] for line in lines if line["event"] == "log.dropped") == 3
    assert all({"level", "timestamp"} <= line.keys() for line in lines if not line["event"].startswith("log."))


def test_a_full_disk_stops_nothing(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        assert run(tmp_path, full)


def test_a_reader_that_is_gone_stops_nothing(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as out:
        assert run(tmp_path, out)


def test_a_reader_that_hangs_stops_nothing(tmp_path: Path) -> None:
    """The supervisor stopped, say: its pipe is full after some lines."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as out, os.fdopen(reader):
        assert run(tmp_path, out, lines=5000)


def test_a_closed_output_stops_nothing_and_no_other_file_gets_the_lines(tmp_path: Path) -> None:
    assert run(tmp_path, subprocess.DEVNULL, preexec_fn=lambda: os.close(2))


def test_what_was_dropped_is_counted_once_there_is_room_again(tmp_path: Path) -> None:
    code = (
        "import os, sys; from bot.logs import SafeOutput; out = SafeOutput(os.dup(1));"
        "full = os.open('/dev/full', os.O_WRONLY); real = os.dup(out.fileno()); os.dup2(full, out.fileno());"
        "print('1\\n2', file=out); print(3, file=out); assert (out.dropped, out.failing) == (3, True);"
        "os.dup2(real, out.fileno()); print(4, file=out); print(5, file=out); assert not out.failing"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == '{"event": "log.dropped", "lines": 3}\n4\n5\n'


@given(st.text(max_size=6), st.text(max_size=6))
def test_no_escape_before_a_number_hides_it_from_the_mask(before: str, after: str) -> None:
    """As JSON and ``repr`` write text and bytes, once and twice: ``、`` before a number ends in ``3001``."""
    before, after = (text + "，" for text in (before, after))
    said = f"{before}13812345678{'，' + after}"
    raw = said.encode("utf-8", "surrogatepass")
    for written in (json.dumps(said), json.dumps(json.dumps(said)), json.dumps(repr(raw)), json.dumps(ascii(said))):
        line = mask(readable(written))
        assert "12345678" not in line
        json.loads(line)
    for written in (repr(raw), ascii(said)):
        assert "12345678" not in mask(readable(written))


@pytest.mark.parametrize(
    "written",
    [
        r"\u300113812345678",
        r"\xe3\x80\x8113812345678",
        r"\\u0000\u000013812345678",
        r"\ud83d\ude0013812345678",
        r"\U0001f60013812345678",
    ],
)
def test_a_number_right_behind_an_escape_is_masked(written: str) -> None:
    assert "138****5678" in mask(readable(written))
