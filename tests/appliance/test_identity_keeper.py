"""Certificates in time, new keys that no power cut loses, pins that follow, and revocation."""

from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from admission.errors import SignatureError
from admission.journal import Kind
from admission.scan import Direction
from admission.sync.messages import Renew, Renewed
from admission.sync.renewal import check_proof, is_due
from admission.trust.certificate import accept_certificate
from admission.trust.keys import verify
from admission.trust.root import Role, root_digest
from admission.trust.sealing import agreement_public_key
from appliance.errors import LinkAnswerError, LinkError, LinkRefusedError, StorageError
from appliance.identity_keeper import REVOKED_FAULT, IdentityKeeper, announced_pins
from appliance.ports import Look
from appliance.simulator.box_office import BoxOffice
from appliance.simulator.imagined_secret import ImaginedSecret
from appliance.storage.identity_file import Identity, read_identity, write_identity
from appliance.storage.identity_vault import FileVault, make_vault, open_vault
from linked_gate import linked

NOW = datetime(2026, 6, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=300)
SECRET = ImaginedSecret(b"c" * 32)
OTHER_SECRET = ImaginedSecret(b"d" * 32)


class PowerCutError(BaseException):
    """The machine is off; nothing after it happens."""


@dataclass
class Desk:
    """The server's side of a renewal, and a gate's link to it."""

    office: BoxOffice
    public_key: bytes
    agreement_key: bytes
    now: datetime = NOW
    serial: int = 1
    cut_before: bool = False
    cut_after: bool = False
    refuses: LinkError | None = None
    garbage: bytes | None = None
    asked: list[Renew] = field(default_factory=list)
    vault: Any = None
    pins: Any = None

    async def renew(self, request: Renew) -> Renewed:
        if self.cut_before:
            raise PowerCutError
        self.asked.append(request)
        if self.refuses is not None:
            raise self.refuses
        try:  # what the request's own signature proves
            verify(self.public_key, self.vault.sign(b"request"), b"request")
        except SignatureError as exc:
            raise LinkRefusedError("the server refuses this gate (401)") from exc
        check_proof(request, "gate-a", self.public_key)
        self.public_key, self.agreement_key = request.public_key, request.agreement_key
        self.serial += 1
        if self.cut_after:
            raise PowerCutError
        return Renewed(self.garbage or self.certificate())

    def certificate(self, **fields: Any) -> bytes:
        life = {"issued_at": self.now, "not_after": self.now + timedelta(days=365)}
        keys = (self.public_key, self.agreement_key)
        return self.office.certify("gate-a", *keys, serial=self.serial, **life | fields)

    def take_pins(self, pins: tuple[bytes, ...]) -> None:
        self.pins = pins


class Pen:
    """Notes nothing."""

    async def note(self, *_: object, **__: object) -> None: ...


class Door:
    """Remembers whether it was locked."""

    locked = ""

    def lock(self, code: str) -> None:
        self.locked = code


@dataclass
class House:
    """A gate's identity on a disk, and the server that knows it."""

    path: Path
    desk: Desk
    door: Door = field(default_factory=Door)
    now: datetime = NOW

    async def start(self) -> tuple[FileVault, IdentityKeeper]:
        """Start the gate, as after a power cut: all it knows is on the disk."""
        vault = await open_vault(self.path, [SECRET])
        self.desk.vault = vault
        keeper = IdentityKeeper(
            vault=vault,
            signers=lambda: self.desk.office.signers(Role.ENROL),
            now=lambda: self.now,
            recorder=Pen(),
            health=self.door,
        )
        return vault, keeper

    def is_one(self, vault: FileVault) -> bool:
        """Tell whether gate and server know one and the same pair of keys."""
        present = vault.present()
        return (self.desk.public_key, self.desk.agreement_key) == (
            present.signer.public_key,
            present.agreement_key,
        )


@pytest.fixture
async def house(tmp_path: Path) -> House:
    office = BoxOffice()
    identity = Identity(
        gate="gate-a",
        gate_name="Porte A",
        server="https://tickets.example.org",
        private_key=b"p" * 32,
        agreement_key=b"a" * 32,
        root=office.roots[0],
        root_digest=root_digest(office.roots[0]),
        pins=(b"1" * 32,),
    )
    desk = Desk(office, identity.signer.public_key, agreement_public_key(b"a" * 32))
    certified = desk.certificate()
    path = tmp_path / "identity.json"
    await make_vault(path, replace(identity, certificate=certified), [SECRET])
    return House(path, desk)


# --- in time --------------------------------------------------------------------------------------


def test_a_certificate_is_due_after_two_thirds_of_its_life(house: House):
    office = house.desk.office
    raw = house.desk.certificate(not_after=NOW + timedelta(days=3))
    held = accept_certificate(raw, trusted=office.signers(Role.ENROL), gate="gate-a", now=None)
    assert not is_due(held, NOW + timedelta(days=2) - timedelta(seconds=1))
    assert is_due(held, NOW + timedelta(days=2))


async def test_nothing_is_asked_while_the_certificate_is_young(house: House):
    _, keeper = await house.start()
    await keeper.settle(house.desk)
    assert house.desk.asked == []


