"""The daemons of the demonstration as child processes, and what their logs say."""

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

Event = dict[str, Any]
STOP_S_MAX: Final = 10.0


# however the demonstration ends, no daemon stays behind to hold its ports
_SETPRIV: Final = shutil.which("setpriv")
_WITH_US: Final = () if _SETPRIV is None else (_SETPRIV, "--pdeathsig", "TERM", "--")


class DaemonError(Exception):
    """A daemon ended, or did not do in time what it should; the message has its last words."""


class Daemon:
    """One daemon: its process, and its log as events."""

    def __init__(self, name: str, arguments: list[str], log_file: Path) -> None:
        """Prepare a daemon; `start` starts it.

        Args:
            name: for people.
            arguments: of the `portillon` command.
            log_file: where its whole log goes, too.
        """
        self.name = name
        self._arguments = arguments
        self._log_file = log_file
        self._process: asyncio.subprocess.Process | None = None
        self._events: list[Event] = []
        self._news = asyncio.Condition()
        self._tasks: asyncio.TaskGroup | None = None

    async def start(self, tasks: asyncio.TaskGroup) -> None:
        """Start the process; its log is read by a task of the group."""
        self._process = await asyncio.create_subprocess_exec(
            *_WITH_US,
            sys.executable, "-m", "portillon", *self._arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the demonstration, which stops them in order
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            limit=1 << 20,
        )  # fmt: skip
        tasks.create_task(self._read(self._process))

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.returncode is None

    @property
    def seen(self) -> int:
        """How many events there were so far; a place to wait from."""
        return len(self._events)

    def events(self, event: str) -> list[Event]:
        """Give all events of a name so far."""
        return [one for one in self._events if one.get("event") == event]

    async def wait_for(
        self, what: str, matches: Callable[[Event], bool], after: int = 0, wait_s_max: float = 30.0
    ) -> Event:
        """Wait until the log says something.

        Args:
            what: for people, what is waited for.
            matches: tells the event.
            after: only events from this place on.
            wait_s_max: then it is an error.

        Raises:
            DaemonError: if it does not come in time, or the process ends.
        """
        place = after
        try:
            async with asyncio.timeout(wait_s_max), self._news:
                while True:
                    while place < len(self._events):
                        if matches(self._events[place]):
                            return self._events[place]
                        place += 1
                    if not self.is_running:
                        raise DaemonError(f"{self.name} ended: {self._last_words()}")
                    await self._news.wait()
        except TimeoutError:
            words = self._last_words()
            raise DaemonError(
                f"{self.name}: {what} did not come in {wait_s_max} s: {words}"
            ) from None

    async def kill(self) -> None:
        """End the process at once, as a power cut would (SIGKILL)."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """Ask the process to end; insist after a while."""
        try:
            async with asyncio.timeout(STOP_S_MAX):
                await self._end(signal.SIGTERM)
        except TimeoutError:
            await self.kill()

    async def _end(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)
            await self._process.wait()

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        if process.stderr is None:
            raise DaemonError(f"{self.name} has no log")
        with self._log_file.open("ab") as file:
            async for line in process.stderr:
                file.write(line)
                file.flush()
                await self._tell(_event_of(line))
        await process.wait()
        async with self._news:
            self._news.notify_all()

    async def _tell(self, event: Event) -> None:
        async with self._news:
            self._events.append(event)
            self._news.notify_all()

    def _last_words(self) -> str:
        return " | ".join(str(event.get("event")) for event in self._events[-3:]) or "no word"


def _event_of(line: bytes) -> Event:
    try:
        document = json.loads(line)
    except ValueError:
        return {"event": line.decode("utf-8", "replace").rstrip()}
    return document if isinstance(document, dict) else {"event": str(document)}


@asynccontextmanager
async def daemons() -> AsyncIterator[tuple[asyncio.TaskGroup, list[Daemon]]]:
    """Give a group for the logs' readers, and a list of daemons to be stopped in the end."""
    running: list[Daemon] = []
    async with asyncio.TaskGroup() as tasks:
        try:
            yield tasks, running
        finally:
            for daemon in reversed(running):
                await daemon.stop()


async def run_once(*arguments: str) -> str:
    """Run a `portillon` command to its end; give what it printed.

    Raises:
        DaemonError: if it failed.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "portillon", *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    if process.returncode != 0:
        words = err.decode("utf-8", "replace").strip()
        raise DaemonError(f"portillon {' '.join(arguments[:2])} failed: {words}")
    return out.decode("utf-8", "replace")
