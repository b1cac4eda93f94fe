"""Which assignments a gate believes, and that the one in force stays when it does not."""

from pathlib import Path

import msgspec
import pytest

from admission.trust.envelope import ASSIGNMENT_TYPE, seal_envelope
from admission.trust.root import Role
from appliance.errors import StorageError
from list_shelf import FORGER, GATE, OFFICE, V1, V2, V3, admits, offer, open_shelf


async def take(shelf, envelope: bytes) -> bool:
    shelf.server.assignments[GATE] = (9, envelope)
    return await shelf.keeper.refresh(shelf.link)


def misspelt() -> bytes:
    body = msgspec.json.encode({"gate": GATE, "version": "two"})
    return seal_envelope(ASSIGNMENT_TYPE, body, [OFFICE.key(Role.STATUS)])


@pytest.mark.parametrize(
    ("envelope", "error"),
    [
        (OFFICE.assign("gate-b", ["matinee"], 3), "ForeignListError"),
        (OFFICE.assign(GATE, ["matinee"], 1), "RollbackError"),
        (FORGER.assign(GATE, ["matinee"], 3), "SignatureError"),
        (OFFICE.assign(GATE, ["matinee"], 3, exit_policy="wide open"), "ListFormatError"),
        (misspelt(), "ListFormatError"),
        (V3.envelope, "ListFormatError"),
        (b"<html>", "ListFormatError"),
    ],
    ids=["another gate's", "older", "forged", "unknown policy", "misspelt", "a list", "a page"],
)
async def test_an_assignment_that_must_not_be_taken_leaves_the_one_in_force(
    tmp_path: Path, envelope: bytes, error: str
):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, V1, version=2)
        assert not await take(shelf, envelope)
        assert await shelf.refusals() == [f": {error}"]
        assert shelf.keeper.assignment.version == 2
        assert shelf.keeper.assignment.performances == ("show",)
    async with open_shelf(tmp_path) as shelf:
        assert shelf.keeper.assignment.version == 2
        assert await take(shelf, OFFICE.assign(GATE, [], 3))
        assert shelf.keeper.assignment.version == 3


async def test_lists_are_still_kept_up_while_an_assignment_is_refused(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, V1)
        shelf.server.publish(V2)
        assert not await take(shelf, b"<html>")
        assert admits(shelf, "T2")


async def test_a_refused_assignment_is_fetched_in_full_again(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, V1)
        for _ in range(2):
            assert not await take(shelf, b"<html>")  # it was not taken for known
        assert await shelf.refusals() == [": ListFormatError"]


async def test_an_assignment_that_could_not_be_written_is_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async with open_shelf(tmp_path) as shelf:

        async def full(*_):
            raise StorageError("the disk is full")

        with monkeypatch.context() as broken:
            broken.setattr(shelf.memory, "remember_assignment", full)
            with pytest.raises(StorageError):
                await offer(shelf, V1)
        assert await shelf.keeper.refresh(shelf.link)
    async with open_shelf(tmp_path) as shelf:
        assert shelf.keeper.assignment is not None


async def test_a_gate_that_was_enrolled_anew_starts_without_its_former_duty(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, V1, version=7)
    async with open_shelf(tmp_path, gate="gate-b") as shelf:
        assert await shelf.refusals() == [": ForeignListError"]
        assert shelf.keeper.assignment is None
        shelf.server.publish(V1)
        shelf.server.assign("gate-b", 1, OFFICE.assign("gate-b", ["show"], 1))
        assert await shelf.keeper.refresh(shelf.link)
    async with open_shelf(tmp_path, gate="gate-b") as shelf:
        assert shelf.keeper.assignment.version == 1  # the former one's version was 7
