"""What went wrong, grouped by meaning, for people to look at (待学习): run by the job ``review``, decided about in ``bot.review``."""
