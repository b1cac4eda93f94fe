"""Datagrams over this machine's own network."""

import asyncio
import socket

import pytest

from appliance.errors import ConfigError
from appliance.transport.datagrams import UdpDatagrams


def free_port(family=socket.AF_INET, host="127.0.0.1"):
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        one.bind((host, 0))
        return one.getsockname()[1]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_datagram_arrives(host):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    port = free_port(family, host)
    heard, arrived = [], asyncio.Event()

    def hear(raw):
        heard.append(raw)
        arrived.set()

    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    datagrams = UdpDatagrams()
    datagrams.send(b"before", [address])
    async with datagrams.listening(host, port, hear), asyncio.timeout(5):
        datagrams.send(b"said", ["a name:1", "127.0.0.1", address])
        await arrived.wait()
    assert heard == [b"said"]


async def test_nobody_at_an_address_is_no_fault():
    datagrams = UdpDatagrams()
    async with datagrams.listening("127.0.0.1", free_port(), lambda raw: None):
        datagrams.send(b"said", [f"127.0.0.1:{free_port()}", "[::1]:9"])
        await asyncio.sleep(0)
        datagrams.send(b"said", [f"127.0.0.1:{free_port()}"])


async def test_every_interface_is_both_kinds_of_address():
    port = free_port()
    datagrams = UdpDatagrams()
    async with datagrams.listening("", port, lambda raw: None):
        assert set(datagrams._ways) >= {socket.AF_INET}


async def test_a_port_that_is_taken_is_told():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=r"peers\.port"):
            async with UdpDatagrams().listening("127.0.0.1", port, lambda raw: None):
                pass
