"""The story of the demonstration: import, publish, scan, cut, go on, come back, merge."""

import asyncio
import json
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from admission.scan import mask
from portillon.demo.gates import DemoGate
from portillon.demo.narrator import Narrator, ScanLine
from portillon.demo.operator import OperatorError
from portillon.demo.processes import DaemonError
from portillon.demo.stage import Stage, build_venue, enrol_gates, open_stage

SETTLE_S_MAX: Final = 60.0


@dataclass(slots=True)
class Told:
    """What was told so far.

    Attributes:
        scans: every scan.
        problems: where the report is not what it should be.
        report: the figures of the merged report.
    """

    scans: list[ScanLine] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)


async def tell(
    folder: Path, port: int, stay: bool, narrator: Narrator, picture: Path | None = None
) -> int:
    """Tell the story.

    Args:
        folder: where it works; emptied first.
        port: of the server, 0 for a free one.
        stay: keep everything running at the end, until Ctrl-C.
        narrator: tells it.
        picture: where to write what the server's page looks like at the end; None is nowhere.

    Returns:
        0 if every scan got the answer it should have and the merged report is exact, else 1.
    """
    _cancel_once_on_signals()
    outcome = 1
    try:
        async with open_stage(folder, port) as stage:
            told = await _play(stage, narrator)
            outcome = 0 if _conclude(stage, told, narrator) else 1
            if picture is not None:
                await asyncio.to_thread(_take_picture, stage, picture)
                narrator.say(f"The page's picture is in {picture}.")
            if stay:
                narrator.say("Everything keeps running. Ctrl-C ends it.")
                await asyncio.Event().wait()
    except* asyncio.CancelledError:
        narrator.say("Server and gates are stopped.")
    except* (DaemonError, OperatorError) as group:
        narrator.verdict(False, f"The demonstration broke off: {_reason(group)}")
        narrator.say(f"What the daemons wrote is in {folder}.")
        outcome = 1
    return outcome


def _take_picture(stage: Stage, path: Path) -> None:
    from portillon.page_picture import write_page_picture

    write_page_picture(stage.address, stage.login, stage.password, path)


def _cancel_once_on_signals() -> None:
    """Have the first Ctrl-C end the story in order; an impatient second one changes nothing."""
    loop, story = asyncio.get_running_loop(), asyncio.current_task()
    told_to_stop: list[int] = []

    def stop(number: int) -> None:
        if not told_to_stop and story is not None:
            story.cancel()
        told_to_stop.append(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop, number)


def _reason(group: BaseExceptionGroup[BaseException]) -> str:
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return str(first)


async def _play(stage: Stage, narrator: Narrator) -> Told:
    told = Told()
    narrator.step("A sync server starts on an embedded SQLite file")
    narrator.say(f"{stage.address}  (sign in as {stage.login}, password {stage.password})")
    await _prepare(stage, narrator)
    await _connected(stage, narrator, told)
    await _cut(stage, narrator, told)
    await _merge(stage, narrator, told)
    return told


async def _prepare(stage: Stage, narrator: Narrator) -> None:
    narrator.step("The operator imports tonight's tickets from a CSV file, and publishes")
    report = await build_venue(stage)
    narrator.say(f"{report['added']} numbers added, {report['refused']} refused")
    for name, performance in (("tonight", stage.tonight), ("tomorrow", stage.tomorrow)):
        published = await stage.operator.post(f"performances/{performance}/publish")
        narrator.say(f"{name}: list version {published['version']} signed and published")
    narrator.step("Two gates enrol with one-time codes, fetch the signed lists and verify them")
    for said in await enrol_gates(stage, ("gate A", "gate B")):
        narrator.say(said.strip().replace("\n", " "))
    for gate in stage.gates:
        started = time.monotonic()
        await gate.daemon.start(stage.tasks)
        for performance in (stage.tonight, stage.tomorrow):
            await gate.daemon.wait_for(
                "the list of a performance", _is_installed(performance), wait_s_max=60.0
            )
        await gate.wait_mode("connected")
        taken_s = time.monotonic() - started
        narrator.say(f"{gate.name}: lists verified and installed, connected, {taken_s:.1f} s")


def _is_installed(performance: str) -> Any:
    return lambda event: (
        event.get("event") == "list installed" and event.get("performance") == performance
    )


async def _connected(stage: Stage, narrator: Narrator, told: Told) -> None:
    cast, (a, b) = stage.cast, stage.gates
    narrator.step("Connected: image frames at gate A, bytes on a serial port at gate B")
    scan = _Scanner(narrator, told)
    await scan(a, cast.single[0], "granted", "a good ticket")
    await _await_fed(stage, told)
    await scan(b, cast.single[0], "already_used", "the same ticket at the other gate")
    await scan(b, cast.single[1], "granted", "another good ticket")
    await scan(a, cast.canceled, "canceled", "refunded yesterday")
    await scan(b, cast.unknown, "unknown_ticket", "nobody ever sold it")
    await scan(a, cast.tomorrow, "wrong_performance", "one day early")
    await scan(b, "EVIL\x1b[2J\x00", "malformed", "control characters")
    await scan(a, cast.entry_exit, "granted", "a member of the staff comes in")
    await _await_fed(stage, told)
    await scan(b, cast.entry_exit, "already_inside", "and cannot come in twice")
    await scan(a, cast.entry_exit, "granted", "but out", direction="exit")
    await scan(a, cast.multi, "granted", "a pass for two: the first")
    await _await_fed(stage, told)
    await scan(b, cast.multi, "granted", "the second")
    await _await_fed(stage, told)
    await scan(a, cast.entry_exit, "granted", "the staff member comes in again")
    await scan(a, cast.multi, "no_passes_left", "a third there is not")


