"""A deliberate fault in the real code, and the list of all of them; see `mutants`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from simulation.plan import COMMON, Plan, Trouble, draw

Patches = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fault.

    Attributes:
        name: what is wrong.
        caught_by: numbers of invariants, one of which must break.
        patches: makes the fault.
        certain: what has to go wrong for it to show; each world has it.
        seeds_max: so many worlds may pass before it is caught.
        first: the world that is known to show it.
        world: the only world in which it shows, where none is drawn.
        desk: how often somebody at the venue changes something.
    """

    name: str
    caught_by: frozenset[str]
    patches: Callable[[], Patches] = field(repr=False)
    certain: tuple[Trouble, ...] = ()
    seeds_max: int = 10
    desk: int = 4
    first: int = 1
    world: Plan | None = field(default=None, repr=False)

    def plans(self) -> Iterator[Plan]:
        """Give the worlds in which it has to show, the one that is known to show it first."""
        if self.world is not None:
            yield self.world
            return
        others = [seed for seed in range(1, self.seeds_max + 1) if seed != self.first]
        for seed in (self.first, *others):
            yield self._plan(seed)

    def _plan(self, seed: int) -> Plan:
        troubles = self.certain or COMMON
        return draw(
            f"mutant {seed}",
            certain=self.certain,
            troubles=troubles,
            desk=self.desk,
        )

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Have the fault in the code."""
        patches = self.patches()
        for one in patches:
            one.start()
        try:
            yield
        finally:
            for one in reversed(patches):
                one.stop()


MUTANTS: Final[list[Mutant]] = []


def mutant(
    name: str,
    caught_by: str,
    *certain: Trouble,
    **more: Any,
) -> Callable[[Callable[[], Patches]], Callable[[], Patches]]:
    def add(patches: Callable[[], Patches]) -> Callable[[], Patches]:
        MUTANTS.append(Mutant(name, frozenset(caught_by.split()), patches, certain, **more))
        return patches

    return add
