"""How often the watcher stops a release that is no worse, and how soon one that is: ``python -m benchmarks.release_watch``.

Simulated: conversations are given to the shared bundle with its share; in each one something goes wrong with the live bundle's
probability, or so many times that.  It is looked at after every conversation that went wrong, which is oftener than any clock does.
"""

from __future__ import annotations

import argparse

import numpy as np

from bot.releases import watching


def stops(rng: np.random.Generator, share: float, rate: float, ratio: float, conversations: int) -> int | None:
    """The conversation, of both bundles, at which it is stopped; None: it is not."""
    shared = rng.random(conversations) < share
    wrong = np.flatnonzero(rng.random(conversations) < np.where(shared, min(1.0, rate * ratio), rate))
    mine, number = np.cumsum(shared[wrong]), np.arange(1, wrong.size + 1)
    logs = [mine * np.log(r) - number * np.log(share * r + 1 - share) for r in watching.RATIOS]
    over = np.flatnonzero(np.logaddexp.reduce(logs) - np.log(len(logs)) >= np.log(len(watching.SIGNS) / 0.05))
    return int(wrong[over[0]]) + 1 if over.size else None


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--conversations", type=int, default=20_000)
    given = parser.parse_args()
    rng = np.random.default_rng(22)
    print(f"{given.runs} releases of {given.conversations} conversations each")
    print("no worse: stopped by any of the signs")
    for share in (0.1, 0.5):
        stopped = sum(
            any(stops(rng, share, rate, 1, given.conversations) for rate in (0.02, 0.05, 0.08, 0.2, 0.3))
            for _ in range(given.runs)
        )
        print(f"  share {share:.0%}: {stopped / given.runs:.2%}")
    print("worse: stopped in so many, after so many conversations in all (median, 90 %)")
    for share in (0.1, 0.5):
        for rate in (0.05, 0.2):
            for ratio in (1.1, 1.3, 1.5, 2, 4):
                at = [stops(rng, share, rate, ratio, given.conversations) for _ in range(max(50, given.runs // 10))]
                found = np.array([one for one in at if one])
                when = f"{np.median(found):.0f}, {np.quantile(found, 0.9):.0f}" if found.size else "—"
                print(f"  share {share:.0%}, {rate:.0%} × {ratio}: {found.size / len(at):.0%}, {when}")


if __name__ == "__main__":
    main()
