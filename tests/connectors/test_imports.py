"""Files into the knowledge through the console: read, mapped, compared, decided, brought in; and files that are refused."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from openpyxl import Workbook
from processes import signed_in
from sqlalchemy import select

from bot import database, imports, jobs, knowledge
from bot.clock import utcnow
from bot.models.housekeeping import AuditEntry
from bot.models.imports import Import, Imported, ImportItem, ImportPiece
from bot.models.jobs import Job
from bot.models.knowledge import QA, Document
from bot.settings import Settings, get_settings
from connectors.jobs import file_reader, importing
from connectors.jobs.steps import STEPS
from tests.connectors.desk_gateway import code_of, serving
from tests.connectors.test_jobs import Workers, nursery, until, workers

__all__ = ["nursery", "workers"]

HEADERS = ["编号", "问题", "答案", "部门"]


@pytest.fixture(autouse=True)
def _at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read in our own process, which has the reader loaded; by the real one where a worker is started or it is asked for."""
    if "own_process" in request.keywords or "workers" in request.fixturenames:
        return

    def run(work: Any, path: Path, result: Path, layouts: str) -> bool:
        result.write_text(json.dumps(file_reader.read(path, json.loads(layouts))), "utf-8")
        return True

    monkeypatch.setattr(importing, "_run", run)


class Work:
    """A job's steps, done here and now."""

    def __init__(self, job: Job, settings: Settings, interrupt: Callable[[], None]) -> None:
        self.job, self.settings, self.results = job, settings, dict[str, Any]()
        self._interrupt = interrupt

    def progress(self, doing: str, done: int | None = None, total: int | None = None) -> None:
        self._interrupt()

    def log(self, line: str) -> None:
        pass


def work(interrupt: Callable[[], None] = lambda: None) -> None:
    """Do what waits, as the worker does."""
    while True:
        with database.read() as session:
            ours = select(Job).where(Job.state == jobs.WAITING, Job.kind != "index")  # a new index is another test's
            job = session.scalar(ours.order_by(Job.asked_at).limit(1))
        if job is None:
            return
        for step in STEPS[job.kind]:
            step.call(Work(job, get_settings(), interrupt))
        with database.write() as session:
            jobs.get(session, job.id).state = jobs.DONE


def bring(name: str, data: bytes) -> str:
    """A file is dropped and read."""
    with database.write() as session:
        id_ = imports.receive(session, name, data, "2001").id
    work()
    return id_


def look(import_id: str) -> Import:
    with database.read() as session:
        return session.get_one(Import, import_id)


def items(import_id: str) -> list[ImportItem]:
    with database.read() as session:
        return imports.items(session, import_id)


def whats(import_id: str) -> dict[str, int]:
    with database.read() as session:
        return {name: number for name, number in imports.counts(session, import_id).what.items() if number}


def decide(import_id: str, *, whole: bool = False, named: str = "") -> Import:
    with database.write() as session:
        imports.decide(session, import_id, "2001", whole=whole, internal_confirmed_by=named)
    work()
    return look(import_id)


def choose(import_id: str, choice: str, position: int) -> None:
    with database.write() as session:
        imports.choose(session, import_id, choice, position=position)


def say(import_id: str, *tables: dict[str, Any]) -> None:
    with database.write() as session:
        imports.map_columns(session, import_id, tables, "2001")
    work()


def qa(id_: str) -> QA | None:
    with database.read() as session:
        return knowledge.get_many(session, [id_]).get(id_)


def sheet(*rows: list[Any], merge: tuple[str, ...] = (), more: dict[str, list[list[Any]]] | None = None) -> bytes:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    for cells in merge:
        book.active.merge_cells(cells)
    for title, others in (more or {}).items():
        extra = book.create_sheet(title)
        for row in others:
            extra.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def csv(*rows: list[str], encoding: str = "utf-8") -> bytes:
    return "\n".join(",".join(row) for row in rows).encode(encoding)


