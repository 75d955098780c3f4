"""The golden set: two people for whatever changes it, nothing that was taught, nothing deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import database, golden
from bot.clock import utcnow
from bot.crypto import get_cipher
from bot.errors import Forbidden, IllegalMove, InvalidInput, NotFound
from bot.golden import Content, Wanted
from bot.models.golden import GoldenChange, GoldenQuestion
from bot.models.housekeeping import AuditEntry
from bot.models.knowledge import QA
from bot.models.people import Person
from bot.settings import ROOT, Settings


@pytest.fixture
def city(db: Settings) -> Settings:
    return filled(db)


@pytest.fixture
def one_city(sqlite_db: Settings) -> Settings:
    """Where the kind of database plays no part."""
    return filled(sqlite_db)


def filled(settings: Settings) -> Settings:
    fields: dict[str, Any] = {name: [] for name in ("sources", "guides", "related", "themes")}
    fields |= {
        "matter": "身份证",
        "answer": "到派出所补办。",
        "audience": "个人",
        "region": "100000",
        "status": "approved",
    }
    with database.write() as session:
        for number, role in (("2001", "editor"), ("2002", "editor"), ("3001", "approver"), ("4001", "agent")):
            session.add(Person(number=number, name=f"甲{number}", roles=[role], created_at=utcnow()))
        for place in (1, 2):
            similar = ["身份证遗失了如何补领"] if place == 1 else []
            session.add(
                QA(id=f"sfz-00{place}", question=f"身份证丢了怎么补办{place}", similar=similar, revision=0, **fields)
            )
    return settings.model_copy(update={"golden_questions": ""})


ASKED = Content("身份证掉进河里了咋弄", ("sfz-001",), must=True)


def added(city: Settings, content: Content = ASKED, by: str = "2001", other: str = "3001") -> str:
    with database.write() as session:
        change = golden.propose_add(session, by, content, city)
        golden.confirm(session, other, change.id, city)
        return change.question


def test_one_proposes_and_another_confirms(city: Settings) -> None:
    with database.write() as session:
        change = golden.propose_add(session, "2001", ASKED, city, why="热点")
        assert golden.in_force(session) == []
        with pytest.raises(Forbidden, match="另一位"):
            golden.confirm(session, "2001", change.id, city)
        golden.confirm(session, "2002", change.id, city)
        (row,) = golden.in_force(session)
        assert (row.text, row.right, row.must, row.source, row.added_by) == (
            ASKED.text,
            ["sfz-001"],
            True,
            "city",
            "2001",
        )
        with pytest.raises(IllegalMove, match="已经有结果"):
            golden.confirm(session, "3001", change.id, city)
        noted = session.scalars(select(AuditEntry.action).where(AuditEntry.subject == row.id)).all()
        assert sorted(noted) == ["golden.confirm", "golden.propose"]


def test_only_editors_and_approvers_touch_it(one_city: Settings) -> None:
    city, id_ = one_city, added(one_city)
    deeds: list[Callable[[Session], Any]] = [
        lambda session: golden.propose_add(session, "4001", Content("别的问题呢"), city),
        lambda session: golden.propose_change(session, "4001", id_, Content("别的问题呢"), city, why="x"),
        lambda session: golden.propose_retire(session, "4001", id_, why="x"),
        lambda session: golden.confirm(session, "4001", 1, city),
        lambda session: golden.refuse(session, "nobody", 1),
        lambda session: golden.confirm_all(session, "4001", "x", city),
        lambda session: golden.bring(session, "4001", [], city, why=""),
    ]
    for deed in deeds:
        with pytest.raises(Forbidden, match="题库由"), database.write() as session:
            deed(session)


def test_changes_and_retirement_keep_their_history(city: Settings) -> None:
    id_ = added(city)
    with database.read() as session:
        was = golden.digest(golden.get(session, id_))
    with database.write() as session:
        other = Content(ASKED.text, ("sfz-001", "sfz-002"), must=False, note="两条都对")
        with pytest.raises(InvalidInput, match="原因"):
            golden.propose_change(session, "2002", id_, other, city, why=" ")
        change = golden.propose_change(session, "2002", id_, other, city, why="第二条也对")
        with pytest.raises(IllegalMove, match="已经有人提了"):
            golden.propose_retire(session, "2001", id_, why="重复")
        golden.confirm(session, "2001", change.id, city)
        row = golden.get(session, id_)
        assert Content.of(row) == other and golden.digest(row) != was
        gone = golden.propose_retire(session, "2001", id_, why="政策变了")
        golden.confirm(session, "3001", gone.id, city)
    with database.read() as session:
        assert golden.in_force(session) == []
        (row,), total = golden.listed(session, Wanted(retired=True))
        assert total == 1 and row.text == ASKED.text
        history, _ = golden.changes(session, question=id_)
        assert [(one.move, one.by, one.decided_by) for one in history] == [
            ("retire", "2001", "3001"),
            ("change", "2002", "2001"),
            ("add", "2001", "3001"),
        ]
    with pytest.raises(IllegalMove, match="停用"), database.write() as session:
        golden.propose_retire(session, "2001", id_, why="x")
    assert added(city) != id_  # what was retired may come again, as another one


def test_what_is_not_adopted_stays_as_it_was(one_city: Settings) -> None:
    city = one_city
    id_ = added(city)
    with database.write() as session:
        first = golden.propose_retire(session, "2001", id_, why="x")
        with pytest.raises(InvalidInput, match="原因"):
            golden.refuse(session, "3001", first.id)
        assert golden.refuse(session, "3001", first.id, why="还要").state == "refused"
        second = golden.propose_retire(session, "2001", id_, why="x")
        assert golden.refuse(session, "2001", second.id).state == "withdrawn"
        assert [row.id for row in golden.in_force(session)] == [id_]
        with pytest.raises(NotFound):
            golden.refuse(session, "2001", 999)


IMPOSSIBLE = (
    (Content("身份证丢了，怎么补办1？", ("sfz-001",)), "问答 sfz-001"),
    (Content("身份证遗失了 如何补领", ("sfz-001",)), "问答 sfz-001"),
    (Content("身份证丢了咋补办", ("sfz-001",)), "Rasa 训练数据"),
    (Content("身份证没了", ("sfz-009",)), "没有这些编号"),
    (Content("我的电话13812345678打不通找谁"), "个人信息"),
    (Content(" "), "要有文字"),
    (Content("问" * 501), "最多 500"),
    (Content("低保多少钱啊现在", stratum="别的"), "类别可以写"),
    (Content("谢谢啊大好人", stratum="act"), "要写意图"),
    (Content("谢谢啊大好人", act="Nonsense!", stratum="act"), "没有“Nonsense!”"),
    (Content("低保多少钱啊现在", region="999999"), "没有这个地区"),
)


def test_what_proves_nothing_or_can_t_be_is_refused(one_city: Settings) -> None:
    for content, why in IMPOSSIBLE:
        with pytest.raises(InvalidInput, match=why), database.write() as session:
            golden.propose_add(session, "2001", content, one_city)


def test_what_training_has_seen_and_doubles_are_refused(one_city: Settings) -> None:
    city = one_city
    line = (ROOT / "training" / "questions" / "lived.jsonl").read_text(encoding="utf-8").split("\n")[0]
    text = line.split('"q": "')[1].split('"')[0]
    frozen = city.data_dir / "training" / "job"
    frozen.mkdir(parents=True)
    line = get_cipher().encrypt('{"text": "补身份证要本人去吗现在"}')
    (frozen / "labelled.jsonl").write_text(f"{line}\n", encoding="utf-8")
    added(city)
    with database.write() as session:
        for said, why in ((text, "标定数据"), ("补身份证要本人去吗现在", "重新训练"), (f"{ASKED.text}？", "已经有")):
            with pytest.raises(InvalidInput, match=why):
                golden.propose_add(session, "2001", Content(said, ("sfz-001",)), city)
        one = golden.propose_add(session, "2001", Content("同一句话两个人提", ("sfz-001",)), city)
        two = golden.propose_add(session, "2002", Content("同一句话两个人提", ("sfz-001",)), city)
        golden.confirm(session, "3001", one.id, city)
        with pytest.raises(InvalidInput, match="已经有"):
            golden.confirm(session, "3001", two.id, city)


TABLE = """问题,正确的问答,必对,类别,备注
身份证被猫抓烂了还能用吗,sfz-001、sfz-002,是,口语,
明天下不下雨,无,,,
身份证丢了怎么补办1,sfz-001,,,
身份证烧了,,,,
明天下不下雨,无,,,
"""
LINES = """{"q": "身份证泡水了", "qa": ["sfz-001"], "must": true, "register": "short"}
{"q": "多谢多谢师傅", "act": "thanks"}
nonsense
{"q": "没有答案字段"}
"""


def test_files_say_line_by_line_what_can_t_be_taken(one_city: Settings) -> None:
    city = one_city
    with database.write() as session:
        came = golden.bring(session, "2001", golden.rows_of(TABLE), city, why="导入")
        assert came.proposed == 2 and [line for line, _ in came.refused] == [4, 5, 6]
        assert "问答 sfz-001" in came.refused[0][1] and "两次" in came.refused[2][1]
        more = golden.bring(session, "2001", golden.rows_of(LINES), city, why="导入")
        assert more.proposed == 2 and [line for line, _ in more.refused] == [3, 4]
        with pytest.raises(InvalidInput, match="表头"):
            golden.bring(session, "2001", golden.rows_of("甲,乙\n1,2\n"), city, why="")
        _, waiting = golden.changes(session, state="waiting")
        assert waiting == 4
    with pytest.raises(Forbidden), database.write() as session:
        golden.confirm_all(session, "2001", came.batch, city)
    with database.write() as session:
        assert golden.confirm_all(session, "3001", came.batch, city) == (2, [])
        assert golden.confirm_all(session, "3001", more.batch, city) == (2, [])
        with pytest.raises(NotFound):
            golden.confirm_all(session, "3001", came.batch, city)
        rows = {row.text: row for row in golden.in_force(session)}
        assert rows["明天下不下雨"].right == [] and rows["身份证泡水了"].must
        assert rows["身份证被猫抓烂了还能用吗"].stratum == "spoken"
        assert (rows["多谢多谢师傅"].act, rows["多谢多谢师傅"].stratum) == ("thanks", "act")
        again = list(golden.exported(session))
        assert {row["q"] for row in again} == set(rows)
        assert len(golden.bring(session, "2001", enumerate(again, 1), city, why="").refused) == 4  # all there


def test_looking(city: Settings) -> None:
    first = added(city)
    added(city, Content("帮我唱首歌呗", (), stratum="spoken"))
    with database.read() as session:
        for wanted, found in (
            (Wanted(), 2),
            (Wanted(text="河里"), 1),
            (Wanted(must=True), 1),
            (Wanted(stratum="spoken"), 1),
            (Wanted(source="ours"), 0),
            (Wanted(qa_id="sfz-001"), 1),
            (Wanted(text="%"), 0),
        ):
            rows, total = golden.listed(session, wanted)
            assert (len(rows), total) == (found, found), wanted
        rows, total = golden.listed(session, Wanted(), 1, 1)
        assert total == 2 and rows[0].id != first
        with pytest.raises(NotFound):
            golden.get(session, "nothing")


def test_the_starting_set_is_loaded_once_and_teaches_nothing(sqlite_db: Settings) -> None:
    with database.write() as session:
        loaded = golden.start(session, sqlite_db)
        assert golden.start(session, sqlite_db) == 0
        rows = golden.in_force(session)
        known = golden.taught(session, sqlite_db)
        assert loaded == len(rows) and sum(row.act is None for row in rows) >= 1_000
        assert [row.text for row in rows if known.where(row.text, row.act)] == []
        assert 50 <= sum(row.must for row in rows) <= 80
        assert sum(row.act is None and not row.right for row in rows) >= 300
        assert session.scalars(select(GoldenChange)).all() == []
        session.add(GoldenQuestion(**{**_columns(rows[0]), "id": "another", "letters": None}))


def _columns(row: GoldenQuestion) -> dict[str, Any]:
    return {column.name: getattr(row, column.name) for column in row.__table__.columns}
