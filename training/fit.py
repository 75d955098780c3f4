"""Fit the ranker, the confidence and the scope on some knowledge and labelled questions.

``python -m training.fit`` does it on the starter knowledge and our own questions, and writes ``index/versions/calibrations.json``
for the bundled encoder and for none.  With another encoder a build fits by itself (half a minute).  ``training.retrain`` does it on
a city's knowledge, with what its reviewers decided.

Ours are the labelled questions of ``training/questions/*.jsonl``, written without sight of the
knowledge's wordings: those the encoder and the item classifier have learned by heart.  Confidence and limits are fitted on
out-of-fold rankings only (folds by matter): the questions' own matter never trained the ranker that judged them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import beta
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from bot.settings import ROOT
from index.encoder import Encoder, load_encoder
from index.knowledge_files import reading, starter
from index.search import scope, unanswered
from index.search.find import LETTER
from index.search.normalise import clean, normalise
from index.search.ranking import (
    FEW,
    Calibration,
    Logistic,
    Ranked,
    Spoken,
    evidence,
    follow,
    follow_features,
    following_evidence,
    rank,
)
from index.search.retriever import Candidate, Item, Retriever
from index.versions.calibrations import FILE, shipped

OURS = frozenset({"service", "other_service", "near_miss"})
"""Scopes of labelled questions that are a government's business, whether any Q&A answers them or not."""
TARGET = 0.03
"""wrong ÷ answered, as a one-sided 95 % upper bound."""
_ASKED = 0.5 * TARGET
"""What the limit is fitted to: a limit chosen where the count looks best does worse on other matters, and on other writers' questions.  At
three quarters of the target 18 of the 488 sure answers to three sets that nothing was fitted on were wrong."""
_L2 = 1e-3
_KNOWN_MOST = 30_000
"""Wordings of the knowledge that teach the scope, at most: they all say the same"""

Say = Callable[[str, int | None, int | None], None]
"""Told what is being done, how many are done, and of how many"""


Search = Callable[[Retriever, Sequence[Sequence[str]]], Iterable[list[Candidate]]]
"""Gives the candidates for messages, each in its readings, one after the other"""


def one_by_one(retriever: Retriever, messages: Sequence[Sequence[str]]) -> Iterator[list[Candidate]]:
    """The plain way."""
    return (retriever.candidates(*readings) for readings in messages)


def _quiet(_what: str, _done: int | None = None, _total: int | None = None) -> None:
    pass


@dataclass(frozen=True)
class Question:
    """A text and what is known to answer it."""

    text: str
    right: frozenset[str]
    """Ids of the items that do; none: no item does, unless ``wrong`` says otherwise"""
    group: str
    """Folds are cut between groups"""
    ours: bool | None = None
    """Whether it is a government's business; None: nobody said"""
    wrong: frozenset[str] = frozenset()
    """Where all that is known is which items do not"""
    unjudged: frozenset[str] = frozenset()
    """Items that were not there when somebody said what answers it: whether they do, nobody knows"""

    def verdict(self, first: Item, matters: frozenset[str]) -> bool | None:
        """Whether an item is the right one to come first; None: nobody knows.  ``matters``: those of the right items."""
        if first.id in self.right:
            return True
        if first.id in self.unjudged and (not self.right or first.matter in matters):
            return None
        return False if self.right or not self.wrong or first.id in self.wrong else None


@dataclass(frozen=True)
class FollowUp:
    """A message that follows on an answer."""

    text: str
    right: frozenset[str]
    before: str
    """The question that was answered"""
    before_qa: str
    """With this item"""


@dataclass(frozen=True)
class Example:
    """A labelled question with its candidates."""

    question: Question
    candidates: tuple[Candidate, ...]
    matters: frozenset[str]
    """Of the right items"""

    @property
    def text(self) -> str:
        return self.question.text

    @property
    def right(self) -> frozenset[str]:
        return self.question.right

    @property
    def group(self) -> str:
        return self.question.group

    def verdict(self, ranked: Sequence[Ranked]) -> bool | None:
        """Whether the first of the candidates is right; None: nobody knows."""
        return self.question.verdict(ranked[0].candidate.item, self.matters)


def upper_bound(wrong: int, total: int, level: float = 0.95) -> float:
    """One-sided Clopper–Pearson upper bound of a proportion (Clopper & Pearson 1934)."""
    return 1.0 if wrong >= total else float(beta.ppf(level, wrong + 1, total - wrong))


