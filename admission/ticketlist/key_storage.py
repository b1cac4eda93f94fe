"""Where a gate may keep a list key, and what that leaves to a thief. The manifest carries the word.

Called by the publisher, who chooses, and by the gate, which obeys and never keeps more than that.
"""

from enum import StrEnum, unique

from admission.ticketlist.guessability import Guessability, Strength


@unique
class KeyStorage(StrEnum):
    """The choice for one performance."""

    FILE = "file"  # in the gate's database: a stolen card gives the key away
    SEALED = "sealed"  # under a secret of the device that is not in the database
    MEMORY = "memory"  # never written: fetched after each start, which so needs the server


_GUESSED: frozenset[Strength] = frozenset({Strength.WEAK, Strength.OPEN})


def is_risky(storage: KeyStorage, numbers: Guessability | None) -> bool:
    """Tell whether a choice leaves guessable numbers to whoever takes a gate's memory card."""
    return storage is KeyStorage.FILE and numbers is not None and numbers.strength in _GUESSED


def storage_in_force(
    chosen: KeyStorage, numbers: Guessability | None, *, is_overridden: bool
) -> KeyStorage:
    """Give what gates are told.

    A choice that has become risky, because guessable numbers were brought in after it, is not
    followed until somebody takes it upon themselves.

    Args:
        chosen: by an operator, or the default.
        numbers: as measured last; None before the first import.
        is_overridden: whether an operator chose it for guessable numbers, with a reason.
    """
    if is_risky(chosen, numbers) and not is_overridden:
        return KeyStorage.SEALED
    return chosen
