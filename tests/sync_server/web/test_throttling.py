"""How long a guesser waits."""

from hypothesis import given
from hypothesis import strategies as st

from sync_server import throttling
from sync_server.throttling import FORGET_AFTER_MS, Throttle, household

NOW_MS = 1_000_000


def failed(times: int, login: str = "lea", address: str = "192.0.2.1") -> Throttle:
    throttle = Throttle()
    for _ in range(times):
        throttle.failed(login, address, NOW_MS)
    return throttle


def test_the_wait_doubles_with_each_failure_and_has_an_end():
    waits = [failed(n).wait_ms("lea", "192.0.2.1", NOW_MS) for n in (4, 5, 6, 7, 8, 20)]
    assert waits == [0, 1000, 2000, 4000, 8000, 300_000]


def test_a_quarter_of_an_hour_later_all_is_forgotten():
    throttle = failed(100)
    assert throttle.wait_ms("lea", "192.0.2.1", NOW_MS + FORGET_AFTER_MS) == 0


def test_trying_many_logins_from_one_address_waits_too():
    throttle = Throttle()
    for n in range(25):
        throttle.failed(f"login{n}", "192.0.2.1", NOW_MS)
    assert throttle.wait_ms("another", "192.0.2.1", NOW_MS) == 1000
    assert throttle.wait_ms("another", "192.0.2.2", NOW_MS) == 0


def test_trying_one_login_from_many_addresses_waits_a_minute_at_most():
    throttle = Throttle()
    for n in range(80):
        throttle.failed("lea", f"192.0.2.{n}", NOW_MS)
    assert throttle.wait_ms("lea", "203.0.113.1", NOW_MS) == 60_000


def test_success_takes_its_own_attempt_back():
    throttle = Throttle()
    for _ in range(200):
        throttle.failed("lea", "192.0.2.1", NOW_MS)
        throttle.succeeded("lea", "192.0.2.1")
    assert throttle.wait_ms("lea", "192.0.2.1", NOW_MS) == 0
    assert throttle._counts == {}


def test_success_at_one_login_does_not_wash_the_address_clean():
    throttle = Throttle()
    for n in range(30):
        throttle.failed(f"login{n}", "192.0.2.1", NOW_MS)
    throttle.failed("mine", "192.0.2.1", NOW_MS)
    throttle.succeeded("mine", "192.0.2.1")
    assert throttle.wait_ms("login0", "192.0.2.1", NOW_MS) > 0


def test_one_ipv6_subscriber_is_one_address():
    assert household("2001:db8:1:2:3::4") == household("2001:db8:1:2:ffff::1")
    assert household("2001:db8:1:2::1") != household("2001:db8:1:3::1")


def test_an_ipv4_address_in_ipv6_clothes_is_that_ipv4_address():
    assert household("::ffff:192.0.2.1") == "192.0.2.1"


def test_memory_is_bounded_and_the_newest_are_kept(monkeypatch):
    monkeypatch.setattr(throttling, "KEYS_MAX", 30)
    throttle = Throttle()
    for n in range(500):
        throttle.failed(f"login{n}", f"192.0.{n // 250}.{n % 250}", NOW_MS)
    assert len(throttle._counts) <= 30
    assert ("login", "login499") in throttle._counts


@given(st.lists(st.integers(-FORGET_AFTER_MS, FORGET_AFTER_MS), max_size=60))
def test_nobody_ever_waits_longer_than_five_minutes_even_when_the_clock_steps(steps):
    throttle, now_ms = Throttle(), NOW_MS
    for step in steps:
        now_ms += step
        throttle.failed("lea", "192.0.2.1", now_ms)
        assert 0 <= throttle.wait_ms("lea", "192.0.2.1", now_ms) <= 300_000
