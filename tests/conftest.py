"""What holds for every test: the same examples each run, no sleeping in the loop, no far hosts.

Warnings, unclosed resources and threads that die are errors through `filterwarnings` in
`pyproject.toml`; `log_level = "DEBUG"` there makes pytest's own log handler format every record,
and that handler raises where a format and its arguments disagree.
"""

import asyncio
import ipaddress
import logging
import os
import sys
import time
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

logging.getLogger("aiosqlite").setLevel(logging.INFO)  # a line for each step of each statement

settings.register_profile(
    "same_every_time",
    derandomize=True,
    deadline=None,
    print_blob=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],  # two busy cores say nothing about a strategy
)
settings.register_profile("explore", deadline=None, print_blob=True, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same_every_time"))


class ForbiddenInTestsError(BaseException):
    """A test does what no test here may do; not an Exception, so that nothing swallows it."""


def _is_running_in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _is_near(host: object) -> bool:
    """Whether a host is this machine, or a multicast group (which peers on one network use)."""
    if host is None or host in ("", "localhost", b"localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host))
    except ValueError:
        return False
    return address.is_loopback or address.is_multicast or address.is_unspecified


def _guard_network(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse what leaves this machine; Python calls this with every audited event."""
    if event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        if isinstance(address, tuple) and not _is_near(address[0]):
            raise ForbiddenInTestsError(f"a test reaches out to {address}; only this machine is")
    elif event == "socket.getaddrinfo" and not _is_near(arguments[0]):
        raise ForbiddenInTestsError(f"a test looks up {arguments[0]!r}; only this machine is")


_sleep: Final = time.sleep


def _sleep_outside_a_loop(seconds: float) -> None:
    """Stand in for `time.sleep`, which inside an event loop holds up every task."""
    if seconds and _is_running_in_a_loop():
        raise ForbiddenInTestsError("time.sleep() inside the event loop blocks every task")
    _sleep(seconds)


sys.addaudithook(_guard_network)
time.sleep = _sleep_outside_a_loop


@pytest.fixture(autouse=True)
def no_logging_into_a_stream_that_is_gone():
    """Take away what a command leaves behind that logs: its stream ends with the test."""
    yield
    for handler in list(logging.root.handlers):
        if type(handler) is logging.StreamHandler:
            logging.root.removeHandler(handler)
