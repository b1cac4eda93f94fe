"""The whole gate: a ticket under a USB scanner, the arm that turns, and a kill with the relay on.

Runs `portillon gate run` over the data of a gate that was enrolled outside, in /job/gate.
"""

import asyncio
import sys
import time
from typing import Final

from gate_run import FOLDER, START_S_MAX, event_is, gate_daemon, journal_kinds, lay_out_gate
from steps import prove, start_udev, step, wait_until
from turnstile_machine import CONTACT, FIRE, RELAY, TurnstileMachine
from usb_gadget import Gadget, SerialSide, load_usb

from portillon.demo.processes import Daemon, DaemonError, Event, daemons, run_once

PULSE_S: Final = 1.0
CONFIG: Final = f"""
data = "{FOLDER}/data"
language = "en"

[[readers]]
kind = "serial"
name = "outside"
port = "/dev/serial/by-id/usb-Honeywell_Emulated_scanner_S123-if00"

[turnstile]
kind = "relay"
entry_pin = {RELAY}
sensor_pin = {CONTACT}
pulse_s = {PULSE_S}
fire_pin = {FIRE}

[peers]
enabled = false
"""


class Gate:
    """The daemon, the scanner before it and the machine behind it.

    Args:
        daemon: not started yet.
        line: the scanner's end.
        machine: the turnstile.
    """

    def __init__(self, daemon: Daemon, line: SerialSide, machine: TurnstileMachine) -> None:
        self.daemon, self.line, self.machine = daemon, line, machine

    async def start(self, tasks: asyncio.TaskGroup) -> float:
        """Start the daemon; give the seconds until its reader is there."""
        began, place = time.monotonic(), self.daemon.seen
        await self.daemon.start(tasks)
        await self.daemon.wait_for("the reader", event_is("reader is there"), place, START_S_MAX)
        return time.monotonic() - began

    async def scan(self, ticket: str) -> Event:
        """Hold a ticket before the scanner; give what the gate says of it."""
        place = self.daemon.seen
        self.line.send(ticket.encode() + b"\r")
        return await self.daemon.wait_for("an answer", event_is("scan"), place, START_S_MAX)


async def gate_proof() -> None:
    """Prove it."""
    first, second = sys.argv[1:]
    lay_out_gate(CONFIG)
    load_usb()
    start_udev()
    machine = TurnstileMachine()
    await machine.plugged_in()
    scanner = Gadget("scanner", serial="S123")
    scanner.add_serial_line("scan")
    scanner.plug()
    async with daemons() as (tasks, running):
        daemon = gate_daemon()
        running.append(daemon)
        gate = Gate(daemon, scanner.serial_side("scan"), machine)
        step("started", after_s=await gate.start(tasks))
        await _let_one_through(gate, first)
        await _kill_with_the_relay_on(gate, second)
        after_s = await gate.start(tasks)
        step("started_again", after_s=after_s, is_on=machine.is_relay_on())
        event = await gate.scan(second)
        step("known", answer=event["answer"], on_for_s=machine.times_on())
        await _sound_the_alarm(gate)
    step("journal", kinds=journal_kinds())
    machine.close()


async def _let_one_through(gate: Gate, ticket: str) -> None:
    scanned_s = time.monotonic()
    event = await gate.scan(ticket)
    await wait_until(gate.machine.is_relay_on, "the relay")
    on_s = gate.machine.edges()[-1].at_s
    await wait_until(lambda: not gate.machine.is_relay_on(), "the relay's rest")
    again = await gate.scan(ticket)
    step(
        "passage",
        answer=event["answer"],
        again=again["answer"],
        relay_after_s=on_s - scanned_s,
        on_for_s=gate.machine.times_on(),
    )


async def _kill_with_the_relay_on(gate: Gate, ticket: str) -> None:
    refused = await _rest_arm()
    gate.line.send(ticket.encode() + b"\r")
    await wait_until(gate.machine.is_relay_on, "the relay")
    await gate.daemon.kill()
    await asyncio.sleep(2 * PULSE_S)
    step("killed", is_on=gate.machine.is_relay_on(), refused=refused)
    refused = await _rest_arm()
    step("rested", is_on=gate.machine.is_relay_on(), refused=refused)


async def _rest_arm() -> str:
    """Bring the relays to rest from outside the daemon; give why that is refused, or ""."""
    try:
        await run_once("gate", "rest-arm", "--config", str(FOLDER / "gate.toml"))
    except DaemonError as exc:
        return str(exc)
    return ""


async def _sound_the_alarm(gate: Gate) -> None:
    place, before = gate.daemon.seen, len(gate.machine.edges())
    cut_s = time.monotonic()
    gate.machine.pull(FIRE, True)
    event = await gate.daemon.wait_for("the alarm", lambda event: "code" in event, place)
    alarm_after_s = time.monotonic() - cut_s
    gate.machine.pull(CONTACT, False)  # somebody leaves
    await asyncio.sleep(0.3)
    gate.machine.pull(CONTACT, True)
    await asyncio.sleep(0.3)
    edges = len(gate.machine.edges()) - before
    step("alarm", code=event["code"], alarm_after_s=alarm_after_s, relay_edges=edges)


if __name__ == "__main__":
    prove(gate_proof)
