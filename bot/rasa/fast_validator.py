"""Checks an action server's result with a JSON schema validator built once instead of once a call.

Rasa 3.6.21's ``RemoteAction._validate_action_result`` calls ``jsonschema.validate``, which first checks the (large, constant)
schema itself every time: about two thirds of the time of a turn. A valid result passes here without that; an invalid one is
handed to Rasa's own method, so that verdict and error are Rasa's.
"""

from typing import Any, Dict

from jsonschema.validators import validator_for
from rasa.core.actions.action import RemoteAction

_NEEDED = ("_validate_action_result", "action_response_format_spec")


class UnsupportedRasaVersion(RuntimeError):
    """The installed Rasa lacks a method that this module replaces or calls."""


def install() -> None:
    """Replace ``RemoteAction._validate_action_result`` in this process; a second call changes nothing more.

    Raises:
        UnsupportedRasaVersion: if the installed Rasa lacks the method or the schema it checks against.
    """
    missing = [name for name in _NEEDED if not callable(getattr(RemoteAction, name, None))]
    if missing:
        raise UnsupportedRasaVersion(
            f"RemoteAction has no {', '.join(missing)}: bot/rasa/fast_validator.py is written for Rasa 3.6.21"
        )
    rasas_own = RemoteAction._validate_action_result
    if getattr(rasas_own, "built_once", False):
        return

    schema = RemoteAction.action_response_format_spec()
    validator_class = validator_for(schema)
    validator_class.check_schema(schema)
    validator = validator_class(schema)

    def validate_action_result(self: RemoteAction, result: Dict[str, Any]) -> bool:
        return validator.is_valid(result) or bool(rasas_own(self, result))

    validate_action_result.built_once = True  # type: ignore[attr-defined]
    RemoteAction._validate_action_result = validate_action_result
