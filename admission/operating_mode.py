"""Connected or degraded, and why. Called by the gate after everything that may change it."""

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final


@unique
class Mode(StrEnum):
    """How a gate works. It admits in both."""

    CONNECTED = "connected"
    DEGRADED = "degraded"


@unique
class Cause(StrEnum):
    """Why a gate is degraded."""

    LINK = "link"  # cannot learn of others' passages
    LIST_AGE = "list_age"  # the list is past its refresh_by
    CLOCK = "clock"  # the clock is not trusted
    BACKLOG = "backlog"  # more passages wait than the server gets


BACKLOG_RECORDS_MAX: Final = 500  # about ten minutes of one busy lane


@dataclass(frozen=True, slots=True)
class Situation:
    """What decides the mode.

    Attributes:
        live: the live connection stands and beats.
        lists_fresh: no controlled list is past its `refresh_by`.
        clock_trusted: the gate may rely on its clock.
        backlog: records not yet acknowledged.
        peers: gates of the local network that are heard; they do not make up for the server.
    """

    live: bool
    lists_fresh: bool = True
    clock_trusted: bool = True
    backlog: int = 0
    peers: int = 0


def causes_of(situation: Situation) -> tuple[Cause, ...]:
    """Give every cause of degradation, most telling first; none means connected."""
    checks = (
        (Cause.LINK, not situation.live),
        (Cause.LIST_AGE, not situation.lists_fresh),
        (Cause.CLOCK, not situation.clock_trusted),
        (Cause.BACKLOG, situation.backlog > BACKLOG_RECORDS_MAX),
    )
    return tuple(cause for cause, applies in checks if applies)


def mode_of(causes: tuple[Cause, ...]) -> Mode:
    """Give the mode that some causes mean."""
    return Mode.DEGRADED if causes else Mode.CONNECTED