async def test_an_old_certificate_is_renewed_with_new_keys(house: House):
    house.now = house.desk.now = LATER
    vault, keeper = await house.start()
    old = vault.public_key
    await keeper.settle(house.desk)
    assert vault.public_key != old
    assert vault.following() is None
    assert house.is_one(vault)
    again, _ = await house.start()
    assert house.is_one(again)
    assert again.certificate == house.desk.certificate()
    await keeper.settle(house.desk)
    assert len(house.desk.asked) == 1


async def test_a_gate_without_a_certificate_gets_one_for_the_keys_it_has(house: House):
    vault, keeper = await house.start()
    await vault.certified(b"", following=False)  # as it was pending when it enrolled
    own = vault.public_key
    await keeper.settle(house.desk)
    assert vault.public_key == own
    assert vault.certificate == house.desk.certificate()


async def test_after_a_rotation_of_the_enrol_role_the_gate_is_certified_anew(house: House):
    _, keeper = await house.start()
    house.desk.office.rotate(Role.ENROL)
    await keeper.settle(house.desk)
    assert len(house.desk.asked) == 1


# --- no power cut loses a gate --------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["before", "after", "unwritten"])
async def test_whenever_the_power_goes_the_gate_can_still_prove_itself(
    house: House, monkeypatch: pytest.MonkeyPatch, moment: str
):
    house.now = house.desk.now = LATER
    vault, keeper = await house.start()
    if moment == "unwritten":  # certified, but not on the disk yet

        async def off(*_: object, **__: object) -> None:
            raise PowerCutError

        monkeypatch.setattr(vault, "certified", off)
    else:
        setattr(house.desk, f"cut_{moment}", True)
    with pytest.raises(PowerCutError):
        await keeper.settle(house.desk)
    monkeypatch.undo()
    house.desk.cut_before = house.desk.cut_after = False
    vault, keeper = await house.start()
    assert vault.following() is not None  # both are kept
    await keeper.settle(house.desk)
    assert house.is_one(vault)
    assert vault.following() is None
    assert vault.certificate == house.desk.certificate()


async def test_a_cut_while_the_next_keys_are_written_changes_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    house.now = house.desk.now = LATER
    vault, keeper = await house.start()
    before = house.path.read_bytes()

    def off(self: Path, target: Path) -> None:
        raise OSError(5, "off")

    monkeypatch.setattr(Path, "replace", off)
    with pytest.raises(StorageError):
        await keeper.settle(house.desk)
    monkeypatch.undo()
    assert house.path.read_bytes() == before
    assert house.desk.asked == []
    assert vault.following() is None
    assert house.is_one((await house.start())[0])


async def test_a_certificate_that_is_not_believed_leaves_both_keys_and_uses_the_known_one(
    house: House,
):
    house.now = house.desk.now = LATER
    vault, keeper = await house.start()
    house.desk.garbage = b"{}"
    await keeper.settle(house.desk)
    assert vault.following() is not None
    verify(house.desk.public_key, vault.sign(b"next request"), b"next request")
    house.desk.garbage = None
    vault, keeper = await house.start()
    await keeper.settle(house.desk)
    assert house.is_one(vault)


async def test_a_server_that_refuses_both_is_asked_again_by_the_present_key(house: House):
    house.now = LATER
    vault, keeper = await house.start()
    house.desk.refuses = LinkRefusedError("the server refuses this gate (403)")
    own = vault.public_key
    await keeper.settle(house.desk)
    assert len(house.desk.asked) == 2
    assert vault.public_key == own


async def test_a_server_that_knows_no_certificates_is_no_obstacle(house: House):
    house.now = LATER
    _, keeper = await house.start()
    house.desk.refuses = LinkAnswerError("the server answers 404")
    await keeper.settle(house.desk)


async def test_a_server_that_is_not_there_ends_the_round(house: House):
    house.now = LATER
    _, keeper = await house.start()
    house.desk.refuses = LinkError("no answer in time")
    with pytest.raises(LinkError):
        await keeper.settle(house.desk)


def test_a_key_that_did_not_sign_for_itself_is_not_certified(house: House):
    own = house.desk.public_key
    with pytest.raises(SignatureError, match="did not sign for itself"):
        check_proof(Renew(own, bytes(32), bytes(64)), "gate-a", own)


# --- sealed ---------------------------------------------------------------------------------------


async def test_no_key_of_a_gate_is_on_its_card_in_clear_the_next_ones_included(house: House):
    house.now = LATER
    vault, _ = await house.start()
    await vault.make_following()
    raw = house.path.read_bytes()
    own = vault.identity
    keys = (own.private_key, own.agreement_key, own.next_private_key, own.next_agreement_key)
    assert len(set(keys)) == 4
    for key in keys:
        assert b64encode(key) not in raw
    assert (await house.start())[0].identity == own


@pytest.mark.parametrize("secrets", [[], [OTHER_SECRET]])
async def test_a_card_in_another_machine_yields_no_keys(house: House, secrets: list[Any]):
    with pytest.raises(StorageError, match=r"[Ee]nrol the gate anew"):
        await open_vault(house.path, secrets)