def lived_in(id_: str = "a", answer: str = "带身份证去派出所办。", status: str = "approved") -> None:
    """An item that the system has; where it has it already, what somebody makes of it."""
    with database.write() as session:
        if row := session.get(QA, id_):
            row.answer = answer
            return
        knowledge.upsert_qa(
            session,
            QA(
                id=id_,
                matter="居住证",
                question="居住证怎么办理？",
                answer=answer,
                similar=[],
                sources=[],
                guides=[],
                related=[],
                themes=[],
                report=[],
                audience="个人和企业",
                region=get_settings().region,
                status="draft",
                revision=0,
            ),
        )
        if status == "approved":
            knowledge.approve(session, id_, "2002")


# --- what is good ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_a_table_is_compared_and_brought_in_as_drafts(db: Settings, encoding: str) -> None:
    lived_in("a", status="draft")
    rows = (
        ["a", "居住证怎么办理？", "带身份证和合同去派出所办。", "公安局"],
        ["b", "护照怎么办理？", "去出入境窗口办。", "公安局"],
    )
    one = bring("常见问题.csv", csv(HEADERS, *rows, ["c", "", "没有问题", ""], encoding=encoding))
    assert look(one).state == imports.CHECKED and whats(one) == {"refused": 1, "changed": 1, "new": 1}
    found = {item.item: item.content for item in items(one)}
    assert found[None]["line"] == 4 and "「问题」是空的" in found[None]["reason"]
    assert {"name": "答案", "before": "带身份证去派出所办。", "after": "带身份证和合同去派出所办。"} in found["a"][
        "fields"
    ]
    assert qa("b") is None, "nothing is written before it is decided"
    done = decide(one)
    assert done.state == imports.DONE and done.said == "新增 1 条，更新 1 条，不能导入的 1 行。问答要审核以后才作答。"
    assert [qa(id_).status for id_ in "ab"] == ["draft", "draft"]  # type: ignore[union-attr]
    with database.read() as session:
        assert not session.scalars(select(ImportPiece)).all(), "the file is gone"
        assert {row.item for row in session.scalars(select(Imported))} == {"a", "b"}
        said = [entry.action for entry in session.scalars(select(AuditEntry).where(AuditEntry.actor == "2001"))]
    assert {"import.receive", "import.decide", "knowledge.import"} <= set(said)
    again = bring("常见问题.csv", csv(HEADERS, *rows, encoding=encoding))
    assert whats(again) == {"same": 2}


def test_no_review_comes_with_a_file(sqlite_db: Settings) -> None:
    text = "qas:\n- {id: a, matter: 居住证, question: 居住证怎么办？, answer: 去派出所。, status: approved, reviewed_by: 王芳, reviewed_at: 2026-01-02T03:04:05+08:00}\n"
    one = bring("知识.yaml", text.encode())
    assert any("审核记录" in note for note in look(one).notes or [])
    decide(one, whole=True)
    made = qa("a")
    assert made and (made.status, made.reviewed_by, made.reviewed_at) == ("draft", None, None)


