"""What is kept of what a gate says: ages as instants of the server, and its clock."""

import pytest

from admission.sync.messages import Moment, Status
from sync_server.gate_reports import DRIFT_AFTER_MS, GateKnowledge, is_news, knowledge_of, said_of

NOW_MS = 1_780_000_000_000


def status(*, wall_ms=NOW_MS, boot_ms=1_000, boot=b"one", **fields) -> Status:
    values = {"mode": "connected", "causes": [], "queue": 0, "lists": {}} | fields
    return Status(sent=Moment(wall_ms, boot_ms, boot), **values)


def known(told: Status, now_ms: int = NOW_MS, before=None) -> GateKnowledge:
    return knowledge_of(said_of(told, "", now_ms, before))


def test_ages_become_instants_so_that_they_go_on_while_a_gate_says_nothing():
    told = known(status(queue=4, queued_s=90, list_age_s=3_600))
    assert told.queued_since_ms == NOW_MS - 90_000
    assert told.list_known_ms == NOW_MS - 3_600_000


def test_a_gate_without_a_list_and_without_a_queue_has_no_such_age():
    assert known(status(queued_s=7)) == GateKnowledge(clock_offset_ms=0)


def test_the_causes_are_kept_in_their_order():
    assert known(status(causes=["link", "clock"])).causes == ("link", "clock")


@pytest.mark.parametrize("ahead_ms", [-7_200_000, 0, 3_000])
def test_the_offset_of_a_clock_is_measured_at_each_contact(ahead_ms):
    before = said_of(status(wall_ms=NOW_MS + 5), "", NOW_MS, None)
    told = known(status(wall_ms=NOW_MS + 5_000 + ahead_ms), NOW_MS + 5_000, before)
    assert told.clock_offset_ms == ahead_ms


def test_the_drift_of_a_clock_is_told_once_that_can_be_measured():
    said = said_of(status(boot_ms=1_000), "", NOW_MS, None)
    for elapsed_ms in (1_000, DRIFT_AFTER_MS - 1):
        later = said_of(status(boot_ms=1_000 + elapsed_ms), "", NOW_MS + elapsed_ms, said)
        assert knowledge_of(later).clock_drift_ppm is None
    ran_ms = DRIFT_AFTER_MS + DRIFT_AFTER_MS // 10_000
    later = said_of(status(boot_ms=1_000 + ran_ms), "", NOW_MS + DRIFT_AFTER_MS, later)
    assert knowledge_of(later).clock_drift_ppm == 100


def test_another_start_of_the_machine_is_measured_anew():
    said = said_of(status(boot_ms=1_000), "", NOW_MS, None)
    later = known(status(boot_ms=5, boot=b"two"), NOW_MS + 2 * DRIFT_AFTER_MS, said)
    assert later.clock_drift_ppm is None


def test_what_only_grows_older_is_no_news():
    said = said_of(status(list_age_s=1), "", NOW_MS, None)
    later = said_of(status(list_age_s=9, boot_ms=4_000), "", NOW_MS + 3_000, said)
    assert not is_news(later, said)
    assert is_news(later, None)
    assert is_news(said_of(status(queue=1), "", NOW_MS, said), said)
    assert is_news(later, {"mode": "connected"})


@pytest.mark.parametrize("kept", [{}, {"causes": 7, "clock": "x", "queued_since_ms": "y"}])
def test_what_an_older_program_kept_says_less(kept):
    assert knowledge_of(kept) == GateKnowledge()


@pytest.mark.parametrize(
    ("told", "battery", "is_charging"),
    [({}, None, False), ({"battery": 0}, 0, False), ({"battery": 64, "charging": True}, 64, True)],
)
def test_a_handhelds_battery_is_kept_and_a_gate_without_one_has_none(told, battery, is_charging):
    kept = known(status(**told))
    assert (kept.battery, kept.is_charging) == (battery, is_charging)


def test_what_an_older_program_kept_says_nothing_of_a_battery():
    kept = dict(said_of(status(), "", NOW_MS, None))
    del kept["battery"], kept["charging"]
    assert (knowledge_of(kept).battery, knowledge_of(kept).is_charging) == (None, False)
