"""Unit tests of ``bot.rasa``, run by `.venv-rasa` (Python 3.10, no pytest there): ``python tests/rasa/rasa_side.py``.

``test_rasa_side.py`` runs them from pytest.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from jsonschema import ValidationError  # noqa: E402
from rasa.core.actions.action import RemoteAction  # noqa: E402
from rasa.core.tracker_store import TrackerStore  # noqa: E402
from rasa.core.utils import AvailableEndpoints  # noqa: E402
from rasa.nlu.constants import TOKENS_NAMES  # noqa: E402
from rasa.nlu.tokenizers.tokenizer import Token  # noqa: E402
from rasa.shared.core.domain import Domain  # noqa: E402
from rasa.shared.core.events import ActionExecuted, SlotSet, UserUttered  # noqa: E402
from rasa.shared.core.trackers import DialogueStateTracker  # noqa: E402
from rasa.shared.nlu.constants import TEXT  # noqa: E402
from rasa.shared.nlu.training_data.message import Message  # noqa: E402

from bot.rasa import fast_validator, guard  # noqa: E402
from bot.rasa.question_gate import QuestionGate  # noqa: E402
from bot.rasa.tracker_store import BoundedTrackerStore  # noqa: E402

RASAS_OWN = RemoteAction._validate_action_result
VALID = [
    {"events": [], "responses": []},
    {"events": [{"event": "slot", "name": "region", "value": "330100"}], "responses": [{"custom": {"type": "text"}}]},
    {},
]
INVALID = [
    {"events": "none", "responses": []},
    {"events": [], "responses": ["text"]},
    {"events": [{"event": "no such event"}], "responses": []},
    {"events": [{"event": "slot", "value": 1}]},
    [],
]


class FastValidatorTest(unittest.TestCase):
    def setUp(self):
        RemoteAction._validate_action_result = RASAS_OWN

    tearDown = setUp

    def test_same_verdict_and_same_error_as_rasa(self):
        action = RemoteAction("action_answer", None)
        fast_validator.install()
        self.assertIsNot(RemoteAction._validate_action_result, RASAS_OWN)
        for result in VALID:
            self.assertTrue(RASAS_OWN(action, result))
            self.assertTrue(action._validate_action_result(result))
        for result in INVALID:
            with self.assertRaises(ValidationError) as rasas:
                RASAS_OWN(action, result)
            with self.assertRaises(ValidationError) as ours:
                action._validate_action_result(result)
            self.assertEqual(ours.exception.message, rasas.exception.message)
            self.assertEqual(list(ours.exception.absolute_path), list(rasas.exception.absolute_path))

    def test_schema_is_checked_once_however_many_results_come(self):
        checked = []
        schema_class = fast_validator.validator_for(RemoteAction.action_response_format_spec())
        own = schema_class.check_schema
        schema_class.check_schema = lambda *arguments, **named: checked.append(1) or own(*arguments, **named)
        try:
            fast_validator.install()
            action = RemoteAction("action_answer", None)
            for result in VALID * 3:
                action._validate_action_result(result)
        finally:
            schema_class.check_schema = own
        self.assertEqual(len(checked), 1)

    def test_second_install_changes_nothing(self):
        fast_validator.install()
        first = RemoteAction._validate_action_result
        fast_validator.install()
        self.assertIs(RemoteAction._validate_action_result, first)

    def test_another_rasa_is_refused(self):
        try:
            del RemoteAction._validate_action_result
            with self.assertRaisesRegex(fast_validator.UnsupportedRasaVersion, "_validate_action_result"):
                fast_validator.install()
        finally:
            RemoteAction._validate_action_result = RASAS_OWN


def store_of(size):
    return BoundedTrackerStore(Domain.load(str(ROOT / "domain.yml")), max_conversations=size)


def tracker(store, sender, *texts):
    made = DialogueStateTracker(sender, store.domain.slots)
    for text in texts:
        for event in (UserUttered(text), ActionExecuted("action_answer"), ActionExecuted("action_listen")):
            made.update(event)
    made.update(SlotSet("region", "330100"))
    return made


class BoundedTrackerStoreTest(unittest.TestCase):
    def test_comes_back_as_it_was_saved(self):
        store = store_of(2)
        saved = tracker(store, "a", "护照怎么办")
        asyncio.run(store.save(saved))
        found = asyncio.run(store.retrieve("a"))
        self.assertEqual(list(found.events), list(saved.events))
        self.assertEqual(found.get_slot("region"), "330100")
        self.assertIsNone(asyncio.run(store.retrieve("b")))

    def test_a_turn_that_never_ends_leaves_no_half_told_story(self):
        store = store_of(2)
        asyncio.run(store.save(tracker(store, "a", "护照怎么办")))
        self.assertIsNotNone(asyncio.run(store.retrieve("a")))
        self.assertIsNone(asyncio.run(store.retrieve("a")))

    def test_least_recently_used_goes_first(self):
        async def scenario():
            store = store_of(2)
            for sender in ("a", "b"):
                await store.save(tracker(store, sender, "你好"))
            await store.save(await store.retrieve("a"))
            await store.save(tracker(store, "c", "你好"))
            self.assertEqual(set(await store.keys()), {"a", "c"})
            await store.save(tracker(store, "a", "再见"))
            await store.save(tracker(store, "d", "你好"))
            self.assertEqual(set(await store.keys()), {"a", "d"})

        asyncio.run(scenario())

    def test_never_grows_beyond_its_bound(self):
        async def scenario():
            store = store_of(50)
            for number in range(300):
                await store.save(tracker(store, f"s{number}", "你好"))
            self.assertEqual(len(list(await store.keys())), 50)
            self.assertIsNotNone(await store.retrieve("s299"))

        asyncio.run(scenario())

    def test_bound_must_be_positive(self):
        with self.assertRaises(ValueError):
            store_of(0)

    def test_rasa_builds_it_from_our_endpoints_file(self):
        os.environ.update(YIHAODA_ACTION_URL="http://127.0.0.1:6066/webhook", YIHAODA_SERVICE_SECRET="word")
        endpoints = AvailableEndpoints.read_endpoints(str(ROOT / "bot/rasa/endpoints.yml"))
        self.assertEqual(endpoints.action.url, "http://127.0.0.1:6066/webhook")
        self.assertEqual(endpoints.action.headers, {"Authorization": "Bearer word"})
        store = TrackerStore.create(endpoints.tracker_store, Domain.load(str(ROOT / "domain.yml")))
        self.assertIsInstance(store, BoundedTrackerStore)
        self.assertEqual(store.max_conversations, 500)


class GuardTest(unittest.TestCase):
    def test_without_a_secret_no_server_is_made(self):
        rasas_own = guard.run.configure_app
        try:
            guard.install()
            nothing = unittest.mock.patch.dict(os.environ, YIHAODA_SERVICE_SECRET="")
            with nothing, self.assertRaisesRegex(SystemExit, "YIHAODA_SERVICE_SECRET"):
                guard.run.configure_app([])
        finally:
            guard.run.configure_app = rasas_own


def judged(ranking, patterns=(), **config):
    message = Message({TEXT: "x", "intent": ranking[0], "intent_ranking": ranking})
    token = Token("x", 0)
    token.set("pattern", dict.fromkeys(patterns, True))
    message.set(TOKENS_NAMES[TEXT], [token])
    gate = QuestionGate.create({**QuestionGate.get_default_config(), **config}, None, None, None)
    return gate.process([message])[0].get("intent")["name"]


def ranked(**confidences):
    return [{"name": n, "confidence": c} for n, c in sorted(confidences.items(), key=lambda item: -item[1])]


class QuestionGateTest(unittest.TestCase):
    def test_acts_may_compete_with_each_other_but_not_with_a_question(self):
        self.assertEqual(judged(ranked(thanks=0.4, rate_good=0.39, greet=0.11, ask_policy=0.1)), "thanks")
        self.assertEqual(judged(ranked(thanks=0.6, ask_policy=0.15, follow_up=0.15)), "nlu_fallback")
        self.assertEqual(judged(ranked(thanks=0.24, greet=0.2)), "nlu_fallback")
        self.assertEqual(judged(ranked(ask_policy=0.2, greet=0.1)), "ask_policy")

    def test_a_pattern_vetoes_the_acts_it_names(self):
        vetoes = [{"pattern": "policy_words_", "acts": ["greet"]}]
        sure = ranked(greet=0.99, ask_policy=0.01)
        self.assertEqual(judged(sure, ["policy_words_general"], vetoes=vetoes), "nlu_fallback")
        self.assertEqual(judged(sure, ["greeting"], vetoes=vetoes), "greet")
        self.assertEqual(judged(ranked(thanks=0.99), ["policy_words_general"], vetoes=vetoes), "thanks")

    def test_nonsense_in_the_configuration_is_refused(self):
        for wrong in ({"question_at": 2}, {"act_at": -1}, {"questions": []}):
            with self.assertRaisesRegex(Exception, "QuestionGate"):
                judged(ranked(greet=1.0), **wrong)


class StartUpTest(unittest.TestCase):
    def test_telemetry_is_off_and_arguments_are_rasas(self):
        finished = subprocess.run(
            [sys.executable, "-m", "bot.rasa", "--version"],
            cwd=ROOT,
            env={**os.environ, "RASA_TELEMETRY_ENABLED": "true"},
            capture_output=True,
            text=True,
        )
        self.assertEqual(finished.returncode, 0, finished.stderr)
        self.assertIn("3.6.21", finished.stdout)
        code = (
            "import sys, os; sys.argv = ['rasa', '--version']; from bot.rasa.__main__ import main; main();"
            "import rasa.telemetry as t; from rasa.core.actions.action import RemoteAction as R;"
            "print(t.is_telemetry_enabled(), R._validate_action_result.built_once)"
        )
        finished = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
        self.assertEqual(finished.stdout.splitlines()[-1], "False True", finished.stderr)


class Output(unittest.TestCase):
    """Rasa's own lines go through logging and structlog to standard output and error."""

    CODE = """
import logging, sys
from bot.rasa import output
output.install()
from rasa.utils.log_utils import configure_structlog
import structlog
configure_structlog(logging.INFO)
def fail(words):
    raise ValueError("it failed")
try:
    fail("what the citizen said")
except ValueError:
    structlog.get_logger().exception("crashed")
for number in range(10_000):
    structlog.get_logger().info("one of many", number=number, more="x" * 100)
    print("printed", flush=True)
    print("printed", file=sys.stderr)
open(sys.argv[1], "w").write("done")
"""

    def ends(self, out: int, error: int) -> bool:
        with tempfile.TemporaryDirectory() as folder:
            done = Path(folder, "done")
            call = [sys.executable, "-c", self.CODE, str(done)]
            subprocess.run(call, cwd=ROOT, stdout=out, stderr=error, timeout=120)
            return done.exists()

    def test_a_full_disk_and_a_reader_that_hangs_stop_nothing(self) -> None:
        full = os.open("/dev/full", os.O_WRONLY)
        reader, writer = os.pipe()  # some lines fill it
        self.assertTrue(self.ends(full, writer))
        for descriptor in (full, reader, writer):
            os.close(descriptor)

    def test_a_traceback_shows_no_variables(self) -> None:
        with tempfile.TemporaryFile("w+b") as log:
            self.assertTrue(self.ends(log.fileno(), log.fileno()))
            log.seek(0)
            said = log.read().decode()
        self.assertIn("it failed", said)
        self.assertNotIn("what the citizen said", said)


if __name__ == "__main__":
    unittest.main()
