"""Gates find each other by multicast DNS: on this machine's loopback alone, nowhere else."""

import asyncio

from zeroconf.asyncio import AsyncServiceInfo

from appliance.transport.discovery import SERVICE, addresses_of, announcement, discover

LOOPBACK = ["127.0.0.1"]


async def test_two_gates_find_each_other():
    found, arrived = [], asyncio.Event()

    def hear(address):
        found.append(address)
        if address == "127.0.0.1:7002":
            arrived.set()

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        looking = group.create_task(discover("gate-a", 7001, LOOPBACK, hear))
        other = group.create_task(discover("gate-b", 7002, LOOPBACK, lambda _: None))
        await arrived.wait()
        looking.cancel()
        other.cancel()
    assert set(found) <= {"127.0.0.1:7001", "127.0.0.1:7002"}


def test_what_is_announced_names_no_gate():
    info = announcement("gate-a", 7001, LOOPBACK)
    told = f"{info.name} {info.server} {info.properties}"
    assert "gate-a" not in told
    assert info.type == SERVICE


def test_addresses_that_need_a_further_word_are_left_out():
    hosts = ["10.0.0.1", "fd00::1", "fe80::1", "224.0.0.1"]
    assert addresses_of(announcement("gate-a", 7001, hosts)) == ["10.0.0.1:7001", "[fd00::1]:7001"]
    assert addresses_of(AsyncServiceInfo(SERVICE, f"x.{SERVICE}")) == []


async def test_an_interface_that_is_not_there_is_told_and_stops_nobody(caplog):
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        looking = group.create_task(discover("gate-a", 7001, ["203.0.113.1"], lambda _: None))
        for _ in range(5):
            await asyncio.sleep(0)
        assert "no multicast" in caplog.text
        assert not looking.done()
        looking.cancel()