def test_columns_are_said_once_and_remembered(sqlite_db: Settings) -> None:
    head = ["编码", "群众诉求", "经办口径", "备注说明"]
    data = sheet(head, ["1", "居住证怎么办理？", "带上身份证去派出所办理，当场就能拿到回执。", "x"])
    one = bring("来信.xlsx", data)
    (table,) = look(one).tables or []
    assert look(one).state == imports.COLUMNS and not table["known"] and table["kind"] == "qa"
    assert [column["field"] for column in table["columns"]][1:3] == ["question", "answer"], "proposed"
    assert table["columns"][1]["samples"] == ["居住证怎么办理？"]
    with database.write() as session, pytest.raises(imports.InvalidInput, match="都对到了「问题」"):
        fields = ["", "question", "question", ""]
        imports.map_columns(session, one, [{"headers": table["headers"], "kind": "qa", "fields": fields}], "2001")
    with database.write() as session, pytest.raises(imports.InvalidInput, match="还没有指明哪一列是「答案」"):
        fields = ["", "question", "", ""]
        imports.map_columns(session, one, [{"headers": table["headers"], "kind": "qa", "fields": fields}], "2001")
    say(one, {"headers": table["headers"], "kind": "qa", "fields": ["id", "question", "answer", ""]})
    assert look(one).state == imports.CHECKED and whats(one) == {"new": 1} and not look(one).notes
    # The next table with these columns, in another order, needs nobody.
    other = csv(["群众诉求", "编码", "备注说明", "经办口径"], ["护照怎么办？", "2", "", "去出入境窗口。"])
    again = bring("下个月.csv", other)
    assert look(again).state == imports.CHECKED and whats(again) == {"new": 1}
    assert look(again).tables[0]["remembered"]  # type: ignore[index]


def test_a_header_of_two_lines_is_read_as_one(sqlite_db: Settings) -> None:
    rows = (
        ["2026年热点问题汇总"],
        ["序号", "诉求", None, "答复", None],
        [None, "标题", "区", "内容", "单位"],
        [1, "居住证怎么办理？", None, "带身份证去派出所办。", "公安局"],
    )
    one = bring("汇总.xlsx", sheet(*rows, merge=("A1:E1", "A2:A3", "B2:C2", "D2:E2")))
    (item,) = items(one)
    assert look(one).state == imports.CHECKED, look(one).said
    shown = {field["name"]: field["after"] for field in item.content["fields"]}
    assert shown["问题"] == "居住证怎么办理？" and shown["答案"] == "带身份证去派出所办。" and shown["部门"] == "公安局"
    # The same where nothing is known of it before a person says so.
    strange = (
        ["群众", None, "经办", None],
        ["原话", "来源", "口径", "科室"],
        ["护照怎么办？", "信箱", "去出入境窗口办理，十个工作日。", "二科"],
    )
    two = bring("陌生.xlsx", sheet(*strange, merge=("A1:B1", "C1:D1")))
    (table,) = look(two).tables or []
    assert [column["header"] for column in table["columns"]] == ["群众原话", "群众来源", "经办口径", "经办科室"]
    say(two, {"headers": table["headers"], "kind": "qa", "fields": ["question", "", "answer", "department"]})
    assert whats(two) == {"new": 1}


def test_a_cover_sheet_is_no_table_and_a_strange_one_can_be_left_out(sqlite_db: Settings) -> None:
    data = sheet(
        ["填报说明：请按月报送"],
        more={
            "问答": [["问题", "答案"], ["护照怎么办？", "去出入境窗口。"]],
            "通讯录": [["姓名", "座机"], ["王芳", "8123"]],
        },
    )
    one = bring("月报.xlsx", data)
    unknown = next(table for table in look(one).tables or [] if not table["known"])
    assert look(one).state == imports.COLUMNS and "通讯录" in unknown["file"]
    say(one, {"headers": unknown["headers"], "kind": "skip", "fields": ["", ""]})
    assert look(one).state == imports.CHECKED and whats(one) == {"new": 1}


def test_a_policy_document_is_brought_in_with_its_text(sqlite_db: Settings) -> None:
    page = "<html><body><h1>示例市居住证管理办法</h1><p>示政发〔2026〕3号</p><p>第一条 为了管理居住证，制定本办法。</p><p>第二条 居住满半年的，可以申领居住证。</p></body></html>"
    one = bring("办法.html", page.encode())
    (item,) = items(one)
    assert (
        item.what == "new"
        and item.kind == "document"
        and "政策原文" in {field["name"] for field in item.content["fields"]}
    )
    decide(one, whole=True)
    with database.read() as session:
        (document,) = session.scalars(select(Document)).all()
        assert len(knowledge.passages_of(session, document.id)) == 2
    assert whats(bring("办法.html", page.encode())) == {"same": 1}


