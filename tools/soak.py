"""Play simulated worlds, one seed after the other, and keep a record of what came of it.

    tools/soak [--seed NAME] [--minutes M] [--jobs N]    worlds NAME-1, NAME-2, … for M minutes
    tools/soak --replay SEED                             one world again, with its trace

Without --seed the day is the seed, so that every day looks at other worlds. The first world that
breaks an invariant is played again (it is the same, event for event), made as small as it can be,
and told; then this ends with 1. The record of each run is a file of var/soak.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Final

REPOSITORY: Final = Path(__file__).parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests" / "support")]

from simulation.plan import drawn  # noqa: E402
from simulation.shrinking import Shrinking, told  # noqa: E402
from simulation.world import play  # noqa: E402

RECORDS: Final = REPOSITORY / "var" / "soak"


def world(seed: str) -> dict[str, Any]:
    """Play one world; give its figures."""
    outcome = play(drawn(seed))
    broken = outcome.broken
    return {
        "seed": seed,
        "digest": outcome.digest,
        "events": outcome.events,
        "broken": None if broken is None else [broken.number, str(broken)],
        **outcome.figures,
    }


def worlds(name: str, minutes: float, jobs: int) -> Iterator[dict[str, Any]]:
    """Play worlds until the time is over."""
    until = time.monotonic() + 60 * minutes
    numbers = count(1)
    with ProcessPoolExecutor(jobs) as pool:
        under_way = {pool.submit(world, f"{name}-{next(numbers)}") for _ in range(2 * jobs)}
        while under_way:
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for one in done:
                yield one.result()
                if time.monotonic() < until:
                    under_way.add(pool.submit(world, f"{name}-{next(numbers)}"))


def commit() -> str:
    """Name the commit that is played, "+" with changes on it."""
    said = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--exclude=*"],  # noqa: S607
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    return said.stdout.strip() or "unknown"


def soak(name: str, minutes: float, jobs: int) -> int:
    """Play worlds, keep the record, and tell the first that breaks something."""
    begun = time.monotonic()
    sums: Counter[str] = Counter()
    broken: list[dict[str, Any]] = []
    for figures in worlds(name, minutes, jobs):
        sums["worlds"] += 1
        sums.update({key: value for key, value in figures.items() if isinstance(value, int)})
        if figures["broken"] is not None:
            broken.append(figures)
            print(f"seed {figures['seed']}: {figures['broken'][1]}", flush=True)
    seconds = time.monotonic() - begun
    record = {
        "commit": commit(),
        "seed": name,
        "begun": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "figures": dict(sorted(sums.items())),
        "invariants_broken": dict(Counter(one["broken"][0] for one in broken)),
        "broken": broken,
    }
    RECORDS.mkdir(parents=True, exist_ok=True)
    path = RECORDS / f"{record['begun'].replace(':', '')}-{name}.json"
    path.write_text(json.dumps(record, indent=1) + "\n")
    print(
        f"seeds {name}-1 to {name}-{sums['worlds']}: {sums['events']:,} events,"
        f" {sums['crossings']:,} people through, {sums['anomalies']:,} anomalies,"
        f" {len(broken)} broken, {seconds:.0f} s; {path.relative_to(REPOSITORY)}"
    )
    if broken:
        tell(broken[0]["seed"], broken[0]["digest"])
    return 1 if broken else 0


def tell(seed: str, digest: str) -> None:
    """Play a broken world again, shrink it and tell it."""
    plan = drawn(seed)
    again = play(plan, keep_trace=True)
    print(f"\nseed {seed} again: {'the same' if again.digest == digest else 'ANOTHER RUN'}")
    shrinking = Shrinking(plan, again)
    smallest = shrinking.shrink()
    print(f"smallest of {shrinking.plays} more worlds:")
    print(told(smallest, play(smallest, keep_trace=True)))


def replay(seed: str) -> int:
    """Play one world with its trace."""
    outcome = play(drawn(seed), keep_trace=True)
    print("\n".join(outcome.trace))
    print(f"seed {seed}: trace {outcome.digest}, {outcome.events} events, {outcome.figures}")
    if outcome.broken is not None:
        tell(seed, outcome.digest)
    return 0 if outcome.broken is None else 1


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seed", default=datetime.now(UTC).date().isoformat())
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--replay", metavar="SEED")
    arguments = parser.parse_args()
    if arguments.replay is not None:
        return replay(arguments.replay)
    return soak(arguments.seed, arguments.minutes, arguments.jobs)


if __name__ == "__main__":
    sys.exit(main())
