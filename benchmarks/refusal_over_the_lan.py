"""From a grant's commit at gate A to its refusal at gate B, by one signed datagram.

B is a process of its own; both are on this machine, whose monotonic clock they share. The time runs
from the moment that the grant is durable at A: signing, sending, receiving, the check of the
signature, the hint on B's board, and the ticket judged again there, refused. The peer, in the same
run and turn by turn: a datagram of the same size from one event loop to the other, nothing done.

Usage: python benchmarks/refusal_over_the_lan.py [--grants N]
"""

import argparse
import asyncio
import hashlib
import json
import socket
import struct
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from scan_to_journal import PERFORMANCE, install, number

from admission.passage import History
from admission.rules import judge
from admission.scan import Direction
from admission.sync.hints import HintBoard, tighten
from admission.sync.messages import Hint
from admission.sync.peer import Circle
from admission.sync.peer_proof import Doorkeeper, Enrolment, Self, shout
from admission.ticket import Checkpoint
from admission.trust.keys import public_key, sign
from admission.trust.root import Role
from appliance.clock import SystemClock
from appliance.holdings import GateHoldings
from appliance.shouting import HEARD_A_SECOND, Shouting
from appliance.simulator.box_office import BoxOffice
from appliance.transport.datagrams import UdpDatagrams

TICKETS = 10_000
HOST = "127.0.0.1"
CHECKPOINT = Checkpoint("c", (PERFORMANCE,))
TIMES = struct.Struct("!qq")  # what is answered: which one, and when it was done
PAUSE_S = 1.2 / HEARD_A_SECOND  # no quicker than a gate listens to another one
OFFICE = BoxOffice()


def make_self(name: str) -> Self:
    """Give a gate of the office."""
    key = hashlib.sha256(name.encode()).digest()
    later = datetime.now(UTC) + timedelta(days=1)
    certificate = OFFICE.certify(name, public_key(key), bytes(32), not_after=later)
    return Self(name, lambda: certificate, lambda text: sign(key, text))


def make_shouting(own: Self, other: Self, datagrams: UdpDatagrams, address: str, hear) -> Shouting:
    """Give a gate's voice and ear; the other gate has proven itself to it."""
    enrolment = Enrolment(lambda: OFFICE.signers(Role.ENROL), lambda: datetime.now(UTC), frozenset)
    door = Doorkeeper(own, enrolment, bytes(16))
    door.meet(enrolment.accept(other.certificate()))
    return Shouting(
        own=own, door=door, circle=Circle([], []), hear=hear, datagrams=datagrams,
        addresses=lambda: (address,), journal=lambda: None, grew=asyncio.Event(),
        grown=lambda gate, news: None, clock=SystemClock(),
    )  # fmt: skip


def hint_of(holdings: GateHoldings, place: int) -> Hint:
    """Give the hint of a ticket's grant."""
    identifier = holdings.identify(PERFORMANCE, number(place))
    now_ms = time.time_ns() // 1_000_000
    standard = ("standard", "single", None, None)
    return Hint("a", "j", place + 1, "c", PERFORMANCE, identifier, 1, now_ms, standard)


def hold() -> GateHoldings:
    """Hold the list."""
    holdings = GateHoldings()
    install(holdings, TICKETS)
    return holdings