def test_an_internal_document_needs_somebody_who_confirms_it(sqlite_db: Settings) -> None:
    text = "内部资料\n示例市居住证办理规程\n第一条 为了规范办理，制定本规程。\n第二条 居住满半年的，可以申领。\n"
    one = bring("规程.txt", text.encode())
    with database.write() as session, pytest.raises(imports.InvalidInput, match="确认人的姓名"):
        imports.decide(session, one, "2001", whole=True)
    assert decide(one, whole=True, named="郑宏").state == imports.DONE
    with database.read() as session:
        assert [one.internal_confirmed_by for one in knowledge.internal_documents(session)] == ["郑宏"]


# --- conflicts -------------------------------------------------------------------------------------------------------


def test_an_approved_item_is_changed_only_by_choice(db: Settings) -> None:
    lived_in()
    data = csv(HEADERS, ["a", "居住证怎么办理？", "改过的答案。", ""])
    one = bring("改.csv", data)
    (item,) = items(one)
    assert item.what == "conflict" and "已经审核" in item.content["conflicts"][0]
    with database.write() as session, pytest.raises(imports.InvalidInput, match="1 条冲突没有选"):
        imports.decide(session, one, "2001", whole=True)
    assert decide(one).said == "没有动 1 条。问答要审核以后才作答。"
    kept = qa("a")
    assert kept and (kept.status, kept.answer) == ("approved", "带身份证去派出所办。")
    two = bring("改.csv", data)
    choose(two, "take", 0)
    assert decide(two, whole=True).state == imports.DONE
    live = qa("a")
    assert live and (live.status, live.answer) == ("approved", "带身份证去派出所办。"), (
        "it answers until somebody approves"
    )
    assert whats(bring("改.csv", data)) == {"same": 1}, "the working copy says it already"
    with database.write() as session:
        knowledge.approve(session, "a", "2002")
    live = qa("a")
    assert live and live.answer == "改过的答案。"
    assert [
        item.content["conflicts"]
        for item in items(bring("三.csv", csv(HEADERS, ["a", "居住证怎么办理？", "又一版。", ""])))
    ] == [["系统里的这一条已经审核，正在作答；用文件里的，改动要由另一位审核以后才生效，在那以前照原来的答。"]], (
        "nobody but the last file has changed it"
    )


def test_what_was_changed_in_the_system_since_the_last_file_is_a_conflict(sqlite_db: Settings) -> None:
    decide(bring("一.csv", csv(HEADERS, ["a", "居住证怎么办理？", "一月的答案。", ""])))
    lived_in("a", answer="编辑改的答案。", status="draft")
    (item,) = items(bring("二.csv", csv(HEADERS, ["a", "居住证怎么办理？", "二月的答案。", ""])))
    assert item.what == "conflict" and "有人在系统里改过" in item.content["conflicts"][0]


def test_a_nearly_equal_question_can_go_onto_the_item_that_is_there(sqlite_db: Settings) -> None:
    lived_in("a", status="draft")
    one = bring("近.csv", csv(["问题", "答案"], ["居住证怎么办理", "新的答案。"]))
    (item,) = items(one)
    assert item.what == "conflict" and item.content["other"] == "a"
    assert {"name": "答案", "before": "带身份证去派出所办。", "after": "新的答案。"} in item.content["other_fields"]
    choose(one, "onto", 0)
    assert decide(one, whole=True).state == imports.DONE
    changed = qa("a")
    assert changed and changed.answer == "新的答案。" and changed.matter == "居住证", (
        "what the table has no column for stays"
    )
    assert qa(str(item.item)) is None


