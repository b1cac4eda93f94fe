"""What goes wrong in a `World`, drawn from its seed; everything is mended again in the end."""

import asyncio
from contextlib import contextmanager

from virtual_network import site_of

_HOUR_S = 3600.0


class Misfortunes:
    """Bad luck.

    Args:
        world: whose.
        every_s: seconds between two of them, on average.

    Attributes:
        count: how often each has happened, by name.
        ended: addresses of machines whose program was ended at least once, in whatever way.
    """

    def __init__(self, world, every_s):
        self.world, self._every_s = world, every_s
        self.count, self.ended = {}, set()

    async def run(self):
        """Let things go wrong until cancelled; what lasts is mended before this ends."""
        chance = self.world.chance
        kinds = {
            "cable pulled": self._pull_cable,
            "site cut off": self._cut_site,
            "one way only": self._cut_one_way,
            "packets lost": self._lose_packets,
            "slow server": self._slow_server,
            "gate killed": self._kill_gate,
            "gate without power": self._unpower_gate,
            "gate restarted": self._restart_gate,
            "server killed": self._kill_server,
            "server restarted": self._restart_server,
            "clock stepped": self._step_clock,
        }
        async with asyncio.TaskGroup() as group:
            while True:
                await asyncio.sleep(chance.expovariate(1 / self._every_s))
                name = chance.choice(list(kinds))
                self.count[name] = self.count.get(name, 0) + 1
                self.world.note("misfortune", name)
                group.create_task(kinds[name]())

    def _gate(self):
        return self.world.chance.choice(self.world.gates)

    def _lasting_s(self, mean_s):
        return self.world.chance.expovariate(1 / mean_s)

    async def _pull_cable(self):
        with self._cut(self._gate().address):
            await asyncio.sleep(self._lasting_s(90.0))

    async def _cut_site(self):
        with self._cut(site_of(self._gate().address)):
            await asyncio.sleep(self._lasting_s(60.0))

    async def _cut_one_way(self):
        pair = [self._gate().address, self.world.server.address]
        self.world.chance.shuffle(pair)
        with self._cut(tuple(pair)):
            await asyncio.sleep(self._lasting_s(60.0))

    async def _lose_packets(self):
        network = self.world.network
        network.loss = 0.3
        try:
            await asyncio.sleep(self._lasting_s(60.0))
        finally:
            network.loss = 0.0

    async def _slow_server(self):
        slow_s, address = self.world.network.slow_s, self.world.server.address
        slow_s[address] = self.world.chance.uniform(0.5, 8.0)
        try:
            await asyncio.sleep(self._lasting_s(40.0))
        finally:
            slow_s.pop(address, None)

    async def _kill_gate(self):
        await self._kill(self._gate(), power=False, for_s=2.0)

    async def _unpower_gate(self):
        await self._kill(self._gate(), power=True, for_s=20.0)

    async def _kill_server(self):
        await self._kill(self.world.server, power=self.world.chance.random() < 0.5, for_s=15.0)

    async def _kill(self, machine, *, power, for_s):
        if not machine.is_up:
            return
        self.ended.add(machine.address)
        machine.kill(power=power)
        try:
            await asyncio.sleep(self._lasting_s(for_s))
        finally:
            machine.start()

    async def _restart_gate(self):
        await self._restart(self._gate())

    async def _restart_server(self):
        await self._restart(self.world.server)

    async def _restart(self, machine):
        if machine.is_up:
            self.ended.add(machine.address)
            await machine.stop()
            machine.start()

    async def _step_clock(self):
        self._gate().wall_error_s = self.world.chance.choice((-_HOUR_S, -90.0, 0.0, 45.0, _HOUR_S))

    @contextmanager
    def _cut(self, path):
        self.world.network.cut(path)
        try:
            yield
        finally:
            self.world.network.mend(path)
