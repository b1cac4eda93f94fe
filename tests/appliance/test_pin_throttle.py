"""Guessing PINs is slow, and whoever guesses from the network locks out nobody at the gate."""

from appliance.local_page.throttling import (
    FORGET_S,
    FREE,
    NETWORK_FREE,
    VISITORS_MAX,
    WAIT_S_MAX,
    PinThrottle,
)

S = 1_000_000_000


def test_a_few_mistakes_cost_nothing():
    throttle = PinThrottle()
    for _ in range(FREE - 1):
        throttle.failed("192.0.2.1", 0)
    assert throttle.wait_s("192.0.2.1", 0) == 0


def test_waits_double_up_to_a_quarter_of_an_hour():
    throttle, now_ns, waits = PinThrottle(), 0, []
    for _ in range(FREE - 1):
        throttle.failed("192.0.2.1", now_ns)
    for _ in range(9):
        throttle.failed("192.0.2.1", now_ns)
        waits.append(throttle.wait_s("192.0.2.1", now_ns))
        now_ns += waits[-1] * S
        assert throttle.wait_s("192.0.2.1", now_ns) == 0
        assert throttle.wait_s("192.0.2.1", now_ns - 1) == 1
    assert waits == [15, 30, 60, 120, 240, 480, 900, 900, 900]
    assert WAIT_S_MAX == 900


def test_an_hour_without_an_attempt_is_forgiven():
    throttle = PinThrottle()
    for _ in range(20):
        throttle.failed("192.0.2.1", 0)
    assert throttle.wait_s("192.0.2.1", FORGET_S * S) == 0
    throttle.failed("192.0.2.1", FORGET_S * S)
    assert throttle.wait_s("192.0.2.1", FORGET_S * S) == 0


def test_many_visitors_together_are_slowed_but_not_the_gates_own_screen():
    throttle = PinThrottle()
    for number in range(NETWORK_FREE):
        throttle.failed(f"192.0.2.{number}", 0)
    assert throttle.wait_s("198.51.100.1", 0) == 15
    assert throttle.wait_s("127.0.0.1", 0) == throttle.wait_s("::1", 0) == 0


def test_an_ipv6_household_counts_as_one():
    throttle = PinThrottle()
    for number in range(FREE):
        throttle.failed(f"2001:db8::{number}", 0)
    assert throttle.wait_s("2001:db8::ffff", 0) == 15
    assert throttle.wait_s("2001:db8:1::1", 0) == 0


def test_the_right_pin_forgives_what_was_before():
    throttle = PinThrottle()
    for _ in range(FREE - 1):
        throttle.failed("192.0.2.1", 0)
    throttle.succeeded("192.0.2.1")
    for _ in range(FREE - 1):
        throttle.failed("192.0.2.1", 0)
    assert throttle.wait_s("192.0.2.1", 0) == 0


def test_changing_addresses_does_not_fill_the_memory_nor_the_networks_count():
    throttle = PinThrottle()
    for number in range(VISITORS_MAX + 500):
        throttle.failed(f"10.0.{number // 250}.{number % 250}", 0)
    assert len(throttle._visitors) == VISITORS_MAX
    assert throttle.wait_s("10.9.9.9", 0) == WAIT_S_MAX