def test_what_moves_between_looking_and_importing_is_not_overwritten(db: Settings) -> None:
    lived_in("a", status="draft")
    rows = ["a", "居住证怎么办理？", "文件的答案。", ""], ["b", "护照怎么办理？", "去窗口办。", ""]
    one = bring("两条.csv", csv(HEADERS, *rows))
    lived_in("a", answer="刚刚改的。", status="draft")
    again = decide(one, whole=True)
    assert again.state == imports.CHECKED and "一条也没有导入" in (again.said or "") and qa("b") is None
    assert {"name": "答案", "before": "刚刚改的。", "after": "文件的答案。"} in next(
        i for i in items(one) if i.item == "a"
    ).content["fields"]
    lived_in("a", answer="又改了。", status="draft")
    assert decide(one).said == "新增 1 条，没有成 1 条。问答要审核以后才作答。"
    left = qa("a")
    assert left and left.answer == "又改了。"


# --- stopped, killed -------------------------------------------------------------------------------------------------


def many(number: int) -> bytes:
    return csv(
        HEADERS, *([f"q{n}", f"第{n}号事项怎么办理？", f"第{n}号事项到{n}号窗口办理。", "局"] for n in range(number))
    )


class Killed(BaseException):
    pass


def test_cut_off_between_chunks_it_goes_on_and_does_nothing_twice(db: Settings) -> None:
    one = bring("多.csv", many(450))
    with database.write() as session:
        imports.decide(session, one, "2001", whole=False)
    calls = 0

    def cut() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise Killed

    with pytest.raises(Killed):
        work(cut)
    assert look(one).done == 400 and look(one).state == imports.WRITING
    with database.read() as session:
        revision = knowledge.revision(session)
    work()
    assert look(one).done == 450 and look(one).said == "新增 450 条。问答要审核以后才作答。"
    with database.read() as session:
        assert knowledge.revision(session) == revision + 1 and len(knowledge.all_qas(session)) == 450


@pytest.mark.full
def test_a_worker_that_is_killed_leaves_all_or_nothing(db: Settings, workers: Workers) -> None:
    with database.write() as session:
        one = imports.receive(session, "多.csv", many(300), "2001").id
    pid = workers.start()
    until(lambda: look(one).state != imports.READING)
    assert whats(one) == {"new": 300}
    with database.write() as session:
        imports.decide(session, one, "2001", whole=True)
    until(lambda: look_job(look(one).job).state != jobs.WAITING)
    workers.end(pid)
    with database.read() as session:
        assert len(knowledge.all_qas(session)) in (0, 300)
    workers.start()
    until(lambda: look(one).state == imports.DONE)
    with database.read() as session:
        assert len(knowledge.all_qas(session)) == 300
    assert not list((db.data_dir / "reading").glob("*")), "no copy of the file is left"


def look_job(job_id: str | None) -> Job:
    with database.read() as session:
        return session.get_one(Job, job_id)


# --- bad files -------------------------------------------------------------------------------------------------------


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("[Content_Types].xml", "<Types/>")
        with package.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as part:
            for _ in range(450):
                part.write(bytes(1_000_000))
    return out.getvalue()


