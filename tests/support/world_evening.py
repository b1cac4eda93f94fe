"""An evening at a `World`'s venue: its tickets, its people, and what goes wrong meanwhile."""

import asyncio
from itertools import repeat

from admission.scan import Direction
from appliance.simulator.virtual_turnstile import Person
from portillon.demo.operator import OperatorError
from portillon.demo.tickets import Row, as_csv
from virtual_venue import GateMachine

FRESH_PEOPLE = 0.7
QUIET_S_MAX = 300.0
LAST_ONE_S = 12.0
_RULES = ("single",) * 8 + ("entry_exit",) * 2


class Evening:
    """A venue that is open.

    Args:
        world: where.
        gates: how many; a third of them on a second site.
        every_s: how long a gate waits for its next person, on average.

    Attributes:
        tickets: the rule of each number.
        performance: id of the one performance.
        checkpoint: id of the one checkpoint.
    """

    def __init__(self, world, gates, *, every_s=30.0):
        self.world, self.every_s = world, every_s
        self.count = gates
        self.tickets = {}
        self.performance = self.checkpoint = ""
        self._fresh = []
        self._shown = []

    async def build(self, tickets):
        """Create the venue, import its tickets, publish, enrol and start the gates."""
        operator, chance = self.world.operator, self.world.chance
        venue = await operator.create("venues", name="Théâtre du Port", timezone="Europe/Paris")
        event = await operator.create("events", name="La Traversée", venue_id=venue)
        self.performance = await operator.create(
            "performances",
            event_id=event,
            name="Ce soir",
            starts_at="2026-06-01T21:00:00+02:00",
        )
        self.checkpoint = await operator.create(
            "checkpoints", venue_id=venue, name="Parvis", performances=[self.performance]
        )
        self.tickets = {
            f"T{n:06d}{chance.randrange(16**12):012X}": _RULES[n % 10] for n in range(tickets)
        }
        self._fresh = list(self.tickets)
        rows = [Row(number, "standard", rule, "", "valid") for number, rule in self.tickets.items()]
        await operator.upload(self.performance, "tonight.csv", as_csv(rows))
        await operator.post(f"performances/{self.performance}/publish")
        for number in range(self.count):
            await self._add_gate(number)

    async def _add_gate(self, number):
        operator, world = self.world.operator, self.world
        site = 2 if number % 3 == 2 else 1
        gate = GateMachine(
            world, f"10.0.{site}.{number + 1}", world.folder / f"gate-{number}", self._people()
        )
        made = await operator.create(
            "gates", checkpoint_id=self.checkpoint, name=f"Porte {number}", direction="entry"
        )
        code = await operator.post(f"gates/{made}/enrolment-code")
        await gate.enrol(code["link"])
        world.gates.append(gate)
        gate.start()

    def _people(self):
        for _ in repeat(None):
            drawn = self.world.chance.random()
            after_s = None if drawn < 0.08 else 0.4 + 3.0 * self.world.chance.random()
            yield Person(after_s)

    async def people_at(self, gate):
        """Let people come to a gate until cancelled: most with a ticket of their own."""
        chance = self.world.chance
        while True:
            await asyncio.sleep(chance.expovariate(1 / self.every_s))
            number = self._ticket()
            is_leaving = self.tickets.get(number) == "entry_exit" and chance.random() < 0.5
            way = Direction.EXIT if is_leaving else Direction.ENTRY
            gate.present(number, way.value)

    def _ticket(self):
        chance = self.world.chance
        drawn = chance.random()
        if drawn > 0.97:
            return f"UNKNOWN{chance.randrange(10**6)}"
        if self._shown and (drawn > FRESH_PEOPLE or not self._fresh):
            return self._shown[-min(len(self._shown), chance.randrange(1, 30))]
        number = self._fresh.pop(chance.randrange(len(self._fresh)))
        self._shown.append(number)
        return number

    async def open_for(self, seconds, *misfortunes):
        """Let people come for some time, and things go wrong, then all be well and handed in."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.people_at(gate)) for gate in self.world.gates]
            tasks += [group.create_task(each) for each in misfortunes]
            await asyncio.sleep(seconds)
            for task in tasks:
                task.cancel()
        for machine in (self.world.server, *self.world.gates):
            await machine.ensure_up()
        await asyncio.sleep(LAST_ONE_S)  # whoever stands in a lane goes through

    async def await_quiet(self):
        """Wait until every gate is connected and the server has all that they wrote.

        Raises:
            TimeoutError: if that does not come.
        """
        loop = asyncio.get_running_loop()
        latest_s = loop.time() + QUIET_S_MAX
        while True:
            late = await self._late()
            if not late:
                return
            if loop.time() > latest_s:
                raise TimeoutError(f"not back {QUIET_S_MAX:.0f} s after all was mended: {late}")
            await asyncio.sleep(1.0)

    async def _late(self):
        try:
            live = await self.world.operator.get("live")
        except OperatorError as exc:
            return [str(exc)]
        return [
            {key: gate[key] for key in ("name", "state", "queue", "mode")}
            for gate in live["gates"]
            if gate["state"] != "online" or gate["queue"] or gate["mode"] != "connected"
        ]