def starter_items() -> list[Item]:
    """The starter knowledge as items."""
    bundle = reading.read_folder(starter.STARTER)
    return [Item(qa.id, qa.matter, qa.region, qa.audience, (qa.question, *qa.similar), qa.answer) for qa in bundle.qas]


def read_questions(path: Path) -> list[dict[str, Any]]:
    """Labelled questions: {q, expect, qa, scope, kind} a line."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]


def question_files() -> list[Path]:
    """The labelled questions that everything is fitted on."""
    return sorted((ROOT / "training" / "questions").glob("*.jsonl"))


def our_questions() -> list[Question]:
    """The labelled questions that come with the project."""
    rows = [row for path in question_files() for row in read_questions(path)]
    return [
        Question(row["q"], frozenset(row.get("qa") or ()), row["expect"] or f"out-{number % 40}", row["scope"] in OURS)
        for number, row in enumerate(rows)
    ]


def our_follow_ups() -> list[FollowUp]:
    """The labelled follow-ups that come with the project."""
    return [FollowUp(row["q"], frozenset(row["qa"]), row["prev"], row["prev_qa"]) for row in read_questions(FOLLOW_UPS)]


def labelled(
    retriever: Retriever,
    questions: Sequence[Question] | None = None,
    say: Say = _quiet,
    search: Search = one_by_one,
) -> list[Example]:
    """Questions (None: ours) with their candidates.  What is word for word in the knowledge proves nothing: left out."""
    known = {clean(text) for item in retriever.items for text in item.texts}
    matters = {item.id: item.matter for item in retriever.items}
    questions = our_questions() if questions is None else questions
    unknown = [one for one in questions if clean(one.text) not in known]
    found = search(retriever, [(normalise(one.text).text,) for one in unknown])
    examples = []
    for number, (question, candidates) in enumerate(zip(unknown, found, strict=True)):
        say("查找标注问题的候选", number, len(unknown))
        spoken_of = frozenset(matters[one] for one in question.right if one in matters)
        examples.append(Example(question, tuple(candidates), spoken_of))
    return examples


def _ranker(examples: Sequence[Example]) -> Logistic:
    """The weights of a candidate's features."""
    useful = [e for e in examples if any(c.item.id in e.right for c in e.candidates)]
    features = np.array([c.features for e in useful for c in e.candidates])
    right = np.array([c.item.id in e.right for e in useful for c in e.candidates])
    few = np.array([FEW * c.few for e in useful for c in e.candidates])
    return _listwise(features, right, [len(e.candidates) for e in useful], few)


def _listwise(
    features: NDArray[np.float64],
    right: NDArray[np.bool_],
    sizes: Sequence[int],
    given: NDArray[np.float64] | float = 0.0,
) -> Logistic:
    """Listwise ranking: the softmax over a query's candidates puts its mass on the right ones (ListNet's top-one
    cross entropy, Cao et al. 2007), with a little L2 on standardised features.

    Args:
        sizes: of the candidates, query after query, how many are one query's.
        given: what each has for other reasons, added to its score.
    """
    scale = features.std(axis=0)
    scale[scale == 0] = 1.0
    scaled = (features - features.mean(axis=0)) / scale
    starts = np.cumsum([0, *sizes])[:-1]
    query = np.repeat(np.arange(len(sizes)), sizes)

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scores = scaled @ weights + given
        mass = np.exp(scores - np.maximum.reduceat(scores, starts)[query])
        of_all, of_right = np.add.reduceat(mass, starts), np.add.reduceat(mass * right, starts)
        gradient = scaled.T @ (mass / of_all[query] - mass * right / of_right[query]) / len(sizes)
        mean = float(np.mean(np.log(of_all) - np.log(of_right)))
        return mean + _L2 * float(weights @ weights), gradient + 2 * _L2 * weights

    found = minimize(loss, np.zeros(features.shape[1]), jac=True, method="L-BFGS-B")
    return Logistic(tuple(float(w) for w in found.x / scale), 0.0)


def _standardised() -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.5, max_iter=2000))


def _logistic(features: NDArray[np.float64], labels: NDArray[np.int64]) -> Logistic:
    """A logistic regression on standardised features, written for the raw ones."""
    scaler, model = (step for _, step in _standardised().fit(features, labels).steps)
    weights = model.coef_[0] / scaler.scale_
    return Logistic(tuple(float(w) for w in weights), float(model.intercept_[0] - np.dot(weights, scaler.mean_)))


