"""Cards that were cloned or put back from an image: whatever they wrote, the server has it all."""

import asyncio
from collections import Counter
from copy import deepcopy
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from admission.journal import Kind
from appliance.errors import LinkError
from appliance.simulator.imagined_server import ImaginedServer
from appliance.simulator.virtual_clock import VirtualClock
from copied_cards import Card, Machine
from signed_server import SIGNER
from tests.appliance.conftest import EVENING

third = settings(max_examples=settings.default.max_examples // 3)


class Link:
    """The way to an imagined server, which can be put back to what it was, and loses answers."""

    def __init__(self):
        self.server = ImaginedServer(VirtualClock(EVENING))
        self.server.device_keys["g0"] = SIGNER.public_key
        self.answers_lost = 0
        self.backups = []

    async def upload(self, batch):
        ack = self.server.take(batch)
        if self.answers_lost:
            self.answers_lost -= 1
            raise LinkError("the answer was lost")
        return ack

    def back_up(self):
        self.backups.append(deepcopy(self.server.journals))

    def restore(self):
        self.server.journals = deepcopy(self.backups[-1]) if self.backups else {}


def lines_held(server):
    """Count every record that is held, by its journal, sequence and history."""
    return Counter(
        (name, row.sequence, row.chain)
        for name, stored in server.journals.items()
        for row in (*stored.rows.values(), *stored.forked)
    )


def lines_written(machines):
    return {
        (one.id, row.sequence, row.chain)
        for machine in machines
        for one in machine.card.journals()
        for row in one.written
    }


def new_machine(link):
    names = (f"journal-{number}" for number in count())
    machine = Machine(link, Card(next(names)), names.__next__)
    machine.write(0, Kind.JOURNAL_NEW)
    return machine


acts = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("write", "write", "write", "contact", "contact", "contact", "rest", "rest"),
                *("clone", "take an image", "put the image back", "start anew"),
                *("lose an answer", "back the server up", "put the server back"),
            ]
        ),
        st.integers(0, 3),
        st.integers(1, 6),
    ),
    max_size=40,
)


@given(acts)
def test_whatever_cards_are_cloned_and_put_back_the_server_ends_with_all_they_wrote(drawn):
    asyncio.run(_play(drawn))


async def _play(drawn):
    link = Link()
    machines = [new_machine(link)]
    images, lost, number = {}, set(), 0
    for act, which, size in drawn:
        machine = machines[which % len(machines)]
        number += 1
        match act:
            case "write":
                for _ in range(size):
                    machine.write(number := number + 1)
            case "contact":
                await machine.contact(size)
            case "lose an answer":
                link.answers_lost = 1
            case "clone" if len(machines) < 4:
                machines.append(Machine(link, machine.card.image(), machine.fresh))
            case "take an image":
                images[which % len(machines)] = machine.card.image()
            case "put the image back" if which % len(machines) in images:
                lost |= lines_written([machine])  # what no machine has any more may be anywhere
                machine.card = images[which % len(machines)].image()
                machine.start()
                machine.write(number, Kind.BOOT)
            case "start anew":
                machine.start()
                machine.write(number, Kind.BOOT)
            case "rest":
                machine.rest()
            case "back the server up":
                link.back_up()
            case "put the server back":
                link.restore()
    link.answers_lost = 0
    for machine in machines * 2:  # the second time nobody has anything left to say
        await machine.settle()
    held, written = lines_held(link.server), lines_written(machines)
    assert set(held.values()) <= {1}  # nothing is held twice
    assert written <= held.keys() <= written | lost
    assert not any(machine.handing.is_forked for machine in machines)


honest = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("write", "write", "contact", "contact", "lose an answer", "start anew"),
                *("back the server up", "put the server back"),
            ]
        ),
        st.integers(1, 6),
    ),
    max_size=30,
)


@third
@given(honest)
def test_a_card_that_nobody_copied_is_never_called_a_fork(drawn):
    asyncio.run(_play_honest(drawn))


async def _play_honest(drawn):
    link = Link()
    machine = new_machine(link)
    for number, (act, size) in enumerate(drawn, start=1):
        match act:
            case "write":
                for _ in range(size):
                    machine.write(number)
            case "contact":
                await machine.contact(size)
            case "lose an answer":
                link.answers_lost = 1
            case "start anew":
                machine.start()
                machine.write(number, Kind.BOOT)
            case "back the server up":
                link.back_up()
            case "put the server back":
                link.restore()
    link.answers_lost = 0
    await machine.settle()
    assert machine.forks == 0
    assert [stored.forked for stored in link.server.journals.values()] == [[]]
    assert lines_held(link.server).keys() == lines_written([machine])


async def test_a_card_put_back_from_an_image_goes_on_in_another_journal():
    link = Link()
    machine = new_machine(link)
    machine.write(1)
    image = machine.card.image()
    machine.write(2)
    await machine.settle()
    machine.card = image
    machine.start()
    machine.write(3, Kind.BOOT)
    machine.write(4)
    await machine.settle()
    old, new = machine.card.former[0], machine.card.current
    assert (old.head, old.acknowledged.sequence, new.id) == (4, 4, "journal-1")
    stored = link.server.journals
    assert [row.sequence for row in stored["journal-0"].forked] == [3, 4]
    assert len(stored["journal-0"].rows) == 3
    assert len(stored["journal-1"].rows) == len(new.written)


async def test_a_card_that_has_lost_its_end_writes_nothing_in_its_place():
    link = Link()
    machine = new_machine(link)
    image = machine.card.image()
    machine.write(1)
    await machine.settle()
    machine.card = image
    machine.start()
    await machine.settle()
    assert machine.forks == 1  # what it would write next, the server has otherwise
    machine.write(2, Kind.BOOT)
    await machine.settle()
    assert [len(stored.rows) for stored in link.server.journals.values()] == [2, 2]
    assert link.server.journals["journal-0"].forked == []


async def test_a_side_line_that_the_server_lost_is_handed_in_again():
    link = Link()
    machine = new_machine(link)
    machine.write(1)
    clone = Machine(link, machine.card.image(), machine.fresh)
    machine.write(2)
    await machine.settle()
    link.back_up()
    for number in range(3, 12):
        clone.write(number)
    await clone.settle()
    assert lines_written([clone]) <= lines_held(link.server).keys()
    link.restore()
    await clone.settle()
    assert lines_written([clone]) <= lines_held(link.server).keys()


async def test_a_main_line_whose_place_another_took_at_a_restored_server_is_handed_in_again():
    link = Link()
    machine = new_machine(link)
    await machine.settle()
    link.back_up()
    clone = Machine(link, machine.card.image(), machine.fresh)
    machine.write(1)
    await machine.settle()
    link.restore()
    clone.write(2)
    await clone.settle()
    await machine.settle()
    assert lines_written([machine, clone]) <= lines_held(link.server).keys()


async def test_clones_of_a_clone_each_get_a_journal_of_their_own():
    link = Link()
    first = new_machine(link)
    await first.settle()
    second = Machine(link, first.card.image(), first.fresh)
    first.write(1)
    second.write(2)
    await first.settle()
    await second.settle()
    third_one = Machine(link, second.card.image(), first.fresh)
    second.write(3)
    third_one.write(4)
    await second.settle()
    await third_one.settle()
    names = [one.id for one in third_one.card.journals()]
    assert names == ["journal-0", "journal-1", "journal-2"]
    assert set(lines_held(link.server).values()) == {1}
    written = lines_written([first, second, third_one])
    assert written == lines_held(link.server).keys()
