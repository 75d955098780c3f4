"""``yihaoda city`` and ``yihaoda local``."""

from __future__ import annotations

import csv
import io
import stat
from pathlib import Path

import pytest
import structlog
from conftest import forget
from openpyxl import load_workbook

from bot import database
from bot.clock import utcnow
from bot.departments import listed
from bot.local import figures
from bot.models.people import Person
from bot.settings import Settings
from bot.tickets import board
from connectors.terminal import cli

CITY = "430100"
FILLED = {"zuidi-gongzi": ("2100元/月", "湘人社规〔2024〕9号"), "hunjia-tianshu": ("18", "湖南省人口与计划生育条例")}


def run(*args: str) -> int:
    try:
        cli.main(list(args))
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        structlog.reset_defaults()  # the command's log goes to a standard error that ends with the test
    return 0


def city_new(to: Path, *args: str) -> int:
    return run("city", "new", "--yes", "--to", str(to), *args)


def test_a_new_city_is_written_and_read_back(settings: Settings, tmp_path: Path) -> None:
    seal, names = tmp_path / "seal.png", tmp_path / "单位.csv"
    seal.write_bytes(b"x")
    names.write_bytes("市医疗保障局,一处\n市民政局\n\n市民政局\n".encode("gb18030"))
    to = tmp_path / "city.env"
    to.write_text("# ours\nYIHAODA_PORT=8123\nYIHAODA_CITY=本市\n", encoding="utf-8")
    assert (
        city_new(to, "--code", "长沙市", "--phone", "0731-12345", "--seal", str(seal), "--departments", str(names)) == 0
    )
    written = Settings(_env_file=to)  # type: ignore[call-arg]
    assert (written.region, written.city, written.phone, written.port) == (CITY, "长沙", "0731-12345", 8123)
    assert listed(written) == ("市医疗保障局", "市民政局") and written.seal_file == str(seal)
    assert stat.S_IMODE(to.stat().st_mode) == 0o600
    text = to.read_text(encoding="utf-8")
    assert text.startswith("# ours\n") and text.count("YIHAODA_CITY") == 1
    assert city_new(to, "--code", "430200", "--name", "株洲", "--public-url", "https://12345.zhuzhou.gov.cn/") == 0
    again = Settings(_env_file=to)  # type: ignore[call-arg]
    assert (again.region, again.public_url) == ("430200", "https://12345.zhuzhou.gov.cn")
    assert again.seal_file == str(seal)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "--code"),
        (("--code", "999999"), "没有代码"),
        (("--code", "100000"), "全国"),
        (("--code", "和平区"), "有几个"),
        (("--code", "不是地名"), "没有找到"),
        (("--code", CITY, "--phone", "热线"), "phone"),
        (("--code", CITY, "--seal", "没有.png"), "图片"),
        (("--code", CITY, "--departments", "没有.txt"), "找不到"),
        (("--code", CITY, "--public-url", "http://a.cn"), "https"),
        (("--code", CITY, "--name", '长"沙'), "不能用的字符"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_written(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str], args: tuple[str, ...], said: str
) -> None:
    to = tmp_path / "city.env"
    assert city_new(to, *args) == 1
    assert said in capsys.readouterr().err and not to.exists()


def test_questions_are_asked_for_what_is_not_told(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["长沙市", "长沙", "", "", "", ""])
    monkeypatch.setattr("typer.prompt", lambda what, default=None, **_: next(answers) or default)
    to = tmp_path / "city.env"
    assert run("city", "new", "--to", str(to)) == 0
    assert Settings(_env_file=to).region == CITY  # type: ignore[call-arg]


def test_the_check_names_what_is_left(sqlite_db: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("city", "check") == 1
    said = capsys.readouterr().out
    assert "每种角色有人" in said and "项要做，做完才能上线" in said


def test_departments_of_the_list_are_offered_first(
    sqlite_db: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = tmp_path / "names.txt"
    names.write_text("市水务局\n市教育局\n", encoding="utf-8")
    monkeypatch.setattr(
        "bot.tickets.board.get_settings", lambda: sqlite_db.model_copy(update={"departments_file": str(names)})
    )
    with database.write() as session:
        session.add(Person(number="1", name="王", roles=["officer"], department="市公安局", created_at=utcnow()))
        session.flush()
        found = board.departments(session)
        assert (found[:2], found[-1]) == (["市水务局", "市教育局"], "市公安局")  # between them the catalogue's


@pytest.mark.parametrize("suffix", [".xlsx", ".csv"])
def test_a_department_fills_in_the_table_and_another_approves(
    sqlite_db: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    suffix: str,
) -> None:
    monkeypatch.setenv("YIHAODA_REGION", CITY)
    forget()
    with database.write() as session:
        for number, role in (("e1", "editor"), ("a1", "approver")):
            session.add(Person(number=number, name=number, roles=[role], created_at=utcnow()))
    file = tmp_path / f"标准{suffix}"
    assert run("local", "export", str(file)) == 0
    if suffix == ".xlsx":
        book = load_workbook(file)
        sheet = book.active
        assert sheet is not None
        for row in sheet.iter_rows(min_row=2):
            if row[0].value in FILLED:
                row[5].value, row[6].value = FILLED[str(row[0].value)]
        book.save(file)
    else:
        rows = list(csv.reader(io.StringIO(file.read_text("utf-8-sig"))))
        for cells in rows[1:]:
            if cells[0] in FILLED:
                cells[5:7] = FILLED[cells[0]]
        out = io.StringIO()
        csv.writer(out).writerows(rows)
        text = out.getvalue()
        file.write_bytes(text.encode("gb18030"))
    capsys.readouterr()
    assert run("local", "import", str(file)) == 1  # who?
    assert run("local", "import", str(file), "--actor", "e1", "--dry-run") == 0
    assert run("local", "import", str(file), "--actor", "e1") == 0
    assert "新的 1 项" in capsys.readouterr().out
    assert run("local", "approve", "zuidi-gongzi", "--actor", "e1") == 1
    assert run("local", "approve", "zuidi-gongzi", "--actor", "a1") == 0
    assert "长沙市月最低工资标准：2100元/月" in capsys.readouterr().out
    with database.read() as session:
        live = figures.in_force(session, ["zuidi-gongzi"], CITY, utcnow().date())
        assert live["zuidi-gongzi"].value == "2100元/月"
    assert run("local", "list", "--state", "live") == 0
    assert "2100元/月" in capsys.readouterr().out
