"""How the gate is: its duty, its mode, its faults, and so what it shows at rest and writes down.

Called by the gate before every verdict and by everything that changes it. Does no I/O itself.
"""

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import timedelta
from typing import Final

from admission import journal
from admission.journal import Flag
from admission.operating_mode import (
    Cause,
    Mode,
    Situation,
    Steadiness,
    age_s,
    causes_of,
    mode_of,
)
from admission.passage import History
from admission.rules import ClockPolicy, ExitPolicy, GateConditions
from admission.scan import Direction
from admission.sync.assignment import CheckpointRow, checkpoint_of
from admission.ticket import Checkpoint
from admission.trust.trusted_time import TrustedInstant
from admission.verdict import Answer
from appliance.announcer import Announcer
from appliance.fault_codes import BATTERY_FAULT, STOPPING_FAULTS, TEST_CODE
from appliance.fault_log import FaultLog
from appliance.holdings import GateHoldings
from appliance.lists import ListKeeper
from appliance.ports import Look, Screen
from appliance.recording import Recorder
from appliance.telling import doors_at
from appliance.trusted_clock import TrustedClock

log = logging.getLogger(__name__)

LOCK_CODE: Final = "GT-LCK"  # no fault: an operator has locked the gate
UNCERTAINTY_MS_MAX: Final = 300_000  # beyond, a copy of a rotating code would do for too long


