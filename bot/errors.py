"""Every error that our code raises for people to read: plain Chinese.

Those that several packages raise are defined here, the rest where they arise.  The whole tree:

    YihaodaError
        BackupDamaged           an archive does not hold what it says
        BrokenOff               an evaluation was cut short
        BundleDamaged           a release's files are not what its manifest says
        CannotDecrypt           stored text needs a key that is not there
        EncoderError            the sentence encoder can't be loaded
        Forbidden               the caller may not do this
            Unfinished          a password is to be changed or a second factor set up first
        FrozenDataChanged       what a training froze is not what it was
        GatewayDown             the terminal's commands don't reach the gateway
        IllegalMove             a ticket or conversation can't get there from where it is
            Outdated            somebody else changed the item of the knowledge since it was looked at
        IndexDamaged            an index version is not what its manifest says
        IndexFileError          a file of an index can't be read
        IndexUnavailable        there is no index version to answer from
        InvalidInput            what the caller sent can't be used as it is
            BenchError          a folder is no sound set of queries, documents and judgements
            Classified          a file bears a state-secret mark
            NeedsConfirmation   a file is marked as internal, and nobody has confirmed it
        LanguageModelFailed     the language model gave nothing that can be used
        NoModel                 a release's Rasa model can't be asked
        NotFound                it does not exist, or the asker may not know that it does
        PhoneTailNeeded         a ticket opens only with the last digits of the phone
        PurgeRefused            retention does not trust the clock, or what it would do
        PushRefused             a push is not WeChat's, or not sound
        RasaTrainingError       Rasa could not be trained
        StepFailed              a training's step ended in its own process
        StoreBusy               the database did not answer in time
        SupervisorError         a service can't be started
        TooMany                 a rate or a daily bound is exceeded
        Unauthorised            no token, a malformed one, or one that is over
            Locked              nothing was done for a while: the password again
            SecondFactorAsked   the password is right; now the code
        WeChatFailed            WeChat did not do what it was asked
        _Failure                a command of the terminal ends with a sentence

Outside of it is what is always caught by our own code, and what can only be a mistake in it: that stays a plain ValueError or
its like, and shows its traceback.
"""

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
