"""The ``yihaoda`` command, run as a person runs it; what it prints and its exit codes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
from conftest import forget
from cryptography.fernet import Fernet
from samples import fill
from sqlalchemy import select, text

from bot import conversations, crypto, database, knowledge
from bot.clock import utcnow
from bot.models.housekeeping import AuditEntry
from bot.models.knowledge import QA
from bot.replies import TextReply
from bot.settings import Settings, get_settings
from bot.tickets import moves
from connectors.run.background import free_ports
from connectors.terminal.cli import main
from connectors.turns.rasa_client import neutral
from index.versions import store
from tests.bot.test_tickets import stored
from training.bench import Serving
from training.study.fusion import Fusion


@pytest.fixture
def run(sqlite_db: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    monkeypatch.setenv("YIHAODA_DENSE", "false")  # loading the encoder takes seconds and plays no part here
    monkeypatch.setenv("COLUMNS", "200")
    forget()

    def call(*argv: str) -> tuple[int, str, str]:
        code = 0
        try:
            main(list(argv))
        except SystemExit as stop:
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    yield call
    structlog.reset_defaults()  # the command's log goes to a standard error that ends with the test


CSV = "编号,事项,问题,答案\nx-1,测试,鱼证怎么办,到窗口办。\nx-2,测试,,没有问题的一行\nx-3,测试,水费怎么退,打电话退。\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "qa.csv"
    path.write_text(CSV, encoding="utf-8")
    return path


def test_a_bad_row_is_named_and_the_good_ones_go_in(run, table: Path) -> None:  # type: ignore[no-untyped-def]
    code, out, err = run("kb", "import", str(table))
    assert code == 0 and "新增 2" in out and "有问题 1" in out
    assert "qa.csv" in err and "3" in err
    with database.read() as session:
        assert session.get(QA, "x-1") and session.get(QA, "x-3") and not session.get(QA, "x-2")


def test_a_dry_run_and_all_or_nothing_write_nothing(run, table: Path) -> None:  # type: ignore[no-untyped-def]
    assert run("kb", "import", str(table), "--dry-run")[0] == 0
    assert run("kb", "import", str(table), "--all-or-nothing")[0] == 1
    with database.read() as session:
        assert session.get(QA, "x-1") is None


@pytest.mark.parametrize("name", ["missing.csv", "bad.pdf"])
def test_files_that_cannot_be_read_are_one_clear_sentence(run, tmp_path: Path, name: str) -> None:  # type: ignore[no-untyped-def]
    if name == "bad.pdf":
        (tmp_path / name).write_bytes(b"%PDF")
    code, _, err = run("kb", "import", str(tmp_path / name))
    assert code == 1 and "出错了" in err and "Traceback" not in err


def test_versions_are_built_listed_published_and_rolled_back(run, table: Path) -> None:  # type: ignore[no-untyped-def]
    run("kb", "import", str(table))
    names = []
    for _ in range(2):
        code, out, _ = run("index", "build", "--publish")
        assert code == 0
        names.append(out.split()[1])
    _, out, _ = run("index", "list")
    assert all(name in out for name in names) and "使用中" in out and "上一版" in out
    assert names[0] in run("index", "rollback")[1]
    assert run("index", "publish", names[1])[0] == 0
    assert run("index", "publish", "nonsense")[0] == 1


def test_an_empty_knowledge_base_cannot_be_built(run) -> None:  # type: ignore[no-untyped-def]
    code, _, err = run("index", "build")
    assert code == 1 and "知识库是空的" in err


def test_export_check_approve_and_pause(run, table: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    run("kb", "import", str(table))
    target = tmp_path / "all.yaml"
    assert run("kb", "export", str(target))[0] == 0 and "鱼证怎么办" in target.read_text(encoding="utf-8")
    assert run("kb", "check")[0] in (0, 1)
    assert run("kb", "approve", "x-1")[0] == 1  # nobody said who approves
    assert run("kb", "approve", "x-1", "--matter", "测试", "--actor", "王")[0] == 1
    assert "1 条" in run("kb", "approve", "x-1", "--actor", "王")[1]
    assert "1 条" in run("kb", "approve", "--matter", "测试", "--actor", "王")[1]
    assert run("kb", "pause", "x-1")[0] == 0
    with database.read() as session:
        assert session.get_one(QA, "x-1").status == "paused"
        assert session.get_one(QA, "x-3").reviewed_by == "王"
    assert run("kb", "approve", "nothing", "--actor", "王")[0] == 1


def test_what_is_published_is_changed_by_one_and_approved_by_another(run, table: Path) -> None:  # type: ignore[no-untyped-def]
    run("kb", "import", str(table), "--by", "张编辑")
    code, _, err = run("kb", "approve", "x-1", "--by", "张编辑")
    assert code == 1 and "要请另一位审核" in err
    assert run("kb", "approve", "x-1", "x-3", "--by", "王审核")[0] == 0
    table.write_text(CSV.replace("到窗口办", "到网上办"), encoding="utf-8")
    _, out, _ = run("kb", "import", str(table), "--by", "张编辑")
    assert "其中 1 条已经发布，已存为待审修改" in out and "x-1：答案" in out
    table.write_text(CSV.replace("到窗口办", "到邮局办"), encoding="utf-8")
    _, _, err = run("kb", "import", str(table), "--by", "李导入")
    assert "张编辑的修改还没有审完，这次没有覆盖" in err
    assert "有一份修改：待审核，写的人 张编辑" in run("kb", "versions", "x-1")[1]
    assert run("kb", "return", "x-1", "--by", "王审核")[0] == 1  # nobody said why
    assert run("kb", "return", "x-1", "--by", "王审核", "--why", "缺依据")[0] == 0
    assert "退回的原因：缺依据" in run("kb", "versions", "x-1")[1]
    assert run("kb", "submit", "x-1", "--by", "张编辑")[0] == 0
    code, out, err = run("kb", "approve", "x-1", "nothing", "--by", "王审核")
    assert code == 1 and "已审核通过 1 条" in out and "没有编号为 nothing 的问答" in err
    _, out, _ = run("kb", "versions", "x-1")
    assert "在用" in out and "以前的" in out and "还没审完" not in out
    assert "把第 1 版存为待审修改 1 条" in run("kb", "restore", "x-1", "1", "--by", "张编辑")[1]
    assert "已放弃 1 条修改" in run("kb", "discard", "x-1", "--by", "张编辑")[1]
    assert run("kb", "restore", "x-1", "9", "--by", "张编辑")[0] == 1
    assert run("kb", "cancel", "x-1", "1", "--by", "王审核")[0] == 1  # it is no version to come
    assert run("kb", "pause", "x-1", "--by", "班长", "--why", "数字不对")[0] == 0
    assert "请另一位" in run("kb", "resume", "x-1", "--by", "班长")[1]
    code, _, err = run("kb", "resume", "x-1", "--by", "班长")
    assert code == 1 and "要请另一位同意" in err
    assert "申请恢复作答，等另一位同意" in run("kb", "versions", "x-1")[1]
    assert "已恢复作答 1 条" in run("kb", "resume", "x-1", "--by", "王审核")[1]
    run("kb", "retire", "x-1", "--by", "张编辑", "--replaced-by", "x-3")
    assert "已退役 1 条" in run("kb", "retire", "x-1", "--by", "王审核")[1]
    with database.read() as session:
        qa = session.get_one(QA, "x-1")
        assert (qa.status, qa.replaced_by, qa.answer) == ("retired", "x-3", "到网上办。")


def test_a_later_version_waits_for_its_day(run, table: Path) -> None:  # type: ignore[no-untyped-def]
    run("kb", "import", str(table), "--by", "张编辑")
    run("kb", "approve", "x-1", "--by", "王审核")
    table.write_text("编号,问题,答案,生效日期\nx-1,鱼证怎么办,明年起到网上办。,2099-01-01\n", encoding="utf-8")
    run("kb", "import", str(table), "--by", "张编辑")
    _, out, _ = run("kb", "approve", "--matter", "测试", "--by", "王审核")
    assert "x-1 从 2099-01-01 起生效，在这之前照旧作答" in out
    assert "待生效" in run("kb", "versions", "x-1")[1]
    with database.read() as session:
        assert session.get_one(QA, "x-1").answer == "到窗口办。"
    assert "已取消 1 版" in run("kb", "cancel", "x-1", "2", "--by", "王审核")[1]
    assert "已取消" in run("kb", "versions", "x-1")[1]


def test_what_is_to_be_reviewed_is_listed_and_a_checked_basis_confirmed(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "a.yaml").write_text(
        "matter: 年休假\ndocuments: [{id: fa, title: 年休假条例}]\nqas:\n"
        "  - {id: a-1, question: 休几天, answer: 满1年休5天。, sources: [{document: fa, clause: 第三条}]}\n"
        "  - {id: a-2, question: 满十年呢, answer: 休10天。, sources: [{document: fa, clause: 第三条, unverified: true}]}\n"
        "  - {id: a-3, question: 补助多少, answer: 600元。, review_by: 2020-01-31}\n",
        encoding="utf-8",
    )
    assert "依据待核 1 条（1 处依据）；复核日期已过 1 条" in run("kb", "check", str(tmp_path / "a.yaml"))[1]
    run("kb", "import", str(tmp_path / "a.yaml"))
    _, out, _ = run("kb", "review")
    assert out.index("a-2") < out.index("a-3") < out.index("a-1")
    assert "依据待核：《年休假条例》第三条" in out and "复核日期 2020-01-31 已过" in out and "要看的 3 条" in out
    assert "这里是前 1 条" in run("kb", "review", "--matter", "年休假", "--limit", "1")[1]
    assert "要看的 0 条" in run("kb", "review", "--matter", "别的")[1]
    _, out, _ = run("kb", "approve", "a-1", "a-2", "a-3", "--actor", "王")
    assert "已审核通过 3 条" in out and "1 条的依据待核" in out
    assert "草稿 0 条；依据待核 1 条" in run("kb", "check")[1]
    assert run("kb", "confirm", "a-2")[0] == 1  # nobody said who checked
    assert "已去掉 1 条" in run("kb", "confirm", "a-2", "a-1", "--actor", "李")[1]
    assert "草稿 0 条；依据待核 0 条" in run("kb", "check")[1]
    assert run("kb", "confirm", "nothing", "--actor", "李")[0] == 1
    with database.read() as session:
        assert session.get_one(QA, "a-2").status == "approved"


def test_asking_without_a_running_assistant_says_so(run, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("YIHAODA_PORT", str(free_ports(1)[0]))  # one may run on the usual port
    forget()
    code, _, err = run("ask", "身份证丢了咋补办")
    assert code == 3 and "make run" in err


def test_an_unknown_ticket(run) -> None:  # type: ignore[no-untyped-def]
    code, _, err = run("ticket", "show", "20261120123455")
    assert code == 1 and "没有这张工单" in err


def test_a_wrong_call_ends_with_two(run) -> None:  # type: ignore[no-untyped-def]
    assert run("nonsense")[0] == 2
    assert run("ask")[0] == 2


def test_production_without_its_secrets_does_not_start(run, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("YIHAODA_ENV", "production")
    forget()
    code, _, err = run("kb", "check")
    assert code == 1 and "YIHAODA_SECRET_KEYS" in err and "Traceback" not in err


def test_a_malformed_setting_is_named(run, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("YIHAODA_PORT", "many")
    forget()
    code, _, err = run("kb", "check")
    assert code == 1 and "YIHAODA_PORT" in err


@pytest.mark.parametrize(
    "mistake", ["plain", "while an error of the system is handled", "a value that a model refuses"]
)
def test_a_mistake_in_the_program_is_not_shown_as_a_failure(  # type: ignore[no-untyped-def]
    run, monkeypatch: pytest.MonkeyPatch, mistake: str
) -> None:
    def rollback(_settings: Settings) -> str:
        if mistake == "a value that a model refuses":
            TextReply.model_validate({})
        if mistake == "plain":
            raise ValueError("a mistake")
        try:
            return Path("nowhere").read_text()
        except FileNotFoundError:
            raise ValueError("a mistake")  # noqa: B904

    monkeypatch.setattr(store, "rollback", rollback)
    with pytest.raises(ValueError, match=r"a mistake|TextReply"):
        run("index", "rollback")


def test_the_bench_prints_its_json(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    texts = ["公积金提取条件", "身份证补办流程", "护照办理费用"]
    lines = [json.dumps({"id": str(n), "text": text}, ensure_ascii=False) for n, text in enumerate(texts)]
    (tmp_path / "corpus.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "queries.jsonl").write_text('{"id": "q", "text": "身份证怎么补办"}\n', encoding="utf-8")
    (tmp_path / "qrels.tsv").write_text("q\t1\t1\n", encoding="utf-8")
    for options, ways, first in (([], Serving, "retriever"), (["--study"], Fusion, "fused")):
        code, out, _ = run("bench", str(tmp_path), "--json", *options)
        assert code == 0
        report = json.loads(out)
        assert set(report["results"]) == set(ways.names)
        assert report["results"][first]["hit1"] == 1.0
        assert ("研究" in report["what"]) == bool(options)
    (tmp_path / "qrels.tsv").unlink()
    assert run("bench", str(tmp_path))[0] == 1


@pytest.mark.parametrize(
    ("text", "seen"),
    [("/restart", "／restart"), ("  /greet", "／greet"), ("//x", "／x"), ("你好/greet", "你好/greet"), ("/", "／")],
)
def test_rasa_never_sees_a_leading_slash(text: str, seen: str) -> None:
    assert neutral(text) == seen


def test_a_dry_run_names_what_would_change(run, table: Path) -> None:  # type: ignore[no-untyped-def]
    run("kb", "import", str(table))
    table.write_text(CSV.replace("到窗口办。", "到窗口办，带证。") + "x-4,测试,煤证怎么办,打电话。\n", encoding="utf-8")
    code, out, _ = run("kb", "import", str(table), "--dry-run")
    assert code == 0
    assert "更新 问答 x-1：答案" in out and "新增 问答 x-4" in out and "x-3" not in out


@pytest.mark.parametrize("name", ["t.xlsx", "t.csv", "t.yaml"])
def test_the_examples_of_a_template_are_no_knowledge(run, tmp_path: Path, name: str) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = run("kb", "template", str(tmp_path / name))
    assert code == 0
    for line in out.splitlines():
        code, said, error = run("kb", "import", line.removeprefix("已生成 "))
        assert code == 1 and "新增 0" in said and "有问题 0" in said and "没有可以导入的内容" in error
    assert run("kb", "template", str(tmp_path / name))[0] == 1  # what somebody filled in is not written over


def test_verify_names_what_the_law_does_not_say_until_it_is_settled(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    article = {"id": "社会法/年休法(2008-01-01).md#第三条", "text": "年休法第三条 满1年的，年休假5天。"}
    (tmp_path / "corpus.jsonl").write_text(json.dumps(article, ensure_ascii=False) + "\n", encoding="utf-8")
    (tmp_path / "kb.yaml").write_text(
        "matter: 测试\ndocuments: [{id: fa, title: 年休法}]\nqas:\n"
        "  - {id: a-1, question: 休几天, answer: 满1年休5天。, sources: [{document: fa, clause: 第三条}]}\n"
        "  - {id: a-2, question: 满十年呢, answer: 休10天。, sources: [{document: fa, clause: 第三条}]}\n",
        encoding="utf-8",
    )
    settled = tmp_path / "settled.csv"
    command = ("kb", "verify", str(tmp_path / "kb.yaml"), "--data", str(tmp_path), "--settled", str(settled))
    code, out, _ = run(*command, "--record")
    assert code == 1 and "a-2" in out and "10日" in out and "a-1" not in out
    settled.write_text(
        settled.read_text(encoding="utf-8").replace("条文里,,", "条文里,条例另有规定,"), encoding="utf-8"
    )
    code, out, _ = run(*command)
    assert code == 0 and "没有结论的 0 处" in out
    before = settled.read_text(encoding="utf-8")
    other = tmp_path / "other.yaml"
    other.write_text((tmp_path / "kb.yaml").read_text(encoding="utf-8").replace("a-", "b-"), encoding="utf-8")
    run("kb", "verify", str(other), "--data", str(tmp_path), "--settled", str(settled), "--record")
    after = settled.read_text(encoding="utf-8")
    assert set(before.splitlines()) < set(after.splitlines()), "what was concluded about other files stays"
    assert "b-2" in after
    assert run("kb", "verify", "--data", str(tmp_path / "nowhere"))[0] == 1


def test_a_policy_document_is_imported_and_what_was_recognised_is_said(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "办法.txt"
    path.write_text(
        "某市犬类管理办法\n某政发〔2025〕9号\n第一条 犬只要登记。\n第二条 自2025年5月1日起施行。", encoding="utf-8"
    )
    code, out, _ = run("kb", "import", str(path), "--dry-run")
    assert code == 0 and "预演，未写入" in out and "《某市犬类管理办法》" in out
    code, out, _ = run("kb", "import", str(path))
    assert code == 0 and "新增 1" in out
    assert "某政发〔2025〕9号" in out and "2025-05-01 起施行" in out and "原文 2 段" in out
    assert "未变 1" in run("kb", "import", str(path))[1]
    path.write_text("", encoding="utf-8")
    other = tmp_path / "规定.txt"
    other.write_text("某市养犬规定\n某政发〔2025〕10号\n第一条 遛犬要牵绳。", encoding="utf-8")
    code, out, err = run("kb", "import", str(path), str(other))
    assert code != 0 and "没有文字" in err and "新增 1" in out  # the file after it is imported all the same


# --- backup, keys, retention -----------------------------------------------------------------------------------------


def test_a_backup_names_its_key_and_comes_back(run, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    fill(get_settings())
    key = crypto.get_cipher().fingerprints[0]
    code, out, _ = run("backup", str(tmp_path / "b.tar.gz"))
    assert code == 0 and "读回检查无误" in out and key in out
    code, _, err = run("restore", str(tmp_path / "b.tar.gz"))
    assert code == 1 and "已经有数据" in err
    assert run("backup", str(tmp_path / "none" / "b.tar.gz"))[0] == 1
    monkeypatch.setenv("YIHAODA_DATA_DIR", str(tmp_path / "back"))
    monkeypatch.setenv("YIHAODA_SECRET_KEYS", Fernet.generate_key().decode())
    forget()
    code, _, err = run("restore", str(tmp_path / "b.tar.gz"))
    assert code == 1 and key in err and "--accept-missing-keys" in err
    code, out, err = run("restore", str(tmp_path / "b.tar.gz"), "--accept-missing-keys")
    assert code == 0 and "已恢复" in out and "打不开" in err


def test_keys_are_listed_and_rotated(run, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    fill(get_settings())
    old = crypto.get_cipher().fingerprints[0]
    assert old in run("keys", "list")[1]
    code, out, _ = run("keys", "rotate", "--actor", "王")
    new = crypto.get_cipher().fingerprints[0]
    assert code == 0 and old in out and new in out and old != new
    assert run("keys", "list")[1].split()[0] == new
    monkeypatch.setenv("YIHAODA_SECRET_KEYS", Fernet.generate_key().decode())
    monkeypatch.setenv("YIHAODA_PORT", str(free_ports(1)[0]))
    forget()
    code, _, err = run("keys", "rotate")
    assert code == 1 and "写在最前面" in err and "没有连上网关" in err


def test_jobs_are_started_shown_stopped_and_resumed(run) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = run("jobs", "list")
    assert code == 0 and "没有在运行" in out and "还没有后台任务" in out and "备份（backup）：不自动做" in out
    code, out, _ = run("jobs", "start", "retention", "--set", "confirm=true", "--actor", "王")
    assert code == 0 and "没有在运行" in out and "会等着" in out
    (job,) = re.findall(r"[0-9a-f]{32}", out)
    code, out, _ = run("jobs", "show", job[:8])
    assert code == 0 and "到期清除　等待" in out and '"confirm": true' in out and "王" in out
    assert json.loads(run("jobs", "show", job, "--json")[1])["state"] == "等待"
    assert "已停止" in run("jobs", "stop", job[:8], "--actor", "李")[1]
    assert "接着做" in run("jobs", "resume", job[:8], "--actor", "李")[1]
    assert f"{job[:8]}  " in run("jobs", "list", "--kind", "retention")[1]
    with database.read() as session:
        entries = session.scalars(
            select(AuditEntry).where(AuditEntry.action.startswith("job.")).order_by(AuditEntry.id)
        )
        assert [(entry.action, entry.actor) for entry in entries] == [
            ("job.request", "王"),
            ("job.stop", "李"),
            ("job.resume", "李"),
        ]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["start", "拖地"], "没有“拖地”这种后台任务"),
        (["start", "retention", "--set", "confirm"], "名称=值"),
        (["start", "retention", "--set", "confirm=也许"], "要写true 或 false"),
        (["start", "backup", "--set", "x=1"], "这种任务没有参数"),
        (["show", "abc"], "没有这个后台任务：abc"),
        (["stop", ""], "没有这个后台任务"),
        (["resume", "abc"], "没有这个后台任务"),
    ],
)
def test_what_is_wrong_with_a_command_for_jobs_is_said(run, argv: list[str], said: str) -> None:  # type: ignore[no-untyped-def]
    code, _, err = run("jobs", *argv)
    assert code == 1 and said in err.replace("\n", "")


def test_retention_asks_for_a_word_and_puts_it_on_record(run) -> None:  # type: ignore[no-untyped-def]
    assert "清除了 0 个" in run("retention", "run")[1]
    with database.write() as session:
        for _ in range(60):
            conversations.create(session, "web", utcnow() - timedelta(days=200))
    code, _, err = run("retention", "run")
    assert code == 1 and "60 个" in err and "--confirm" in err
    code, out, _ = run("retention", "run", "--confirm", "--actor", "王")
    assert code == 0 and "清除了 60 个" in out
    with database.read() as session:
        (entry,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "retention.confirm"))
        assert entry.actor == "王"


def test_a_marked_document_leaves_nothing_behind_but_that_it_was_refused(
    run, sqlite_db: Settings, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "会议安排.txt"
    path.write_text("机密★10年\n某市要害部位值守办法\n第一条 暗号是青山。\n第二条 完。", encoding="utf-8")
    table = tmp_path / "问答.csv"
    table.write_text("问题,答案,密级\n暗号是什么？,青山绿水。,秘密\n", encoding="utf-8")
    other = tmp_path / "规定.txt"
    other.write_text("某市养犬规定\n第一条 遛犬要牵绳。", encoding="utf-8")
    for options in ((), ("--dry-run",)):
        code, out, err = run("kb", "import", str(path), str(table), str(other), *options)
        assert code == 1 and "规定.txt" in out  # the file after them is imported all the same
        assert "移除" in err and "报告" in err and "会议安排.txt" in err and "问答.csv" in err
        assert "值守" not in out + err and "青山" not in out + err
    with database.read() as session:
        entries = session.scalars(select(AuditEntry).where(AuditEntry.action == "knowledge.classified")).all()
        assert [(entry.subject, entry.detail) for entry in entries] == [("-", {})] * 4
    left = b"".join(file.read_bytes() for file in sqlite_db.data_dir.rglob("*") if file.is_file())
    for word in ("值守", "青山", "会议安排", "问答.csv"):
        assert word.encode() not in left and word.encode("unicode_escape") not in left


def test_an_internal_document_waits_for_a_named_person(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "口径.txt"
    path.write_text("内部资料 注意保管\n某市热线答复规定\n第一条 先问清楚。\n第二条 再答复。", encoding="utf-8")
    code, out, err = run("kb", "import", str(path))
    assert code == 1 and "--internal-confirmed-by" in err and "答复规定" not in out + err
    code, out, _ = run("kb", "import", str(path), "--internal-confirmed-by", "李处长")
    assert code == 0 and "只供工作人员查阅" in out
    _, out, _ = run("kb", "export", str(tmp_path / "全部.xlsx"))
    assert "1 份政策文件只供工作人员查阅" in out
    with database.read() as session:
        (document,) = knowledge.internal_documents(session)
    _, out, _ = run("kb", "internal")
    assert document.id in out and "李处长" in out
    assert "第一条 先问清楚。" in run("kb", "internal", document.id)[1]
    assert run("kb", "internal", "没有的")[0] == 1


def test_columns_of_another_system_are_mapped(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "留言.csv"
    path.write_text("群众诉求,经办口径\n鱼证怎么办,到窗口办。\n", encoding="utf-8")
    code, _, err = run("kb", "import", str(path))
    assert code == 1 and "--map 群众诉求=问题" in err
    code, out, _ = run("kb", "import", str(path), "--map", "群众诉求=问题", "--map", "经办口径=答案")
    assert code == 0 and "新增 1" in out
    code, _, err = run("kb", "import", str(path), "--map", "群众诉求")
    assert code == 1 and "--map" in err


def test_an_old_word_file_is_refused_with_the_way_to_convert_it(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "办法.doc").write_bytes(b"\xd0\xcf\x11\xe0")
    code, _, err = run("kb", "import", str(tmp_path / "办法.doc"))
    assert code == 1 and "另存为" in err and ".docx" in err


# --- tickets, accounts, the audit log --------------------------------------------------------------------------------


def test_tickets_are_listed_and_shown_with_what_is_in_them(run) -> None:  # type: ignore[no-untyped-def]
    assert run("ticket", "list")[:2] == (0, "没有这样的工单。\n")
    number = stored(phone="13812345678", subject="小区路灯坏了，我的电话13812345678")
    with database.write() as session:
        moves.assign(session, number, "城管局", "命令行")
    code, out, _ = run("ticket", "list")
    assert code == 0 and number in out and "路灯坏了" in out and "城管局" in out and "共 1 张" in out
    code, out, _ = run("ticket", "show", number)
    assert (
        code == 0
        and "路灯坏了" in out
        and "138****5678" in out
        and "已转城管局办理" in out
        and "13812345678" not in out
    )
    assert run("ticket", "list", "--state", "没有")[0] == 1
    code, out, _ = run("ticket", "forget", "138 1234 5678")
    assert code == 0 and number in out and run("ticket", "forget", "123")[0] == 1
    assert "电话：" not in run("ticket", "show", number)[1]


def test_the_first_account_is_made_here_and_mended_here(run) -> None:  # type: ignore[no-untyped-def]
    assert "还没有账号" in run("user", "list")[1]
    code, out, _ = run("user", "create", "1001", "--name", "王芳", "--role", "admin", "--role", "agent")
    assert code == 0 and "坐席、管理员" in out
    password = re.search(r"密码：(\S+)", out)
    assert password and len(password[1]) == 19
    assert run("user", "create", "1001", "--name", "王芳", "--role", "admin")[0] == 1
    assert run("user", "create", "1002", "--name", "王芳", "--role", "boss")[0] == 1
    assert "1001" in run("user", "list")[1]
    again = run("user", "reset", "1001")
    assert again[0] == 0 and password[1] not in again[1]
    assert run("user", "reset", "1001", "--second-factor")[0] == 0 and run("user", "reset", "9")[0] == 1
    code, out, _ = run("audit", "verify")
    assert code == 0 and "3 条全部完好" in out
    with database.write() as session:
        session.execute(text("DROP TRIGGER audit_no_update"))
        session.execute(text("UPDATE audit SET actor = '别人' WHERE id = 2"))
    code, _, err = run("audit", "verify")
    assert code == 1 and "第 2 条起对不上" in err


def test_a_citys_own_categories_are_checked_imported_and_shown(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "city.yaml"
    good = (
        "scheme: city\nversion: '1'\ntitle: 本市分类\ndepartments:\n  - {code: A, name: 市住建局, level: 市, for: 房屋}\n"
        "categories:\n  - code: '1'\n    name: 房屋\n    covers: 房屋\n    second:\n"
        "      - {code: '11', name: 物业, covers: 物业, department: A, basis: 物业管理条例}\n"
    )
    path.write_text(good.replace("department: A", "department: B"), encoding="utf-8")
    code, _, err = run("categories", "import", str(path))
    assert code == 1 and "第11行" in err and "没有 B" in err
    path.write_text(good, encoding="utf-8")
    code, out, _ = run("categories", "import", str(path), "--check")
    assert code == 0 and "没有发现问题" in out and "社会保险" in run("categories", "show")[1]
    code, out, _ = run("categories", "import", str(path), "--actor", "王芳")
    assert code == 0 and "已导入并启用" in out and "same_as" in out
    assert "市住建局" in run("categories", "show")[1] and "社会保险" not in run("categories", "show")[1]
    with database.read() as session:
        assert session.scalars(select(AuditEntry.actor).where(AuditEntry.action == "categories.导入")).all() == ["王芳"]


def test_a_document_is_distilled_changed_and_what_rests_on_it_listed(run: object) -> None:
    policy = Path(__file__).parent.parent / "data" / "policies" / "01-高龄津贴发放办法.txt"
    code, said, _ = run("kb", "import", str(policy), "--actor", "bj01")  # type: ignore[operator]
    (id_,) = re.findall(r"wj-[0-9a-f]{12}", said)
    assert code == 0
    code, said, _ = run("kb", "distil", id_)  # type: ignore[operator]
    assert code == 0 and "什么人可以申请高龄津贴？（第四条）" in said and "没有留下" in said
    code, said, _ = run("kb", "distil", id_, "--keep", "--actor", "bj01")  # type: ignore[operator]
    assert code == 0 and "留下 10 条草稿" in said
    code, said, _ = run("kb", "distil", id_, "--keep", "--actor", "bj01")  # type: ignore[operator]
    assert code == 0 and "留下 0 条草稿" in said and "10 条没有动" in said
    assert run("kb", "distil", id_, "--model")[0] == 1  # type: ignore[operator]
    assert run("kb", "distil", "wj-none")[0] == 1  # type: ignore[operator]
    code, said, _ = run("kb", "reviews")  # type: ignore[operator]
    assert code == 0 and "没有要复核的" in said
    for wrong in (("burnt", "--note", "第5号公告"), ("repealed",), ("repealed", "--note", "第5号公告", "--on", "明天")):
        assert run("kb", "change", id_, *wrong)[0] == 1  # type: ignore[operator]
    code, said, _ = run("kb", "change", id_, "repealed", "--note", "市政府第5号公告", "--on", "2026-11-01")  # type: ignore[operator]
    assert code == 0 and "问答 10 条，已列入待复核" in said
    code, said, _ = run("kb", "reviews", "--limit", "3")  # type: ignore[operator]
    assert code == 0 and "依据已废止" in said and "一共 10 条" in said
    assert "已经废止" in run("kb", "distil", id_)[1]  # type: ignore[operator]
    assert run("kb", "change", id_, "restore", "--note", "看错了公告")[0] == 0  # type: ignore[operator]
    assert "没有要复核的" in run("kb", "reviews")[1]  # type: ignore[operator]
