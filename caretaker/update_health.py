"""Whether a version that is on trial is well: judged by what is seen, and by how it was before.

Pure; `health_watch` looks and calls. What a version cannot be blamed for (a battery, a locked gate,
a network that is down) is not counted, and what was wrong under the old version is not either.
"""

from dataclasses import dataclass
from typing import Final

from caretaker.gate_status import GateStatus
from caretaker.update_file import Before

FRESH_MS: Final = 30_000  # the gate writes every ten seconds, however little happens
MEMORY_PERCENT_MIN: Final = 5.0
TEMPERATURE_C_MAX: Final = 90.0
# Faults of parts that another version may have broken; see docs/operations/faults.md.
BLAMED: Final = frozenset(
    {
        "GT-DSK", "GT-RO", "GT-JRN", "GT-RLY", "GT-SNS", "GT-ARM",
        "GT-IDN", "GT-CAM", "GT-RDR", "GT-DSP", "GT-SIG",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seen:
    """The machine at one moment.

    Attributes:
        status: what the gate says; None for nothing.
        now_ms: the wall clock.
        boot: this start of the machine.
        failed_units: as systemd has them.
        memory_percent: that is to be had.
        temperature_c: of the hottest part; 0 where nothing measures it.
    """

    status: GateStatus | None
    now_ms: int
    boot: str
    failed_units: tuple[str, ...] = ()
    memory_percent: float = 100.0
    temperature_c: float = 0.0


def what_is_wrong(seen: Seen, before: Before) -> list[str]:
    """Give all that is not as it has to be; [] for a version that is well."""
    wrong = [f"{unit} failed" for unit in seen.failed_units]
    if seen.memory_percent < MEMORY_PERCENT_MIN:
        wrong.append(f"only {seen.memory_percent:.0f} % of the memory is left")
    if seen.temperature_c > TEMPERATURE_C_MAX:
        wrong.append(f"the machine is at {seen.temperature_c:.0f} °C")
    status = seen.status
    if status is None or status.boot != seen.boot:
        return [*wrong, "the gate has not started"]
    if seen.now_ms - status.written_ms > FRESH_MS:
        return [*wrong, "the gate says nothing any more"]
    if not status.is_ready:
        codes = " ".join(sorted(status.faults))
        return [*wrong, f"the gate does not serve ({codes or 'starting'})"]
    wrong += [f"{code} is new" for code in sorted((status.faults & BLAMED) - before.faults)]
    is_server_reached = status.server_reached_ms is not None
    if before.was_server_reached and not is_server_reached:
        wrong.append("the server is not reached, and was before")
    # with its server, a gate's lists may rightly have become others
    if not is_server_reached and status.tickets < before.tickets:
        wrong.append(f"{status.tickets} tickets are held, {before.tickets} were before")
    return wrong


@dataclass(frozen=True, slots=True)
class Course:
    """How long a version has to be well, and how much time it has for it. Seconds.

    Attributes:
        window_s: for which nothing may be wrong.
        patience_s: in which something may be, taken together: starting takes a while.
        look_s: between two looks.
    """

    window_s: float = 300.0
    patience_s: float = 300.0
    look_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Trial:
    """How a trial goes, look by look.

    Attributes:
        well_s: for which nothing was wrong.
        unwell_s: for which something was, taken together.
        restarts: of the daemon, as last seen; None before the first look.
    """

    well_s: float = 0.0
    unwell_s: float = 0.0
    restarts: int | None = None

    def after(self, wrong: list[str], restarts: int, course: Course) -> "Trial":
        """Give it after one more look; a daemon that was started again begins anew."""
        if wrong or restarts != (restarts if self.restarts is None else self.restarts):
            return Trial(0.0, self.unwell_s + self.well_s + course.look_s, restarts)
        return Trial(self.well_s + course.look_s, self.unwell_s, restarts)

    def is_passed(self, course: Course) -> bool:
        """Tell whether it was well for the whole window."""
        return self.well_s >= course.window_s

    def is_failed(self, course: Course) -> bool:
        """Tell whether it has had its time."""
        return self.unwell_s > course.patience_s
