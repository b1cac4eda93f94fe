"""A turnstile on real pins: a pulse, the passage told back, pins of ours alone, and at rest."""

import asyncio
import sys
import time
from typing import Final

from steps import gate_devices, prove, step, wait_until
from turnstile_machine import CONTACT, FIRE, LOCK, RELAY, TurnstileMachine

from admission.scan import Direction
from appliance.errors import TurnstileFaultError
from appliance.ports import LaneEvent, LaneInputs, Turnstile

CONFIG: Final = f"""
[[readers]]
kind = "folder"
folder = "/tmp/pictures"

[turnstile]
kind = "relay"
pin_factory = "{{library}}"
entry_pin = {RELAY}
sensor_pin = {CONTACT}
pulse_s = 1.0
fire_pin = {FIRE}
staff_lock_pin = {LOCK}
"""
AS_ANOTHER_PROCESS: Final = "claim"
LIBRARY: Final = sys.argv[1]  # lgpio or gpiod


async def pins_proof() -> None:
    """Prove it."""
    machine = TurnstileMachine()
    step("chip", there_s=await machine.plugged_in())
    async with gate_devices(CONFIG.format(library=LIBRARY)) as devices:
        turnstile = devices.open_turnstile()
        step(
            "claimed",
            library=type(devices.pins(LIBRARY).factory).__name__,
            relay=[edge.is_on for edge in machine.edges()],
        )
        inputs = devices.open_inputs()
        assert inputs is not None
        async with asyncio.TaskGroup() as tasks:
            events: list[tuple[LaneEvent, float]] = []
            listening = [tasks.create_task(_listen(one, events)) for one in (turnstile, inputs)]
            await _let_one_through(machine, turnstile, events)
            events.clear()
            await _cut_the_loop_and_turn_the_key(machine, events)
            for task in listening:
                task.cancel()
        await _claim_in_another_process()
        await turnstile.release(Direction.ENTRY)
        await wait_until(machine.is_relay_on, "the relay")
    await wait_until(lambda: not machine.is_relay_on(), "the relay's rest")
    on, *_, off = machine.edges()[-2:]
    step("left_in_a_pulse", on_for_s=off.at_s - on.at_s)
    machine.close()


async def _let_one_through(
    machine: TurnstileMachine, turnstile: Turnstile, events: list[tuple[LaneEvent, float]]
) -> None:
    before = len(machine.edges())
    released_s = time.monotonic()
    await turnstile.release(Direction.ENTRY)
    await wait_until(lambda: bool(events), "the passage")
    await wait_until(lambda: len(machine.edges()) >= before + 2, "the end of the pulse")
    edges = machine.edges()[before:]
    step(
        "passage",
        relay=[edge.is_on for edge in edges],
        relay_after_s=edges[0].at_s - released_s,
        pulse_s=edges[1].at_s - edges[0].at_s,
        passed_after_s=events[0][1] - edges[0].at_s,
        events=[event.value for event, _ in events],
    )


async def _cut_the_loop_and_turn_the_key(
    machine: TurnstileMachine, events: list[tuple[LaneEvent, float]]
) -> None:
    before, cut_s = len(machine.edges()), time.monotonic()
    for line, level in ((FIRE, True), (FIRE, False), (LOCK, False), (LOCK, True)):
        count = len(events) + 1
        machine.pull(line, level)
        await wait_until(lambda count=count: len(events) == count, f"event {count} of the inputs")
    step(
        "inputs",
        events=[event.value for event, _ in events],
        alarm_after_s=events[0][1] - cut_s,
        relay_edges=len(machine.edges()) - before,
    )


async def _listen(turnstile: Turnstile | LaneInputs, events: list[tuple[LaneEvent, float]]) -> None:
    async for event in turnstile.events():
        heard = (event, time.monotonic())
        events.append(heard)


async def _claim_in_another_process() -> None:
    other = await asyncio.create_subprocess_exec(
        sys.executable, __file__, LIBRARY, AS_ANOTHER_PROCESS, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await other.communicate()
    step("second_claim", said=said.decode().strip())


async def _claim() -> None:
    async with gate_devices(CONFIG.format(library=LIBRARY)) as devices:
        try:
            devices.open_turnstile()
        except TurnstileFaultError as exc:
            print(exc)


if __name__ == "__main__":
    if sys.argv[2:] == [AS_ANOTHER_PROCESS]:
        asyncio.run(_claim())
    else:
        prove(pins_proof)
