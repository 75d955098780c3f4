"""What ``yihaoda evaluate`` reads, says and counts: real knowledge, real index; through Rasa in ``tests/e2e/test_evaluate.py``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import forget

from bot.errors import InvalidInput
from bot.replies import ClarifyReply, Option, TextReply
from bot.settings import Settings
from index.knowledge_files import reading, starter
from training import fit
from training.evaluate.citizen import Asked, Heard, Said, ask, fits
from training.evaluate.figures import ALL, figures, interval, missed, replies_table, table
from training.evaluate.in_process import evaluate
from training.evaluate.questions import REPLIES, Question, Written, read_questions, read_sets, refuse_overlap
from training.evaluate.runs import Run, compare

ROWS: list[dict[str, Any]] = [
    {"q": "身份证弄丢了要去哪个部门补", "expect": "身份证换领补领", "kind": "plain"},
    {"q": "帮我订一张去北京的火车票", "expect": None, "kind": "chat"},
    {"q": "我是76年3月出生的女工人几时退休", "expect": "延迟退休", "kind": "plain"},
]
REPLY: dict[str, Any] = {
    "prev": "契税几个点",
    "q": "不是车位，是住的房子",
    "style": "correction",
    "means": 1,
    "qa": ["qis-001"],
    "options": ["qis-001", "qis-004"],
    "shown": "qis-006",
}


@pytest.fixture
def ready(settings: Settings, prepared: Path) -> Settings:
    shutil.copytree(prepared, settings.data_dir)
    forget()
    return settings


def file_of(tmp_path: Path, rows: list[dict[str, Any]], name: str = "questions_dev.jsonl") -> Path:
    path = tmp_path / name
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def said(outcome: str, *offered: str, qa_id: str | None = None, reply: str = "clarify", step: str = "question") -> Said:
    return Said("说", "question", outcome, reply, qa_id, "看到的", offered, "ask_policy", step, "rasa")


def course(*turns: Said, expected: tuple[str, ...] = ("a-1",), register: str = "questions", **more: Any) -> Asked:
    return Asked("问", None, register, "plain", "测试", expected, turns, 0.5, 1, **more)


# --- asking ----------------------------------------------------------------------------------------------------------


def test_what_comes_of_questions(ready: Settings, tmp_path: Path) -> None:
    asked = evaluate(ready, read_questions(file_of(tmp_path, ROWS)))
    assert asked[0].turns_until_right in (1, 2)
    assert not asked[1].expected and asked[1].outcome not in ("sure wrong", "likely wrong")
    assert (asked[2].outcome, asked[2].turns[0].reply) == ("sure right", "calculation")
    assert [one.register for one in asked] == ["questions"] * 3


def test_a_follow_up_is_asked_in_its_conversation(ready: Settings, tmp_path: Path) -> None:
    path = file_of(tmp_path, [{"prev": "我75年的男的啥时候能退休", "q": "3月", "expect": "延迟退休"}])
    (asked,) = evaluate(ready, read_questions(path))
    assert asked.outcome == "sure right"


def test_the_right_option_is_tapped(ready: Settings) -> None:
    """Some of the development half are asked back; each tap answers, and says an option's own words."""
    rows = [
        row for row in fit.read_questions(fit.ROOT / "training/questions/lived.jsonl") if row["register"] == "short"
    ]
    asked = evaluate(ready, [Question(row["q"], row["expect"], qa=tuple(row["qa"])) for row in rows if row["qa"]])
    tapped = [one for one in asked if len(one.turns) > 1]
    assert tapped
    for one in tapped:
        first, second = one.turns[:2]
        assert not first.right and set(one.expected) & set(first.offered)
        assert (second.how, second.outcome, one.turns_until_right) == ("tap", "sure right", 2)


def test_written_words_are_said_before_a_tap_and_counted(ready: Settings, tmp_path: Path) -> None:
    rows = fit.read_questions(fit.ROOT / "tests/data/lived/replies_dev.jsonl")[:40]
    asked = evaluate(ready, read_questions(file_of(tmp_path, rows, "replies_dev.jsonl")))
    spoken = [one for one in asked if one.understood is not None]
    assert len(spoken) > 10 and all(one.turns[1].how == "words" for one in spoken)
    assert {one.turns[1].text for one in spoken} <= {row["q"] for row in rows}
    counted = figures(asked)["replies"]
    assert counted["replies"] == 40 == counted["understood"]["of"] + counted["already_right"] + counted["not_asked_so"]
    assert counted["understood"]["count"] == sum(one.understood is True for one in spoken) > 0
    assert figures(asked)["registers"][ALL]["answerable"] == 0  # replies are no questions


def test_the_questions_know_the_words_written_for_them(tmp_path: Path) -> None:
    questions = file_of(tmp_path, [{"q": "契税几个点", "expect": "契税"}, {"q": "护照多少钱", "expect": None}])
    replies = file_of(tmp_path, [REPLY], "replies_dev.jsonl")
    plain, other, reply = read_sets([questions, replies])
    assert plain.words == reply.words == Written("不是车位，是住的房子", "correction", 1, 2, "qis-006")
    assert other.words is None and (reply.q, reply.register) == ("契税几个点", REPLIES)