async def gate_b(a_port: int, port: int, bare_port: int) -> None:
    """Listen for ever: refuse what was hinted, and say when."""
    holdings, board, history = hold(), HintBoard(), History()
    answers = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def refuse(hint: Hint) -> None:
        board.hear(hint, time.monotonic_ns() // 1_000_000)
        asked = {
            "checkpoint": CHECKPOINT, "direction": Direction.ENTRY, "now": datetime.now(UTC),
            "holdings": holdings, "history": history,
        }  # fmt: skip
        ticket = number(hint.sequence - 1)
        verdict = judge(ticket, **asked)
        now_ms = time.monotonic_ns() // 1_000_000
        if tighten(verdict, board, now_ms, presented=ticket, **asked) is None:
            raise SystemExit("a ticket that was hinted was not refused")
        answers.sendto(TIMES.pack(hint.sequence, time.monotonic_ns()), (HOST, a_port))

    def echo(raw: bytes) -> None:
        (place,) = struct.unpack_from("!q", raw)
        answers.sendto(TIMES.pack(place, time.monotonic_ns()), (HOST, a_port))

    datagrams, bare = UdpDatagrams(), UdpDatagrams()
    shouting = make_shouting(make_self("b"), make_self("a"), datagrams, "", refuse)
    async with (
        datagrams.listening(HOST, port, shouting.hear),
        bare.listening(HOST, bare_port, echo),
    ):
        print("ready", flush=True)
        await asyncio.Event().wait()


async def gate_a(own_port: int, port: int, bare_port: int, grants: int) -> list[list[float]]:
    """Grant and time; give the milliseconds of refusals and of bare datagrams."""
    holdings, datagrams = hold(), UdpDatagrams()
    answered: asyncio.Queue[bytes] = asyncio.Queue()
    own = make_self("a")
    shouting = make_shouting(own, make_self("b"), datagrams, f"{HOST}:{port}", lambda hint: None)
    size = len(shout(own, hint_of(holdings, 1)))
    sent = asyncio.ensure_future(shouting.run())

    async def timed(place: int, send: Callable[[], None]) -> float:
        begun_ns = time.monotonic_ns()
        send()
        while True:
            answer, done_ns = TIMES.unpack(await asyncio.wait_for(answered.get(), 5))
            if answer == place:
                return (done_ns - begun_ns) / 1e6

    refusals, bares, bare = [], [], [f"{HOST}:{bare_port}"]
    async with datagrams.listening(HOST, own_port, answered.put_nowait):
        for place in range(grants):
            hint = hint_of(holdings, place)
            refusals.append(await timed(place + 1, lambda hint=hint: shouting.offer(hint)))
            plain = struct.pack("!q", place).ljust(size, b"\0")
            bares.append(await timed(place, lambda raw=plain: datagrams.send(raw, bare)))
            await asyncio.sleep(PAUSE_S)
    sent.cancel()
    return [refusals[grants // 10 :], bares[grants // 10 :]]


def quantile(sample: list[float], share: float) -> float:
    """Give a quantile."""
    return sorted(sample)[min(len(sample) - 1, int(len(sample) * share))]


def free_ports(count: int) -> list[int]:
    """Find ports of UDP that are free now."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for one in sockets:
        one.bind((HOST, 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


async def measure(grants: int) -> None:
    """Start B, be A, print."""
    ports = free_ports(3)
    arguments = [sys.executable, __file__, "--gate-b", *map(str, ports)]
    other = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
    try:
        await other.stdout.readline()
        refusals, bares = await gate_a(*ports, grants)
    finally:
        other.kill()
        await other.wait()
    figures = {
        name: {"p50_ms": quantile(sample, 0.5), "p99_ms": quantile(sample, 0.99)}
        for name, sample in (("refusal", refusals), ("bare", bares))
    }
    figures["ratio"] = {
        key: figures["refusal"][key] / figures["bare"][key] for key in ("p50_ms", "p99_ms")
    }
    print(json.dumps(figures))
    for name, row in figures.items():
        unit = "" if name == "ratio" else " ms"
        print(f"{name:8} p50 {row['p50_ms']:.2f}{unit}  p99 {row['p99_ms']:.2f}{unit}")


def main() -> None:
    """Measure, or be gate B."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grants", type=int, default=300)
    parser.add_argument("--gate-b", type=int, nargs=3)
    arguments = parser.parse_args()
    if arguments.gate_b:
        asyncio.run(gate_b(*arguments.gate_b))
    else:
        asyncio.run(measure(arguments.grants))


if __name__ == "__main__":
    main()
