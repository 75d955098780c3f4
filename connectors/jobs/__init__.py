"""The job worker: a process of its own that does background jobs (``bot.jobs``) step by step, with DBOS as its memory of them."""

import os

# DBOS reads them when it is imported, and they would switch on what is its own: its cloud, its console.
for _name in [name for name in os.environ if name.startswith("DBOS_")]:
    del os.environ[_name]
