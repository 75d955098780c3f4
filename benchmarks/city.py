"""A simulated city: does the assistant get better by what it is asked, and never worse?  ``python -m benchmarks.city``

The whole stack of a data folder of its own (gateway, Rasa, action server, job worker) lives through compressed weeks.  The knowledge begins
incomplete: of every fifth matter nothing is written yet, of the other items three wordings each are left.  Citizens ask what ``training/questions``
holds, by register and season, in words that the knowledge does not have; some tap the right option, some say 没用; one week brings a matter that
nobody has written about, and somebody who wants to teach the assistant something wrong by asking it over and over.  After each week the job ``review``
groups, a scripted reviewer who knows the truth works through the groups in the order of the page, wrong once in twenty times, another one approves,
the job ``train`` makes a bundle, the gate judges it, and what passes is released by the same moves as on the page.

Before the first week and after each cycle a set that is never asked and never taught (``tests/data/lived``, ``volume2_final``) is asked through
the whole stack: right at once, right within two turns, misled.  Review hours: 20 s a decision, 10 min a new Q&A, 30 s an approval.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpx
from rich.console import Console
from sqlalchemy import delete, select, update

from benchmarks.stack import machine, settings_env, write_json
from bot import database, golden, jobs, knowledge, review
from bot.models.golden import GoldenQuestion
from bot.models.jobs import Job
from bot.models.knowledge import QA
from bot.models.releases import Bundle
from bot.models.versions import QAVersion, WorkingCopy
from bot.releases import evaluations, files, moves
from bot.settings import ROOT, Settings, get_settings
from connectors.run import scratch
from connectors.run.background import free_ports, start_in_background
from connectors.run.services import start
from connectors.terminal.client import Client, connections, replies_of
from index.knowledge_files.starter import load_starter
from index.search.normalise import clean
from training import pictures
from training.evaluate.citizen import MAX_TURNS, RIGHT, Asked, Conversation, Heard, answering, ask
from training.evaluate.figures import interval
from training.evaluate.questions import Question, read_sets

TRAFFIC = sorted((ROOT / "training" / "questions").glob("*.jsonl"))
MEASURED = [
    *sorted((ROOT / "tests" / "data" / "lived").glob("questions_*.jsonl")),
    *sorted((ROOT / "tests" / "data" / "lived").glob("spoken_*.jsonl")),
    ROOT / "tests" / "data" / "lived" / "volume2_final.jsonl",
]
UNWRITTEN = 0.2
"""The share of the matters that nobody has written about at the beginning"""
WORDINGS = 3
"""So many wordings of each other item are left"""
MISTAKES = 0.05
"""The share of the reviewer's decisions that are wrong"""
USELESS = 0.5
"""So many of those who got a wrong answer say so"""
DECISION_S, NEW_S, APPROVAL_S = 20, 600, 30
"""What a person takes"""
REVIEWER, SECOND = "2001", "2002"
POISON = 60
"""Messages of the one who wants to teach something wrong"""
NEWS = (
    "今天家里怎么停水了",
    "我们这片停水什么时候来",
    "水管里没水了是不是停水",
    "停水通知在哪看",
    "为啥突然停水",
    "停水要停到几点",
    "小区没水了是检修吗",
    "早上起来没得水用，停水了？",
    "咱楼停水咋没人通知",
    "请问停水原因",
)
"""The matter of the day, in the words of ten people"""


class Assistant(Protocol):
    """Whoever answers in the city."""

    def open(self, *, trial: bool = False) -> Conversation:
        """A conversation of a person of their own; trial: what is measured teaches nothing."""

    def job(self, kind: str) -> None:
        """Have a job done, to its end."""

    def release(self) -> Mapping[str, Any]:
        """Take the newest bundle as far as the gate lets it; what the gate said."""


FIGURES = (
    ("right_at_once", "#14539a", "一次答对", "right at once"),
    ("right_in_two", "#5b8fc7", "两轮内答对", "right within two turns"),
    ("misled_sure", "#b3261e", "误导（确定）", "misled, sure"),
    ("misled_likely", "#e08a83", "误导（可能）", "misled, likely"),
)
"""Of a row: its key, its colour, its name in Chinese, and in English where no Chinese font is there"""


