"""Rasa's command line as this project runs it: ``python -m bot.rasa run …``, ``python -m bot.rasa train …``.

Same arguments and exit codes as ``rasa``; telemetry is off, action results are checked by a validator built once, logs do no
harm, and the server answers only whoever has the services' secret.
"""

import os


def main() -> None:
    """Telemetry off, the faster validator, the safe output and the guard; then hand over to Rasa's own ``main``."""
    os.umask(0o077)  # whatever it writes is our account's alone
    # Rasa reads this when its modules are imported, so the imports wait until it is set.
    os.environ["RASA_TELEMETRY_ENABLED"] = "false"

    from rasa.__main__ import main as rasa_main

    from bot.rasa import fast_validator, guard, output

    output.install()
    fast_validator.install()
    guard.install()
    rasa_main()


if __name__ == "__main__":
    main()
