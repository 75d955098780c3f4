"""Rasa's command line as this project runs it: ``python -m bot.rasa run …``, ``python -m bot.rasa train …``.

Same arguments and exit codes as ``rasa``; telemetry is off and action results are checked by a validator built once.
"""

import os


def main() -> None:
    """Switch telemetry off, install the faster validator, then hand over to Rasa's own ``main``."""
    os.umask(0o077)  # whatever it writes is our account's alone
    # Rasa reads this when its modules are imported, so the imports wait until it is set.
    os.environ["RASA_TELEMETRY_ENABLED"] = "false"

    from rasa.__main__ import main as rasa_main

    from bot.rasa import fast_validator

    fast_validator.install()
    rasa_main()


if __name__ == "__main__":
    main()
