"""Of what gates say of themselves every few seconds only what is new is written down."""

import pytest

from admission.sync.messages import Moment, Status
from sync_server.gate_desk import QUEUE_MS, STATUS_MS, says_nothing_new
from sync_server.gate_reports import said_of

NOW_MS = 1_780_000_000_000


def said(now_ms=NOW_MS, before=None, **fields):
    known = {"mode": "connected", "causes": [], "queue": 0, "lists": {"show": 1}}
    status = Status(**known | {"sent": Moment(now_ms, 1000, bytes(16))} | fields)
    return said_of(status, "", now_ms, before)


@pytest.mark.parametrize(
    ("after_ms", "fields", "is_old"),
    [
        (1, {}, True),
        (STATUS_MS - 1, {}, True),
        (STATUS_MS, {}, False),
        (QUEUE_MS - 1, {"queue": 4, "queued_s": 1}, True),
        (QUEUE_MS, {"queue": 4, "queued_s": 1}, False),
        (1, {"mode": "degraded", "causes": ["link"]}, False),
        (1, {"lists": {"show": 2}}, False),
        (1, {"faults": ["GT-DSK"]}, False),
        (-1, {}, False),  # the clock was set back
    ],
)
def test_what_is_new_is_written_at_once_and_what_is_not_now_and_then(after_ms, fields, is_old):
    before = said()
    now_ms = NOW_MS + after_ms
    after = said(now_ms, before, **fields)
    assert says_nothing_new(after, (before, NOW_MS), now_ms) is is_old
