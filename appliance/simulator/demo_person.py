"""Somebody at a turnstile that exists in mock pins only: sees the relay close, walks through.

Bound by `main` beside the real relay driver over mock pins, so that a demonstration runs the
driver's own code. Knows no pin library: it is given the pins.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, repeat
from typing import Final, Protocol

from appliance.ports import Clock
from appliance.simulator.virtual_turnstile import Person

_LOOK_S: Final = 0.025  # the pins remember their pulses: none is missed on a busy machine
_PUSH_S: Final = 0.3  # the arm's contact stays this long


class WatchedPin(Protocol):
    """An output pin, as the thing that is wired to it sees it."""

    @property
    def states(self) -> Sequence[tuple[float, object]]:
        """Every level it had, with its time, oldest first; true is high."""
        ...


class PushedPin(Protocol):
    """An input pin, as the contact that is wired to it drives it."""

    def drive_high(self) -> None:
        """Let it be pulled up."""
        ...

    def drive_low(self) -> None:
        """Pull it to ground."""
        ...


class DemoPerson:
    """Walks through whenever a relay closes.

    Args:
        relays: the relays' pins, high when closed.
        contact: the passage contact's pin, pulled up by the board and to ground by a passage.
        clock: tells how long a walk takes.
        people: how they behave, one after the other; then everybody passes after a second.
        walked: called as somebody goes through, before the contact tells anybody.
    """

    def __init__(
        self,
        relays: Sequence[WatchedPin],
        contact: PushedPin,
        clock: Clock,
        people: Iterable[Person] = (),
        walked: Callable[[], None] = lambda: None,
    ) -> None:
        self._relays = relays
        self._contact = contact
        self._clock = clock
        self._people = chain(people, repeat(Person()))
        self._walked = walked
        self._seen = [len(relay.states) for relay in relays]
        self._let_in: asyncio.Queue[Person] = asyncio.Queue()
        self.passages = 0

    async def run(self) -> None:
        """Watch and walk until cancelled; a pulse is seen also while somebody walks."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._walk_in_turn())
            while True:
                await self._clock.sleep(_LOOK_S)
                for place, relay in enumerate(self._relays):
                    levels = relay.states[self._seen[place] :]
                    self._seen[place] += len(levels)
                    for _, is_closed in levels:
                        if is_closed:
                            self._let_in.put_nowait(next(self._people))

    async def _walk_in_turn(self) -> None:
        while True:
            await self._walk(await self._let_in.get())

    async def _walk(self, person: Person) -> None:
        if person.passes_after_s is None:
            return
        await self._clock.sleep(person.passes_after_s)
        await self._push()
        if person.followed_after_s is not None:
            await self._clock.sleep(max(0.0, person.followed_after_s - _PUSH_S))
            await self._push()

    async def _push(self) -> None:
        self.passages += 1
        self._walked()
        self._contact.drive_low()
        await self._clock.sleep(_PUSH_S)
        self._contact.drive_high()