def _scope(
    encoder: Encoder | None, known: Sequence[str], questions: Sequence[Question] | None = None, say: Say = _quiet
) -> Logistic:
    """What a hotline answers: the questions by their label, the knowledge, and Rasa's examples of two kinds."""
    questions = our_questions() if questions is None else questions
    labelled_texts = [(one.text, one.ours) for one in questions if one.ours is not None]
    labelled_texts += [(text, True) for text in some(known)]
    for act, ours in (("ask_policy", True), ("report_problem", True), ("chitchat", False), ("abuse", False)):
        labelled_texts += [(text, ours) for text in nlu_examples(act)]
    features = np.zeros((len(labelled_texts), scope.WIDTH + (encoder.dim if encoder else 0)))
    for row, (text, _) in enumerate(labelled_texts):
        say("学习什么是政务问题", row, len(labelled_texts))
        features[row] = scope.features(normalise(text), encoder)
    labels = np.array([ours for _, ours in labelled_texts], dtype=np.int64)
    model = LogisticRegression(C=3.0, max_iter=3000, class_weight="balanced").fit(features, labels)
    return Logistic(tuple(round(float(w), 4) for w in model.coef_[0]), float(model.intercept_[0]))


def some(texts: Sequence[str]) -> Sequence[str]:
    """All, or as many as are enough, the same ones again where others are added."""
    if len(texts) <= _KNOWN_MOST:
        return texts
    return sorted(texts, key=lambda text: hashlib.blake2b(text.encode("utf-8", "replace")).digest())[:_KNOWN_MOST]


_ENTITY = re.compile(r"\[([^\]]*)\](?:\{[^}]*\}|\([^)]*\))")


def nlu_examples(act: str) -> list[str]:
    """Rasa's training examples of one act, without their entity marks."""
    texts = []
    for path in sorted((ROOT / "nlu_data" / "nlu").glob("*.yml")):
        for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["nlu"]:
            if entry.get("intent") == act:
                lines = (line.strip().removeprefix("-").strip() for line in entry["examples"].splitlines())
                texts += [_ENTITY.sub(r"\1", line) for line in lines if line]
    return texts


@dataclass(frozen=True)
class Following:
    """A labelled message that follows on something, with what the ranker made of it."""

    right: frozenset[str]
    ranked: list[Ranked]
    features: NDArray[np.float64]
    """``ranking.follow_features``"""
    text: str


FOLLOW_UPS = ROOT / "training" / "followups.jsonl"
"""Messages that follow on an answer: {prev, prev_qa, q, qa} a line"""


def followings(
    retriever: Retriever,
    ranker: Logistic,
    follow_ups: Sequence[FollowUp] | None = None,
    say: Say = _quiet,
    search: Search = one_by_one,
) -> list[Following]:
    """Labelled follow-ups (None: ours) as ``find`` reads them."""
    matters = {item.id: item.matter for item in retriever.items}
    follow_ups = our_follow_ups() if follow_ups is None else follow_ups
    texts = [normalise(one.text).text for one in follow_ups]
    all_spoken = [Spoken(matters[one.before_qa], normalise(one.before).text, one.before_qa) for one in follow_ups]
    readings: list[tuple[str, ...]] = [(text,) for text in texts]
    readings += [
        (text, f"{spoken.matter} {text}", f"{spoken.question} {text}")
        for text, spoken in zip(texts, all_spoken, strict=True)
    ]
    searched = []
    for number, candidates in enumerate(search(retriever, readings)):
        say("查找标注追问的候选", number, len(readings))
        searched.append(candidates)
    alone, together = searched[: len(texts)], searched[len(texts) :]
    found = []
    for one, text, spoken, by_itself, in_context in zip(follow_ups, texts, all_spoken, alone, together, strict=True):
        if ranked := rank(in_context, ranker):
            features = follow_features(ranked, rank(by_itself, ranker), spoken)
            found.append(Following(one.right, ranked, features, text))
    return found


