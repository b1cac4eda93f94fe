"""One evening with bad luck, played and audited: `world_trial.py SEED GATES SECONDS EVERY_S`.

Prints its figures and the digest of its trace; the same for the same arguments.
"""

import asyncio
import logging
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from passage_audit import (
    check_all_know_all,
    check_handed_in,
    check_people,
    check_report,
    check_whole,
    read_card,
)
from virtual_venue import World, play
from world_evening import Evening
from world_misfortunes import Misfortunes

MISFORTUNE_EVERY_S = 20.0
TICKETS_PER_GATE = 100


@dataclass
class Trial:
    """What came of it.

    Attributes:
        world: as it ended.
        luck: what went wrong.
        figures: of the report.
    """

    world: World
    luck: Misfortunes
    figures: dict[str, int]

    @property
    def line(self):
        """All of it in one line."""
        figures = " ".join(f"{name}={value}" for name, value in self.figures.items())
        return f"{figures} misfortunes={sum(self.luck.count.values())} {self.world.digest}"


def try_an_evening(folder, seed, *, gates, seconds, every_s):
    """Play an evening from a seed, and audit it.

    Args:
        folder: for disks.
        seed: of everything that is drawn.
        gates: how many.
        seconds: how long people come.
        every_s: how long a gate waits for its next person, on average.
    """
    kept = []

    async def story(world):
        evening = Evening(world, gates, every_s=every_s)
        luck = Misfortunes(world, MISFORTUNE_EVERY_S)
        kept.extend((evening, luck))
        await evening.build(gates * TICKETS_PER_GATE)
        await evening.open_for(seconds, luck.run())
        await evening.await_quiet()

    with pytest.MonkeyPatch.context() as patch:
        world = play(patch, seed, folder, story)
    evening, luck = kept
    return Trial(world, luck, _audit(world, evening, luck))


def _audit(world, evening, luck):
    cards = [read_card(gate.data) for gate in world.gates]
    for gate, card in zip(world.gates, cards, strict=True):
        check_whole(card)
        check_people(card, gate.walked, was_ended=gate.address in luck.ended)
    database = world.server.data / "portillon.db"
    check_handed_in(database, cards)
    check_all_know_all(cards)
    return asyncio.run(check_report(database, cards, evening.tickets))


def main():
    """Play one evening for whoever called this file."""
    seed, gates = int(sys.argv[1]), int(sys.argv[2])
    seconds, every_s = float(sys.argv[3]), float(sys.argv[4])
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        trial = try_an_evening(Path(folder), seed, gates=gates, seconds=seconds, every_s=every_s)
    print(trial.line)


if __name__ == "__main__":
    main()