def with_macros() -> bytes:
    out = io.BytesIO(sheet(["问题", "答案"], ["a", "b"]))
    with zipfile.ZipFile(out, "a") as package:
        package.writestr("xl/vbaProject.bin", b"\0")
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("空白.csv", b"\n \n", "文件是空的"),
        ("程序.xlsx", b"MZ\x90\0" + bytes(100), "内容其实是程序"),
        ("程序.exe", b"MZ\x90\0" + bytes(100), "内容其实是程序"),
        ("表.csv", sheet(["问题", "答案"]), "内容其实是压缩包或者 Office 文件"),
        ("坏.xlsx", b"PK\x03\x04" + bytes(100), "不是完好的 .xlsx"),
        ("炸弹.xlsx", bomb(), "解开以后超过 400 MB"),
        ("宏.xlsx", with_macros(), "带着宏"),
        ("宏.xlsm", with_macros(), "带宏的 Excel"),
        ("旧.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "旧版 Excel"),
        ("只有表头.xlsx", sheet(["问题", "答案"]), "没有可以导入的内容"),
        ("只有一列.csv", csv(["随便"], ["居住证"]), "没有找到表头"),
        ("乱码.csv", bytes(range(128, 256)) * 20, "编码"),
        ("扫描.pdf", b"%PDF-1.4\nnothing", "PDF 打不开"),
        ("图.png", b"\x89PNG\r\n\x1a\n", "这是图片"),
        ("不知道.abc", "问题,答案".encode(), "不支持的文件类型"),
        ("坏.yaml", b"qas: [a, b", "不是正确的 YAML"),
    ],
    # The name alone: a workbook's bytes hold the time, and no two processes would collect the same tests.
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_file_is_refused_with_a_sentence(sqlite_db: Settings, name: str, data: bytes, said: str) -> None:
    one = look(bring(name, data))
    told = one.said or "；".join(item.content.get("reason", "") for item in items(one.id))
    assert said in told, (one.state, told)
    assert one.state == imports.REFUSED or whats(one.id) == {"refused": len(items(one.id))}
    with database.read() as session:
        assert not knowledge.all_qas(session)