def _follow(
    retriever: Retriever,
    ranker: Logistic,
    follow_ups: Sequence[FollowUp] | None = None,
    say: Say = _quiet,
    search: Search = one_by_one,
) -> tuple[Logistic, Logistic, dict[str, Any]]:
    """Ranker and confidence of what follows on something, and the figures: the confidence is fitted out of fold."""
    examples = followings(retriever, ranker, follow_ups, say, search)

    def ranker_of(chosen: Sequence[Following]) -> Logistic:
        useful = [e for e in chosen if any(one.candidate.item.id in e.right for one in e.ranked)]
        return _listwise(
            np.concatenate([e.features for e in useful]),
            np.array([one.candidate.item.id in e.right for e in useful for one in e.ranked]),
            [len(e.ranked) for e in useful],
        )

    proofs, right = [], []
    folds = np.arange(len(examples)) * 5 // max(1, len(examples))  # the file goes from matter to matter
    for fold in range(5):
        held = [e for e, its in zip(examples, folds, strict=True) if its == fold]
        trained = ranker_of([e for e, its in zip(examples, folds, strict=True) if its != fold])
        for example in held:
            again, of_first = follow(example.ranked, example.features, trained)
            proofs.append(following_evidence(again, of_first, example.text, retriever))
            right.append(again[0].candidate.item.id in example.right)
    labels = np.array(right, dtype=np.int64)
    answerable = sum(bool(e.right) for e in examples)
    figures = {
        "follow_ups": len(examples),
        "follow_ups_answerable": answerable,
        "follow_ups_first_right": int(labels.sum()),
    }
    return ranker_of(examples), _logistic(np.array(proofs), labels), figures


def _top(example: Example, ranker: Logistic) -> list[Ranked]:
    return rank(list(example.candidates), ranker)


def fit(
    encoder: Encoder | None,
    retriever: Retriever | None = None,
    questions: Sequence[Question] | None = None,
    follow_ups: Sequence[FollowUp] | None = None,
    say: Say = _quiet,
    search: Search = one_by_one,
    in_use: Calibration | None = None,
) -> Calibration:
    """Fit everything for ``encoder`` (None: without vectors).

    Args:
        retriever: of the knowledge, with that encoder; None: of the starter knowledge.
        questions, follow_ups: labelled for that knowledge; None: ours.
        in_use: what answers today with that encoder: no more of the questions shall get a wrong answer than with it.
    """
    retriever = retriever or Retriever.build(starter_items(), encoder, unanswered.questions())
    asked = our_questions() if questions is None else questions
    examples = labelled(retriever, asked, say, search)

    say("标定排序和把握", None, None)
    rankings = _ranked_unseen(examples)
    proofs = np.array([evidence(ranked, normalise(e.text).text, retriever) for e, ranked in rankings])
    right = np.array([e.verdict(ranked) is True for e, ranked in rankings], dtype=np.int64)
    in_four = np.array([any(r.candidate.item.id in e.right for r in ranked[:4]) for e, ranked in rankings])
    folds = [e.group for e, _ in rankings]
    held_out = cross_val_predict(
        _standardised(), proofs, right, groups=folds, cv=GroupKFold(n_splits=5), method="predict_proba"
    )[:, 1]
    # A long text is never sure as a whole: it does not count for the limit of what is.
    terse = np.array([len(normalise(e.text).text) <= LETTER for e, _ in rankings])
    answer_at = answer_limit(held_out[terse], right[terse])
    clarify_at = clarify_limit(held_out, in_four, answer_at)
    answerable = np.array([bool(e.right or e.question.wrong) for e, _ in rankings])
    ranker, confidence = _ranker(examples), _logistic(proofs, right)
    least = 0.0
    if in_use is not None:
        before = Shown.of(examples, in_use.ranker, in_use.confidence, retriever)
        least = no_more_wrong(before, in_use.likely_at, Shown.of(examples, ranker, confidence, retriever))
    likely_at = likely_limit(held_out, right, answerable, answer_at, least)

    answered = (held_out >= answer_at) & terse
    tested, likely = _on_other_matters(held_out, right, answerable, terse, folds, least)
    follow_ranker, follow_confidence, of_follow_ups = _follow(retriever, ranker, follow_ups, say, search)
    return Calibration(
        encoder=encoder.checksum if encoder else "",
        ranker=ranker,
        confidence=confidence,
        follow_ranker=follow_ranker,
        follow_confidence=follow_confidence,
        scope=_scope(encoder, [text for item in retriever.items for text in item.texts], asked, say),
        answer_at=answer_at,
        likely_at=likely_at,
        clarify_at=clarify_at,
        fitted_on={
            "questions": len(examples),
            "answerable": int(sum(bool(e.right) for e in examples)),
            "first_right": int(right.sum()),
            **of_follow_ups,
            **_answered(answered, right),
            "other_matters": _answered(tested, right),
            "likely_on_other_matters": {
                "shown": int(likely.sum()),
                "of_answerable": round(float(likely[answerable].mean()), 4),
                "of_unanswerable": round(float(likely[~answerable].mean()), 4),
                "wrong": round(wrong_share(likely, right, answerable), 4),
            },
            "expected_calibration_error": round(calibration_error(held_out, right), 4),
        },
    )


