"""Chaos: the real daemons in namespaces, everything goes wrong, and then the books are compared.

`chaos_trial.py [--seconds S] [--seed N] [--gates N] [--no-clone] [--folder DIR]`, as root. Exits
with 0 only if the audit found nothing. Its figures are left in the folder, too.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

from appliance.transport.pinning import pinned_context
from chaos_daemons import ChaosGate, ChaosServer, clock_library
from chaos_misfortunes import Misfortunes
from chaos_networks import Networks, enter, small_disk
from passage_audit import (
    check_handed_in,
    check_no_second_entry,
    check_people,
    check_people_of_copies,
    check_report,
    check_whole,
    read_card,
)
from portillon.demo.operator import OperatorError
from portillon.demo.processes import daemons
from portillon.demo.tickets import Row, as_csv
from sync_server.tls import read_pins

DISK_MIB = 64
QUIET_S_MAX = 240.0
LAST_ONES_S = 15.0  # whoever stands in a lane goes through, and whoever waits behind
READY_S_MAX = 120.0
TICKETS_PER_SECOND = 6
CLONE = "copy"
COPIED_AFTER = 0.3  # of the time
_VITALS_EVERY_S = 5.0
_RULES = ("single",) * 8 + ("entry_exit",) * 2
_FILES_PER_GATE_MAX = 16  # connections alive and half dead; what leaks grows on
_TAGS = {True: "all is well", False: "NOT WELL"}


class Trial:
    """One run.

    Attributes:
        chance: of the seed.
        networks: of the machines.
        gates: those that were enrolled.
        copy: a gate that works with a copied card of the first one; None before there is one.
        server: it.
        tasks: reads the daemons' logs.
        tickets: the rule of each number.
        has_clocks: whether clocks can be set.
    """

    def __init__(self, arguments, networks):
        self.arguments, self.networks = arguments, networks
        self.chance = random.Random(arguments.seed)
        self.folder = arguments.folder
        self.gates, self.copy = [], None
        self.tickets, self._shown, self._fresh = {}, [], []
        self.server = ChaosServer(networks, self.folder / "server")
        self.has_clocks = clock_library() is not None
        self.tasks = self.operator = self._disks = self._running = None
        self.luck = Misfortunes(self, arguments.every)

    async def run(self):
        """Play it; give its figures.

        Raises:
            AssertionError: if the books differ.
            TimeoutError: if gates and server do not come together again.
        """
        with contextlib.ExitStack() as self._disks:
            password = await self.server.init()
            async with daemons() as (self.tasks, running), self._session() as session:
                running.append(self.server.daemon)
                await self.server.daemon.start(self.tasks)
                self.operator = await self.server.sign_in(session, password)
                self._running = running
                await self._build()
                await self._open()
                await self._close()
            for gate in self._cards():  # their disks are gone after this
                shutil.copytree(gate.data, gate.folder / "card")
            return await self._audit()

    def _session(self):
        jar = aiohttp.CookieJar(unsafe=True)
        connector = aiohttp.TCPConnector(ssl=pinned_context(read_pins(self.server.data).all))
        patience = aiohttp.ClientTimeout(20)
        return aiohttp.ClientSession(cookie_jar=jar, timeout=patience, connector=connector)

    async def _build(self):
        venue = await self.operator.create("venues", name="Salle", timezone="Europe/Paris")
        event = await self.operator.create("events", name="Fête", venue_id=venue)
        performance = await self.operator.create("performances", event_id=event, name="Ce soir")
        place = await self.operator.create(
            "checkpoints", venue_id=venue, name="Parvis", performances=[performance]
        )
        count = 200 + round(self.arguments.seconds * TICKETS_PER_SECOND)
        numbers = [f"C{n:05d}{self.chance.randrange(16**10):010X}" for n in range(count)]
        self.tickets = {number: _RULES[n % 10] for n, number in enumerate(numbers)}
        self._fresh = list(numbers)
        rows = [Row(number, "standard", rule, "", "valid") for number, rule in self.tickets.items()]
        await self.operator.upload(performance, "tonight.csv", as_csv(rows))
        await self.operator.post(f"performances/{performance}/publish")
        for number in range(1, self.arguments.gates + 1):
            gate = self._add_gate(f"g{number}")
            made = await self.operator.create(
                "gates", checkpoint_id=place, name=f"Porte {number}", direction="entry"
            )
            code = await self.operator.post(f"gates/{made}/enrolment-code")
            await gate.enrol(code["link"])
            await gate.daemon.start(self.tasks)
            self.gates.append(gate)
        for gate in self.gates:
            await gate.daemon.wait_for(
                "its connection",
                lambda event: (
                    event.get("event") == "mode changed" and event.get("mode") == "connected"
                ),
                wait_s_max=READY_S_MAX,
            )

    def _add_gate(self, name):
        folder = self.folder / name
        folder.mkdir()
        gate = ChaosGate(name, self.networks, folder)
        self._disks.enter_context(small_disk(gate.data, DISK_MIB))
        self._running.append(gate.daemon)
        return gate

    async def _open(self):
        until_s = asyncio.get_running_loop().time() + self.arguments.seconds
        say(f"{len(self.gates)} gates are connected; people come")
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._people_at(gate)) for gate in self.gates]
            tasks.append(group.create_task(self._watch_vitals()))
            if self.arguments.clone:
                tasks.append(group.create_task(self._copy_a_card()))
            await self.luck.run(until_s)
            for task in tasks:
                task.cancel()

    async def _copy_a_card(self):
        """Stop a gate, copy its card, and have both work: then it is two that say they are it."""
        await asyncio.sleep(self.arguments.seconds * COPIED_AFTER)
        gate = self.gates[0]
        await self.luck.spare(gate)
        try:
            await gate.daemon.stop()
            copy = self._add_gate(CLONE)
            copy.copy_card_of(gate)
            self.copy = copy
            await copy.daemon.start(self.tasks)
            await gate.daemon.start(self.tasks)
        finally:
            self.luck.spare_no_more(gate)
        say("a card was copied, and both work")
        await self._people_at(copy)

    async def _people_at(self, gate):
        while True:
            await asyncio.sleep(self.chance.expovariate(1 / self.arguments.people))
            number = self._ticket()
            leaves = self.tickets.get(number) == "entry_exit" and self.chance.random() < 0.5
            gate.present(number, "exit" if leaves else "entry")

    def _ticket(self):
        drawn = self.chance.random()
        if drawn > 0.98:
            return f"UNKNOWN{self.chance.randrange(10**6)}"
        if self._shown and (drawn > 0.7 or not self._fresh):
            return self._shown[-min(len(self._shown), self.chance.randrange(1, 30))]
        self._shown.append(self._fresh.pop(self.chance.randrange(len(self._fresh))))
        return self._shown[-1]

    async def _watch_vitals(self):
        while True:
            await asyncio.sleep(_VITALS_EVERY_S)
            for daemon in (self.server.daemon, *(gate.daemon for gate in self.gates)):
                daemon.look()

    async def _close(self):
        for gate in self.gates:
            if self.has_clocks:
                gate.step(0)
        await asyncio.sleep(LAST_ONES_S)
        say("all is mended; waiting until everything is handed in")
        if self.copy is not None:  # one after the other, for the server knows them by one name
            await self.gates[0].daemon.stop()
            await self._await_quiet()
            await self.copy.daemon.stop()
            await self.gates[0].daemon.start(self.tasks)
            await asyncio.sleep(1.0)
        await self._await_quiet()
        for daemon in (self.server.daemon, *(gate.daemon for gate in self.gates)):
            daemon.look()
        for gate in self.gates:
            await gate.daemon.stop()

    async def _await_quiet(self):
        latest_s = time.monotonic() + QUIET_S_MAX
        while late := await self._late():
            if time.monotonic() > latest_s:
                raise TimeoutError(f"not at one {QUIET_S_MAX:.0f} s after all was mended: {late}")
            await asyncio.sleep(1.0)

    async def _late(self):
        try:
            live = await self.operator.get("live")
        except OperatorError as exc:
            return [str(exc)]
        return [
            {key: gate[key] for key in ("name", "state", "queue", "mode")}
            for gate in live["gates"]
            if gate["state"] != "online" or gate["queue"] or gate["mode"] != "connected"
        ]

    def _cards(self):
        return [*self.gates, *([] if self.copy is None else [self.copy])]

    async def _audit(self):
        database = self.server.data / "portillon.db"
        cards = {gate: read_card(gate.folder / "card") for gate in self._cards()}
        for gate, card in cards.items():
            check_whole(card)
            check_no_second_entry(card)
            if self.copy is None or gate not in (self.copy, self.gates[0]):
                check_people(card, gate.walked, was_ended=True)
        if self.copy is not None:
            twins = (self.gates[0], self.copy)
            walked = sum(gate.walked for gate in twins)
            check_people_of_copies([cards[gate] for gate in twins], walked)
        check_handed_in(database, list(cards.values()))
        figures = await check_report(database, list(cards.values()), self.tickets)
        walked = sum(gate.walked for gate in cards)
        return {
            "seed": self.arguments.seed,
            "seconds": self.arguments.seconds,
            "walked": walked,
            **figures,
            "unresolved": figures["passages"] - walked,
            "misfortunes": dict(sorted(self.luck.count.items())),
            "vitals": self._vitals(),
        }

    def _vitals(self):
        """Tell memory and files of each daemon's longest run: at its beginning and at its end."""
        told = {}
        for daemon in (self.server.daemon, *(gate.daemon for gate in self.gates)):
            longest = max(daemon.vitals.values(), key=len)
            told[daemon.name] = {
                "mib": [round(kib / 1024) for kib, _ in longest],
                "files": [files for _, files in longest],
            }
            most = longest[0][1] + _FILES_PER_GATE_MAX * len(self.gates)
            assert longest[-1][1] <= most, f"{daemon.name} keeps files open: {told[daemon.name]}"
        return told


