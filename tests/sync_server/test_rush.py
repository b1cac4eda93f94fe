"""All gates come at once: some are served, the others told over how long to spread."""

from sync_server.web.rush import (
    CONTACTS_AT_ONCE,
    CONTACTS_PER_S,
    WINDOW_S_MAX,
    WINDOW_S_MIN,
    Rush,
)


class Watch:
    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s


def test_as_many_as_the_server_carries_begin_and_the_next_is_sent_away():
    rush = Rush(Watch())
    assert [rush.window_s() for _ in range(CONTACTS_AT_ONCE)] == [0] * CONTACTS_AT_ONCE
    assert rush.window_s() == WINDOW_S_MIN


def test_the_window_grows_with_those_who_wait_and_has_an_end():
    rush = Rush(Watch())
    windows = [rush.window_s() for _ in range(CONTACTS_AT_ONCE + 1_000)][CONTACTS_AT_ONCE:]
    assert windows == sorted(windows)
    assert windows[-1] == 1_000 / CONTACTS_PER_S
    assert max(rush.window_s() for _ in range(10_000)) == WINDOW_S_MAX


def test_gates_that_spread_over_the_window_are_all_served_in_little_more_than_it():
    """A thousand gates, after an outage, each coming back where its own chance puts it."""
    watch = Watch()
    rush = Rush(watch)
    coming = [(0.0, gate) for gate in range(1_000)]
    served = {}
    while coming:
        coming.sort()
        watch.now_s, gate = coming.pop(0)
        window_s = rush.window_s()
        if window_s:
            jitter = (gate * 0.618 + watch.now_s * 0.377) % 1.0
            coming.append((watch.now_s + 0.5 + jitter * window_s, gate))
        else:
            served[gate] = watch.now_s
    assert len(served) == 1_000
    assert max(served.values()) < 2.5 * 1_000 / CONTACTS_PER_S
    busiest = max(
        sum(second <= at_s < second + 1 for at_s in served.values()) for second in range(1, 100)
    )
    assert busiest <= CONTACTS_PER_S + CONTACTS_AT_ONCE


def test_a_bucket_fills_again():
    watch = Watch()
    rush = Rush(watch)
    while not rush.window_s():
        pass
    watch.now_s += 1 / CONTACTS_PER_S
    assert rush.window_s() == 0
    assert rush.window_s() > 0
