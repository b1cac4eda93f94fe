"""The whole gate behind libcamera's virtual camera, through either library, to an opened arm.

Runs `portillon gate run` over the data of a gate that was enrolled outside, in /job/gate, and shows
it the films /job/films/LIBRARY: a ticket of the list and one that is on none, in turn.
"""

import os
import time
from pathlib import Path
from typing import Final

from gate_run import FOLDER, START_S_MAX, event_is, gate_daemon, journal_kinds, lay_out_gate
from steps import prove, step, wait_until
from turnstile_machine import CONTACT, RELAY, TurnstileMachine

from portillon.demo.processes import Daemon, daemons

VIRTUAL_CAMERAS: Final = Path("/usr/share/libcamera/pipeline/virtual/virtual.yaml")
PICAMERA2: Final = ("/opt/picamera2", str(Path(__file__).parent / "off_board"))
WIDTH, HEIGHT = 640, 480
THERE: Final = "reader is there"
CONFIG: Final = f"""
data = "{FOLDER}/data"
language = "en"

[[readers]]
kind = "camera"
name = "outside"
width = {WIDTH}
height = {HEIGHT}
symbologies = ["QRCode"]

[turnstile]
kind = "relay"
pin_factory = "gpiod"
entry_pin = {RELAY}
sensor_pin = {CONTACT}
pulse_s = 0.5

[peers]
enabled = false
"""
CAMERA: Final = """%YAML 1.1
---
"Proof":
  supported_formats:
  - width: {width}
    height: {height}
    frame_rates: [30, 30]
  frames:
    path: "{film}"
  location: "CameraLocationFront"
  model: "Proof"
...
"""


async def camera_proof() -> None:
    """Prove it."""
    lay_out_gate(CONFIG)
    machine = TurnstileMachine()
    await machine.plugged_in()
    alone = os.environ["PYTHONPATH"]
    os.environ["PYTHONPATH"] = ":".join((*PICAMERA2, alone))
    await _show_tickets(machine, "picamera2")
    os.environ["PYTHONPATH"] = alone
    await _show_tickets(machine, "libcamera")
    step("journal", kinds=journal_kinds())
    machine.close()


async def _show_tickets(machine: TurnstileMachine, library: str) -> None:
    VIRTUAL_CAMERAS.parent.mkdir(parents=True, exist_ok=True)
    film = f"/job/films/{library}"
    VIRTUAL_CAMERAS.write_text(CAMERA.format(width=WIDTH, height=HEIGHT, film=film))
    began_s = time.monotonic()
    async with daemons() as (tasks, running):
        daemon = gate_daemon()
        running.append(daemon)
        await daemon.start(tasks)
        chosen = await daemon.wait_for("a library", event_is("camera library"), 0, START_S_MAX)
        await daemon.wait_for("the camera", event_is(THERE), 0, START_S_MAX)
        there_after_s = time.monotonic() - began_s
        before = machine.edges()
        granted_s, place = await _answered(daemon, "granted", 0)
        await wait_until(lambda: len(machine.edges()) == len(before) + 2, "the relay's pulse")
        edges = machine.edges()[len(before) :]
        refused_s, place = await _answered(daemon, "unknown_ticket", place)
        again_s, _ = await _answered(daemon, "already_used", place)
        step(
            library,
            library=chosen["library"],
            there_after_s=there_after_s,
            relay=[edge.is_on for edge in edges],
            pulse_s=edges[1].at_s - edges[0].at_s,
            refused_after_s=refused_s - granted_s,
            again_after_s=again_s - refused_s,
            answers=[one["answer"] for one in daemon.events("scan")],
        )


async def _answered(daemon: Daemon, answer: str, place: int) -> tuple[float, int]:
    """Wait for an answer; give when its picture was judged, and the place behind it."""
    event = await daemon.wait_for(
        f"the answer {answer}",
        lambda event: event.get("event") == "scan" and event["answer"] == answer,
        place,
        START_S_MAX,
    )
    now_s = time.monotonic() - (time.time() - event["at"])
    return now_s, daemon.seen


if __name__ == "__main__":
    prove(camera_proof)