class Health:
    """The gate's state as a whole.

    Attributes:
        mode: connected or degraded.
        causes: of the degradation.
        stirred: set when a fault of the card begins; the card keeper clears and awaits it.
        fault_log: writes faults down.
        others: gives the codes that others know of; written down with these.
    """

    def __init__(
        self,
        *,
        keeper: ListKeeper,
        holdings: GateHoldings,
        history: History,
        recorder: Recorder,
        announcer: Announcer,
        clock: TrustedClock,
        direction: Direction,
    ) -> None:
        """Take what the state is made of.

        Args:
            keeper: gives the assignment.
            holdings: the lists held.
            history: gives the occupancy.
            recorder: told the circumstances of every record.
            announcer: told what to show at rest.
            clock: says whether the time is trusted.
            direction: of the lane's first reader, for the resting screen.
        """
        self._keeper = keeper
        self._holdings = holdings
        self._history = history
        self._recorder = recorder
        self._announcer = announcer
        self._clock = clock
        self._direction = direction
        self._faults: set[str] = set()
        self._noted: set[str] = set()
        self.stirred = asyncio.Event()
        self.fault_log = FaultLog(recorder, clock)
        self.others: Callable[[], Collection[str]] = lambda: ()
        self._read_of: CheckpointRow | None = None
        self._checkpoint: Checkpoint | None = None
        self.situation: Callable[[], Situation] = lambda: Situation(live=False)
        self._locked = False
        self._ordered_locked = False
        self._staff_locked = False
        self._is_free = False
        self._steadiness = Steadiness()
        self.mode = Mode.DEGRADED
        self.causes: tuple[Cause, ...] = (Cause.LINK,)

    @property
    def checkpoint(self) -> Checkpoint | None:
        """Where the gate works; None before its first assignment."""
        row = self._keeper.checkpoint
        if row is not self._read_of:  # read anew only when there is another
            self._read_of = row
            self._checkpoint = None if row is None else checkpoint_of(row)
        return self._checkpoint

    @property
    def exit_policy(self) -> ExitPolicy:
        """For which refused numbers an exit opens."""
        assignment = self._keeper.assignment
        return ExitPolicy.LISTED if assignment is None else ExitPolicy(assignment.exit_policy)

    @property
    def clock_policy(self) -> ClockPolicy:
        """What the rules with a time in them do while there is no trusted one."""
        assignment = self._keeper.assignment
        return ClockPolicy.ADMIT if assignment is None else ClockPolicy(assignment.clock_policy)

    @property
    def is_strict(self) -> bool:
        """Whether a ticket is claimed at the server before the arm opens."""
        assignment = self._keeper.assignment
        return assignment is not None and assignment.strict

    def gate_called(self, journal_id: str) -> str | None:
        """Give the name of the gate that wrote a journal: "" is this one, None is not known.

        A journal begun anew has an id that no assignment names.
        """
        if self._recorder.journal.is_own(journal_id):
            return ""
        assignment = self._keeper.assignment
        return None if assignment is None else assignment.gate_names.get(journal_id) or None

    @property
    def faults(self) -> tuple[str, ...]:
        """Codes of what is wrong now."""
        return tuple(sorted(self._faults | self._noted))

    @property
    def broken_faults(self) -> tuple[str, ...]:
        """Codes of what takes the gate out of service now."""
        return tuple(sorted(self._faults))

    @property
    def is_stopped(self) -> bool:
        """Whether nobody enters because of card, battery or a test; who is inside may leave."""
        return not self._faults.isdisjoint(STOPPING_FAULTS | {BATTERY_FAULT, TEST_CODE})

    def conditions(self, instant: TrustedInstant) -> GateConditions:
        """Give what the gate adds to the rules at an instant.

        A list that is not there, or was not believed, says nothing of anybody's ticket: that is
        `list_untrusted`, never `unknown_ticket`.
        """
        faults = self._holdings.faults(journal.instant(instant.now_ms))
        checkpoint = self.checkpoint
        if checkpoint is not None:
            held = self._holdings.performances
            for name in checkpoint.performances:
                if name not in held:
                    faults[name] = Answer.LIST_UNTRUSTED
        if not instant.is_trusted:
            return GateConditions(
                locked=self.is_ordered_locked,
                list_faults=faults,
                clock_trusted=False,
                clock_policy=self.clock_policy,
            )
        error = timedelta(milliseconds=min(instant.error_ms or 0, UNCERTAINTY_MS_MAX))
        return GateConditions(
            locked=self.is_ordered_locked, list_faults=faults, clock_uncertainty=error
        )

    def broken(self, code: str) -> None:
        """Note a fault; it is shown until it is mended."""
        if code not in self._faults:
            log.error("fault", extra={"code": code})
            self._faults.add(code)
            self._noted.discard(code)
            self.changed()
        if code in STOPPING_FAULTS:
            self.stirred.set()

    def noted(self, code: str) -> None:
        """Note a fault that people need not mind: the gate serves, and shows the code at rest."""
        if code not in self._faults | self._noted:
            log.warning("fault", extra={"code": code})
            self._noted.add(code)
            self.changed()
        if code in STOPPING_FAULTS:
            self.stirred.set()

    @property
    def is_locked(self) -> bool:
        """Whether nobody enters any more; who is inside may leave."""
        return self._locked

    @property
    def is_ordered_locked(self) -> bool:
        """Whether an operator or the staff's switch has locked the gate."""
        return self._ordered_locked or self._staff_locked

    def order_locked(self, *, is_locked: bool) -> None:
        """Lock or unlock the gate by an operator's command: entries are told `gate_locked`."""
        if is_locked is not self._ordered_locked:
            log.warning("gate locked" if is_locked else "gate unlocked")
            self._ordered_locked = is_locked
            self.changed()

    def face(self, direction: Direction) -> None:
        """Show at rest that the lane lets people go this way."""
        if direction is not self._direction:
            self._direction = direction
            self.changed()

    def staff_locked(self, *, is_locked: bool) -> None:
        """Lock or unlock the gate by the staff's switch; an operator's lock stands beside it."""
        if is_locked is not self._staff_locked:
            log.warning("gate locked by a switch" if is_locked else "switch unlocked")
            self._staff_locked = is_locked
            self.changed()

    def free_passage(self, *, is_free: bool) -> None:
        """Note whether everybody may go through; shown whatever else is wrong."""
        self._is_free = is_free
        self.changed()

    def lock(self, code: str) -> None:
        """Let nobody enter any more, and show why; until the gate is started as another one."""
        self._locked = True
        self.broken(code)

    def mended(self, code: str) -> None:
        """Note that a fault is over."""
        if code in self._faults | self._noted:
            log.info("fault is over", extra={"code": code})
            self._faults.discard(code)
            self._noted.discard(code)
            self.changed()

    def changed(self) -> None:
        """Work the mode out again and pass on what follows from it."""
        situation = self.situation()
        causes = causes_of(situation, self.causes)
        mode = mode_of(causes)
        if mode is not self.mode:
            words = [cause.value for cause in causes]
            log.warning("mode changed", extra={"mode": mode.value, "causes": words})
        self.mode, self.causes = mode, causes
        self._recorder.circumstances = Flag.DEGRADED if mode is Mode.DEGRADED else Flag(0)
        shown = self._steadiness.shown(causes, self._clock.monotonic_ns() / 1e9)
        age = age_s(shown[0], situation) if shown else None
        self._announcer.rest_on(
            replace(
                self._resting(),
                degraded=bool(shown),
                degraded_by=shown[0] if shown else None,
                degraded_min=int((age or 0) // 60),
            )
        )
        self.fault_log.take({*self._faults, *self._noted, *self.others()})

    def _resting(self) -> Screen:
        if self._is_free:
            return Screen(Look.FREE_PASSAGE, self._direction)
        if self._staff_locked and not self._faults:
            return Screen(Look.LOCKED_DOWN, self._direction)
        if self._faults or self.is_ordered_locked:
            fault = min(self._faults, default=LOCK_CODE)
            return Screen(Look.OUT_OF_SERVICE, self._direction, fault=fault)
        checkpoint = self.checkpoint
        if checkpoint is None or not any(
            name in self._holdings.versions for name in checkpoint.performances
        ):
            return Screen(Look.WAITING_LIST, self._direction)
        held = [self._holdings.get(name) for name in checkpoint.performances]
        titles = [one.manifest.showing for one in held if one is not None]
        known = self._holdings.performances
        showings = [known[name] for name in checkpoint.performances if name in known]
        return Screen(
            Look.IDLE,
            self._direction,
            title=(titles[0].event or titles[0].name) if titles else "",
            detail=checkpoint.name,
            fault=min(self._noted, default=""),
            occupancy=self._history.occupancy(checkpoint.id),
            doors=doors_at(showings, self._clock.now()),
        )
