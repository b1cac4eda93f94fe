"""Whatever is done to a gate's clocks, its trusted time goes on: invariant I11's part on time.

The machine below is a gate with its journal, in the hands of somebody who sets its clock, pulls
its plug, kills its daemon, and owns its server's network.
"""

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from admission.journal import Kind, Record
from admission.trust.trusted_time import (
    Reading,
    TimeQuality,
    begin,
    forget_signed,
    read,
    store,
    take_signed,
)

BUILT = 1_767_225_600_000
DAY = 86_400_000
MINUTE = 60_000
instants = st.integers(0, BUILT + 30 * 366 * DAY)
# some way off what the gate shows: most by so little that they may be believed
deltas = (
    st.integers(-MINUTE, MINUTE)
    | st.integers(-20 * MINUTE, 20 * MINUTE)
    | st.integers(-2 * DAY, 2 * DAY)
    | st.integers(-1000 * DAY, 1000 * DAY)
)
passing = st.integers(0, 20) | st.integers(0, MINUTE) | st.integers(0, 3 * DAY)
qualities = st.sampled_from([q for q in TimeQuality if q is not TimeQuality.SIGNED])


class GateInHostileHands(RuleBasedStateMachine):
    """Keeps what the gate may remember (row, journal), and what it must never go below."""

    def __init__(self):
        super().__init__()
        self.boot, self.boot_ms, self.wall_ms = 0, 5_000, BUILT
        self.quality = TimeQuality.RTC
        self.row, self.journal, self.pending = None, [], None
        self.least = 0  # of what was written down, less what a signed time took back
        self.shown = 0  # in this run of the daemon
        self.most = BUILT  # of all that anybody ever said, and the time since
        self.greatest_signed = 0

    @property
    def boot_id(self) -> bytes:
        return self.boot.to_bytes(16, "big")

    @initialize(wall_ms=instants, quality=qualities)
    def first_start(self, wall_ms, quality):
        self.wall_ms, self.quality = wall_ms, quality
        self.start()

    def start(self):
        self.state = begin(
            self.row,
            self.journal,
            boot_id=self.boot_id,
            boot_ms=self.boot_ms,
            earliest_ms=BUILT,
        )
        self.shown = self.least
        self.pending = None
        self.look()

    def look(self):
        self.most = max(self.most, self.wall_ms)
        reading = Reading(self.wall_ms, self.boot_ms, self.quality)
        self.state, instant = read(self.state, reading)
        assert instant.now_ms >= self.shown, "time went back"
        assert instant.now_ms >= self.greatest_signed
        assert instant.now_ms <= self.most, "nobody ever said that it is so late"
        self.shown = instant.now_ms
        return instant

    def write(self, instant, boot_ms, refers_to=0):
        self.journal.append(
            Record(
                kind=int(Kind.PASSED if refers_to else Kind.DENIED),
                sequence=len(self.journal) + 1,
                refers_to=refers_to,
                wall_ms=self.wall_ms,
                boot_ms=boot_ms,
                boot_id=self.boot_id,
                trusted_ms=instant.now_ms,
            )
        )

    @rule(ms=passing)
    def time_goes_on(self, ms):
        for name in ("boot_ms", "wall_ms", "most"):
            setattr(self, name, getattr(self, name) + ms)

    @rule(wall_ms=instants)
    def somebody_sets_the_clock(self, wall_ms):
        self.wall_ms = wall_ms

    @rule(by_ms=deltas)
    def the_clock_is_set_to_about_what_the_gate_shows(self, by_ms):
        self.wall_ms = self.shown + by_ms

    @rule(quality=qualities)
    def a_time_server_comes_or_goes(self, quality):
        self.quality = quality

    @rule()
    def a_ticket_is_shown(self):
        instant = self.look()
        self.write(instant, self.boot_ms)
        self.least = max(self.least, instant.now_ms)

    @rule()
    def a_grant_waits_for_its_person(self):
        instant = self.look()
        self.write(instant, self.boot_ms)
        self.least = max(self.least, instant.now_ms)
        self.pending = instant, self.boot_ms, len(self.journal)

    @rule()
    def the_person_goes_through(self):
        if self.pending is not None:
            self.write(*self.pending)
            self.pending = None

    @rule(by_ms=deltas, way_ms=st.integers(0, 50) | st.integers(0, 40_000), is_cut=st.booleans())
    def the_server_signs_a_time(self, by_ms, way_ms, is_cut):
        asked_ms, server_ms = self.boot_ms, self.shown + by_ms
        self.time_goes_on(way_ms)
        self.look()
        taken = take_signed(self.state, server_ms, asked_ms, self.boot_ms)
        if taken is None:
            return
        assert server_ms >= self.greatest_signed
        self.most = max(self.most, server_ms)
        if is_cut:  # the plug was pulled before it was written down
            self.power_is_cut(0, self.wall_ms, self.quality)
            return
        self.state, back_ms = taken
        self.row = store(self.state, self.boot_id, self.boot_ms, len(self.journal))
        if back_ms:
            assert self.state.floor_ms + self.boot_ms == server_ms
            self.most = max(server_ms, self.wall_ms)
        self.greatest_signed = server_ms
        self.least = self.shown = self.state.floor_ms + self.boot_ms
        self.look()

    @rule()
    def the_signing_keys_are_revoked(self):
        self.look()
        self.state = forget_signed(self.state)
        self.row = store(self.state, self.boot_id, self.boot_ms, len(self.journal))
        self.greatest_signed = 0
        self.least = self.state.floor_ms + self.boot_ms

    @rule()
    def the_daemon_is_killed(self):
        self.start()

    @rule(boot_ms=passing, by_ms=deltas, quality=qualities)
    def the_machine_starts_again(self, boot_ms, by_ms, quality):
        self.power_is_cut(boot_ms, self.wall_ms + by_ms, quality)

    @rule(boot_ms=passing, wall_ms=instants, quality=qualities)
    def power_is_cut(self, boot_ms, wall_ms, quality):
        self.boot += 1
        self.boot_ms, self.wall_ms, self.quality = boot_ms, wall_ms, quality
        self.most += boot_ms
        self.start()

    @invariant()
    def a_look_shows_no_less_than_was_ever_written_down(self):
        reading = Reading(self.wall_ms, self.boot_ms, self.quality)
        later = replace(reading, boot_ms=reading.boot_ms + 1)
        if hasattr(self, "state"):
            now_ms = read(self.state, reading)[1].now_ms
            assert now_ms >= self.least
            assert read(self.state, later)[1].now_ms >= now_ms


TestGateInHostileHands = GateInHostileHands.TestCase
TestGateInHostileHands.settings = settings(stateful_step_count=40)


def test_what_was_written_in_the_millisecond_of_a_signed_time_counts():
    world = GateInHostileHands()
    world.first_start(0, TimeQuality.SYNCED)
    world.the_signing_keys_are_revoked()
    world.the_clock_is_set_to_about_what_the_gate_shows(1)
    world.a_ticket_is_shown()
    world.power_is_cut(0, 0, TimeQuality.SYNCED)