@dataclass
class City:
    """Its citizens, its truth, and what its staff have done."""

    seed: int = 1
    assistant: Assistant = field(init=False)
    """Set once the knowledge has begun"""
    unwritten: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Items that are not written yet, with what they will say"""
    written: dict[str, str] = field(default_factory=dict)
    """Of those, the id under which somebody has written them"""
    seconds: float = 0.0
    """Of the staff's time"""

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.truth: dict[str, frozenset[str]] = {}
        self.matters: dict[str, str] = {}

    # --- the knowledge at the beginning ---

    def begin(self, *, unwritten: float = UNWRITTEN, wordings: int = WORDINGS) -> None:
        """Take away what this city has not written."""
        with database.write() as session:
            items = session.scalars(select(QA).order_by(QA.id)).all()
            self.matters = {qa.id: qa.matter for qa in items}
            matters = sorted(set(self.matters.values()))
            gone = {matter for matter in matters if _draw(f"{self.seed}{matter}") < unwritten}
            for qa in items:
                if qa.matter in gone:
                    self.unwritten[qa.id] = knowledge.stored(knowledge.content(qa))
                else:
                    qa.similar = sorted(qa.similar, key=lambda text: _draw(f"{self.seed}{text}"))[:wordings]
            for table, key in ((WorkingCopy, WorkingCopy.qa_id), (QAVersion, QAVersion.qa_id), (QA, QA.id)):
                session.execute(delete(table).where(key.in_(self.unwritten)))
            session.flush()
            knowledge.bump(session)

    def right(self, ids: Iterable[str]) -> frozenset[str]:
        """The items that answer it now: an unwritten one once somebody has written it."""
        mine = (self.written.get(id_, id_) for id_ in ids if id_ in self.matters)
        return frozenset(id_ for id_ in mine if id_ not in self.unwritten)

    def choose(self) -> int:
        """必对 is what the city answers right and surely at the beginning, as its staff would choose it; how many those are."""
        golden.ensure(get_settings())
        with database.read() as session:
            must = [row for row in golden.in_force(session) if row.must]
        wrong = []
        for row in must:
            here = Question(row.text, None, None, tuple(self.right(row.right)), "", "questions")
            if ask(self.assistant.open(trial=True), here, self._known()).outcome != "sure right":
                wrong.append(row.id)
        with database.write() as session:
            session.execute(update(GoldenQuestion).where(GoldenQuestion.id.in_(wrong)).values(must=False))
        return len(must) - len(wrong)

    # --- a week ---

    def week(self, questions: Sequence[Question], *, news: bool, poison: bool) -> Counter[str]:
        """Citizens ask; what came of it."""
        came: Counter[str] = Counter()
        for one in questions:
            self.truth[clean(one.q)] = frozenset(id_ for id_ in one.qa or () if id_ in self.matters)
            came[self._ask(one).outcome] += 1
        if news:
            for text in NEWS * 2:
                self.truth[clean(text)] = frozenset()
                self.assistant.open().say(text)
        if poison:
            person = self.assistant.open()
            for number in range(POISON):
                text = f"公积金能提出来炒股对吧{'！' * (number % 3)}"
                self.truth[clean(text)] = frozenset()
                person.say(text)
        return came

    def _ask(self, one: Question) -> Asked:
        conversation = self.assistant.open()
        here = Question(one.q, None, None, tuple(self.right(one.qa or ())), one.kind, one.register)
        asked = ask(conversation, here, self._known())
        if asked.outcome.endswith("wrong") and self.random.random() < USELESS:
            conversation.say("没用")
        return asked

    def _known(self) -> dict[str, str]:
        return self.matters | {made: self.matters[id_] for id_, made in self.written.items()}

    # --- the staff ---

    def work_through(self, most: int) -> Counter[str]:
        """The scripted reviewer takes the first groups of the page, and the second one approves what came of it."""
        done: Counter[str] = Counter()
        for _ in range(most):
            with database.read() as session:
                groups, _ = review.listed(session, "open", 0, 1)
                if not groups:
                    break
                group = groups[0]
                lines, _ = review.lines(session, group.row.id, 0, 50)
                texts = [line.text for line in lines]
            wanted, unwritten = self._decision(group.row.candidate, texts)
            (result,) = review.attempt([group.row.id], wanted, REVIEWER)
            if result.refused:
                done["refused"] += 1
                (result,) = review.attempt([group.row.id], review.Wanted("ignore"), REVIEWER)
            else:
                done[wanted.action] += 1
            self.seconds += NEW_S if wanted.action == "new" else DECISION_S
            if unwritten and result.decision_id:
                self._write(result.decision_id, unwritten)
        done["approved"] = self._approve()
        return done

    def _decision(self, candidate: str | None, texts: Sequence[str]) -> tuple[review.Wanted, str | None]:
        """What the reviewer wants, and which unwritten item it takes."""
        truths = Counter(self.truth.get(clean(text), frozenset()) for text in texts)
        true = truths.most_common(1)[0][0]
        if self.random.random() < MISTAKES:
            return (review.Wanted("wording", qa_id=candidate) if candidate else review.Wanted("ignore")), None
        there = sorted(self.right(true))
        mine = next((text for text in texts if self.truth.get(clean(text)) == true), texts[0])
        if there:
            return review.Wanted("wording", qa_id=candidate if candidate in there else there[0], text=mine), None
        if true:
            return review.Wanted("new", text=mine, answer=self.unwritten[min(true)]["answer"]), min(true)
        return review.Wanted("out_of_scope"), None

    def _write(self, decision_id: str, unwritten: str) -> None:
        """The draft gets what the department has written: its own question, sources, wordings."""
        with database.write() as session:
            made = review.decision(session, decision_id)
            assert made.qa_id
            own = self.unwritten[unwritten]
            fields = {name: own[name] for name in ("matter", "answer", "sources", "guides", "themes", "department")}
            similar = [own["question"], *own["similar"][:WORDINGS]]
            knowledge.edit(session, made.qa_id, fields | {"similar": similar}, REVIEWER)
            knowledge.submit(session, made.qa_id, REVIEWER)
            self.written[unwritten] = made.qa_id

    def _approve(self) -> int:
        with database.write() as session:
            waiting = session.scalars(select(WorkingCopy.qa_id).where(WorkingCopy.state == knowledge.SUBMITTED)).all()
            results = knowledge.each(session, waiting, lambda qa_id: knowledge.approve(session, qa_id, SECOND))
        approved = sum(one.refused is None for one in results)
        self.seconds += APPROVAL_S * approved
        return approved

    def teach(self, broken: Mapping[str, str]) -> None:
        """What 必对 was not answered becomes a wording of its item; ``broken``: text → the item's id."""
        with database.write() as session:
            for text, qa_id in broken.items():
                similar = [*knowledge.under_way(session, session.get_one(QA, qa_id)).similar, text]
                knowledge.edit(session, qa_id, {"similar": similar}, REVIEWER)
                knowledge.submit(session, qa_id, REVIEWER)
        self.seconds += DECISION_S * len(broken)
        self._approve()

    # --- what a person lives through ---

    def measure(self, questions: Sequence[Question]) -> dict[str, Any]:
        """The set that is never asked and never taught, through whatever answers now.

        Right counts among the questions that the whole knowledge answers, written here or not; misled among all.
        """
        asked = []
        for one in questions:
            here = Question(one.q, None, None, tuple(self.right(one.qa or ())), one.kind, "questions")
            asked.append(ask(self.assistant.open(trial=True), here, self._known()))
        answerable = sum(any(id_ in self.matters for id_ in one.qa or ()) for one in questions)
        counts = {
            "right_at_once": sum(one.outcome in RIGHT for one in asked),
            "right_in_two": sum((one.turns_until_right or MAX_TURNS + 1) <= 2 for one in asked),
            "misled_sure": sum(one.outcome == "sure wrong" for one in asked),
            "misled_likely": sum(one.outcome == "likely wrong" for one in asked),
        }
        return {name: _share(count, answerable if "right" in name else len(asked)) for name, count in counts.items()}


