"""Of what gates say of themselves every few seconds only what is new is written down."""

import msgspec
import pytest

from admission.sync.machine_messages import Fetching, Machine
from admission.sync.messages import Moment, Status
from sync_server.gate_desk import QUEUE_MS, STATUS_MS, says_nothing_new
from sync_server.gate_reports import is_news, said_of
from sync_server.machine_reports import MachineKnowledge, machine_knowledge_of

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


MACHINE = Machine(
    version="0.1.0",
    slot="a",
    compatible="gate-x",
    update="rolled_back",
    update_version="0.2.0",
    update_reason="not ready",
    blocked=["0.2.0"],
    fetching=Fetching("0.3.0", "fetching", 10, 100),
    provision="refused",
    provision_reason="line 3",
    firmware_s=1_700_000_000,
)


def test_what_a_machine_runs_is_kept_and_read_again():
    known = machine_knowledge_of(said(machine=MACHINE, free_mb=900))
    assert known == MachineKnowledge(
        version="0.1.0",
        slot="a",
        compatible="gate-x",
        update="rolled_back",
        update_version="0.2.0",
        update_reason="not ready",
        blocked=("0.2.0",),
        fetch_version="0.3.0",
        fetch_state="fetching",
        fetch_have=10,
        fetch_size=100,
        free_mb=900,
        provision="refused",
        provision_reason="line 3",
        firmware_s=1_700_000_000,
    )


def test_a_gate_that_says_nothing_of_its_machine_has_none():
    assert machine_knowledge_of(said()) is None
    assert machine_knowledge_of(None) is None
    assert machine_knowledge_of({"mode": "connected"}) is None  # kept by a program of before


def test_that_a_download_goes_on_is_no_news_and_that_it_ended_is():
    before = said(machine=MACHINE)
    further, whole = (
        said(machine=msgspec.structs.replace(MACHINE, fetching=Fetching("0.3.0", *state)))
        for state in (("fetching", 20, 100), ("whole", 100, 100))
    )
    assert not is_news(further, before)
    assert is_news(whole, before)
