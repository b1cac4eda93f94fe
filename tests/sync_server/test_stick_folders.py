"""Sticks at the server: journals are taken as if their gates had sent them, whoever wrote them."""

import pytest

from admission import journal
from admission.journal import Flag, Kind, Record
from admission.sync import codec, stick
from admission.sync.messages import Batch, Carried, Enrol, Moment
from admission.sync.sealed_head import seal
from admission.trust.envelope import STATUS_TYPE, unverified_body
from admission.trust.keys import public_key, sign
from admission.trust.reading import read_document
from admission.trust.sealing import agreement_public_key, unseal
from admission.trust.status import ServerStatus
from appliance.storage.stored_signer import StoredSigner
from appliance.transport.client import open_link
from sync_server.errors import ConfigError, NotFoundError
from sync_server.stick_main import export_stick, import_stick

KEY, THIEF, AGREEMENT = b"a" * 32, b"t" * 32, b"x" * 32
BOOT = b"b" * 16
AT_MS = 1_780_000_000_000


@pytest.fixture
async def house(operator, tmp_path):
    """A published performance of one ticket, and one enrolled gate; its data and a stick."""
    venue = await operator.made("venues", name="Hall", timezone="Europe/Paris")
    event = await operator.made("events", venue_id=venue, name="Show")
    operator.performance = await operator.made("performances", event_id=event, name="Tonight")
    operator.checkpoint = await operator.made(
        "checkpoints", venue_id=venue, name="North", performances=[operator.performance]
    )
    path = f"performances/{operator.performance}"
    await operator.call("POST", f"{path}/imports", data=b"number\nA1\n")
    await operator.call("POST", f"{path}/publish")
    operator.gate = await operator.made(
        "gates", checkpoint_id=operator.checkpoint, name="A", direction="entry"
    )
    _, made, _ = await operator.call("POST", f"gates/{operator.gate}/enrolment-code")
    async with open_link(operator.address, "", StoredSigner(KEY)) as link:
        await link.enrol(Enrol(made["code"], public_key(KEY), agreement_public_key(AGREEMENT)))
    operator.data, operator.usb = tmp_path, tmp_path / "usb"
    operator.usb.mkdir()
    return operator


def passage(house, sequence, **changes):
    fields = {
        "kind": int(Kind.PASSED),
        "sequence": sequence,
        "wall_ms": AT_MS + sequence,
        "boot_ms": 1000,
        "boot_id": BOOT,
        "checkpoint": house.checkpoint,
        "direction": 1,
        "flags": int(Flag.OVERRIDE),
    }
    return journal.encode(Record(**fields | changes))


def carry(house, blobs, *, first=1, previous=None, key=KEY, gate=None, name="j1", where=None):
    """Write part of a journal as a gate does; give the chain after it."""
    previous = journal.genesis(name) if previous is None else previous
    chain, gate = previous, gate or house.gate
    for blob in blobs:
        chain = journal.chain(chain, blob)
    last = first + len(blobs) - 1
    sealed = seal(lambda text: sign(key, text), gate, name, last, chain)
    batch = Batch(name, first, previous, blobs, Moment(AT_MS, 1000, BOOT), sealed)
    path = house.usb.joinpath(*stick.batch_path(where or name, first))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(codec.encode(Carried(gate, batch)))
    return chain


async def said(house):
    return [one.said for one in await import_stick(house.data, house.usb)]


async def occupancy(house):
    _, report, _ = await house.call("GET", "report")
    return report["occupancy"][house.checkpoint], report["anomalies"]


async def test_a_journal_is_taken_once_however_often_the_stick_comes(house):
    chain = carry(house, [passage(house, 1), passage(house, 2)])
    carry(house, [passage(house, 3)], first=3, previous=chain)
    for _ in range(3):
        assert await said(house) == ["taken", "taken"]
    assert await occupancy(house) == (3, [])


async def test_a_person_let_through_by_command_counts_and_is_no_anomaly(house):
    carry(house, [passage(house, 1)])
    await said(house)
    assert await occupancy(house) == (1, [])
    carry(house, [passage(house, 1, flags=0)], name="j2")
    await said(house)
    inside, anomalies = await occupancy(house)
    assert (inside, len(anomalies)) == (2, 1)  # without an operator's word it would be one


async def test_how_long_a_stick_was_on_its_way_moves_no_fact(house):
    carry(house, [passage(house, 1)])
    await said(house)
    async with open_link(house.address, house.gate, StoredSigner(KEY)) as link:
        (item,) = (await link.feed(house.performance, 0)).items
    assert item.at_us == (AT_MS + 1) * 1000


