"""Every error that our code raises on purpose.  Messages are for people: plain Chinese."""

from __future__ import annotations


class YihaodaError(Exception):
    """Base of all errors below; its text can be shown to a person."""

    code = "error"


class NotFound(YihaodaError):
    """The thing does not exist, or the asker may not know that it does."""

    code = "not_found"


class Forbidden(YihaodaError):
    """The caller may not do this."""

    code = "forbidden"


class Unauthorised(YihaodaError):
    """No token, a malformed one, or one whose time is over."""

    code = "unauthorised"


class InvalidInput(YihaodaError):
    """What the caller sent can't be used as it is."""

    code = "invalid_input"


class IllegalMove(YihaodaError):
    """A ticket or conversation can't go from its present state to the wanted one."""

    code = "illegal_move"


class PhoneTailNeeded(YihaodaError):
    """The ticket opens only with the last four digits of the phone that was left."""

    code = "phone_tail_needed"


class TooMany(YihaodaError):
    """A rate or a daily bound is exceeded."""

    code = "too_many"

    def __init__(self, message: str, retry_after_s: int | None = None) -> None:
        """Args: retry_after_s: seconds until it is worth trying again, where that is known."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StoreBusy(YihaodaError):
    """The database did not answer in time."""

    code = "busy"
