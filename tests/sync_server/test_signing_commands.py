"""Operators' commands on the server: signed, counted up, with a reason, and brought to gates."""

import logging
from dataclasses import replace

import pytest

from admission.sync.command_code import read_code
from admission.ticketlist.identifiers import identify
from admission.trust.command import Action, accept_command
from admission.trust.root import Role as TrustRole
from admission.trust.root import signers
from sync_server.commanding import MINUTES_MAX, Commanding, Order
from sync_server.entities import ImportMode, instant
from sync_server.errors import ConflictError, InvalidError, NotFoundError
from sync_server.importing import Importing
from sync_server.reconciling import refold_tickets
from sync_server.sources.file import read_tickets

KEY = b"p0".rjust(32, b"k")
LOCK = Order(Action.LOCK, "a fight")


class HeardCourier:
    """Remembers what it was to bring."""

    def __init__(self):
        self.brought = []

    def order(self, gates, envelope):
        self.brought.append((tuple(gates), envelope))
        return 1


@pytest.fixture
def courier():
    return HeardCourier()


@pytest.fixture
async def commanding(venue, ledger, trust, courier, clock):
    async with venue.write() as transaction:
        gate = await transaction.gates.gate("g0")
        enrolled = replace(gate, public_key=b"p" * 32, agreement_key=b"a" * 32, enrolled_ms=1)
        await transaction.gates.save_gate(enrolled)
    return Commanding(venue, ledger, trust, courier)


def accepted(trust, raw, clock, gate="g0", counters=None):
    return accept_command(
        raw,
        trusted=signers(trust.root, TrustRole.OPERATOR),
        gate=gate,
        counters=counters or {},
        now=instant(clock.now_us()),
    )


async def test_a_command_says_who_why_and_until_when_and_a_gate_accepts_it(
    commanding, trust, courier, clock, master
):
    issued = await commanding.order_gate(master, "g0", LOCK)
    (((gates, raw)),) = courier.brought
    command = accepted(trust, raw, clock)
    assert (gates, command.gates) == (("g0",), ("g0",))
    assert (command.action, command.operator, command.reason) == (Action.LOCK, "anna", "a fight")
    assert issued.expires_ms == clock.now_us() // 1000 + 10 * 60_000
    assert accepted(trust, read_code(issued.code.encode()), clock) == command


async def test_counters_rise_also_after_the_database_came_from_a_backup(
    commanding, venue, ledger, trust, courier, clock, master
):
    first = await commanding.order_gate(master, "g0", LOCK)
    second = await commanding.order_gate(master, "g0", LOCK)
    assert second.counter == first.counter + 1
    clock.advance(60)
    third = await Commanding(venue, ledger, trust, courier).order_gate(master, "g0", LOCK)
    assert third.counter > clock.now_us() // 1000 - 1 > second.counter


async def test_admitting_turns_the_number_into_an_identifier_and_logs_it_nowhere(
    commanding, venue, ledger, news, trust, courier, clock, master, caplog
):
    importing = Importing(venue, read_tickets, refold_tickets, ledger, news)
    await importing.import_file(
        master, "p0", b"number\nSECRET1\n", source_name="s", filename="f", mode=ImportMode.ADD
    )
    order = Order(Action.ADMIT, "lost it", performance_id="p0", number=" SECRET1 ")
    with caplog.at_level(logging.DEBUG):
        await commanding.order_gate(master, "g0", order)
    command = accepted(trust, courier.brought[0][1], clock)
    assert command.identifier == identify(KEY, "SECRET1")
    assert "SECRET1" not in caplog.text
    assert "SECRET1" not in repr(order)
    with pytest.raises(NotFoundError):
        await commanding.order_gate(master, "g0", replace(order, number="nobody's"))
    with pytest.raises(NotFoundError):
        await commanding.order_gate(master, "g0", replace(order, performance_id="p9"))


@pytest.mark.parametrize(
    "order",
    [
        replace(LOCK, reason=" "),
        replace(LOCK, reason="r" * 201),
        replace(LOCK, minutes=0),
        replace(LOCK, minutes=MINUTES_MAX + 1),
    ],
)
async def test_without_a_reason_or_for_too_long_nothing_is_commanded(
    commanding, courier, master, order
):
    with pytest.raises(InvalidError):
        await commanding.order_gate(master, "g0", order)
    assert courier.brought == []


async def test_a_checkpoint_is_locked_as_a_whole_but_people_go_through_one_gate(
    commanding, courier, master
):
    issued = await commanding.order_checkpoint(master, "c0", LOCK)
    assert issued.gates == ("g0",)
    for action in (Action.OPEN, Action.ADMIT):
        with pytest.raises(InvalidError):
            await commanding.order_checkpoint(master, "c0", Order(action, "why"))


async def test_the_newest_lock_stands_until_it_is_over_and_an_opening_never_does(
    commanding, trust, clock, master
):
    assert await commanding.standing("g0") is None
    await commanding.order_gate(master, "g0", LOCK)
    await commanding.order_gate(master, "g0", replace(LOCK, action=Action.UNLOCK, minutes=60))
    await commanding.order_gate(master, "g0", Order(Action.OPEN, "a wheelchair"))
    assert accepted(trust, await commanding.standing("g0"), clock).action is Action.UNLOCK
    assert await commanding.standing("g1") is None
    clock.advance(3600)
    assert await commanding.standing("g0") is None


async def test_a_revoked_gate_is_not_commanded(commanding, venue, master):
    async with venue.write() as transaction:
        gate = await transaction.gates.gate("g0")
        await transaction.gates.save_gate(replace(gate, revoked_ms=5))
    with pytest.raises(ConflictError):
        await commanding.order_gate(master, "g0", LOCK)


async def test_without_the_operators_key_nothing_is_commanded(commanding, trust, master):
    trust._private.clear()
    with pytest.raises(ConflictError):
        await commanding.order_gate(master, "g0", LOCK)
    assert await commanding.standing("g0") is None


async def test_every_command_leaves_an_audit_line(commanding, venue, master):
    await commanding.order_gate(master, "g0", LOCK)
    async with venue.read() as transaction:
        rows = await transaction.connection.exec_driver_sql(
            "SELECT what, subject, detail FROM audit WHERE what = 'gate_commanded'"
        )
        ((_, subject, detail),) = rows.all()
    assert subject == "g0"
    assert "a fight" in detail
