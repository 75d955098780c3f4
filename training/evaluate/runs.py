"""A run as a folder: what was asked and how, each question's course, the figures, the misses by name.

``asked.jsonl`` grows while the run goes on, so that a run that is broken off keeps what it has.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO
from zoneinfo import ZoneInfo

from bot.errors import InvalidInput
from bot.settings import ROOT
from training import pictures
from training.evaluate.citizen import OUTCOMES, Asked
from training.evaluate.figures import figures, missed, probabilities, replies_table, table

_LIMITS = ("version", "encoder", "answer_at", "likely_at", "clarify_at")
"""What the first turn's explanation tells of the assistant that was asked"""


class Run:
    """A run that is being recorded."""

    def __init__(
        self, folder: Path, paths: Sequence[Path], questions: int, through: str, titles: dict[str, str]
    ) -> None:
        """
        Args:
            folder: the run's; it is made.
            questions: how many will be asked.
            through: who answers, for people.
            titles: the question of each item of the knowledge.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.asked: list[Asked] = []
        self._titles = titles
        self._config: dict[str, Any] = {
            "questions": [str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name for path in paths],
            "asked": questions,
            "through": through,
            "at": datetime.now(ZoneInfo("Asia/Shanghai")).isoformat(timespec="seconds"),
        }
        self._rows: TextIO = (folder / "asked.jsonl").open("w", encoding="utf-8")

    def add(self, one: Asked) -> None:
        """Keep what came of a question."""
        self.asked.append(one)
        print(_line(asdict(one) | {"outcome": one.outcome}), file=self._rows, flush=True)

    def close(self, *, finished: bool, limits: dict[str, Any]) -> dict[str, Any]:
        """Write what a run comes to, also of a part of it.

        Args:
            limits: the explanation of a turn that retrieval decided; it names the index version and its limits.

        Returns:
            The figures.
        """
        self._rows.close()
        made = figures(self.asked)
        config = self._config | {"finished": finished} | {key: limits.get(key) for key in _LIMITS}
        _write(self.folder / "config.json", config)
        _write(self.folder / "figures.json", made)
        misses = [row for one in self.asked if (row := self._miss(one))]
        (self.folder / "misses.jsonl").write_text("".join(f"{_line(row)}\n" for row in misses), encoding="utf-8")
        (self.folder / "report.md").write_text(self._report(config, made, misses), encoding="utf-8")
        if limits.get("answer_at") is not None:
            pictures.draw(*probabilities(self.asked), limits["answer_at"], self.folder)
        return made

    def _miss(self, one: Asked) -> dict[str, Any] | None:
        what = missed(one)
        if what is None:
            return None
        return {
            "register": one.register,
            "q": one.q,
            "what": what,
            "expected": {id_: self._titles.get(id_, "") for id_ in one.expected},
            "shown": [
                {
                    "said": turn.text,
                    "outcome": OUTCOMES[turn.outcome],
                    "shown": turn.shown,
                    "qa_id": turn.qa_id,
                    "offered": list(turn.offered),
                    "act": turn.act,
                    "step": turn.step,
                }
                for turn in one.turns
            ],
            "probability": one.probability,
        }

    def _report(self, config: dict[str, Any], made: dict[str, Any], misses: Sequence[dict[str, Any]]) -> str:
        state = "" if config["finished"] else f"（中断了，只问了 {made['asked']} 个）"
        lines = [
            f"# 评测 {config['at']}",
            "",
            f"{'、'.join(config['questions'])}：{config['asked']} 个{state}，{config['through']}。",
            "",
        ]
        for rows in filter(None, (table(made), replies_table(made))):
            lines += [_markdown(rows[0]), _markdown(["---"] * len(rows[0])), *map(_markdown, rows[1:]), ""]
        lines += ["括号里是 95% 的区间（Wilson）。", "", f"## 没做好的 {len(misses)} 个", ""]
        for row in misses:
            wanted = "；".join(f"{id_} {title}".strip() for id_, title in row["expected"].items()) or "不应作答"
            course = " → ".join(f"{turn['outcome']}「{_short(turn['shown'])}」" for turn in row["shown"])
            lines.append(f"- {row['what']}：{_short(row['q'], 60)} → {course}，应为 {wanted}")
        return "\n".join(lines) + "\n"


def default_folder(data_dir: Path) -> Path:
    """Where a run goes that was given no folder."""
    return data_dir / "evaluations" / f"{datetime.now(ZoneInfo('Asia/Shanghai')):%Y%m%d-%H%M%S}"


def compare(run: Path, asked: Sequence[Asked]) -> list[tuple[dict[str, Any], Asked]]:
    """The questions of an earlier run that come out differently now: (then, now).

    Raises:
        InvalidInput: the folder is no run.
    """
    try:
        lines = filter(None, (run / "asked.jsonl").read_text(encoding="utf-8").split("\n"))
        then = {(row["register"], row["prev"], row["q"]): row for row in map(json.loads, lines)}
        before = {key: [(turn["outcome"], turn["qa_id"]) for turn in row["turns"]] for key, row in then.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{run} 不是一次评测的结果文件夹。") from error
    pairs = [(key, one) for one in asked if (key := (one.register, one.prev, one.q)) in then]
    return [(then[key], now) for key, now in pairs if before[key] != [(turn.outcome, turn.qa_id) for turn in now.turns]]


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False)


def _markdown(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _short(text: str, most: int = 40) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else f"{flat[:most]}…"
