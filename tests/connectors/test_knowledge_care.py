"""Documents, drafts, reviews and the health of the knowledge, over HTTP, and the jobs behind them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from fastapi.testclient import TestClient
from language_model import FakeModel, fake_model
from processes import signed_in

from bot import database, health, jobs, knowledge
from bot.clock import SHANGHAI, utcnow
from bot.models.jobs import Job
from bot.models.knowledge import QA, Document
from bot.models.reviews import Review
from bot.settings import Settings, get_settings
from connectors.jobs.steps import STEPS
from index.knowledge_files import documents
from tests.connectors.desk_gateway import code_of, serving
from tests.index.test_assistant import qa

__all__ = ["fake_model"]

POLICY = Path(__file__).parent.parent / "data" / "policies" / "01-高龄津贴发放办法.txt"
OURS = {"Sec-Fetch-Site": "same-origin"}
TODAY = utcnow().astimezone(SHANGHAI).date()


@pytest.fixture
def http(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    with serving(monkeypatch) as client:
        client.headers.update(OURS)
        yield client


@pytest.fixture
def policy(http: TestClient) -> str:
    (text,) = documents.read(POLICY)
    with database.write() as session:
        documents.import_texts(session, "a.txt", [text], region="100000", actor="bj01")
        knowledge.upsert(
            session, [Document(id="nb", title="内部办法", region="100000", status="有效", internal_confirmed_by="张三")]
        )
        knowledge.set_passages(session, "nb", [("第一条", "内部的话。")])
    return text.id


@pytest.fixture
def editor(http: TestClient) -> dict[str, str]:
    return signed_in("bj01", "李编", "editor")


class Rehearsal:
    """A job under way, without a worker."""

    def __init__(self, kind: str) -> None:
        with database.write() as session:
            id_ = jobs.request(session, kind, "bj01")
        with database.read() as session:
            self.job = session.get_one(Job, id_)
        self.settings = get_settings()
        self.results: dict[str, Any] = {}
        self.said = ""

    def progress(self, doing: str, done: int | None = None, total: int | None = None) -> None:
        self.said = doing

    def log(self, line: str) -> None: ...

    def run(self) -> str:
        for step in STEPS[self.job.kind]:
            self.results[step.name] = step.call(self)
        with database.write() as session:
            session.get_one(Job, self.job.id).state = jobs.DONE
        return self.said


def test_documents_are_listed_read_and_distilled(http: TestClient, policy: str, editor: dict[str, str]) -> None:
    found = http.get("/api/console/documents", params={"q": "高龄", "with_text": True}, headers=editor).json()
    assert [(one["id"], one["status"]) for one in found["items"]] == [(policy, "有效")] and found["total"] == 1
    whole = http.get(f"/api/console/documents/{policy}", headers=editor).json()
    assert whole["text"][1]["label"] == "第一条" and whole["changes"] == [] and whole["resting"] == []
    made = http.post(f"/api/console/documents/{policy}/distil", json={}, headers=editor).json()
    assert made["matter"] == "高龄津贴" and len(made["drafts"]) >= 8 and not any(one["there"] for one in made["drafts"])
    with database.read() as session:
        assert not any(row.id.startswith("distilled-") for row in knowledge.all_qas(session)), "a look keeps nothing"
    first, second = made["drafts"][:2]
    chosen = [{name: one[name] for name in ("question", "answer", "clauses")} for one in (first, second)]
    chosen[0]["question"] = "高龄津贴归谁管？"
    kept = http.post(
        f"/api/console/documents/{policy}/drafts", json={"matter": "高龄津贴", "drafts": chosen}, headers=editor
    )
    assert kept.status_code == 201 and len(kept.json()["added"]) == 2
    again = http.post(f"/api/console/documents/{policy}/distil", json={}, headers=editor).json()
    assert [one["there"] for one in again["drafts"]][:3] == [True, True, False]
    chosen[0]["answer"] = chosen[0]["answer"].replace("民政", "财政")
    changed = {"matter": "高龄津贴", "drafts": chosen}
    assert code_of(http.post(f"/api/console/documents/{policy}/drafts", json=changed, headers=editor), 422)


def test_an_internal_document_is_not_shown(http: TestClient, policy: str, editor: dict[str, str]) -> None:
    found = http.get("/api/console/documents", headers=editor).json()
    assert "nb" not in {one["id"] for one in found["items"]}
    for method, path in (("GET", ""), ("POST", "/distil"), ("POST", "/drafts")):
        body = {"matter": "x", "drafts": [{"question": "？", "answer": "。", "clauses": ["第一条"]}]}
        body = body if path == "/drafts" else {}
        answer = http.request(method, f"/api/console/documents/nb{path}", json=body or None, headers=editor)
        if path == "/distil":
            answer = http.post("/api/console/documents/nb/distil", json={}, headers=editor)
        assert code_of(answer, 404) == "not_found"


def test_a_model_that_fails_is_said_and_the_rules_do_alone(
    http: TestClient, policy: str, editor: dict[str, str], fake_model: FakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/api/console/documents/{policy}/distil"
    alone = http.post(path, json={"with_model": True}, headers=editor).json()
    assert alone["model"] is False and not fake_model.heard
    monkeypatch.setenv("YIHAODA_LLM_URL", fake_model.url)
    monkeypatch.setenv("YIHAODA_LLM_MODEL", "fake")
    get_settings.cache_clear()
    fake_model.fails("500")
    failed = http.post(path, json={"with_model": True}, headers=editor).json()
    assert failed["drafts"] == alone["drafts"] and "语言模型" in failed["note"]
    assert not fake_model.heard[1:], "asked once"
    http.post(path, json={}, headers=editor)
    assert len(fake_model.heard) == 1, "and only where a person wants it"


def test_a_repealed_document_is_listed_and_settled(http: TestClient, policy: str, editor: dict[str, str]) -> None:
    with database.write() as session:
        knowledge.upsert(session, [qa("gl", "高龄津贴几岁领", sources=[{"document": policy}], department="民政局")])
    body = {"what": "repealed", "effective": TODAY.isoformat(), "note": "市政府第5号公告"}
    assert http.post(f"/api/console/documents/{policy}/changes", json=body, headers=editor).status_code == 201
    assert code_of(http.post(f"/api/console/documents/{policy}/changes", json=body, headers=editor), 409)
    found = http.get("/api/console/reviews", headers=editor).json()
    (one,) = found["items"]
    assert (one["item"], one["why_name"], one["kind_name"]) == ("gl", "依据已废止", "问答")
    assert "《" in one["about"] and "照常作答" in one["meanwhile"] and found["counts"] == {"repealed": 1}
    officer = signed_in("cb01", "承办", "officer", department="民政局")
    other = signed_in("cb02", "承办", "officer", department="人社局")
    assert http.get("/api/console/reviews", headers=officer).json()["total"] == 1
    assert http.get("/api/console/reviews", params={"department": "民政局"}, headers=other).json()["total"] == 0
    settle = {"ids": [one["id"], 99], "reason": "内容仍然对，新办法同样规定"}
    assert code_of(http.post("/api/console/reviews/settle", json=settle, headers=officer), 403)
    done = http.post("/api/console/reviews/settle", json=settle, headers=editor).json()
    assert [entry["problem"] for entry in done] == [None, "没有这一条待复核。"]
    assert http.get("/api/console/reviews", headers=editor).json()["items"] == []
    (past,) = http.get("/api/console/reviews", params={"settled": True}, headers=editor).json()["items"]
    assert (past["settled_by"], past["settled"]) == ("李编", settle["reason"])
    assert (
        http.post(f"/api/console/documents/{policy}/restore", json={"note": "看错了公告"}, headers=editor).status_code
        == 204
    )
    assert http.get(f"/api/console/documents/{policy}", headers=editor).json()["status"] == "有效"


def test_what_is_approved_is_found_once_the_index_was_rebuilt(http: TestClient, editor: dict[str, str]) -> None:
    approver = signed_in("a1", "王审核", "approver")
    new = {"content": {"similar": ["那本借阅凭证没影了"]}}
    path = "/api/knowledge/items/plain"
    for move, who, body in (("", editor, new), ("/submit", editor, {}), ("/approve", approver, None)):
        call = http.put if not move else http.post
        answer = call(path + move, headers=who, json=body)
        assert answer.status_code == 200, answer.text
    with database.read() as session:
        assert [(one.kind, one.state) for one in jobs.jobs(session, kind="index")] == [("index", jobs.WAITING)]
    before = http.get("/readyz").json()["index"]
    assert "已启用" in Rehearsal("index").run()
    agent = signed_in("1001", "小王", "agent")
    for _ in range(100):  # the gateway looks for a new version every few seconds
        if http.get("/readyz").json()["index"] != before:
            break
        time.sleep(0.1)
    found = http.post("/api/desk/suggest", json={"text": "那本借阅凭证没影了"}, headers=agent)
    assert before is not None
    assert found.json()[0]["qa_id"] == "plain" and found.json()[0]["probability"] > 0.9


def test_the_daily_job_lists_what_is_due(http: TestClient, policy: str, editor: dict[str, str]) -> None:
    with database.write() as session:
        knowledge.upsert(session, [qa("due", "过期的问题", review_by=TODAY - timedelta(days=1))])
    assert "新列入待复核" in Rehearsal("reviews").run()
    with database.read() as session:
        assert session.query(Review).filter_by(item="due", why="overdue").count() == 1
    assert "新列入待复核 0 条" in Rehearsal("reviews").run()


def test_conflicts_are_found_and_shown_side_by_side(http: TestClient, policy: str, editor: dict[str, str]) -> None:
    assert http.get("/api/console/health/conflicts", headers=editor).json()["at"] is None
    with database.write() as session:
        knowledge.upsert(
            session,
            [
                qa("jt-1", "高龄津贴每个月发多少钱", "每人每月60元。", sources=[{"document": policy}]),
                qa("jt-2", "高龄津贴每月发多少钱", "每人每月80元。", sources=[{"document": policy}]),
                qa("jt-3", "图书馆几点开门", "上午9点，满16周岁。", sources=[{"document": policy}]),
            ],
        )
    Rehearsal("health").run()
    found = http.get("/api/console/health/conflicts", params={"only_figures": True}, headers=editor).json()
    pairs = {(one["one"]["id"], one["other"]["id"]): one for one in found["items"]}
    pair = pairs["jt-1", "jt-2"]
    assert (pair["one"]["figures"], pair["other"]["figures"]) == (["60元"], ["80元"]) and not pair["sources"]
    assert not any("jt-3" in key for key in pairs) and found["outdated"] is False
    with database.write() as session:
        knowledge.pause(session, "jt-2", "bj01")
    found = http.get("/api/console/health/conflicts", params={"only_figures": True}, headers=editor).json()
    assert not any("jt-2" in (one["one"]["id"], one["other"]["id"]) for one in found["items"])
    assert found["outdated"] is True


def test_coverage_counts_what_was_asked(http: TestClient, policy: str, editor: dict[str, str]) -> None:
    for number, question in enumerate(
        ("图书馆借书证丢失如何补领", "图书馆借书证丢失如何补领", "银河系有几颗行星要交什么税")
    ):
        made = http.post("/api/conversations", json={}).json()
        http.post(
            f"/api/conversations/{made['id']}/messages",
            json={"text": question, "message_id": f"c-{number}-{made['id'][:6]}"},
            headers={"Authorization": f"Bearer {made['token']}"},
        )
    seen = http.get("/api/console/health/coverage", params={"days": 1}, headers=editor).json()
    assert seen["answered"] >= 2 and seen["asked"] == seen["answered"] + seen["nothing"]
    top = seen["matters"][0]
    assert top["matter"] == "测试事项" and top["asked"] >= 2
    assert sum(seen["ages"].values()) == seen_items()


def seen_items() -> int:
    with database.read() as session:
        return sum(row.status in ("draft", "approved") for row in knowledge.all_qas(session))


def test_everything_is_exported_but_what_is_internal(http: TestClient, policy: str, editor: dict[str, str]) -> None:
    with database.write() as session:
        knowledge.upsert(session, [qa("nbqa", "内部依据的问题", sources=[{"document": "nb"}, {"document": policy}])])
    assert http.post("/api/console/exports", headers=editor).json()["doing"]
    assert http.post("/api/console/exports", headers=editor).status_code == 202
    with database.write() as session:
        (job,) = jobs.jobs(session, kind="export")
        job.state = jobs.DONE
    Rehearsal("export").run()
    (file,) = http.get("/api/console/exports", headers=editor).json()["files"]
    answer = http.get(f"/api/console/exports/{file['name']}", headers=editor)
    assert answer.status_code == 200
    target = get_settings().exports / "taken.xlsx"
    target.write_bytes(answer.content)
    text = "".join(
        str(cell)
        for sheet in openpyxl.load_workbook(target)
        for row in sheet.iter_rows(values_only=True)
        for cell in row
    )
    assert "高龄津贴" in text and "第五条" in text and "内部办法" not in text and "内部的话" not in text
    for name in ("..%2fyihaoda.db", "taken.xlsx", "zhishi-x.xlsx"):
        assert http.get(f"/api/console/exports/{name}", headers=editor).status_code == 404


def test_health_counts_ages(db: Settings) -> None:
    with database.write() as session:
        knowledge.upsert(
            session,
            [
                qa("new", "一", as_of=TODAY),
                qa("old", "二", as_of=TODAY - timedelta(days=800)),
                qa("none", "三"),
                qa("gone", "四", status="retired", as_of=date(2000, 1, 1)),
            ],
        )
        assert health.ages(session, TODAY) == {
            "半年内": 1,
            "半年到一年": 0,
            "一年到两年": 0,
            "两年以上": 1,
            "没有注明": 1,
        }
        assert isinstance(session.get_one(QA, "new").as_of, date)
