"""How fast somebody may guess a PIN. Called by the log-in page; knows no clock.

A PIN is short, so guessing is held down per visitor and for the network as a whole. The gate's own
screen is counted apart: whoever guesses from the network cannot lock out the people at the gate.
"""

import ipaddress
import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

FREE: Final = 5  # so many failures cost nothing
NETWORK_FREE: Final = 40  # of everybody on the network together
WAIT_S_MIN: Final = 15
WAIT_S_MAX: Final = 900
FORGET_S: Final = 3600  # a failure counts this long after the last one
VISITORS_MAX: Final = 1000  # the longest unused is dropped first; the network's own count stays
_NS: Final = 1_000_000_000


@dataclass(slots=True)
class _Count:
    failures: int
    last_ns: int


class PinThrottle:
    """Counts wrong PINs and says how long the next attempt has to wait."""

    def __init__(self) -> None:
        self._visitors: OrderedDict[str, _Count] = OrderedDict()
        self._network = _Count(0, 0)

    def wait_s(self, address: str, now_ns: int) -> int:
        """Tell how many seconds an attempt from an address has to wait; 0 when it may be made."""
        own = _wait_s(self._visitors.get(_visitor(address)), FREE, now_ns)
        if is_loopback(address):
            return own
        return max(own, _wait_s(self._network, NETWORK_FREE, now_ns))

    def failed(self, address: str, now_ns: int) -> None:
        """Count an attempt, before its PIN is checked: side by side not all would pass."""
        visitor = _visitor(address)
        self._visitors[visitor] = _after(self._visitors.pop(visitor, None), now_ns)
        while len(self._visitors) > VISITORS_MAX:
            self._visitors.popitem(last=False)
        if not is_loopback(address):
            self._network = _after(self._network, now_ns)

    def succeeded(self, address: str) -> None:
        """Take the attempt back, and forget this visitor's others."""
        self._visitors.pop(_visitor(address), None)
        if not is_loopback(address):
            self._network.failures = max(0, self._network.failures - 1)


def is_loopback(address: str) -> bool:
    """Tell whether an address is this machine's own."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return parsed.is_loopback or (mapped is not None and mapped.is_loopback)


def _visitor(address: str) -> str:
    """Give what stands for one visitor: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed), 64), strict=False))
    return str(parsed)


def _after(count: _Count | None, now_ns: int) -> _Count:
    if count is None or now_ns - count.last_ns >= FORGET_S * _NS:
        return _Count(1, now_ns)
    return _Count(count.failures + 1, now_ns)


def _wait_s(count: _Count | None, free: int, now_ns: int) -> int:
    if count is None or count.failures < free or now_ns - count.last_ns >= FORGET_S * _NS:
        return 0
    wait_s = min(WAIT_S_MAX, WAIT_S_MIN << min(count.failures - free, 16))
    return max(0, math.ceil(wait_s - (now_ns - count.last_ns) / _NS))
