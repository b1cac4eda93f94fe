"""Datagrams between gates of one local network: UDP, one socket for each kind of address.

Sent to each gate that has proven itself, not to a multicast group: wireless networks send those at
their slowest and many switches drop them, and who is to believe one must know its gate anyway.
"""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from ipaddress import ip_address
from typing import Final

from appliance.errors import ConfigError

log = logging.getLogger(__name__)

_BUFFER_BYTES: Final = 256 * 1024  # of the kernel, for a venue's grants while a scan is judged

Address = tuple[str, int]


class _Ear(asyncio.DatagramProtocol):
    def __init__(self, hear: Callable[[bytes], None]) -> None:
        self._hear = hear

    def datagram_received(self, data: bytes, addr: object) -> None:
        del addr  # whoever sends it: its signature says who wrote it
        self._hear(data)

    def error_received(self, exc: Exception) -> None:
        del exc  # nobody listens there: the gate is gone, its neighbours' task knows


class UdpDatagrams:
    """Implements `peer_ports.Datagrams`. They are lost unless it is listening, too."""

    def __init__(self) -> None:
        """Begin without a socket."""
        self._ways: dict[int, asyncio.DatagramTransport] = {}

    @asynccontextmanager
    async def listening(
        self, host: str, port: int, hear: Callable[[bytes], None]
    ) -> AsyncIterator[None]:
        """Listen, and be able to send, as long as this is open.

        Args:
            host: address of the interface that is listened on; "" is every one.
            port: of UDP.
            hear: given whatever comes.

        Raises:
            ConfigError: if it cannot be listened on.
        """
        loop = asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            stack.callback(self._ways.clear)
            for family in [_kind_of(host)] if host else [socket.AF_INET, socket.AF_INET6]:
                try:
                    bound = _bound(family, host, port)
                except OSError as exc:
                    if not host and family == socket.AF_INET6:
                        continue  # a machine without IPv6
                    raise ConfigError(
                        f"peers.port: UDP {port} cannot be had ({exc.strerror}); name another"
                    ) from exc
                way, _ = await loop.create_datagram_endpoint(lambda: _Ear(hear), sock=bound)
                stack.callback(way.close)
                self._ways[family] = way
            yield

    def send(self, raw: bytes, addresses: Iterable[str]) -> None:
        """Send one to each address; one that cannot be reached is left out."""
        for text in addresses:
            address = _parsed(text)
            family = (
                socket.AF_INET6 if address is not None and ":" in address[0] else socket.AF_INET
            )
            way = self._ways.get(family)
            if address is not None and way is not None:
                way.sendto(raw, address)


def _bound(family: int, host: str, port: int) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_DGRAM)
    try:
        bound.setblocking(False)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def _kind_of(host: str) -> int:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _parsed(text: str) -> Address | None:
    """Read host and port; None for a name, which nothing here may wait for."""
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    try:
        ip_address(host)
        return host, int(port)
    except ValueError:
        return None
