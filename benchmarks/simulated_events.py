"""How many events of the simulation are played in a second, beside a bare heap loop.

An event of the simulation runs the real gate or the real server: rules, journal, SQLite, the
server's SQL. A bare event is taken from a heap, called, and puts the next one in; both loops in the
same run, in turn.

Usage: python benchmarks/simulated_events.py [--worlds N] [--rounds N]
"""

import argparse
import platform
import statistics
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests" / "support")]

from simulation.plan import draw  # noqa: E402
from simulation.scheduler import Scheduler  # noqa: E402
from simulation.world import play  # noqa: E402

BARE_EVENTS = 200_000
AT_ONCE = 64  # as many events lie in the heap at a time


def simulated(worlds: int) -> tuple[int, int, float]:
    """Play some worlds; give events, minutes of the venue's time, and seconds."""
    events = minutes = 0
    begun = time.perf_counter()
    for seed in range(1, worlds + 1):
        plan = draw(seed)
        outcome = play(plan)
        if outcome.broken is not None:
            raise SystemExit(f"seed {seed} is broken: {outcome.broken}")
        events += outcome.events
        minutes += plan.minutes * plan.gates
    return events, minutes, time.perf_counter() - begun


def bare() -> float:
    """Run a heap of events that do nothing; give events a second."""
    scheduler = Scheduler("bare")

    def again(wait_ms: int) -> None:
        scheduler.at(wait_ms, again, wait_ms)

    for place in range(AT_ONCE):
        scheduler.at(place, again, AT_ONCE)
    begun = time.perf_counter()
    until = 0
    while scheduler.events < BARE_EVENTS:
        until += 1_000
        scheduler.run(until)
    return scheduler.events / (time.perf_counter() - begun)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--worlds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    play(draw("warm"))  # tables, lists and compiled statements are made once a process
    rates, loops, gate_minutes = [], [], []
    for _ in range(arguments.rounds):
        events, minutes, seconds = simulated(arguments.worlds)
        rates.append(events / seconds)
        gate_minutes.append(minutes / seconds)
        loops.append(bare())
    rate, loop = statistics.median(rates), statistics.median(loops)
    print(f"Python {platform.python_version()}, {platform.machine()}, {arguments.worlds} worlds")
    print(f"simulated events: {rate:,.0f} a second, {1e6 / rate:,.0f} us each")
    print(f"bare heap loop:   {loop:,.0f} a second")
    print(f"simulated over bare: {rate / loop:.4f}")
    print(f"minutes of a gate's evening in a second: {statistics.median(gate_minutes):,.0f}")


if __name__ == "__main__":
    main()