def say(text):
    """Tell whoever watches."""
    print(f"chaos: {text}", file=sys.stderr, flush=True)


def parse(words):
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0, help="how long people come")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--gates", type=int, default=6)
    parser.add_argument("--every", type=float, default=2.5, help="seconds between misfortunes")
    parser.add_argument("--people", type=float, default=1.2, help="seconds between two at a gate")
    parser.add_argument(
        "--clone", action=argparse.BooleanOptionalAction, default=True,
        help="also copy a gate's card, and have both work",
    )  # fmt: skip
    parser.add_argument("--folder", type=Path, help="kept afterwards; else a temporary one")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    return parser.parse_args(words)


def places_of(arguments):
    """Give each machine's site."""
    gates = {f"g{n}": 1 if n * 2 <= arguments.gates else 2 for n in range(1, arguments.gates + 1)}
    return {"server": 0, **gates, CLONE: 1}


def main(words):
    """Make the networks and run this file within them; or, within them, play."""
    arguments = parse(words)
    if arguments.inside:
        networks = Networks(arguments.inside, places_of(arguments))
        figures = asyncio.run(Trial(arguments, networks).run())
        print("\n".join(f"{name}: {json.dumps(value)}" for name, value in figures.items()))
        (arguments.folder / "figures.json").write_text(json.dumps(figures, indent=1), "utf-8")
        return 0
    if os.geteuid():
        say("needs root, for namespaces and small disks")
        return 2
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    networks = Networks(f"pc{os.getpid()}", places_of(arguments))
    if not networks.has_loss:
        say("no nft: no packet gets lost and no site is cut (apt-get install nftables)")
    if clock_library() is None:
        say("no libfaketime: no clock is set (apt-get install libfaketime)")
    with networks.opened():
        own = [str(Path(__file__)), *words, "--inside", networks.prefix, "--folder", str(folder)]
        status = enter(networks, *own)
    say(f"seed {arguments.seed}: {_TAGS[status == 0]}")
    if arguments.folder is None and status == 0:
        shutil.rmtree(folder)
    elif status:
        say(f"everything it left behind is in {folder}")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