@pytest.mark.parametrize(
    ("style", "last", "fitting"),
    [
        ("yes", said("options", "a-1", "b-1"), True),
        ("yes", said("options", "b-1", "a-1"), False),  # the first one is another
        ("yes", said("likely right", qa_id="a-1", reply="answer"), True),
        ("yes", said("likely wrong", "a-1", qa_id="b-1", reply="answer"), False),
        ("yes", said("sure right", qa_id="a-1", reply="answer"), False),  # nothing is asked
        ("ordinal", said("options", "b-1", "a-1"), True),
        ("ordinal", said("options", "a-1", "b-1"), False),
        ("ordinal", said("options", "b-1", "a-1", "c-1"), False),  # the last one is another
        ("correction", said("likely wrong", "a-1", qa_id="x-1", reply="answer"), True),
        ("correction", said("likely wrong", "a-1", qa_id="y-1", reply="answer"), False),
        ("none", said("other options", "b-1", "c-1"), True),
        ("none", said("options", "b-1", "a-1"), False),
        ("words", said("options", "b-1", "a-1"), True),
        ("words", said("likely right", "b-1", qa_id="a-1", reply="answer"), False),
        ("words", said("offer", reply="text"), False),
    ],
)
def test_words_are_said_only_where_they_fit(style: Any, last: Said, fitting: bool) -> None:
    assert fits(Written("话", style, 2, 2, "x-1"), last, frozenset({"a-1"})) is fitting


# --- what may be asked -----------------------------------------------------------------------------------------------


def test_unknown_expectations_are_refused(ready: Settings, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="火星登陆"):
        evaluate(ready, read_questions(file_of(tmp_path, [{"q": "问一下啊", "expect": "火星登陆"}])))
    with pytest.raises(InvalidInput, match="qis-999"):
        evaluate(ready, read_questions(file_of(tmp_path, [REPLY | {"qa": ["qis-999"]}])))


def test_questions_out_of_the_knowledge_or_the_calibration_are_refused(ready: Settings, tmp_path: Path) -> None:
    similar = next(qa for qa in reading.read_folder(starter.STARTER).qas).similar[0]
    fitted = next(row["q"] for row in fit.read_questions(fit.question_files()[0]) if len(row["q"]) > 6)
    for text in (similar, f"{fitted}？"):
        path = file_of(tmp_path, [{"q": text, "expect": None}])
        with pytest.raises(InvalidInput, match="重复"):
            refuse_overlap([path])
    path = file_of(tmp_path, ROWS)
    refuse_overlap([path])
    path = file_of(tmp_path, [REPLY | {"prev": similar}])
    refuse_overlap([path, *fit.question_files()])  # the reply is judged, not what came before it


@pytest.mark.parametrize(
    "line",
    [
        "",
        "问题",
        "[]",
        '{"q": "问"}',
        '{"q": "", "expect": null}',
        '{"q": "问", "expect": 3}',
        '{"q": "问", "expect": null, "qa": "a-1"}',
        '{"q": "问", "expect": null, "prev": 1}',
        *(json.dumps(REPLY | wrong) for wrong in ({"style": "?"}, {"prev": ""}, {"qa": []}, {"options": None}, {"shown": 1})),
        json.dumps(REPLY | {"style": "ordinal", "means": "none"}),
    ],
)  # fmt: skip
def test_bad_files_are_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(line, encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"q\.jsonl"):
        read_questions(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"读不了.*nowhere\.jsonl"):
        read_sets([tmp_path / "nowhere.jsonl"])


def test_a_line_ends_at_a_newline_only(tmp_path: Path) -> None:
    odd = "证\u2028丢\u2029了\x85怎么\x1c补"
    path = file_of(tmp_path, [{"q": odd, "expect": "身份证换领补领"}, {"q": "第二问", "expect": None}])
    assert [one.q for one in read_questions(path)] == [odd, "第二问"]
    assert [row["q"] for row in fit.read_questions(path)] == [odd, "第二问"]
    path.write_text(path.read_text(encoding="utf-8").replace("\n", "\r\n"), encoding="utf-8", newline="")
    assert [one.q for one in read_questions(path)] == [odd, "第二问"]


# --- figures and runs ------------------------------------------------------------------------------------------------

RIGHT = said("sure right", qa_id="a-1", reply="answer")
COURSES = [
    course(RIGHT),
    course(said("likely right", "b-1", qa_id="a-1", reply="answer")),
    course(said("options", "b-1", "a-1"), RIGHT),
    course(said("likely wrong", "a-1", qa_id="b-1", reply="answer"), RIGHT),
    course(said("other options", "b-1"), said("options", "a-1"), RIGHT, register="spoken"),
    course(said("other options", "b-1"), register="spoken"),
    course(said("offer", reply="text"), register="spoken"),
    course(said("act", reply="text", step="act"), register="spoken"),
    course(said("likely wrong", qa_id="b-1", reply="answer"), expected=()),
    course(said("declined", reply="text"), expected=()),
    course(said("options", "b-1", "a-1"), said("offer", reply="text"), RIGHT, register=REPLIES, understood=False),
]


