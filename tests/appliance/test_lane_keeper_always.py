"""Whatever happens at an arm, in any order: each grant ends once, each crossing is written once."""

import random
from collections import Counter

import pytest

from admission.journal import Flag, Kind
from admission.sync.command_code import write_code
from admission.trust.command import Action
from appliance.ports import LaneEvent
from appliance.simulator.box_office import ENTRY_EXIT, BoxOffice, ListedNumber
from gate_answers import ENTRY, EXIT, NOBODY

TICKETS = [f"T{number}" for number in range(60)]
WAYS = (LaneEvent.PASSED, LaneEvent.PASSED_ENTRY, LaneEvent.PASSED_EXIT)
TURNS = {  # what begins, and what ends it
    LaneEvent.TURNING: LaneEvent.TURNED_BACK,
    LaneEvent.SENSOR_STUCK: LaneEvent.SENSOR_FREE,
    LaneEvent.DEVICE_LOST: LaneEvent.DEVICE_BACK,
    LaneEvent.FIRE: LaneEvent.FIRE_OVER,
    LaneEvent.HOLD: LaneEvent.HOLD_OVER,
    LaneEvent.LOCK: LaneEvent.LOCK_OVER,
}


class Evening:
    """Somebody who does everything that can be done at a gate."""

    def __init__(self, gate, chance: random.Random) -> None:
        self.gate, self.chance = gate, chance
        self.walked = self.orders = 0
        self.begun: set[LaneEvent] = set()

    async def go_on(self) -> None:
        deed = self.chance.choices(
            (self.scan, self.walk, self.turn, self.wait, self.press, self.unlock, self.restless),
            (8, 8, 4, 6, 1, 1, 1),
        )[0]
        await deed()

    async def scan(self) -> None:
        lane = self.gate.lane.lane
        self.walked += lane.is_free and not lane.senses  # then what is presented is the crossing
        number = self.chance.choice((*TICKETS, "nobody's"))
        await self.gate.scan(number, self.chance.choice((ENTRY, EXIT)))

    async def walk(self) -> None:
        self.walked += 1
        self.gate.turnstile.walk(way=self.chance.choice(WAYS))
        await self.gate.settle()

    async def turn(self) -> None:
        begun = self.chance.choice(list(TURNS))
        is_over = begun in self.begun
        self.gate.turnstile.say(TURNS[begun] if is_over else begun)
        self.begun ^= {begun}
        await self.gate.settle()

    async def wait(self) -> None:
        await self.gate.later(self.chance.choice((0.3, 1.2, 4.0, 9.0)))

    async def press(self) -> None:
        self.gate.turnstile.say(self.chance.choice((LaneEvent.OPEN_ENTRY, LaneEvent.OPEN_EXIT)))
        await self.gate.settle()

    async def unlock(self) -> None:
        self.orders += 1
        action = self.chance.choice((Action.UNLOCK, Action.UNLOCK, Action.LOCK))
        await self.gate.scan(write_code(BoxOffice().command(action, self.orders)))

    async def restless(self) -> None:
        self.gate.turnstile.say(LaneEvent.NOT_PASSED)
        await self.gate.settle()

    async def end(self) -> None:
        for begun in sorted(self.begun):
            self.gate.turnstile.say(TURNS[begun])
        await self.gate.later(60)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_over_any_evening_the_books_are_whole(open_gate, seed: int):
    chance = random.Random(seed)
    listed = [ListedNumber(number, ENTRY_EXIT) for number in TICKETS]
    async with open_gate(listed, people=[NOBODY] * 1000) as gate:
        evening = Evening(gate, chance)
        for _ in range(120):
            await evening.go_on()
        await evening.end()
        records = await gate.records()
        kinds = Counter(Kind(record.kind) for record in records)
        ends = Counter(
            record.refers_to for record in records if record.kind in (Kind.PASSED, Kind.NOT_PASSED)
        )
        assert ends == Counter(r.sequence for r in records if r.kind == Kind.GRANTED)
        blind = sum(
            record.kind == Kind.PASSED and bool(record.flags & (Flag.UNRESOLVED | Flag.NO_SENSOR))
            for record in records
        )
        seen = kinds[Kind.PASSED] - blind + kinds[Kind.FREE]
        assert seen + kinds[Kind.FORCED] + kinds[Kind.TAILGATED] == evening.walked
        crossed = [r for r in records if r.kind in (Kind.PASSED, Kind.FREE)]
        inside = sum(1 if record.direction == 1 else -1 for record in crossed)
        assert gate.inside == inside
        assert gate.lane.is_settled
        assert kinds[Kind.FREE] > 0 < kinds[Kind.PASSED]
