"""What goes wrong in a chaos run, drawn from its seed, and mended again after a while."""

import asyncio

from chaos_networks import empty, fill

_CLOCKS_S = (-3600, -90, 0, 45, 3600)


class Misfortunes:
    """Bad luck for daemons and networks.

    Args:
        trial: the run.
        every_s: seconds between two of them, on average.

    Attributes:
        count: how often each has happened, by name.
    """

    def __init__(self, trial, every_s):
        self._trial, self._every_s = trial, every_s
        self._chance, self._networks = trial.chance, trial.networks
        self._taken = set()
        self.count = {}
        self._kinds = {
            "gate killed": self._kill_gate,
            "server killed": self._kill_server,
            "cable pulled": self._pull_cable,
            "site cut off": self._cut_site,
            "disk full": self._fill_disk,
            "server stands still": self._pause_server,
            "gate stands still": self._pause_gate,
        }
        if trial.networks.has_loss:
            self._kinds |= {
                "packets lost": self._lose,
                "half open": self._swallow,
                "connections reset": self._reset,
            }
        if trial.has_clocks:
            self._kinds["clock stepped"] = self._step_clock

    async def spare(self, gate):
        """Leave a gate's program alone from now on, once what it suffers is over."""
        own = {gate, gate.daemon}
        while True:
            if not own & self._taken:
                break
            await asyncio.sleep(0.1)
        self._taken |= own

    def spare_no_more(self, gate):
        """Take that back."""
        self._taken -= {gate, gate.daemon}

    async def run(self, until_s):
        """Let things go wrong until a time of the loop; all is mended when this returns."""
        loop = asyncio.get_running_loop()
        first = list(self._kinds)
        self._chance.shuffle(first)  # each of them once, then whatever comes
        async with asyncio.TaskGroup() as group:
            while loop.time() < until_s:
                name = first.pop() if first else self._chance.choice(list(self._kinds))
                self.count[name] = self.count.get(name, 0) + 1
                group.create_task(self._kinds[name]())
                await asyncio.sleep(self._chance.expovariate(1 / self._every_s))

    def _some(self):
        return self._chance.choice(self._trial.gates)

    async def _for(self, shortest_s, longest_s):
        await asyncio.sleep(self._chance.uniform(shortest_s, longest_s))

    async def _kill_gate(self):
        await self._kill(self._some().daemon, 3.0)

    async def _kill_server(self):
        await self._kill(self._trial.server.daemon, 5.0)

    async def _kill(self, daemon, longest_s):
        if daemon in self._taken:
            return
        self._taken.add(daemon)
        try:
            await daemon.kill()
            await self._for(0.2, longest_s)
            await daemon.start(self._trial.tasks)
        finally:
            self._taken.discard(daemon)

    async def _pause_server(self):
        await self._pause(self._trial.server.daemon)

    async def _pause_gate(self):
        await self._pause(self._some().daemon)

    async def _pause(self, daemon):
        if daemon in self._taken:
            return
        self._taken.add(daemon)
        try:
            daemon.pause()
            await self._for(1.0, 8.0)
            daemon.resume()
        finally:
            self._taken.discard(daemon)

    async def _pull_cable(self):
        name = self._some().name
        if name in self._taken:
            return
        self._taken.add(name)
        self._networks.pull_cable(name)
        await self._for(2.0, 20.0)
        self._networks.plug_cable(name)
        self._taken.discard(name)

    async def _cut_site(self):
        site = self._chance.choice((1, 2))
        if not self._networks.has_loss or site in self._taken:
            return
        self._taken.add(site)
        self._networks.cut_site(site)
        await self._for(5.0, 25.0)
        self._networks.mend_site(site)
        self._taken.discard(site)

    async def _lose(self):
        name = self._some().name
        self._networks.lose(name, self._chance.choice((5, 20, 40)))
        await self._for(5.0, 20.0)
        self._networks.mend(name)

    async def _swallow(self):
        name = self._some().name
        self._networks.swallow(name, self._chance.choice(("in", "out")))
        await self._for(4.0, 15.0)
        self._networks.mend(name)

    async def _reset(self):
        name = self._some().name
        self._networks.reset(name)
        await self._for(0.5, 3.0)
        self._networks.mend(name)

    async def _fill_disk(self):
        gate = self._some()
        if gate in self._taken:
            return
        self._taken.add(gate)
        await asyncio.to_thread(fill, gate.data)
        await self._for(3.0, 12.0)
        await asyncio.to_thread(empty, gate.data)
        self._taken.discard(gate)

    async def _step_clock(self):
        self._some().step(self._chance.choice(_CLOCKS_S))