def test_each_figure_is_counted_by_register() -> None:
    made = figures(COURSES)["registers"]
    assert list(made) == ["questions", "spoken", ALL]
    everything = {
        key: value["count"] for key, value in made[ALL].items() if isinstance(value, dict) and "count" in value
    }
    assert (made[ALL]["answerable"], made[ALL]["unanswerable"]) == (8, 2)
    assert {key: count for key, count in everything.items() if count} == {
        "right_at_once": 2,
        "right_at_once_sure": 1,
        "right_at_once_likely": 1,
        "right_in_two": 4,
        "right_in_three": 5,
        "misled_likely": 1,
        "asked_back_in_vain": 1,
        "ticket": 1,
        "wrong_act": 1,
        "unanswerable_likely": 1,
        "unanswerable_said_no": 1,
    }
    assert made[ALL]["turns_until_right"] == {"1": 2, "2": 2, "3": 1, "never": 3, "mean": 1.8}
    assert made["spoken"]["wrong_act"] == {"count": 1, "of": 4, "share": 0.25, "low": 0.0456, "high": 0.6994}


def test_the_interval_is_wilsons() -> None:
    assert interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert interval(0, 50) == pytest.approx((0.0, 0.0714), abs=1e-4)
    assert interval(0, 0) == (0.0, 1.0)


def test_what_was_missed_has_a_name() -> None:
    assert [missed(one) for one in COURSES] == [
        None,
        None,
        None,
        "误导：可能",
        "两轮内没答对",
        "白反问（到底没答对）",
        "有答案却要登记",
        "当成别的意图",
        "没答案却答（可能）",
        None,
        "回复没听懂",
    ]


def test_a_run_is_a_folder_that_can_be_compared(tmp_path: Path) -> None:
    run = Run(tmp_path / "run", [tmp_path / "q.jsonl"], len(COURSES), "试", {"a-1": "甲怎么办"})
    for one in COURSES:
        run.add(one)
    made = run.close(finished=True, limits={"answer_at": 0.9, "version": "v1"})
    kept = {path.name: path.read_text(encoding="utf-8") for path in run.folder.iterdir() if path.suffix != ".png"}
    assert json.loads(kept["figures.json"]) == made == json.loads(json.dumps(figures(COURSES)))
    config = json.loads(kept["config.json"])
    assert (config["finished"], config["asked"], config["version"]) == (True, len(COURSES), "v1")
    misses = [json.loads(line) for line in kept["misses.jsonl"].splitlines()]
    assert len(misses) == 7 and misses[0]["expected"] == {"a-1": "甲怎么办"} and misses[0]["shown"][0]["qa_id"] == "b-1"
    for row in (*table(made), *replies_table(made)):
        assert f"| {' | '.join(row)} |" in kept["report.md"]
    assert "误导：可能：问 → 答错（可能）「看到的」" in kept["report.md"] and "甲怎么办" in kept["report.md"]
    same = [course(RIGHT, register="letters"), course(RIGHT, register=REPLIES, understood=True)]
    assert compare(run.folder, same[:1]) == []  # nobody asked it then
    ((then, now),) = compare(run.folder, same)
    assert (then["outcome"], now.outcome) == ("options", "sure right")


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="结果文件夹"):
        compare(tmp_path, [])


class AsksBack:
    """A conversation that asks back once, and says nothing of use after that."""

    def __init__(self, *offered: str) -> None:
        self.offered, self.said = offered, list[str]()

    def say(self, text: str) -> Heard:
        self.said.append(text)
        if len(self.said) > 1:
            return Heard(TextReply(text="好的。"))
        options = [Option(number=n, qa_id=id_, question=f"{id_}？") for n, id_ in enumerate(self.offered, 1)]
        return Heard(ClarifyReply(text="哪一个？", options=options))


def test_a_follow_up_is_asked_after_the_answer_that_it_follows_on() -> None:
    matters = {"gjj-001": "公积金", "gjj-002": "公积金"}
    follow_up = Question("要带啥", "公积金", "公积金咋取", ("gjj-002",), prev_qa="gjj-001")
    for offered, said in (
        (("gjj-002", "gjj-001"), ["公积金咋取", "gjj-001？", "要带啥"]),
        (("gjj-002",), ["公积金咋取", "要带啥"]),
    ):
        conversation = AsksBack(*offered)
        ask(conversation, follow_up, matters)
        assert conversation.said == said
    unknown = AsksBack("gjj-001")
    ask(unknown, Question("要带啥", "公积金", "公积金咋取", ("gjj-002",)), matters)
    assert unknown.said == ["公积金咋取", "要带啥"]
