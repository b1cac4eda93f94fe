"""What serves people is put together as the configuration says, and taken away with the lane."""

from contextlib import AsyncExitStack

import pytest

from admission.scan import Direction
from appliance.config import load_config
from appliance.drivers import Drivers
from appliance.handheld_ports import BatteryReading
from appliance.staff_opening import StaffParts, open_handheld, open_stewarding
from appliance.steward_ports import LetThrough, Refusal, Refused
from gate_answers import ENTRY, EXIT
from linked_gate import linked

LEAST = """
data = "data"
[[readers]]
kind = "folder"
name = "outside"
folder = "pictures"
[page]
port = 8080
"""
HANDHELD = 'profile = "handheld"\n' + LEAST + '[turnstile]\nkind = "confirm"\n'


@pytest.fixture
def read(tmp_path):
    """Read a configuration."""

    def read_text(text):
        path = tmp_path / "gate.toml"
        path.write_text(text)
        return load_config(path)

    return read_text


def parts_of(gate, config):
    return StaffParts(
        config=config,
        recorder=gate.recorder,
        holdings=gate.holdings,
        lists=gate.keeper,
        history=gate.history,
        health=gate.health,
        lane=gate.lane,
        commanding=gate.commanding,
        memory=gate.commanding._memory,
        clock=gate.time,
    )


@pytest.mark.parametrize(
    ("arm", "ways"),
    [
        ("", frozenset(Direction)),
        ('[turnstile]\nkind = "relay"\n', frozenset({ENTRY})),
        ('[turnstile]\nkind = "relay"\nexit_pin = 27\n', frozenset(Direction)),
    ],
)
async def test_people_are_let_through_the_ways_that_the_arm_opens(open_gate, read, arm, ways):
    async with open_gate() as gate:
        stewarding = await open_stewarding(parts_of(gate, read(LEAST + arm)))
        assert stewarding.ways == ways
        assert stewarding.directions == {"outside": ENTRY}
        if EXIT not in ways:
            refused = await stewarding._serve(LetThrough(EXIT, "Anna", "x"))
            assert refused == Refused(Refusal.NO_WAY)


async def test_pages_may_ask_for_as_long_as_the_lane_is_served(open_gate, read):
    async with linked(open_gate) as gate, AsyncExitStack() as devices:
        drivers = Drivers(read(LEAST), gate.clock, devices)
        async with AsyncExitStack() as lane:
            running = open_handheld(drivers, gate.stewarding, gate.health, gate.uplink, lane)
            assert running == []
            assert drivers.desk.staff.steward is gate.stewarding
            assert drivers.desk.staff.handheld is None
        assert drivers.desk.staff.steward is None


async def test_a_handheld_shows_itself_and_tells_the_server_of_its_battery(open_gate, read):
    async with linked(open_gate) as gate, AsyncExitStack() as devices:
        drivers = Drivers(read(HANDHELD), gate.clock, devices)
        drivers.open_turnstile()
        async with AsyncExitStack() as lane:
            (task,) = open_handheld(drivers, gate.stewarding, gate.health, gate.uplink, lane)
            task.close()  # nothing of it has run yet
            hand = drivers.desk.staff.handheld
            assert (hand.has_trigger, hand.awaits) == (False, None)
            drivers.confirming._awaits = ENTRY
            assert hand.awaits is ENTRY
            hand._reading = BatteryReading(42, is_plugged=True)
            assert (gate.uplink.status().battery, gate.uplink.status().charging) == (42, True)
        assert drivers.desk.staff.handheld is None