async def _cut(stage: Stage, narrator: Narrator, told: Told) -> None:
    cast, (a, b) = stage.cast, stage.gates
    await _await_fed(stage, told)
    narrator.step("The server is cut off: its process is killed")
    places = [gate.daemon.seen for gate in stage.gates]
    await stage.server.kill()
    for gate, place in zip(stage.gates, places, strict=True):
        started = time.monotonic()
        await gate.wait_mode("degraded", place)
        narrator.say(f"{gate.name} is degraded by itself ({time.monotonic() - started:.1f} s)")
    scan = _Scanner(narrator, told)
    await scan(a, cast.single[2], "granted", "gate A goes on admitting")
    await scan(b, cast.single[3], "granted", "so does gate B")
    await scan(b, cast.single[0], "already_used", "what it learned before, it knows")
    await scan(b, cast.multi, "no_passes_left", "that too")
    await scan(a, cast.single[4], "granted", "one ticket at gate A …")
    await scan(b, cast.single[4], "granted", "… and at gate B: nobody could know")


async def _merge(stage: Stage, narrator: Narrator, told: Told) -> None:
    narrator.step("The server returns, and the journals merge")
    places = [gate.daemon.seen for gate in stage.gates]
    await stage.start_server()
    for gate, place in zip(stage.gates, places, strict=True):
        await gate.wait_mode("connected", place)
        narrator.say(f"{gate.name} is connected again")
    await _await_fed(stage, told)
    scan = _Scanner(narrator, told)
    await scan(stage.gates[0], stage.cast.single[3], "already_used", "used at gate B while cut off")
    await _await_fed(stage, told)
    report = await stage.operator.get("report")
    live = await stage.operator.get("live")
    _check_report(stage, report, told)
    _tell_anomalies(live, narrator, told)


async def _await_fed(stage: Stage, told: Told) -> None:
    """Wait until every passage so far has come back to both gates through the server's feed."""
    passages = sum(line.answer == "granted" for line in told.scans)
    for gate in stage.gates:
        await gate.daemon.wait_for(
            f"passage {passages} in the feed",
            lambda event: (
                event.get("event") == "facts applied"
                and event.get("stream") == stage.tonight
                and event["cursor"] >= passages
            ),
            wait_s_max=SETTLE_S_MAX,
        )


class _Scanner:
    """Shows tickets and tells the answers."""

    def __init__(self, narrator: Narrator, told: Told) -> None:
        self._narrator = narrator
        self._told = told

    async def __call__(
        self, gate: DemoGate, number: str, expected: str, what: str, direction: str = "entry"
    ) -> None:
        event = await gate.show(number.encode(), direction)
        line = ScanLine(
            gate=gate.name,
            direction=direction,
            number=mask(number),
            answer=str(event["answer"]),
            expected=expected,
            verdict_ms=event["verdict_us"] / 1000,
            durable_ms=event["durable_us"] / 1000,
            what=what,
        )
        self._told.scans.append(line)
        self._narrator.scan(line)


# occupancy: five single tickets, one of them twice, one staff member, a pass for two
EXPECTED: Final = {"attendance": 7, "occupancy": 9, "anomalies": ["already_used"]}


def _check_report(stage: Stage, report: Mapping[str, Any], told: Told) -> None:
    told.report = {
        "attendance": report["attendance"].get(stage.tonight),
        "occupancy": report["occupancy"].get(stage.checkpoint),
        "anomalies": [anomaly["reason"] for anomaly in report["anomalies"]],
    }
    for name, expected in EXPECTED.items():
        got = told.report[name]
        if got != expected:
            told.problems.append(f"{name}: {json.dumps(got)}, expected {json.dumps(expected)}")


def _tell_anomalies(live: Mapping[str, Any], narrator: Narrator, told: Told) -> None:
    for anomaly in live["anomalies"]:
        places = [f"{passage['gate']} ({passage['direction']})" for passage in anomaly["passages"]]
        narrator.say(
            f"anomaly {anomaly['reason']}: ticket {anomaly['ticket']}… at {' and '.join(places)}"
        )
        if len(places) != 2:
            told.problems.append(f"the anomaly shows {len(places)} passages, expected both")


def _conclude(stage: Stage, told: Told, narrator: Narrator) -> bool:
    wrong = [line for line in told.scans if not line.is_right]
    times = sorted(line.durable_ms for line in told.scans if line.gate == "gate B")
    verdicts = sorted(line.verdict_ms for line in told.scans if line.gate == "gate B")
    narrator.table(
        "Summary",
        [
            ("scans", f"{len(told.scans)}, {len(wrong)} with another answer than expected"),
            ("payload to verdict (serial)", f"{_middle(verdicts):.2f} ms in the middle"),
            ("payload to arm, on disk", f"{_middle(times):.2f} ms in the middle"),
            ("attendance", f"{told.report['attendance']} tickets"),
            ("inside", f"{told.report['occupancy']} people"),
            ("anomalies", ", ".join(told.report["anomalies"]) or "none"),
            ("server's page", f"{stage.address}/  ({stage.login} / {stage.password})"),
            *((f"{gate.name}'s display", gate.page) for gate in stage.gates),
        ],
    )
    for problem in told.problems:
        narrator.say(f"report is not exact: {problem}")
    good = not wrong and not told.problems
    narrator.verdict(good, "All answers and the merged report are exact." if good else "Not exact.")
    return good


def _middle(sample: list[float]) -> float:
    return sample[len(sample) // 2] if sample else 0.0
