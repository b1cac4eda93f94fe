"""The whole gate behind a webcam: it falls silent, is pulled out, and shows a ticket to real pins.

Runs `portillon gate run` over the data of a gate that was enrolled outside, in /job/gate. What is
held before the camera are the pictures /job/pictures/NAME.png.
"""

import asyncio
import os
import time
from typing import Final

import numpy as np
from gate_run import FOLDER, START_S_MAX, event_is, gate_daemon, journal_kinds, lay_out_gate
from PIL import Image
from steps import prove, start_udev, step, wait_until
from turnstile_machine import CONTACT, RELAY, TurnstileMachine
from vivid import CAMERA, Vivid

from portillon.demo.processes import Daemon, Event, daemons

CONFIG: Final = f"""
data = "{FOLDER}/data"
language = "en"

[[readers]]
kind = "webcam"
name = "outside"
device = "{CAMERA}"
symbologies = ["QRCode"]

[turnstile]
kind = "relay"
entry_pin = {RELAY}
sensor_pin = {CONTACT}
pulse_s = 0.5

[peers]
enabled = false
"""
LOST, THERE = "reader lost", "reader is there"


async def webcam_proof() -> None:
    """Prove it."""
    lay_out_gate(CONFIG)
    start_udev()
    machine = TurnstileMachine()
    await machine.plugged_in()
    webcam = Vivid()
    await webcam.plugged_in()
    async with daemons() as (tasks, running):
        daemon = gate_daemon()
        running.append(daemon)
        began_s = time.monotonic()
        await daemon.start(tasks)
        await daemon.wait_for(THERE, event_is(THERE), 0, START_S_MAX)
        there_after_s = time.monotonic() - began_s
        step("there", there_after_s=there_after_s, format=webcam.format())
        await _fall_silent(daemon, webcam)
        await _be_pulled_out(daemon, webcam)
        await _show_tickets(daemon, webcam, machine)
    step("journal", kinds=journal_kinds())
    machine.close()


async def _fall_silent(daemon: Daemon, webcam: Vivid) -> None:
    place = daemon.seen
    webcam.set_silent(True)
    lost, lost_after_s = await _wait(daemon, LOST, place)
    webcam.set_silent(False)
    _, there_after_s = await _wait(daemon, THERE, place)
    step("silent", why=lost["why"], lost_after_s=lost_after_s, there_after_s=there_after_s)


async def _be_pulled_out(daemon: Daemon, webcam: Vivid) -> None:
    place, before = daemon.seen, os.path.realpath(CAMERA)
    pulled_s = time.monotonic()
    webcam.pull_out()
    lost, _ = await _wait(daemon, LOST, place)
    lost_after_s = time.monotonic() - pulled_s
    await wait_until(lambda: not CAMERA.exists(), "the end of the camera's name")
    await asyncio.sleep(3)  # long enough for an attempt to open what is not there
    webcam.put_back()
    await webcam.plugged_in()
    _, there_after_s = await _wait(daemon, THERE, place)
    step(
        "unplugged",
        why=lost["why"],
        lost_after_s=lost_after_s,
        there_after_s=there_after_s,
        devices=[before, os.path.realpath(CAMERA)],
    )


async def _show_tickets(daemon: Daemon, webcam: Vivid, machine: TurnstileMachine) -> None:
    answers, before = [], len(machine.edges())
    for name in ("listed", "unlisted"):
        place = daemon.seen
        webcam.show(np.asarray(Image.open(f"/job/pictures/{name}.png")))
        shown_s = time.monotonic()
        event, after_s = await _wait(daemon, "scan", place)
        answers.append(event["answer"])
        if len(answers) == 1:
            await wait_until(machine.is_relay_on, "the relay")
            relay_after_s = machine.edges()[-1].at_s - shown_s
            await wait_until(lambda: not machine.is_relay_on(), "the relay's rest")
            step("opened", scan_after_s=after_s, relay_after_s=relay_after_s)
    step("shown", answers=answers, relay=[edge.is_on for edge in machine.edges()[before:]])


async def _wait(daemon: Daemon, name: str, place: int) -> tuple[Event, float]:
    began_s = time.monotonic()
    event = await daemon.wait_for(name, event_is(name), place, START_S_MAX)
    return event, time.monotonic() - began_s


if __name__ == "__main__":
    prove(webcam_proof)
