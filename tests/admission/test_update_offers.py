"""Offers of other software: who may make one, for whom, how long; what a machine says of itself."""

from datetime import timedelta

import msgspec
import pytest

from admission.errors import (
    ForeignListError,
    ListExpiredError,
    ListFormatError,
    RemoteProtocolError,
    SignatureError,
)
from admission.software_version import SoftwareVersion, read_version
from admission.sync import codec
from admission.sync.machine_messages import Fetching, Machine
from admission.sync.messages import Moment, Status
from admission.sync.update_offer import UpdateOffer, accept_offer, encode_offer
from admission.trust.envelope import COMMAND_TYPE, OFFER_TYPE, seal_envelope
from admission.trust.root import Role, signers
from trust_documents import NOW, draft_root, private

ROOT = draft_root()
HOUR = timedelta(hours=1)
OFFER = UpdateOffer(
    gate="g1",
    version="0.2.0+5",
    compatible="portillon-gate-debian-arm64",
    size=170_000_000,
    sha256="ab" * 32,
    issued_at=NOW,
    not_after=NOW + HOUR,
    install_from=NOW + HOUR,
    install_until=NOW + 5 * HOUR,
)
STATUS = Status("connected", [], 0, {}, Moment(0, 0, b""))
MACHINE = Machine(
    version="0.1.9+4",
    slot="a",
    compatible="portillon-gate-debian-arm64",
    update="rolled_back",
    update_version="0.2.0+5",
    update_reason="the gate was not ready after 300 s",
    update_since_ms=1_784_030_400_000,
    blocked=["0.2.0+5"],
    fetching=Fetching("0.2.1+6", "fetching", 1, 2),
)


def sealed(by=20, kind=OFFER_TYPE, **fields):
    return seal_envelope(
        kind, encode_offer(msgspec.structs.replace(OFFER, **fields)), [private(by)]
    )


def take(raw, gate="g1", now=NOW):
    return accept_offer(raw, trusted=signers(ROOT, Role.STATUS), gate=gate, now=now)


# --- versions ---------------------------------------------------------------------------------


def test_versions_are_compared_as_numbers():
    texts = ["0.9.0", "0.10.0", "0.10.0+1", "0.10.0+9", "0.10.0+10", "0.10.1", "1.0.0"]
    versions = [read_version(text) for text in texts]
    assert versions == sorted(versions)
    assert [str(version) for version in versions] == texts


@pytest.mark.parametrize(
    "text", ["", "1", "1.2", "1.2.3.4", "v1.2.3", "1.2.3+", "1.2.3+a", "1.2.-3", " 1.2.3",
             "1.2.3\n", "1.2.3-rc1", "١.٢.٣", "9" * 10 + ".0.0", "1.2.3" + "+" + "0" * 40],
)  # fmt: skip
def test_what_is_no_version_is_none(text):
    assert read_version(text) is None


def test_an_image_without_a_build_is_the_first_of_its_version():
    assert read_version("1.2.3") == SoftwareVersion(1, 2, 3, 0) < read_version("1.2.3+1")


# --- offers -----------------------------------------------------------------------------------


def test_an_offer_for_this_gate_is_taken():
    assert take(sealed()) == OFFER


@pytest.mark.parametrize("by", [10, 30, 40, 1])
def test_no_other_role_may_offer(by):
    with pytest.raises(SignatureError):
        take(sealed(by=by))


def test_an_offer_is_no_other_document():
    with pytest.raises(ListFormatError, match="expected a"):
        take(sealed(kind=COMMAND_TYPE))


def test_another_gates_offer_is_refused():
    with pytest.raises(ForeignListError, match="for gate g1"):
        take(sealed(), gate="g2")


def test_an_offer_is_over_at_its_end():
    assert take(sealed(), now=NOW + HOUR - timedelta(microseconds=1))
    with pytest.raises(ListExpiredError):
        take(sealed(), now=NOW + HOUR)


@pytest.mark.parametrize("life", [timedelta(0), -HOUR, timedelta(hours=24, seconds=1)])
def test_an_offer_is_for_a_day_at_the_most(life):
    with pytest.raises(ListFormatError, match="a day at the most"):
        take(sealed(not_after=NOW + life))


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": "newest"},
        {"version": ""},
        {"size": 0},
        {"size": (2 << 30) + 1},
        {"sha256": "AB" * 32},
    ],
)
def test_an_offer_with_something_wrong_is_refused(wrong):
    with pytest.raises(ListFormatError, match="offer"):
        take(sealed(**wrong))


# --- what a machine says of itself ------------------------------------------------------------


def test_a_status_carries_what_the_machine_runs():
    status = msgspec.structs.replace(STATUS, machine=MACHINE)
    assert codec.decode_live(codec.encode(status)) == status


def test_a_gate_without_a_caretaker_and_an_older_gate_say_nothing_of_a_machine():
    said = msgspec.msgpack.decode(codec.encode(STATUS))
    assert said["machine"] is None
    del said["machine"]
    assert codec.decode_live(msgspec.msgpack.encode(said)).machine is None


def test_an_older_server_reads_the_status_of_a_gate_that_says_more():
    class OlderStatus(msgspec.Struct, frozen=True, tag="status"):
        mode: str
        software: str = ""

    raw = codec.encode(msgspec.structs.replace(STATUS, machine=MACHINE, software="0.2.0"))
    assert msgspec.msgpack.decode(raw, type=OlderStatus) == OlderStatus("connected", "0.2.0")


def test_this_server_reads_a_machine_that_says_more_and_one_that_says_less():
    said = msgspec.msgpack.decode(codec.encode(msgspec.structs.replace(STATUS, machine=MACHINE)))
    said["machine"] = {"version": "0.3.0", "colour": "grey"}
    assert codec.decode_live(msgspec.msgpack.encode(said)).machine == Machine(version="0.3.0")


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": "v" * 41},
        {"blocked": ["0.1.0"] * 33},
        {"update_since_ms": -1},
        {"update_reason": "x" * 201},
    ],
)
def test_a_machine_that_says_too_much_is_refused(wrong):
    said = msgspec.msgpack.decode(codec.encode(msgspec.structs.replace(STATUS, machine=MACHINE)))
    said["machine"] |= wrong
    with pytest.raises(RemoteProtocolError):
        codec.decode_live(msgspec.msgpack.encode(said))