async def test_nobody_but_the_gate_itself_hands_its_journal_in(house):
    carry(house, [passage(house, 1)], key=THIEF)
    carry(house, [passage(house, 1)], gate="nobody", name="j2")
    foreign, unsigned = sorted(await said(house))
    assert foreign == "nobody is no gate that is enrolled here"
    assert unsigned == f"the seal of record 1 is not by gate {house.gate}"
    assert await occupancy(house) == (0, [])


async def test_what_a_revoked_gate_hands_in_is_held_apart(house):
    await house.call("POST", f"gates/{house.gate}/revoke")
    carry(house, [passage(house, 1)])
    assert await said(house) == ["held apart"]
    assert await occupancy(house) == (0, [])
    await house.call("POST", f"gates/{house.gate}/release")
    assert await occupancy(house) == (1, [])


async def test_the_end_of_a_journal_whose_card_was_copied_comes_by_stick_too(house):
    carry(house, [passage(house, 1), passage(house, 2)])
    await said(house)
    before = journal.chain(journal.genesis("j1"), passage(house, 1))
    other = passage(house, 2, wall_ms=AT_MS + 99)
    carry(house, [other, passage(house, 3)], first=2, previous=before)
    assert await said(house) == ["taken", "taken beside what is held up to 2"]
    assert await occupancy(house) == (4, [])


async def test_a_part_without_what_comes_before_it_waits(house):
    carry(house, [passage(house, 5)], first=5, previous=b"p" * 32)
    assert await said(house) == ["does not continue what is held up to 0"]


async def test_what_is_no_journal_is_told_and_stops_nothing(house, tmp_path):
    carry(house, [passage(house, 1)])
    folder = house.usb.joinpath(*stick.batch_path("j1", 1)).parent
    (folder / f"{7:020d}.batch").write_bytes(b"rubbish")
    (folder / f"{8:020d}.batch").symlink_to(tmp_path / "portillon.db")
    with (folder / f"{9:020d}.batch").open("wb") as file:
        file.truncate(1 << 40)
    (folder / "notes.txt").write_bytes(b"of a person")
    (folder.parent / ("0" * 32)).symlink_to(folder)
    taken, *others = await said(house)
    assert taken == "taken"
    assert len(others) == 3
    assert await occupancy(house) == (1, [])


async def test_an_empty_stick_brings_nothing_and_a_missing_one_is_named(house):
    assert await said(house) == []
    with pytest.raises(ConfigError, match="stick"):
        await import_stick(house.data, house.usb / "nowhere")
    with pytest.raises(ConfigError, match="server init"):
        await import_stick(house.usb, house.usb)


async def test_a_stick_holds_what_a_gate_is_told_its_keys_sealed_and_no_number(house):
    await house.call("POST", f"gates/{house.gate}/commands", json={"action": "lock", "reason": "r"})
    (one,) = await export_stick(house.data, house.usb)
    assert (one.gate, one.lists) == ("A", 1)
    key = house.usb.joinpath(*stick.list_path(house.gate, house.performance, "key")).read_bytes()
    assert len(unseal(key, AGREEMENT, b"list-key:" + house.performance.encode())) == 32
    assert house.usb.joinpath(*stick.gate_path(house.gate, "order")).exists()
    raw = house.usb.joinpath(*stick.gate_path(house.gate, "status")).read_bytes()
    status = read_document("status", unverified_body(raw, STATUS_TYPE), ServerStatus)
    assert status.nonce == ""
    assert set(status.lists) == {house.performance}


async def test_only_gates_in_force_are_written_for(house):
    with pytest.raises(NotFoundError):
        await export_stick(house.data, house.usb, ["nobody"])
    await house.call("POST", f"gates/{house.gate}/revoke")
    assert await export_stick(house.data, house.usb) == []
    with pytest.raises(NotFoundError):
        await export_stick(house.data, house.usb, [house.gate])


async def test_the_running_server_is_believed_after_its_stick(house):
    async with open_link(house.address, house.gate, StoredSigner(KEY)) as link:
        before = await link.status("n1")
        await export_stick(house.data, house.usb)
        after = await link.status("n2")
    versions = [
        read_document("status", unverified_body(raw, STATUS_TYPE), ServerStatus).version
        for raw in (before, after)
    ]
    assert versions[1] == versions[0] + 1
