"""Finds the other gates of the local network by multicast DNS, and lets itself be found.

What is found is an address to try and nothing more: who is there has to prove itself. A gate is
announced under the digest of its id, so that nobody learns from the network what gates are called.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import ip_address
from typing import Final

import ifaddr
from zeroconf import Error, InterfaceChoice, IPVersion, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

log = logging.getLogger(__name__)

SERVICE: Final = "_portillon._tcp.local."
_ASKED_MS: Final = 3000
_CLOSE_S_MAX: Final = 2.0
_LOOK_AGAIN_S: Final = 15.0  # an address may come long after the machine has started
_NAMES_MAX: Final = 256  # gates of one network
_ASK_AGAIN_S: Final = 30.0
_AT_ONCE: Final = 16

Found = Callable[[str], None]


async def discover(gate: str, port: int, interfaces: Sequence[str], found: Found) -> None:
    """Look for other gates, and be found, until cancelled.

    A network that is not there (yet) stops nobody: it is tried again.

    Args:
        gate: id of this gate.
        port: where it can be asked.
        interfaces: addresses of those that are used; none is every one.
        found: told host and port of each gate, again whenever it is heard of again.
    """
    logging.getLogger("zeroconf").setLevel(logging.ERROR)  # below: each network it cannot use
    is_told = False
    while True:
        around = _around(interfaces)
        if around is not None:
            await _look(around, gate, port, interfaces, found)
        if not is_told:
            is_told = True
            log.warning("no multicast", extra={"interfaces": list(interfaces)})
        await asyncio.sleep(_LOOK_AGAIN_S)


def _around(interfaces: Sequence[str]) -> AsyncZeroconf | None:
    if not set(interfaces) <= _hosts():
        return None
    try:
        return AsyncZeroconf(
            interfaces=list(interfaces) or InterfaceChoice.All,
            ip_version=None if interfaces else IPVersion.All,
        )
    except (OSError, RuntimeError):
        return None


async def _look(
    around: AsyncZeroconf, gate: str, port: int, interfaces: Sequence[str], found: Found
) -> None:
    finder = _Finder(around, found)
    browser = AsyncServiceBrowser(around.zeroconf, SERVICE, handlers=[finder.changed])
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(finder.run())
            group.create_task(_announce(around, gate, port, interfaces))
    finally:
        with suppress(TimeoutError, OSError, Error):  # whoever still believes us, asks in vain
            async with asyncio.timeout(_CLOSE_S_MAX):
                await browser.async_cancel()
                await around.async_close()


async def _announce(around: AsyncZeroconf, gate: str, port: int, interfaces: Sequence[str]) -> None:
    """Be found, also at addresses that the machine gets later."""
    told: list[str] = []
    while True:
        hosts = list(interfaces) or own_hosts()
        if hosts and hosts != told:
            info = announcement(gate, port, hosts)
            try:
                if told:
                    await around.async_update_interfaces()
                    await around.async_update_service(info)
                else:
                    await around.async_register_service(info, allow_name_change=True)
            except (OSError, Error) as exc:  # found by whom it finds, or by who names its address
                log.warning("not announced", extra={"reason": str(exc) or type(exc).__name__})
            told = hosts
        await asyncio.sleep(_LOOK_AGAIN_S)


def own_hosts() -> list[str]:
    """Give the machine's addresses that others can reach without a further word."""
    hosts = [ip_address(text) for text in _hosts()]
    return sorted(str(host) for host in hosts if not (host.is_loopback or host.is_link_local))


def _hosts() -> set[str]:
    adapters = ifaddr.get_adapters()
    addresses = [ip.ip for adapter in adapters for ip in adapter.ips]
    return {text if isinstance(text, str) else text[0] for text in addresses}


def announcement(gate: str, port: int, hosts: Sequence[str]) -> AsyncServiceInfo:
    """Give what is announced of a gate.

    Args:
        gate: its id.
        port: where it can be asked.
        hosts: its addresses.
    """
    digest = hashlib.sha256(b"portillon-peer\0" + gate.encode()).hexdigest()[:32]
    return AsyncServiceInfo(
        SERVICE,
        f"{digest}.{SERVICE}",
        port=port,
        server=f"{digest}.local.",
        parsed_addresses=list(hosts),
        properties={"v": "1"},
    )


def addresses_of(info: AsyncServiceInfo) -> list[str]:
    """Give host and port of what was found, addresses that need no further word alone."""
    if not info.port:
        return []
    hosts = [ip_address(text) for text in info.parsed_addresses(IPVersion.All)]
    hosts = [host for host in hosts if not host.is_link_local and not host.is_multicast]
    return [
        f"[{host}]:{info.port}" if host.version == 6 else f"{host}:{info.port}" for host in hosts
    ]


class _Finder:
    """Asks for the addresses of whatever is named, and again now and then.

    A gate that was off for long is not named again by itself: its name was never taken back.
    """

    def __init__(self, around: AsyncZeroconf, found: Found) -> None:
        self._around = around
        self._found = found
        self._names: dict[str, None] = {}
        self._named = asyncio.Event()

    def changed(
        self,
        zeroconf: Zeroconf,
        service_type: str,
        name: str,
        state_change: ServiceStateChange,
    ) -> None:
        """Take a name, or forget one; the one named first makes room."""
        del zeroconf, service_type
        self._names.pop(name, None)
        if state_change is not ServiceStateChange.Removed:
            if len(self._names) >= _NAMES_MAX:
                del self._names[next(iter(self._names))]
            self._names[name] = None
            self._named.set()

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            self._named.clear()
            names = list(reversed(self._names))
            for place in range(0, len(names), _AT_ONCE):
                async with asyncio.TaskGroup() as group:
                    for name in names[place : place + _AT_ONCE]:
                        group.create_task(self._ask(name))
            with suppress(TimeoutError):
                async with asyncio.timeout(_ASK_AGAIN_S):
                    await self._named.wait()

    async def _ask(self, name: str) -> None:
        info = AsyncServiceInfo(SERVICE, name)
        with suppress(OSError, Error, ValueError):  # nonsense, or nobody: it is asked again
            if await info.async_request(self._around.zeroconf, _ASKED_MS):
                for address in addresses_of(info):
                    self._found(address)