def greedy() -> bytes:
    """A workbook whose words unpack to more memory than a reader may have, and to less than is refused beforehand."""
    out = io.BytesIO()
    sound = zipfile.ZipFile(io.BytesIO(sheet(["问题", "答案"], ["a", "b"])))
    with sound, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        for name in sound.namelist():
            if name == "xl/sharedStrings.xml":
                continue
            content = sound.read(name)
            if name == "[Content_Types].xml" and b"sharedStrings" not in content:  # written into the cells themselves
                kind = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
                part_is = b'<Override PartName="/xl/sharedStrings.xml" ContentType="%s"/></Types>' % kind
                content = content.replace(b"</Types>", part_is)
            package.writestr(name, content)
        with package.open("xl/sharedStrings.xml", "w", force_zip64=True) as part:
            part.write(b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">')
            word = "<si><t>🌚</t></si>".encode()  # four bytes there, eighty in memory; Python keeps one "a" for all
            for _ in range(380):
                part.write(word * 50_000)
            part.write(b"</sst>")
    return out.getvalue()


@pytest.mark.full
@pytest.mark.own_process
def test_a_file_that_takes_too_much_memory_ends_its_reader_and_not_the_worker(sqlite_db: Settings) -> None:
    one = look(bring("贪.xlsx", greedy()))
    assert one.state == imports.REFUSED and "读不出来" in (one.said or ""), one.said


def test_a_formula_that_was_not_reckoned_refuses_its_row(sqlite_db: Settings) -> None:
    one = bring("公式.xlsx", sheet(["问题", "答案"], ["护照多少钱？", "=1+1"], ["居住证多少钱？", "不收费。"]))
    assert whats(one) == {"refused": 1, "new": 1}
    with database.write() as session, pytest.raises(imports.InvalidInput, match="1 行不能导入"):
        imports.decide(session, one, "2001", whole=True)


def test_of_a_state_secret_nothing_is_kept(sqlite_db: Settings) -> None:
    one = look(bring("某方案.txt", "机密★10年\n某某方案\n第一条 略。\n".encode()))
    assert one.state == imports.REFUSED and "国家秘密" in (one.said or "")
    assert "方案" not in one.name + (one.said or "") and not one.tables
    with database.read() as session:
        assert not session.scalars(select(ImportPiece)).all()
        assert session.scalar(select(AuditEntry).where(AuditEntry.action == "knowledge.classified"))
        assert not [
            entry for entry in session.scalars(select(AuditEntry)) if "方案" in f"{entry.subject}{entry.detail}"
        ]


def test_what_nobody_decides_is_forgotten(sqlite_db: Settings) -> None:
    one = bring("旧.csv", csv(HEADERS, ["a", "问？", "答。", ""]))
    with database.write() as session:
        assert imports.forget_old(session, utcnow(), 14) == 0
        imports.get(session, one).changed_at = utcnow().replace(year=2025)
    with database.write() as session:
        assert imports.forget_old(session, utcnow(), 14) == 1
    with database.read() as session:
        assert not session.scalars(select(ImportItem)).all() and not session.scalars(select(ImportPiece)).all()


# --- over HTTP -------------------------------------------------------------------------------------------------------


@pytest.fixture
def http(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    with serving(monkeypatch, IMPORT_MB="1") as client:
        client.headers.update(signed_in("2001", "赵敏", "editor"))
        yield client


PATH = "/api/knowledge/imports"


def test_the_whole_way_over_http(http: TestClient) -> None:
    lived_in("a", status="draft")
    data = csv(HEADERS, ["a", "居住证怎么办理？", "新答案。", ""], ["b", "护照怎么办理？", "去窗口。", ""])
    sent = http.post(PATH, content=data, headers={"X-File-Name": "%E8%A1%A8.csv"})
    assert sent.status_code == 201, sent.text
    one = f"{PATH}/{sent.json()['id']}"
    assert sent.json()["name"] == "表.csv" and sent.json()["state"] == "读取中"
    assert code_of(http.post(f"{one}/decide", json={"whole": True}), 409) == "illegal_move"
    work()
    read = http.get(one).json()
    assert (read["state"], read["what"]["new"], read["what"]["changed"]) == ("待决定", 1, 1)
    (changed,) = http.get(f"{one}/items", params={"what": "changed"}).json()["items"]
    assert changed["fields"][0]["name"] == "答案"
    body = {"choice": "keep", "position": changed["position"]}
    assert http.put(f"{one}/choices", json=body).status_code == 204
    assert http.post(f"{one}/decide", json={"whole": False}).json()["state"] == "导入中"
    work()
    assert http.get(one).json()["outcomes"] == {"kept": 1, "added": 1}
    assert http.get(PATH).json()["total"] == 1
    assert code_of(http.post(f"{one}/drop", json={}), 409) == "illegal_move"


def test_what_is_too_large_empty_or_nameless_is_not_taken(http: TestClient) -> None:
    named = {"X-File-Name": "a.csv"}
    assert code_of(http.post(PATH, content=bytes(1_000_001), headers=named), 413) == "too_large"
    assert code_of(http.post(PATH, content=(bytes(300_000) for _ in range(4)), headers=named), 413) == "too_large"
    assert code_of(http.post(PATH, content=b"", headers=named), 422) == "invalid_input"
    assert code_of(http.post(PATH, content=b"a"), 422) == "invalid_input"
    taken = http.post(PATH, content=b"a", headers={"X-File-Name": "..%2F..%2Fetc%2Fpasswd"})
    assert taken.json()["name"] == "etcpasswd"
    assert http.get(PATH).json()["total"] == 1


def test_given_up_it_is_gone(http: TestClient) -> None:
    one = f"{PATH}/{http.post(PATH, content=many(3), headers={'X-File-Name': 'a.csv'}).json()['id']}"
    work()
    assert http.post(f"{one}/drop", json={}).json()["state"] == "已放弃"
    assert http.get(f"{one}/items").json()["items"] == []
    with database.read() as session:
        assert not session.scalars(select(ImportPiece)).all() and not knowledge.get_many(session, ["q0", "q1", "q2"])


def test_nobody_without_a_sign_in_sends_a_file(http: TestClient, tmp_path: Path) -> None:
    http.headers.pop("Cookie")
    refused = http.post(PATH, content=bytes(500_000), headers={"X-File-Name": "a.csv"})
    assert refused.status_code in (401, 403)
    with database.read() as session:
        assert not session.scalars(select(Import)).all()