async def test_a_card_whose_box_was_altered_yields_no_keys(house: House):
    kept = read_identity(house.path)
    write_identity(house.path, replace(kept, box=kept.box[:-1] + bytes([kept.box[-1] ^ 1])))
    with pytest.raises(StorageError, match="do not open"):
        await open_vault(house.path, [SECRET])


async def test_keys_that_stood_in_clear_are_sealed_once_there_is_a_secret(house: House):
    vault, _ = await house.start()
    write_identity(house.path, vault.identity)
    assert read_identity(house.path).private_key
    again, _ = await house.start()
    assert again.identity == vault.identity
    assert read_identity(house.path).private_key == b""


async def test_without_any_secret_the_file_is_all_there_is(house: House, tmp_path: Path):
    vault, _ = await house.start()
    path = tmp_path / "other.json"
    await make_vault(path, vault.identity, [])
    assert (await open_vault(path, [])).identity == vault.identity
    assert path.stat().st_mode & 0o077 == 0


# --- pins -----------------------------------------------------------------------------------------

OLD, NEW = b"1" * 32, b"2" * 32


@dataclass
class Status:
    """What a signed status says that matters here."""

    tls_pins: tuple[str, ...] = ()
    revoked_gates: tuple[str, ...] = ()


async def test_announced_pins_are_kept_and_used_at_once(house: House):
    vault, keeper = await house.start()
    await keeper.heed(Status((OLD.hex(), NEW.hex())), house.desk)
    assert house.desk.pins == vault.pins == keeper.pins == (OLD, NEW)
    await keeper.heed(Status((NEW.hex(),)), house.desk)  # the old one is over
    again, _ = await house.start()
    assert again.pins == (NEW,)


@pytest.mark.parametrize("said", [(), (NEW.hex(),), ("zz", "abcd"), ("",)])
async def test_pins_that_would_lock_the_gate_out_are_not_taken(house: House, said: Any):
    vault, keeper = await house.start()
    await keeper.heed(Status(said), house.desk)
    assert vault.pins == (OLD,)
    assert house.desk.pins is None


async def test_a_gate_that_trusts_a_public_certificate_takes_no_pins(house: House):
    vault, keeper = await house.start()
    await vault.keep_pins(())
    await keeper.heed(Status((NEW.hex(),)), house.desk)
    assert vault.pins == ()


def test_what_is_no_digest_is_no_pin():
    assert announced_pins((OLD.hex(), "00", "no", OLD.hex().upper())) == (OLD, OLD)


# --- revocation -----------------------------------------------------------------------------------


async def test_a_revocation_is_for_good_over_every_start(house: House):
    _, keeper = await house.start()
    await keeper.heed(Status(revoked_gates=("gate-b",)), house.desk)
    assert house.door.locked == ""
    await keeper.heed(Status(revoked_gates=("gate-b", "gate-a")), house.desk)
    assert house.door.locked == REVOKED_FAULT
    house.door = Door()
    _, keeper = await house.start()
    assert house.door.locked == REVOKED_FAULT
    await keeper.heed(Status(), house.desk)  # no later status takes it back
    assert (await house.start())[0].is_revoked


async def test_a_revoked_gate_lets_nobody_enter_shows_why_and_lets_people_out(open_gate):
    async with linked(open_gate, ["T1", "T2"]) as gate:
        assert (await gate.scan("T1")).look is Look.GRANTED
        await gate.later(10)
        gate.server.status_fields["revoked_gates"] = ("gate-a",)
        gate.link.cut()
        await gate.later(1)
        gate.link.mend()
        await gate.later(60)
        await gate.until(lambda: gate.vault.is_revoked)  # written by a thread
        records = len(await gate.records())
        gate.entry.present(b"T2")
        await gate.settle()
        assert gate.display.last.look is Look.OUT_OF_SERVICE
        assert gate.display.last.fault == REVOKED_FAULT
        assert len(await gate.records()) == records  # not judged at all
        assert "FAULT" in await gate.kinds()
        await gate.scan("T1", Direction.EXIT)
        assert len(await gate.records()) > records


async def test_a_bare_refusal_closes_no_door(open_gate):
    async with linked(open_gate, ["T1"]) as gate:
        gate.link.cut(LinkRefusedError("the server refuses this gate (403): revoked"))
        await gate.later(120)
        assert (await gate.scan("T1")).look is Look.GRANTED


async def test_a_refused_gate_still_hands_in_what_it_wrote(open_gate, monkeypatch):
    async with linked(open_gate, ["T1", "T2"]) as gate:

        async def refused():
            raise LinkRefusedError("the server refuses this gate (403): revoked")

        monkeypatch.setattr(gate.link, "assignment", refused)
        gate.link.cut()
        await gate.later(5)
        await gate.scan("T1")
        await gate.later(10)
        gate.link.mend()
        await gate.later(60)
        assert gate.uplink.status().queue == 0
        stored = gate.server.journals["journal-a"].records()
        assert Kind.PASSED in {Kind(record.kind) for record in stored}
