"""What the gate's own page needs of the gate, as values and protocols. `main` binds them.

The page reads snapshots and asks for things to be done through these; it never reaches into a
service.
"""

from dataclasses import dataclass, field
from enum import StrEnum, unique
from itertools import pairwise
from typing import Final, Protocol

from appliance.handheld_ports import StaffDesk

PIN_CHARACTERS_MAX: Final = 64


@unique
class PageRole(StrEnum):
    """Who somebody at the gate's page is; a supervisor may do all that a steward may."""

    STEWARD = "steward"
    SUPERVISOR = "supervisor"

    def may_act_as(self, needed: "PageRole") -> bool:
        """Tell whether this role may do what another is needed for."""
        return self is needed or self is PageRole.SUPERVISOR


PIN_CHARACTERS_MIN: Final = {PageRole.STEWARD: 4, PageRole.SUPERVISOR: 6}


def pin_problem(role: PageRole, pin: str) -> str:
    """Give what is wrong with a new PIN: `short`, `long`, `plain` or "" for nothing."""
    if len(pin) < PIN_CHARACTERS_MIN[role]:
        return "short"
    if len(pin) > PIN_CHARACTERS_MAX:
        return "long"
    return "plain" if _is_plain(pin) else ""


def _is_plain(pin: str) -> bool:
    """Tell whether it is what everybody tries first: 000000, 123456, 987654."""
    steps = {ord(after) - ord(before) for before, after in pairwise(pin)}
    return len(steps) == 1 and steps <= {-1, 0, 1}


class PinStore(Protocol):
    """The PINs of the gate's page; only a salted, slow hash of each is kept."""

    async def stamps(self) -> dict[PageRole, str]:
        """Give, for each role whose PIN is set, a text that another PIN changes.

        Raises:
            StorageError: if the file is there and cannot be read.
        """
        ...

    async def is_right(self, role: PageRole, pin: str) -> bool:
        """Check a PIN, slowly; False where none is set.

        Raises:
            StorageError: if the file is there and cannot be read.
        """
        ...

    async def choose(self, role: PageRole, pin: str) -> None:
        """Set a PIN, in the place of the one before; "" removes it.

        Raises:
            ValueError: if it is too short, too long or too plain; see `pin_problem`.
            StorageError: if it cannot be written.
        """
        ...


@dataclass(slots=True)
class GateDesk:
    """What the page may look at and ask for. `main` fills it in while the lane is served.

    Each is None while nothing is served: the page then says so.

    Attributes:
        gate_name: for people; "" before it is known.
        staff: what stewards and supervisors look at and ask for.
    """

    gate_name: str = ""
    staff: StaffDesk = field(default_factory=StaffDesk)

    def clear(self) -> None:
        """Forget everything that belongs to the lane that was served."""
        self.staff.clear()
