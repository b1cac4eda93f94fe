"""From a world that breaks an invariant to the smallest one that still breaks the same."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from typing import Any, Final, TypeVar

from simulation.plan import MINUTE_MS, Plan, Weather
from simulation.world import Outcome, play

PLAYS_MAX: Final = 150
_CALM: Final = Weather(loss=0, twice=0, slow=0)
_T = TypeVar("_T")


class Shrinking:
    """Plays smaller and smaller plans; each must break the same invariant.

    Attributes:
        plan: the smallest so far.
        outcome: of playing it.
        plays: how many were played.
    """

    def __init__(
        self,
        plan: Plan,
        outcome: Outcome,
        play_it: Callable[[Plan], Outcome] = play,
        plays_max: int = PLAYS_MAX,
    ) -> None:
        """Take a plan that breaks something.

        Raises:
            ValueError: if it breaks nothing.
        """
        if outcome.broken is None:
            raise ValueError(f"seed {plan.seed} breaks nothing")
        self.plan = plan
        self.outcome = outcome
        self.plays = 0
        self._number = outcome.broken.number
        self._play = play_it
        self._plays_max = plays_max

    def shrink(self) -> Plan:
        """Halve gates, time, faults, people and the desk until nothing more can go."""
        while self._round() and self.plays < self._plays_max:
            pass
        return self.plan

    def _round(self) -> bool:
        steps = (self._fewer_gates, self._less_time, self._calmer, self._less_of_everything)
        return sum(step() for step in steps) > 0  # each of them, whatever the one before did

    def _try(self, plan: Plan) -> bool:
        if plan == self.plan or self.plays >= self._plays_max:
            return False
        self.plays += 1
        outcome = self._play(plan)
        if outcome.broken is None or outcome.broken.number != self._number:
            return False
        self.plan, self.outcome = plan, outcome
        return True

    def _fewer_gates(self) -> bool:
        is_smaller = False
        while self.plan.gates > 1 and (
            self._try(self.plan.only(self.plan.gates // 2))
            or self._try(self.plan.only(self.plan.gates - 1))
        ):
            is_smaller = True
        return is_smaller

    def _less_time(self) -> bool:
        is_smaller = False
        while self.plan.minutes > 1 and (
            self._try(self.plan.cut_short(self.plan.minutes // 2))
            or self._try(self.plan.cut_short(self.plan.minutes - 1))
        ):
            is_smaller = True
        return is_smaller

    def _calmer(self) -> bool:
        is_calmer = self._try(replace(self.plan, weather=_CALM))
        return self._try(replace(self.plan, without_sensor=frozenset())) or is_calmer

    def _less_of_everything(self) -> bool:
        return sum(self._less_of(name) for name in ("faults", "visits", "desk")) > 0

    def _less_of(self, name: str) -> bool:
        is_smaller = False
        size = max(1, len(getattr(self.plan, name)) // 2)
        while True:
            for rest in _without_a_part(getattr(self.plan, name), size):
                if self._try(replace(self.plan, **{name: rest})):
                    is_smaller = True
                    break
            else:
                if size == 1:
                    return is_smaller
                size //= 2


def _without_a_part(whole: Sequence[_T], size: int) -> Iterator[tuple[_T, ...]]:
    for start in range(0, len(whole), size):
        yield (*whole[:start], *whole[start + size :])


def told(plan: Plan, outcome: Outcome, lines_max: int = 60) -> str:
    """Tell a small world and what happened in it, for people."""
    words = [f"{plan.gates} gates, {plan.minutes} minutes, {plan.weather}"]
    tickets = {visit.ticket for visit in plan.visits} | {one.ticket for one in plan.desk}
    words += [f"  ticket {place}: {plan.tickets[place]}" for place in sorted(tickets)]
    for name in ("visits", "faults", "desk"):
        words += [f"  {_short(one)}" for one in getattr(plan, name)]
    words.append(f"broken: {outcome.broken}")
    words += outcome.trace[-lines_max:]
    return "\n".join(words)


def _short(one: Any) -> str:
    said = ", ".join(
        f"{field.name}={getattr(one, field.name)}" for field in fields(one) if field.name != "at_ms"
    )
    return f"{one.at_ms / MINUTE_MS:.2f} min {type(one).__name__}({said})"
