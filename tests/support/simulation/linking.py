"""A gate's link in the simulation: contact, lists, upload, feed and hints, again after every loss.

What `appliance.uplink` has asyncio's tasks do, tasks of the heap do here: its own machines, keepers
and loops are called, over a network that fails.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from admission import journal
from admission.errors import AdmissionError, ListError
from admission.journal import Kind
from admission.sync import codec
from admission.sync.messages import Ack, Batch, Feed, Subscribe
from admission.ticketlist.acceptance import Installed, accept_manifest, check_snapshot
from admission.trust.root import Role
from appliance.errors import LinkError, StorageError
from appliance.holdings import open_list
from appliance.ports import StoredList
from appliance.simulator.box_office import SignedList
from appliance.uplink import retry_s
from simulation.office import box_office
from simulation.scheduler import Cut, Task, wait_for

REFRESH_MS: Final = 300_000
_FAILURES: Final = (LinkError, StorageError, AdmissionError)


class Linked:
    """The half of a simulated gate that talks to the server; the other half is `gate`."""

    # what the other half has
    uplink: Any
    road: Any
    server: Any
    watching: Any
    _later: Callable[[int, Callable[[], None]], None]

    def _contact(self) -> None:
        self._spawn(self._round())

    def _spawn(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        task = Task(coroutine, self._task_ended)
        self._tasks.append(task)
        task.begin()

    def _task_ended(self, task: Task, error: BaseException | None) -> None:
        if task in self._tasks:
            self._tasks.remove(task)
        if error is None:
            return
        if isinstance(error, Cut):
            self.cut_off(self.chance.randint(500, 20_000), power=self.chance.random() < 0.5)
            return
        if not isinstance(error, _FAILURES):
            raise error
        self.scheduler.note("link lost", self.place, type(error).__name__)
        self.failures = 1 if self.uplink.live else self.failures + 1
        self._end_contact()
        self.uplink._set_live(False)
        self._later(int(1000 * retry_s(self.failures, self.chance.random())), self._contact)

    def _end_contact(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        self.uplink._express.close()
        self.uplink._claiming.lost()
        if self.connection is not None:
            connection, self.connection = self.connection, None
            connection.close()

    async def _round(self) -> None:
        uplink = self.uplink
        uplink._handing.begin_contact()
        await uplink._feeds.start_anew()
        await self._refresh()
        uplink._changed()
        uplink._follow()
        await uplink._upload_once()
        opened = self.server.connect(self.name, self.road, self.assignment.performances)
        connection = await wait_for(self.road.request(opened))
        self.connection = connection
        await connection.send(Subscribe(uplink._feeds.cursors, uplink._feeds.numbering))
        uplink._express.open()
        self._spawn(uplink._send_express(connection))
        self._spawn(uplink._receive(connection))
        self._spawn(uplink._upload())
        self._spawn(self._keep_lists())
        self._later(REFRESH_MS, uplink._offered.set)

    async def _keep_lists(self) -> None:
        while True:
            await self.uplink._offered.wait()
            self.uplink._offered.clear()
            await self._refresh()
            self.uplink._changed()
            self._later(REFRESH_MS, self.uplink._offered.set)

    async def upload(self, batch: Batch) -> Ack:
        """Send a batch; see `link_ports.ServerLink.upload`."""
        raw = codec.encode(batch)
        return await wait_for(self.road.request(self.server.upload(self.name, raw)))

    async def feed(self, stream: str, after: int) -> Feed:
        """Ask for a page; see `link_ports.ServerLink.feed`."""
        self.is_fetching = True
        try:
            return await wait_for(self.road.request(self.server.feed(stream, after)))
        finally:
            self.is_fetching = False

    async def _refresh(self) -> None:
        asked_ms = self.machine.boot_ms()
        server_ms, lists = await wait_for(self.road.request(self.server.news()))
        signed_at = journal.instant(server_ms)
        is_kept = False
        try:
            await self.clock.note_signed_time(signed_at, asked_ms, self.machine.boot_ms())
            is_kept = True
        finally:  # it counts until the next start also where it could not be written down
            self.watching.heard_time(self, is_kept=is_kept)
        for name in self.assignment.performances:
            await self._take_list(name, self.watching.handed_out(self, name, lists[name]))

    async def _take_list(self, name: str, signed: SignedList) -> None:
        stored = {one.performance: one for one in await self.memory.lists()}.get(name)
        installed = None if stored is None else Installed(stored.version, stored.chain)
        if stored is not None and stored.manifest == signed.envelope and not self.false_lists:
            return
        try:
            manifest = accept_manifest(
                signed.envelope,
                performance=name,
                trusted=box_office().signers(Role.LIST),
                installed=installed,
                now=self.clock.now(),
            )
            check_snapshot(manifest, signed.snapshot)
            held = open_list(manifest, signed.snapshot, signed.list_key, signed.segments)
        except ListError as exc:
            self.refused_lists += 1
            self.scheduler.note("list refused", self.place, type(exc).__name__)
            detail = {"why": type(exc).__name__}
            await self.recorder.note(Kind.LIST_REFUSED, performance=name, detail=detail)
            return
        self.card.lists[name, manifest.version] = signed
        await self.memory.install(
            StoredList(name, manifest.version, manifest.chain, signed.envelope), {}
        )
        if installed is None or manifest.version != installed.version:
            self.log.append(("list", self._head(), held))
            self.holdings.install(held)
            self.watching.installed(self, name, manifest.version)
            await self.recorder.note(
                Kind.LIST_ACTIVATED, performance=name, list_version=manifest.version
            )

    def _hold(self, signed: SignedList) -> None:
        held = open_list(signed.manifest, signed.snapshot, signed.list_key, signed.segments)
        self.log.append(("list", self._head(), held))
        self.holdings.install(held)