def _ranked_unseen(examples: Sequence[Example]) -> list[tuple[Example, list[Ranked]]]:
    """Each question's candidates in the order of a ranker that has not seen its matter; those that have any, and a known truth."""
    rankings: list[tuple[Example, list[Ranked]]] = []
    groups = [example.group for example in examples]
    for _, held in GroupKFold(n_splits=5).split(examples, groups=groups):
        out = {groups[i] for i in held}
        ranker = _ranker([e for e in examples if e.group not in out])
        rankings += [(examples[i], _top(examples[i], ranker)) for i in held]
    return [(example, ranked) for example, ranked in rankings if ranked and example.verdict(ranked) is not None]


def _on_other_matters(
    probabilities: NDArray[np.float64],
    right: NDArray[np.int64],
    answerable: NDArray[np.bool_],
    terse: NDArray[np.bool_],
    matters: Sequence[str],
    least: float,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The limits' own test: fitted on four fifths of the matters, counted on the last, five times.

    Returns:
        Which questions are answered as sure so, and which others are shown as likely.
    """
    sure = np.zeros(len(probabilities), dtype=bool)
    likely = np.zeros(len(probabilities), dtype=bool)
    for train, test in GroupKFold(n_splits=5).split(probabilities, groups=matters):
        sure_at = answer_limit(probabilities[train][terse[train]], right[train][terse[train]])
        likely_at = likely_limit(probabilities[train], right[train], answerable[train], sure_at, least)
        sure[test] = (probabilities[test] >= sure_at) & terse[test]
        likely[test] = probabilities[test] >= likely_at
    return sure, likely & ~sure


def _answered(answered: NDArray[np.bool_], right: NDArray[np.int64]) -> dict[str, Any]:
    """How many are answered, how many of them wrong, and the share of wrong ones that this allows for."""
    wrong = int((answered & (right == 0)).sum())
    return {
        "answered": int(answered.sum()),
        "answered_wrong": wrong,
        "wrong_upper_bound": round(upper_bound(wrong, int(answered.sum())), 4),
    }


def answer_limit(probabilities: NDArray[np.float64], right: NDArray[np.int64]) -> float:
    """The lowest limit at which wrong ÷ answered stays so far within the target that it does on other matters too.

    Where the questions are too few to show that, the limit with the smallest upper bound that they can show.
    """
    bounds: dict[float, float] = {}
    for limit in np.arange(0.5, 1.0, 0.001):
        answered = probabilities >= limit
        if answered.any():
            wrong = int((answered & (right == 0)).sum())
            bounds[round(float(limit), 3)] = upper_bound(wrong, int(answered.sum()))
    within = [limit for limit, bound in bounds.items() if bound <= _ASKED]
    return min(within) if within else min(bounds, key=lambda limit: bounds[limit])


LIKELY_TARGET = 0.20
"""Most that may be wrong of what is shown as likely, where one of five questions has no answer in the knowledge"""
_LIKELY_ASKED = 0.85 * LIKELY_TARGET
"""What a new limit is fitted to; one that is in use stays while it keeps the target itself: else a question more or less moves it"""
_UNANSWERED_SHARE = 0.2
_SHOWN_FOR_NOTHING, _NOTHING_ASKED = 0.07, 0.06
"""At most so many of the questions without an answer are shown a likely one; what a new limit is fitted to"""


def wrong_share(shown: NDArray[np.bool_], right: NDArray[np.int64], answerable: NDArray[np.bool_]) -> float:
    """Wrong ÷ shown, with the questions that have no answer weighted to one in five of all."""
    weight = _UNANSWERED_SHARE / (1 - _UNANSWERED_SHARE) * answerable.sum() / max(1, int((~answerable).sum()))
    weights = np.where(answerable, 1.0, weight) * shown
    return float((weights * (right == 0)).sum() / weights.sum()) if weights.any() else 0.0


@dataclass(frozen=True)
class Shown:
    """What weights make of labelled questions whose truth is known."""

    probabilities: NDArray[np.float64]
    wrong: NDArray[np.bool_]
    """Whether what comes first is wrong"""

    @classmethod
    def of(cls, examples: Sequence[Example], ranker: Logistic, confidence: Logistic, retriever: Retriever) -> Shown:
        """With the ranker and the confidence as they would answer."""
        found = []
        for example in examples:
            ranked = _top(example, ranker)
            if ranked and (verdict := example.verdict(ranked)) is not None:
                proof = evidence(ranked, normalise(example.text).text, retriever)
                found.append((float(confidence.probability(proof)), not verdict))
        return cls(np.array([p for p, _ in found]), np.array([wrong for _, wrong in found], dtype=bool))

    def share_wrong(self, likely_at: float) -> float:
        """The share of the questions that are shown a wrong answer, sure or likely."""
        return float((self.wrong & (self.probabilities >= likely_at)).sum()) / max(1, len(self.wrong))


def no_more_wrong(before: Shown, likely_at: float, after: Shown) -> float:
    """The lowest limit from which on ``after`` shows no more wrong answers than ``before`` from ``likely_at`` on.

    Both are counted on questions that the new weights have seen: weights that have learned nothing new keep their limit.
    """
    allowed = int(before.share_wrong(likely_at) * len(after.wrong) + 1e-6)
    wrong = np.sort(after.probabilities[after.wrong])[::-1]
    # To a thousandth: half a hundredth more would take a dozen right answers for one wrong one.
    return 0.0 if len(wrong) <= allowed else math.floor(1000 * float(wrong[allowed]) + 1) / 1000


def likely_limit(
    probabilities: NDArray[np.float64],
    right: NDArray[np.int64],
    answerable: NDArray[np.bool_],
    answer_at: float,
    least: float = 0.0,
) -> float:
    """The lowest limit from which on an answer may be shown as likely; ``answer_at`` where there is none.

    Args:
        least: it is no lower; and this one it is where that keeps the targets (``no_more_wrong``: what is in use).
    """

    def keeps(limit: float, wrong: float, for_nothing: float) -> bool:
        shown = (probabilities >= limit) & (probabilities < answer_at)
        return (
            wrong_share(shown, right, answerable) <= wrong
            and (probabilities[~answerable] >= limit).mean() <= for_nothing
        )

    if keeps(least, LIKELY_TARGET, _SHOWN_FOR_NOTHING):
        return min(answer_at, least)
    for limit in np.arange(0.3, answer_at, 0.005):
        if keeps(limit, _LIKELY_ASKED, _NOTHING_ASKED):
            return min(answer_at, max(round(float(limit), 3), least))
    return answer_at


def clarify_limit(probabilities: NDArray[np.float64], in_four: NDArray[np.bool_], answer_at: float) -> float:
    """Where asking back stops being worth it: from there on at least every third list holds the right option."""
    for limit in np.arange(0.02, answer_at, 0.01):
        near = (probabilities >= limit) & (probabilities < limit + 0.15)
        if near.any() and in_four[near].mean() >= 1 / 3:
            return round(float(limit), 2)
    return round(answer_at / 2, 2)


def calibration_error(probabilities: NDArray[np.float64], right: NDArray[np.int64], bins: int = 10) -> float:
    """Expected calibration error over equal-width bins (Guo et al. 2017)."""
    which = np.minimum((probabilities * bins).astype(int), bins - 1)
    gaps = [
        (which == b).mean() * abs(probabilities[which == b].mean() - right[which == b].mean())
        for b in range(bins)
        if (which == b).any()
    ]
    return float(sum(gaps))


def calibration_for(encoder: Encoder | None) -> Calibration:
    """The shipped calibration for this encoder; fitted now if none was shipped.  Raises: IndexFileError."""
    return shipped(encoder.checksum if encoder else "") or fit(encoder)


def main() -> None:
    """Fit for the bundled (or the named) encoder and for none, write the file, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--encoder", default=None, help="sentence-transformers 模型名称或文件夹；默认用随项目附带的模型"
    )
    encoder = load_encoder(parser.parse_args().encoder)
    fitted = [fit(encoder), fit(None)]
    FILE.write_text(json.dumps([one.to_json() for one in fitted], ensure_ascii=False) + "\n", encoding="utf-8")
    for one in fitted:
        print(one.encoder[:8] or "without vectors", one.answer_at, one.likely_at, one.clarify_at, one.fitted_on)


if __name__ == "__main__":
    main()
