"""A gate that belongs to no server yet: says so, and becomes one by a link in a file or held to it.

Called by `main` before anything is opened for people; it serves right after, without another start.
The link comes in the file that provisioning left, and is asked until the server answers; or as a QR
code before any of the gate's readers. A gate that belongs to a server never looks for either: a
link that somebody shows it is a ticket that nobody knows.
"""

import asyncio
import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from admission.errors import ProtocolError
from admission.sync.enrolment_link import HEAD, LINK_CHARACTERS_MAX, EnrolmentLink, read_link
from appliance.alarm import wait_set
from appliance.enrolling import Welcome, enrol, link_of
from appliance.errors import ApplianceError, ConfigError, LinkAnswerError, LinkRefusedError
from appliance.ports import Look, Reader, Screen
from appliance.restarts import House
from appliance.storage.device_secrets import device_secrets
from appliance.storage.identity_file import IDENTITY_FILE
from appliance.storage.identity_vault import FileVault, open_vault

log = logging.getLogger(__name__)

LINK_FILE: Final = "enrol.link"  # in the gate's folder; written by provisioning, removed here
RETRY_S_MIN: Final = 5.0
RETRY_S_MAX: Final = 300.0
LOOK_S: Final = 5.0  # for a link that is brought meanwhile
CHECK_S: Final = 5.0  # as long the digits stand there
PENDING_CHECK_S: Final = 60.0  # likewise, where an operator has to find them among other machines'
_QUEUED_MAX: Final = 4


async def enrolled_vault(stop: asyncio.Event, house: House) -> FileVault | None:
    """Give the gate's keys; wait for them where it is not enrolled. None where it was told to stop.

    Raises:
        StorageError: if they cannot be read, or written.
        ConfigError: if a reader cannot be as it is configured.
    """
    config = house.config
    path = config.data / IDENTITY_FILE
    guards = device_secrets(config.data, config.device_secret)
    vault = await open_vault(path, guards)
    if vault is not None:
        (config.data / LINK_FILE).unlink(missing_ok=True)  # its own was the last thing before a cut
        return vault
    house.report.watch.ready()  # it tells people what to do: the start is over
    log.warning("not enrolled: waiting for a link", extra={"file": str(config.data / LINK_FILE)})
    async with AsyncExitStack() as stack:
        readers = house.drivers.for_one_start(stack).open_readers()
        await _Waiting(stop, house).run(readers)
    return None if stop.is_set() else await open_vault(path, guards)


@dataclass
class _Waiting:
    """One wait for a server.

    Attributes:
        stop: set when the gate is to end.
        house: config, display and clock.
    """

    stop: asyncio.Event
    house: House
    _shown: asyncio.Queue[EnrolmentLink] = field(
        default_factory=lambda: asyncio.Queue(maxsize=_QUEUED_MAX)
    )
    _over: asyncio.Event = field(default_factory=asyncio.Event)
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self, readers: list[Reader]) -> None:
        """Go on until enrolled, or told to stop."""
        self._tell()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._read(reader)) for reader in readers]
            tasks += [
                group.create_task(one)
                for one in (self._ask_what_is_shown(), self._ask_the_file(), self._watch_stop())
            ]
            await self._over.wait()
            for task in tasks:
                task.cancel()

    async def _watch_stop(self) -> None:
        await self.stop.wait()
        self._over.set()

    async def _read(self, reader: Reader) -> None:
        async for payload in reader.payloads():
            link = _link_in(payload.data)
            if link is None:
                continue
            if self._is_another_servers(link):
                log.warning("a link of another server than the configured one was shown")
                self._tell("other_server")
            elif not self._shown.full():  # the same one, held there: it is asked already
                self._shown.put_nowait(link)

    async def _ask_what_is_shown(self) -> None:
        while True:
            link = await self._shown.get()
            if problem := await self._ask(link):
                self._tell(problem)
            while not self._shown.empty():  # what was read meanwhile is the code that hangs there
                self._shown.get_nowait()

    async def _ask_the_file(self) -> None:
        path, wait_s = self.house.config.data / LINK_FILE, RETRY_S_MIN
        while True:
            link = await asyncio.to_thread(self._link_of_file, path)
            if link is None:
                wait_s = RETRY_S_MIN
                await self.house.machine.sleep(LOOK_S)
                continue
            problem = await self._ask(link)
            if problem:
                self._tell(problem)
            if problem == "refused":  # by the server itself: asking again makes it no better
                path.unlink(missing_ok=True)
                continue
            await self.house.machine.sleep(wait_s)
            wait_s = min(RETRY_S_MAX, wait_s * 2)

    def _link_of_file(self, path: Path) -> EnrolmentLink | None:
        """Give the link that provisioning left, None where there is none, or nothing like one."""
        try:
            with path.open("rb") as file:
                text = file.read(LINK_CHARACTERS_MAX + 1).decode("ascii").strip()
        except (OSError, UnicodeDecodeError):
            return None
        try:
            return read_link(text) if text.startswith(HEAD) else link_of(self.house.config, text)
        except (ProtocolError, ConfigError) as exc:
            log.warning("link in the file is none", extra={"reason": str(exc)})
            return None

    def _is_another_servers(self, link: EnrolmentLink) -> bool:
        """Tell whether the file names a server, and this link leads elsewhere."""
        own = self.house.config.server
        return bool(own) and own not in {server.rstrip("/") for server in link.servers}

    async def _ask(self, link: EnrolmentLink) -> str:
        """Ask once; give the code of what is wrong, for people."""
        async with self._asking:
            try:
                welcome = await enrol(self.house.config, link)
            except LinkRefusedError as exc:
                log.warning("enrolment refused", extra={"reason": str(exc)})
                return "refused"
            except LinkAnswerError as exc:
                log.warning("enrolment answered strangely", extra={"reason": str(exc)})
                return "strange"
            except ApplianceError as exc:
                log.warning("enrolment failed", extra={"reason": str(exc)})
                return "unreached"
            await self._welcome(welcome)
        return ""

    async def _welcome(self, welcome: Welcome) -> None:
        """Show the digits for a while; then let the gate begin."""
        identity = welcome.identity
        log.info("enrolled", extra={"gate": identity.gate_name, "server": identity.server})
        (self.house.config.data / LINK_FILE).unlink(missing_ok=True)
        digits = f"{welcome.check[:3]} {welcome.check[3:]}"
        self.house.announcer.rest_on(self._screen("check", digits))
        shown_s = PENDING_CHECK_S if welcome.is_pending else CHECK_S
        await wait_set(self.stop, self.house.machine, shown_s)
        self._over.set()

    def _tell(self, problem: str = "show") -> None:
        """Show what to do, or what went wrong and what to do about it."""
        if not self._over.is_set():
            self.house.announcer.rest_on(self._screen(problem))

    def _screen(self, line: str, title: str = "") -> Screen:
        direction = self.house.config.readers[0].direction
        return Screen(Look.ENROLLING, direction, title=title, fault=line)


def _link_in(data: bytes) -> EnrolmentLink | None:
    """Give the link that a reader has read; None where it read something else."""
    if not data.startswith(HEAD.encode()) or len(data) > LINK_CHARACTERS_MAX:
        return None
    try:
        return read_link(data.decode("ascii").strip())
    except (ProtocolError, UnicodeDecodeError) as exc:
        log.warning("what was shown is no link", extra={"reason": type(exc).__name__})
        return None
