"""Keeps watch over the card: what it does not take, how long it takes, how much room it has left.

Two tasks of the gate. Whatever is wrong is shown, written down and tried again, with no restart:
while the card fails nobody enters, and what is owed is written as soon as it works again. Nothing
here grants anything.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

from appliance.alarm import wait_set
from appliance.announcer import Announcer
from appliance.card_ports import Card, CardReport
from appliance.commit_times import CommitTimes
from appliance.errors import StorageError
from appliance.fault_codes import CARD_FAULTS, FULL_FAULT, JOURNAL_FAULT, SLOW_FAULT
from appliance.health import Health
from appliance.ports import Clock, Look, Screen

log = logging.getLogger(__name__)

RETRY_S_MIN: Final = 1.0
RETRY_S_MAX: Final = 30.0
SELF_TEST_COMMITS: Final = 8
MARGIN_BYTES: Final = 1 << 20  # so much more than the floor, before people are let in again
_MB: Final = 1 << 20
_MS_PER_S: Final = 1000
_NS_PER_MS: Final = 1_000_000


@unique
class SlowCardPolicy(StrEnum):
    """What a slow card means for people."""

    WAIT = "wait"  # they wait as long as it takes, and are told so
    STOP = "stop"  # nobody enters until it is fast again


@dataclass(frozen=True, slots=True)
class CardLimits:
    """What is asked of a card.

    Attributes:
        slow_commit_ms: a commit that takes as long is a fault.
        commit_s_max: one that takes as long takes the lane out of service.
        policy: what a slow card means for people.
        free_mb_min: with less room nobody enters.
        look_s: between two looks at the room that is left.
    """

    slow_commit_ms: int = 250
    commit_s_max: float = 5.0
    policy: SlowCardPolicy = SlowCardPolicy.WAIT
    free_mb_min: int = 16
    look_s: float = 10.0


class CardKeeper:
    """Watches one card.

    Attributes:
        damaged: set when the journal is damaged: only a start from what is left of it helps.
    """

    def __init__(
        self,
        *,
        card: Card,
        times: CommitTimes,
        health: Health,
        announcer: Announcer,
        clock: Clock,
        limits: CardLimits,
        mended: Callable[[], None],
    ) -> None:
        """Take what is watched, and who has to know.

        Args:
            card: the card.
            times: how long its commits take.
            health: told of faults.
            announcer: told while somebody waits for the card.
            clock: counts every wait.
            limits: what is asked of the card.
            mended: called when the card works again: what is owed can be written.
        """
        self.damaged = asyncio.Event()
        self._card = card
        self._times = times
        self._health = health
        self._announcer = announcer
        self._clock = clock
        self._limits = limits
        self._mended = mended
        self._slow_s = limits.slow_commit_ms / _MS_PER_S
        self._max_ns = round(limits.commit_s_max * _MS_PER_S) * _NS_PER_MS
        self._probe_due_ns: int | None = None
        self._probe_wait_s = RETRY_S_MIN
        times.slow_ns = limits.slow_commit_ms * _NS_PER_MS
        times.on_slow = self._note_slow

    def report(self) -> CardReport:
        """Give what the server is told."""
        try:
            free_mb = self._card.free_bytes() // _MB
        except StorageError:
            free_mb = -1
        return CardReport(self._times.quantile_ms(0.99), free_mb)

    async def self_test(self) -> None:
        """Try the card before anybody is served; a slow one is told and used all the same.

        Raises:
            StorageError: if it cannot be written to.
        """
        took_ns = [await self._probe() for _ in range(SELF_TEST_COMMITS)]
        worst_ms = max(took_ns) // _NS_PER_MS
        fields = {"commits": len(took_ns), "p99_ms": worst_ms, "free_mb": self.report().free_mb}
        log.info("card tried", extra=fields)
        if max(took_ns) >= self._times.slow_ns:
            self._note_slow(max(took_ns))
        await self._look_at_room()

    async def run(self) -> None:
        """Mend what fails, and look after the room, until cancelled."""
        while True:
            await wait_set(self._health.stirred, self._clock, self._wait_s())
            self._health.stirred.clear()
            if self._card.fault or self._failing():
                await self._mend()
            await self._look_at_room()
            await self._probe_when_due()

    async def watch(self) -> None:
        """Tell people when a commit does not come back, until cancelled."""
        while True:
            await self._times.begun.wait()
            self._times.begun.clear()
            is_told = False
            while (waiting_ns := self._times.waiting_ns) is not None:
                if waiting_ns >= self._max_ns:
                    self._health.broken(SLOW_FAULT)
                    self._announcer.done()
                elif waiting_ns >= self._times.slow_ns and self._times.is_somebody_waiting:
                    if not is_told:
                        self._announcer.post(Screen(Look.READING))
                    is_told = True
                await self._clock.sleep(self._slow_s)

    def _wait_s(self) -> float:
        if self._probe_due_ns is None:
            return self._limits.look_s
        due_s = (self._probe_due_ns - self._clock.monotonic_ns()) / (_MS_PER_S * _NS_PER_MS)
        return min(self._limits.look_s, max(due_s, 0.0))

    def _failing(self) -> set[str]:
        """Give the card's faults that are not for want of room, which may last while it works."""
        return set(self._health.broken_faults) & (CARD_FAULTS - {FULL_FAULT})

    # --- what it does not take --------------------------------------------------------------------

    async def _mend(self) -> None:
        """Try until the card takes what is written; out of service until then."""
        wait_s = RETRY_S_MIN
        while (fault := await self._mend_once()) is not None:
            if fault == JOURNAL_FAULT:
                self.damaged.set()
            await self._clock.sleep(wait_s)
            wait_s = min(RETRY_S_MAX, wait_s * 2)
        for code in self._failing():
            self._health.mended(code)
        self._mended()

    async def _mend_once(self) -> str | None:
        """Try once; give the fault that is left."""
        try:
            if self._card.fault == FULL_FAULT:
                self._card.free_reserve()
            await self._card.mend()
        except StorageError as exc:
            for code in self._failing() - {exc.fault}:
                self._health.mended(code)
            self._health.broken(exc.fault)
            return exc.fault
        return None

    # --- how much room it has ---------------------------------------------------------------------

    async def _look_at_room(self) -> None:
        """Stop people at the floor; let them in again when there is room, the reserve included."""
        floor = self._limits.free_mb_min * _MB
        try:
            free = self._card.free_bytes()
            if FULL_FAULT not in self._health.faults:
                if free < floor:
                    log.error("little room left", extra={"free_mb": free // _MB})
                    self._health.broken(FULL_FAULT)
                    return
                if self._card.has_reserve:
                    return
            wanted = floor + MARGIN_BYTES
            wanted += 0 if self._card.has_reserve else self._card.reserve_bytes
            if free < wanted:
                return
            await self._card.make_reserve()
        except StorageError as exc:
            log.warning("room not known or not had", extra={"reason": str(exc)})
            return
        self._health.mended(FULL_FAULT)

    # --- how long it takes ------------------------------------------------------------------------

    def _note_slow(self, took_ns: int) -> None:
        """Take the lane out of service, or only say so, as the policy has it."""
        log.warning("slow commit", extra={"took_ms": took_ns // _NS_PER_MS})
        self._probe_wait_s = RETRY_S_MIN
        self._probe_due_ns = self._clock.monotonic_ns() + round(RETRY_S_MIN * 1e9)
        if took_ns >= self._max_ns or self._limits.policy is SlowCardPolicy.STOP:
            self._health.broken(SLOW_FAULT)
        else:
            self._health.noted(SLOW_FAULT)

    async def _probe_when_due(self) -> None:
        """After a slow commit: the fault is over when one that says nothing is fast."""
        if SLOW_FAULT in self._health.faults and self._probe_due_ns is None:
            self._probe_due_ns = self._clock.monotonic_ns()  # one that has not come back yet
        if self._probe_due_ns is None or self._probe_due_ns > self._clock.monotonic_ns():
            return
        try:
            took_ns = await self._probe()
        except StorageError as exc:
            self._health.broken(exc.fault)
            return
        if took_ns < self._times.slow_ns:
            self._probe_due_ns = None
            self._health.mended(SLOW_FAULT)
            return
        self._probe_wait_s = min(RETRY_S_MAX, self._probe_wait_s * 2)
        self._probe_due_ns = self._clock.monotonic_ns() + round(self._probe_wait_s * 1e9)

    async def _probe(self) -> int:
        begun_ns = self._clock.monotonic_ns()
        await self._card.probe()
        return self._clock.monotonic_ns() - begun_ns
