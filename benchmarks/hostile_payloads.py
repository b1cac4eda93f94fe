"""What it costs to refuse what somebody shows to do harm, beside one bare UTF-8 decode of it.

    .venv/bin/python benchmarks/hostile_payloads.py [--tickets 100000]

Each payload goes the way of a scan up to its verdict (bytes to number to answer), against a list
of so many tickets; journal and display are measured by `scan_to_journal.py`. The decode is done on
the same bytes, in the same round, so that both feel the same machine. Prints a line a payload; the
ratio is what to compare, the microseconds are this machine's.
"""

import argparse
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from admission.errors import PayloadError
from admission.passage import History
from admission.rules import ORDINARY, judge
from admission.scan import Direction, normalise
from admission.ticket import Checkpoint
from appliance.holdings import GateHoldings, open_list
from appliance.simulator.box_office import BoxOffice

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))
from hostile_texts import PAYLOADS

ROUNDS = 400
NOW = datetime(2026, 6, 1, 18, 0, tzinfo=UTC)
CHECKPOINT = Checkpoint("c", ("show",))


def refuse(payload: bytes, holdings: GateHoldings, history: History) -> str:
    """Go the way from bytes to answer."""
    try:
        number = normalise(payload)
    except PayloadError:
        number = ""
    verdict = judge(
        number,
        checkpoint=CHECKPOINT,
        direction=Direction.ENTRY,
        now=NOW,
        holdings=holdings,
        history=history,
        conditions=ORDINARY,
    )
    return verdict.answer.value


def measure(payload: bytes, holdings: GateHoldings, history: History) -> tuple[float, float, str]:
    """Give the medians of refusing and of decoding, in microseconds, and the answer."""
    refusing, decoding = [], []
    for _ in range(ROUNDS):
        begun = time.perf_counter_ns()
        answer = refuse(payload, holdings, history)
        between = time.perf_counter_ns()
        payload.decode("utf-8", "replace")
        refusing.append(between - begun)
        decoding.append(time.perf_counter_ns() - between)
    middle = ROUNDS // 2
    return sorted(refusing)[middle] / 1000, sorted(decoding)[middle] / 1000, answer


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=100_000)
    chosen = parser.parse_args()
    signed = BoxOffice().draw_up("show", [f"T{n}" for n in range(chosen.tickets)])
    holdings, history = GateHoldings(), History()
    holdings.install(open_list(signed.manifest, signed.snapshot, signed.list_key))
    print(f"# {platform.machine()}, Python {platform.python_version()}, {chosen.tickets} tickets")
    for name, payload in PAYLOADS.items():
        refused, decoded, answer = measure(payload, holdings, history)
        ratio = refused / max(decoded, 0.001)
        print(f"{name:24} {len(payload):5} B {answer:15} {refused:7.1f} us {ratio:6.1f} x decode")


if __name__ == "__main__":
    main()
