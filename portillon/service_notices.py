"""What systemd is told of a daemon: ready, how it is, that it lives. Handed to both houses.

The protocol is one datagram a notice to the socket that `NOTIFY_SOCKET` names (sd_notify(3)). The
watchdog's notice is sent only when every part of the daemon that asked to be watched over has moved
since it was last asked: one that a timer sends would prove that the timer runs.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

log = logging.getLogger(__name__)

TICKS_PER_TIMEOUT: Final = 4  # two may be lost before systemd loses patience
_NS: Final = 1_000_000_000
_US: Final = 1_000_000

Ask = Callable[[], Awaitable[object]]
Send = Callable[[str], None]


def _say_nothing(notice: str) -> None:
    """Tell nobody: nobody watches."""


@dataclass(slots=True, eq=False)
class _Part:
    """Something that is watched over.

    Attributes:
        name: for the log.
        ask: asks it to move, and returns once it has.
        patience_ns: how long that may take.
        asked_ns: since when it owes an answer; None while it owes none.
        asking: waits for the answer.
        is_stuck: whether that was told.
    """

    name: str
    ask: Ask
    patience_ns: int
    asked_ns: int | None = None
    asking: asyncio.Task[None] | None = None
    is_stuck: bool = field(default=False)


class ServiceNotices:
    """The port `Watch` of both houses, over systemd's notices.

    Args:
        send: sends one notice; never raises, never waits.
        timeout_s: how long systemd waits for a sign of life; None where it does not.
        monotonic_ns: counts that time.
        sleep: waits.
    """

    def __init__(
        self,
        send: Send = _say_nothing,
        timeout_s: float | None = None,
        monotonic_ns: Callable[[], int] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._send = send
        self._timeout_s = timeout_s
        self._monotonic_ns = monotonic_ns or _monotonic_ns
        self._sleep = sleep
        self._parts: list[_Part] = []
        self._group: asyncio.TaskGroup | None = None
        self._is_ready = False
        self._status = ""

    def ready(self) -> None:
        """Say, once, that the start is over."""
        if not self._is_ready:
            self._is_ready = True
            self._send("READY=1")

    def status(self, text: str) -> None:
        """Say in one line how the daemon is; nothing where that was said last."""
        line = " ".join(text.split())
        if line != self._status:
            self._status = line
            self._send(f"STATUS={line}")

    def stopping(self) -> None:
        """Say that the daemon is about to end."""
        self._send("STOPPING=1\nSTATUS=stopping")

    @contextmanager
    def over(self, name: str, ask: Ask, patience_s: float) -> Iterator[None]:
        """Watch over a part for as long as the context lasts.

        Args:
            name: of the part, for the log.
            ask: asks it to move, and returns once it has.
            patience_s: how long that may take before it counts as hanging.
        """
        part = _Part(name, ask, round(patience_s * _NS))
        self._parts.append(part)
        try:
            yield
        finally:
            self._parts.remove(part)
            if part.asking is not None:
                part.asking.cancel()

    async def run(self) -> None:
        """Tell systemd that the daemon lives for as long as each part moves, until cancelled."""
        if self._timeout_s is None:
            return
        async with asyncio.TaskGroup() as group:
            while True:
                self._tick(group)
                await self._sleep(self._timeout_s / TICKS_PER_TIMEOUT)

    def _tick(self, group: asyncio.TaskGroup) -> None:
        now_ns = self._monotonic_ns()
        for part in self._parts:
            self._look_at(part, now_ns)
        if not any(part.is_stuck for part in self._parts):
            self._send("WATCHDOG=1")
        for part in self._parts:
            if part.asked_ns is None:
                part.asked_ns = now_ns
                part.asking = group.create_task(_asked(part))

    def _look_at(self, part: _Part, now_ns: int) -> None:
        owed_ns = 0 if part.asked_ns is None else now_ns - part.asked_ns
        is_stuck = owed_ns > part.patience_ns
        if is_stuck is not part.is_stuck:
            part.is_stuck = is_stuck
            event = "no sign of life" if is_stuck else "sign of life again"
            log.error(event, extra={"part": part.name, "patience_s": part.patience_ns / _NS})


async def _asked(part: _Part) -> None:
    await part.ask()
    part.asked_ns = part.asking = None


def notices_from(environ: MutableMapping[str, str]) -> ServiceNotices:
    """Give what this process was started to tell whom; takes it out of the environment.

    A child of the daemon, as the decoder's process, is to tell systemd nothing.

    Args:
        environ: the process's environment.
    """
    address = environ.pop("NOTIFY_SOCKET", "")
    watchdog_us = environ.pop("WATCHDOG_USEC", "")
    watched_pid = environ.pop("WATCHDOG_PID", "")
    if not address.startswith(("/", "@")):
        return ServiceNotices()
    is_meant = watched_pid in {"", str(os.getpid())}
    timeout_s = int(watchdog_us) / _US if watchdog_us.isdecimal() and is_meant else None
    return ServiceNotices(_sender(address), timeout_s or None)


def _sender(address: str) -> Send:
    """Give what sends notices to an address; "@" begins one in the abstract namespace."""
    where = "\0" + address[1:] if address.startswith("@") else address

    def send(notice: str) -> None:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
                line.setblocking(False)
                line.sendto(notice.encode(), where)
        except OSError as exc:  # the daemon's work matters more; systemd acts if it hears nothing
            log.warning("systemd not told", extra={"reason": exc.strerror})

    return send


def _monotonic_ns() -> int:
    return round(asyncio.get_running_loop().time() * _NS)
