"""Every bit of a list, on its way to the gate and on the gate's card: none can be another unseen.

Against the real list keeper and the real files: the altered list is refused, whatever the bit, and
the list before stays in use.
"""

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from admission.errors import DigestError, ListError
from admission.ticketlist.manifest import encode_manifest
from admission.ticketlist.pieces import PieceRef
from admission.trust.envelope import MANIFEST_TYPE, open_envelope
from admission.trust.root import Role
from appliance.simulator.box_office import SignedList
from list_shelf import OFFICE, admits, listed, offer, open_shelf

OLD = listed(1, "T1")
NEW = OFFICE.update(listed(2, "T2"), ["S"])
SAMPLES = 40  # bits of a list of a million; every one of them costs a pass over 19 MB


def flips(raw: bytes, bits: Sequence[int]) -> Iterator[bytes]:
    """Yield what each single changed bit makes of some bytes; `bits` of every byte."""
    return (one_bit_off(raw, place, bit) for place in range(len(raw)) for bit in bits)


def says_the_same(envelope: bytes) -> bool:
    """Tell whether an altered envelope still holds exactly what was signed, and the signature.

    So it is where only the name of the key differs, which is a hint, or base64's unused bits.
    """
    try:
        body = open_envelope(envelope, MANIFEST_TYPE, OFFICE.signers(Role.LIST).keys)
    except ListError:
        return False
    return body == encode_manifest(NEW.manifest)


RAW = {"envelope": NEW.envelope, "snapshot": NEW.snapshot, "segment": NEW.segments[0]}
REFS = {"snapshot": NEW.manifest.snapshot, "segment": NEW.manifest.segments[0]}


def served(piece: str, altered: bytes) -> SignedList:
    """Give the new list with one piece altered."""
    if piece == "segment":
        return replace(NEW, segments=(altered,))
    return replace(NEW, **{piece: altered})


async def refuse_all(folder: Path, piece: str, bits: Sequence[int]) -> None:
    raw = RAW[piece]
    async with open_shelf(folder) as shelf:
        await offer(shelf, OLD)
        tried = 0
        for altered in flips(raw, bits):
            if piece == "envelope" and says_the_same(altered):
                continue
            tried += 1
            shelf.server.lists["show"] = served(piece, altered)
            assert not await shelf.keeper.refresh(shelf.link)
            assert shelf.holdings.versions == {"show": 1}
        assert tried > 0.9 * len(bits) * len(raw)
        assert len(shelf.holdings.get("show").entries) == 1
        assert await offer(shelf, NEW)
        assert admits(shelf, "S")


@pytest.mark.parametrize("piece", ["snapshot", "segment"])
async def test_no_bit_of_a_list_can_be_altered_on_its_way_to_the_gate(tmp_path: Path, piece: str):
    await refuse_all(tmp_path, piece, range(8))


async def test_no_byte_of_a_manifest_can_be_altered_on_its_way_to_the_gate(tmp_path: Path):
    await refuse_all(tmp_path, "envelope", [0])


@pytest.mark.slow
async def test_no_bit_of_a_manifest_can_be_altered_on_its_way_to_the_gate(tmp_path: Path):
    await refuse_all(tmp_path, "envelope", range(8))


@pytest.mark.parametrize("piece", ["envelope", "snapshot", "segment"])
async def test_no_byte_of_a_list_can_be_altered_on_the_card_without_being_found_at_the_next_start(
    tmp_path: Path, piece: str
):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, OLD)
        await offer(shelf, NEW)
    raw, generator = RAW[piece], random.Random(7)
    for place in generator.sample(range(len(raw)), 50):
        altered = one_bit_off(raw, place, generator.randrange(8))
        if piece == "envelope" and says_the_same(altered):
            continue
        await found_at_the_next_start(tmp_path, REFS.get(piece), altered)


async def found_at_the_next_start(folder: Path, ref: PieceRef | None, altered: bytes) -> None:
    if ref is not None:
        (folder / "lists" / f"{ref.sha256}.tgl").write_bytes(altered)
    async with open_shelf(folder) as shelf:
        if ref is None:
            await shelf.connection.execute_fetchall("UPDATE lists SET manifest = ?", (altered,))
            await shelf.keeper.load()
        assert len(await shelf.refusals()) == 1
        assert shelf.holdings.versions == {"show": 1}
        assert not admits(shelf, "S")
        assert await offer(shelf, NEW)
        assert admits(shelf, "S")


async def test_no_bit_of_a_list_in_use_can_be_altered_without_being_found_when_it_is_read_again(
    tmp_path: Path,
):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, NEW)
        for piece, ref in REFS.items():
            path = tmp_path / "lists" / f"{ref.sha256}.tgl"
            for altered in flips(RAW[piece], range(8)):
                path.write_bytes(altered)
                with pytest.raises(DigestError):
                    await shelf.memory.files.check(piece, ref)
            path.write_bytes(RAW[piece])
        assert await shelf.keeper.check_again()


@pytest.mark.slow
async def test_no_bit_of_a_list_of_a_million_can_be_altered_unseen(tmp_path: Path):
    big = listed(2, *[f"T{n:07d}" for n in range(1_000_000)])
    digest = hashlib.sha256(big.snapshot).hexdigest()
    generator = random.Random(7)
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, OLD)
        for _ in range(SAMPLES // 2):
            shelf.server.lists["show"] = replace(big, snapshot=somewhere(big.snapshot, generator))
            assert not await shelf.keeper.refresh(shelf.link)
            assert shelf.holdings.versions == {"show": 1}
        assert await offer(shelf, big)
        path = tmp_path / "lists" / f"{digest}.tgl"
        for _ in range(SAMPLES // 2):
            path.write_bytes(somewhere(big.snapshot, generator))
            assert await shelf.keeper._store.find_damage(big.manifest) is not None
        path.write_bytes(big.snapshot)
        assert await shelf.keeper.check_again()


def one_bit_off(raw: bytes, place: int, bit: int) -> bytes:
    altered = bytearray(raw)
    altered[place] ^= 1 << bit
    return bytes(altered)


def somewhere(raw: bytes, generator: random.Random) -> bytes:
    return one_bit_off(raw, generator.randrange(len(raw)), generator.randrange(8))