def _share(count: int, of: int) -> dict[str, float]:
    low, high = interval(count, of)
    return {
        "count": count,
        "of": of,
        "share": round(count / max(of, 1), 4),
        "low": round(low, 4),
        "high": round(high, 4),
    }


def _draw(text: str) -> float:
    """0…1, the same for the same text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48


def season(questions: Sequence[Question], cycle: int, count: int, seed: int) -> list[Question]:
    """A week's questions: some matters are asked more, other ones every week, none of them twice in the same words."""
    rng = random.Random(f"{seed}-{cycle}")
    weight = {matter: rng.paretovariate(1.2) for matter in sorted({one.expect or "" for one in questions})}
    mine = [one for one in questions if int(_draw(f"{seed}{one.q}") * 1e6) % CYCLES == cycle % CYCLES]
    return sorted(mine, key=lambda one: rng.random() ** (1 / weight[one.expect or ""]), reverse=True)[:count]


CYCLES = 3


def live(
    city: City,
    traffic: Sequence[Question],
    measured: Sequence[Question],
    *,
    cycles: int,
    count: int,
    groups: int,
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    """The whole: a row for the beginning and one for each cycle."""
    rows: list[dict[str, Any]] = [{"cycle": 0, "hours": 0.0, **city.measure(measured)}]
    say(_line(rows[0]))
    for cycle in range(cycles):
        began = time.monotonic()
        came = city.week(season(traffic, cycle, count, city.seed), news=cycle == 1, poison=cycle == 1)
        city.assistant.job("review")
        done = city.work_through(groups)
        city.assistant.job("train")
        gate = city.assistant.release()
        if broken := gate.get("broken"):
            city.teach(broken)
            city.assistant.job("train")
            gate = city.assistant.release()
        row = {"cycle": cycle + 1, "hours": round(city.seconds / 3600, 1), **city.measure(measured)}
        row |= {"came": dict(came), "done": dict(done), "gate": dict(gate), "took_s": round(time.monotonic() - began)}
        rows.append(row)
        say(_line(row))
    return rows


def _line(row: Mapping[str, Any]) -> str:
    shares = " ".join(f"{name} {row[name]['count']}/{row[name]['of']}" for name, *_ in FIGURES)
    return f"cycle {row['cycle']}: {shares}; {row['hours']} h; {row.get('done', '')} {row.get('gate', '')}"


# --- the whole stack -------------------------------------------------------------------------------------------------


class _Person:
    """One conversation with the gateway."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def say(self, text: str) -> Heard:
        turn = self._client.say(text)
        return Heard(answering(replies_of(turn)), self._client.explain(turn["turn_id"]))


class WholeStack:
    """Gateway, Rasa, action server and job worker of a data folder of their own."""

    def __init__(self, settings: Settings, http: httpx.Client, say: Callable[[str], None]) -> None:
        self._settings, self._http, self._say = settings, http, say

    def open(self, *, trial: bool = False) -> Conversation:
        """A person comes."""
        return _Person(Client(self._settings, self._http, patient=True, trial=trial))

    def job(self, kind: str) -> None:
        """Asked for, and waited for; what the job before has asked for as well.  Raises: RuntimeError: it failed."""
        with database.write() as session:
            id_ = jobs.request(session, kind, REVIEWER)
        began, job = time.monotonic(), None
        while job is None or job.state in jobs.OPEN or self._busy():
            time.sleep(1.0)
            with database.read() as session:
                job = jobs.get(session, id_)
        self._say(f"  {kind}: {job.state}, {time.monotonic() - began:.0f} s, {job.doing}")
        if job.state != jobs.DONE:
            raise RuntimeError(f"{kind}: {job.error}")

    def _busy(self) -> bool:
        with database.read() as session:
            return (
                session.scalar(select(Job.id).where(Job.state.in_(jobs.OPEN), Job.kind != "watch").limit(1)) is not None
            )

    def release(self) -> Mapping[str, Any]:
        """All the way, where the gate passed it; else what of 必对 it broke: ``broken``, text → the item's id."""
        with database.read() as session:
            newest = session.scalars(
                select(Bundle).where(Bundle.kind == "model").order_by(Bundle.made_at.desc()).limit(1)
            ).one()
        name, gate = newest.name, dict(newest.gate or {})
        if gate.get("verdict") == "passed":
            for move, share in (("shadow", None), ("share", 10), ("share", 50), ("all", None)):
                moves.take(self._settings, move, name, REVIEWER, share=share)
        with database.read() as session:
            state = session.get_one(Bundle, name).state
            rows = evaluations.rows(session, self._settings, name, kind="must").items if gate else []
            items = {row.text: min(row.right) for row in golden.in_force(session) if row.must and row.right}
        broken = {str(row["text"]): items[row["text"]] for row in rows if row["text"] in items}
        return {"verdict": gate.get("verdict"), "reasons": gate.get("reasons"), "state": state, "broken": broken}


def main() -> None:
    """Let it live, print and keep the figures, draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=400, help="questions a week")
    parser.add_argument("--groups", type=int, default=120, help="groups that the reviewer takes a week")
    parser.add_argument("--cycles", type=int, default=3)
    parser.add_argument("--measured", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--picture", type=Path, help="draw the picture here")
    parser.add_argument("--folder", type=Path, help="an empty folder in which the city's data stay, to be looked at")
    given = parser.parse_args()
    out = Console()
    with contextlib.ExitStack() as stack:
        folder = given.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="yihaoda-city-")))
        settings = scratch.use(settings_env(folder / "data", free_ports(3)) | {"YIHAODA_RASA_TIMEOUT_S": "60"})
        database.migrate()
        with database.write() as session:
            load_starter(session)
        city = City(given.seed)
        city.begin()
        model = scratch.fill(settings, out.print)
        stack.enter_context(
            start_in_background(start(settings, files.keep_model(settings, model), {}), log_dir=folder / "logs")
        )
        with connections(settings) as http:
            city.assistant = WholeStack(settings, http, out.print)
            out.print(f"{city.choose()} questions must be right")
            rng = random.Random(given.seed)
            measured = [one for one in read_sets(MEASURED) if one.words is None and not one.prev]
            rows = live(
                city,
                [one for one in read_sets(TRAFFIC) if not one.prev],
                rng.sample(measured, min(given.measured, len(measured))),
                cycles=given.cycles,
                count=given.count,
                groups=given.groups,
                say=out.print,
            )
    report = {"machine": machine(), "arguments": vars(given), "unwritten": len(city.unwritten), "rows": rows}
    if given.json:
        write_json(given.json, json.loads(json.dumps(report, default=str)))
    if given.picture:
        picture(rows, given.picture)


def picture(rows: Sequence[Mapping[str, Any]], target: Path) -> None:
    """Right at once and misled, before and after each cycle, over the hours that the staff needed."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    font = pictures.chinese_font()
    hours = [row["hours"] for row in rows]
    with mpl.rc_context({"font.sans-serif": [font or "DejaVu Sans"], "font.size": 11}):
        figure = Figure(figsize=(7, 4), layout="constrained")
        axes = figure.subplots()
        for name, colour, title, english in FIGURES:
            shares = [row[name]["share"] for row in rows]
            axes.plot(hours, shares, marker="o", color=colour, label=title if font else english)
        said = ("审核用时（小时，累计）", "占提问的比例") if font else ("hours of review", "of the questions")
        axes.set(xlabel=said[0], ylabel=said[1], ylim=(0, 1))
        figure.legend(loc="outside upper center", ncols=len(FIGURES), frameon=False)
        figure.savefig(target, dpi=120)


if __name__ == "__main__":
    main()
