"""How fast somebody may guess passwords. Called by `accounts`; knows no clock and no store.

Failures are counted in memory, bounded, per login and address together, per address, and per
login. The first count is the strict one, so that a stranger who guesses at somebody's login cannot
keep that person out from elsewhere; the other two only slow wide guessing down.
"""

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

FORGET_AFTER_MS: Final = 15 * 60 * 1000  # a failure counts this long after the last one
KEYS_MAX: Final = 20_000  # some 4 MB; the longest unused key is dropped first
_IPV6_HOUSEHOLD_BITS: Final = 64  # one subscriber holds a whole /64


@dataclass(frozen=True, slots=True)
class _Policy:
    free: int  # so many failures cost nothing
    wait_ms_max: int


_PAIR: Final = _Policy(free=5, wait_ms_max=300_000)
_ADDRESS: Final = _Policy(free=25, wait_ms_max=300_000)
_LOGIN: Final = _Policy(free=50, wait_ms_max=60_000)


@dataclass(slots=True)
class _Count:
    failures: int
    last_ms: int


class Throttle:
    """Counts failed logins and says how long the next attempt has to wait."""

    def __init__(self) -> None:
        self._counts: OrderedDict[tuple[str, ...], _Count] = OrderedDict()

    def wait_ms(self, login: str, address: str, now_ms: int) -> int:
        """Tell how long this login must wait from this address; 0 when it may try now.

        Args:
            login: as typed, made canonical.
            address: the client's, as text; "" where unknown.
            now_ms: the caller's clock.
        """
        return max(
            _wait_ms(self._counts.get(key), policy, now_ms) for key, policy in _keys(login, address)
        )

    def failed(self, login: str, address: str, now_ms: int) -> None:
        """Count one failure."""
        for key, _ in _keys(login, address):
            count = self._counts.pop(key, None)
            if count is None or now_ms - count.last_ms >= FORGET_AFTER_MS:
                count = _Count(0, now_ms)
            count.failures += 1
            count.last_ms = now_ms
            self._counts[key] = count
        while len(self._counts) > KEYS_MAX:
            self._counts.popitem(last=False)

    def succeeded(self, login: str, address: str) -> None:
        """Take the last counted failure back, and forget this login's others from this address.

        An attempt is counted before its password is checked, so that attempts made side by side
        do not all pass.
        """
        for key, _ in _keys(login, address):
            count = self._counts.get(key)
            if count is None:
                continue
            count.failures -= 1
            if key[0] == "pair" or count.failures <= 0:
                del self._counts[key]


def household(address: str) -> str:
    """Give what stands for one subscriber: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), _IPV6_HOUSEHOLD_BITS), strict=False))


def _keys(login: str, address: str) -> tuple[tuple[tuple[str, ...], _Policy], ...]:
    home = household(address)
    return (
        (("pair", login, home), _PAIR),
        (("address", home), _ADDRESS),
        (("login", login), _LOGIN),
    )


def _wait_ms(count: _Count | None, policy: _Policy, now_ms: int) -> int:
    if count is None or count.failures < policy.free:
        return 0
    since_ms = max(0, now_ms - count.last_ms)  # a clock set back must not lock anybody out longer
    if since_ms >= FORGET_AFTER_MS:
        return 0
    doublings = min(count.failures - policy.free, 20)
    return max(0, min(policy.wait_ms_max, 1000 << doublings) - since_ms)
