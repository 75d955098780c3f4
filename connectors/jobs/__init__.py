"""The job worker: a process of its own that does background jobs (``bot.jobs``) step by step, with DBOS as its memory of them."""
