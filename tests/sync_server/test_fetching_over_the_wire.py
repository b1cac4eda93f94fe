"""A gate fetches its update from a real server over real sockets that break, and over restarts."""

import asyncio
import hashlib
import io
import json
import os
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from admission.sync.machine_messages import Machine
from admission.sync.messages import Moment, Status, Subscribe
from admission.trust.root import Role, signers
from appliance.bundle_fetching import BundleFetcher
from appliance.storage.bundle_shelf import FolderShelf, RequestFile
from appliance.storage.stored_signer import StoredSigner
from appliance.transport.client import open_link
from fetching_stand_ins import HurriedClock
from frail_wire import FrailWire
from trial_gates import furnish

KIND = "portillon-gate-debian-arm64"
BUNDLE = b"hsqs" + os.urandom(3_000_000)
SHA256 = hashlib.sha256(BUNDLE).hexdigest()
OLD = Machine(version="0.1.0", slot="a", compatible=KIND, update="idle")


@pytest.fixture
async def house(operator):
    """A rollout that offers a bundle of three megabytes to its canary."""
    house = await furnish(operator)
    gate = house.gates[0]
    path = f"releases?version=0.2.0&compatible={KIND}"
    assert (await house.call("POST", path, data=io.BytesIO(BUNDLE)))[0] == 201
    now = Moment(1_780_000_000_000, 1000, b"b" * 16)
    async with gate.link() as link, link.live() as connection:
        await connection.send(Subscribe({}))
        await connection.send(Status("connected", [], 0, {}, now, machine=OLD))
        is_known = False
        while not is_known:
            _, fleet, _ = await house.call("GET", "fleet")
            is_known = fleet["gates"][0]["machine"] is not None
    body = {"version": "0.2.0", "canaries": [gate.id]}
    status, made, _ = await house.call("POST", "rollouts", json=body)
    assert status == 201
    house.rollout = made["id"]
    return house


class Machinery:
    """The gate's machine: folders that last, and a daemon that may be ended at any time."""

    def __init__(self, house, wire, folder):
        self.house, self.wire, self.folder = house, wire, folder
        self.bundles, self.run = folder / "bundles", folder / "run"
        self.run.mkdir()
        self.clock = HurriedClock()

    @asynccontextmanager
    async def daemon(self, address):
        gate = self.house.gates[0]
        signer = StoredSigner(gate.private_key)
        async with open_link(address, gate.id, signer) as link:
            fetcher = BundleFetcher(
                link=link,
                shelf=FolderShelf(self.bundles),
                desk=RequestFile(self.run),
                gate=gate.id,
                signers=lambda: signers(gate.root, Role.STATUS),
                machine=lambda: OLD,
                clock=self.clock,
                is_live=lambda: True,
                read_ns=lambda: None,
                jitter=lambda: 0.5,
            )
            async with asyncio.TaskGroup() as group:
                task = group.create_task(fetcher.run())
                yield fetcher
                task.cancel()

    @property
    def have(self):
        with suppress(FileNotFoundError):
            return (self.bundles / f"{SHA256}.part").stat().st_size
        return 0

    @property
    def request(self):
        with suppress(FileNotFoundError):
            return json.loads((self.run / "update-request.json").read_text())
        return None

    async def until(self, condition):
        for _ in range(20_000):
            if condition():
                return
            await asyncio.sleep(0.001)
        pytest.fail("it did not come to that within twenty seconds")


@pytest.fixture
async def machinery(house, tmp_path):
    wire = FrailWire(house.address)
    (tmp_path / "gate").mkdir()
    async with wire.open() as address:
        made = Machinery(house, wire, tmp_path / "gate")
        made.address = address
        yield made


def require_whole(machinery):
    asked = machinery.request
    assert (asked["version"], asked["size"], asked["sha256"], asked["by"]) == (
        "0.2.0", len(BUNDLE), SHA256, "server",
    )  # fmt: skip
    assert Path(asked["path"]).read_bytes() == BUNDLE


async def test_over_a_good_line_it_comes_once_and_is_asked_for(machinery):
    async with machinery.daemon(machinery.address):
        await machinery.until(lambda: machinery.request)
    require_whole(machinery)
    assert machinery.wire.carried < len(BUNDLE) * 1.05


async def test_over_a_line_that_breaks_after_each_hundred_kilobytes_it_comes_too(machinery):
    machinery.wire.share = 100_000
    async with machinery.daemon(machinery.address):
        await machinery.until(lambda: machinery.request)
    require_whole(machinery)
    assert machinery.wire.broken >= 20
    assert machinery.wire.carried < len(BUNDLE) * 1.5  # what came was kept


async def test_it_waits_out_a_line_that_is_gone(machinery):
    async with machinery.daemon(machinery.address):
        await machinery.until(lambda: machinery.have > 500_000)
        machinery.wire.is_down, machinery.wire.share = True, 0
        await machinery.until(lambda: machinery.clock.waited_s > 5000)
        machinery.wire.is_down, machinery.wire.share = False, 1 << 60
        await machinery.until(lambda: machinery.request)
    require_whole(machinery)


async def test_ended_and_started_again_and_again_it_goes_on_where_it_was(machinery):
    goals = [400_000, 900_000, 1_700_000, 2_600_000]
    for goal in goals:
        async with machinery.daemon(machinery.address):
            await machinery.until(lambda goal=goal: machinery.have >= goal or machinery.request)
        assert machinery.have >= goal or machinery.request
    async with machinery.daemon(machinery.address):
        await machinery.until(lambda: machinery.request)
    require_whole(machinery)
    assert machinery.wire.carried < len(BUNDLE) * 1.6


async def test_a_power_cut_that_took_the_last_bytes_along_costs_those_only(machinery):
    async with machinery.daemon(machinery.address):
        await machinery.until(lambda: machinery.have > 1_000_000)
    part = machinery.bundles / f"{SHA256}.part"
    os.truncate(part, part.stat().st_size - 12_345)
    async with machinery.daemon(machinery.address):
        await machinery.until(lambda: machinery.request)
    require_whole(machinery)


async def test_bytes_that_a_power_cut_left_wrong_are_found_and_fetched_anew(machinery):
    async with machinery.daemon(machinery.address):
        await machinery.until(lambda: machinery.have > 1_000_000)
    with (machinery.bundles / f"{SHA256}.part").open("r+b") as file:
        file.seek(500_000)
        file.write(bytes(512))
    async with machinery.daemon(machinery.address):
        await machinery.until(lambda: machinery.request)
    require_whole(machinery)
    assert machinery.wire.carried > len(BUNDLE) * 1.9  # all of it, twice


async def test_paused_at_the_server_the_request_is_taken_back(machinery):
    async with machinery.daemon(machinery.address):
        await machinery.until(lambda: machinery.request)
        house = machinery.house
        await house.call("POST", f"rollouts/{house.rollout}/pause")
        await machinery.until(lambda: machinery.request is None)
        await house.call("POST", f"rollouts/{house.rollout}/resume")
        await machinery.until(lambda: machinery.request)
