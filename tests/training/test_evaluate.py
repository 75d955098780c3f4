"""``yihaoda evaluate``: real knowledge, real index."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from conftest import forget

from bot.errors import InvalidInput
from bot.settings import Settings
from index.knowledge_files import reading, starter
from training import fit
from training.evaluate import compare, counts, evaluate, figures, read_questions, refuse_overlap, save

ROWS = [
    {"q": "身份证弄丢了要去哪个部门补", "expect": "身份证换领补领", "kind": "plain"},
    {"q": "帮我订一张去北京的火车票", "expect": None, "kind": "chat"},
    {"q": "我是76年3月出生的女工人几时退休", "expect": "延迟退休", "kind": "plain"},
]


@pytest.fixture
def ready(settings: Settings, prepared: Path) -> Settings:
    shutil.copytree(prepared, settings.data_dir)
    forget()
    return settings


def file_of(tmp_path: Path, rows: list[dict[str, object]]) -> Path:
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_run_is_counted_saved_and_compared(ready: Settings, tmp_path: Path) -> None:
    path = file_of(tmp_path, ROWS)
    asked = evaluate(ready, read_questions(path))
    assert sum(counts(asked).values()) == len(ROWS)
    assert asked[0].outcome in ("right", "options")
    assert asked[1].outcome != "wrong"
    assert (asked[2].outcome, asked[2].reply) == ("right", "calculation")
    run = save(ready, path, asked, tmp_path / "run")
    assert json.loads((run / "figures.json").read_text(encoding="utf-8")) == figures(asked)
    assert json.loads((run / "config.json").read_text(encoding="utf-8"))["index"]
    assert compare(run, asked) == []
    lines = (run / "questions.jsonl").read_text(encoding="utf-8").split("\n")
    first = json.loads(lines[0]) | {"outcome": "wrong"}
    (run / "questions.jsonl").write_text("\n".join([json.dumps(first), *lines[1:]]), encoding="utf-8")
    assert [(old["outcome"], now.q) for old, now in compare(run, asked)] == [("wrong", ROWS[0]["q"])]


def test_a_follow_up_is_asked_in_its_conversation(ready: Settings) -> None:
    path = read_questions(
        file_of(ready.data_dir, [{"prev": "我75年的男的啥时候能退休", "q": "3月", "expect": "延迟退休"}])
    )
    (asked,) = evaluate(ready, path)
    assert asked.outcome == "right"


def test_unknown_expectations_are_refused(ready: Settings, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="火星登陆"):
        evaluate(ready, read_questions(file_of(tmp_path, [{"q": "问一下啊", "expect": "火星登陆"}])))


def test_questions_out_of_the_knowledge_or_the_calibration_are_refused(ready: Settings, tmp_path: Path) -> None:
    similar = next(qa for qa in reading.read_folder(starter.STARTER).qas).similar[0]
    fitted = next(row["q"] for row in fit.read_questions(fit.question_files()[0]) if len(row["q"]) > 6)
    for text in (similar, f"{fitted}？"):
        path = file_of(tmp_path, [{"q": text, "expect": None}])
        with pytest.raises(InvalidInput, match="重复"):
            refuse_overlap(read_questions(path), path)
    path = file_of(tmp_path, ROWS)
    refuse_overlap(read_questions(path), path)


@pytest.mark.parametrize(
    "line", ["", "问题", "[]", '{"q": "问"}', '{"q": "", "expect": null}', '{"q": "问", "expect": 3}']
)
def test_bad_files_are_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(line, encoding="utf-8")
    with pytest.raises(InvalidInput):
        read_questions(path)


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="结果文件夹"):
        compare(tmp_path, [])


def test_a_line_ends_at_a_newline_only(tmp_path: Path) -> None:
    odd = "证\u2028丢\u2029了\x85怎么\x1c补"
    path = file_of(tmp_path, [{"q": odd, "expect": "身份证换领补领"}, {"q": "第二问", "expect": None}])
    assert [one.q for one in read_questions(path)] == [odd, "第二问"]
    assert [row["q"] for row in fit.read_questions(path)] == [odd, "第二问"]
    path.write_text(path.read_text(encoding="utf-8").replace("\n", "\r\n"), encoding="utf-8", newline="")
    assert [one.q for one in read_questions(path)] == [odd, "第二问"]
    then = {"q": odd, "prev": None, "outcome": "wrong", "qa_id": None}
    (tmp_path / "questions.jsonl").write_text(json.dumps(then, ensure_ascii=False) + "\n", encoding="utf-8")
    assert compare(tmp_path, []) == []
