"""How a gate may be, for the tests of its page: on a good night and on a bad one."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from appliance.page_ports import (
    CheckLine,
    CheckOutcome,
    FaultLine,
    GateStatus,
    Glimpse,
    ListLine,
    ListState,
    MachineState,
    ReaderLine,
    SeenCode,
    TailLine,
)

NOW = datetime(2026, 5, 1, 18, 32, 7, tzinfo=UTC).astimezone(ZoneInfo("Europe/Paris"))

GOOD_NIGHT = GateStatus(
    checkpoint="Porte A",
    mode="connected",
    causes=(),
    known_s=None,
    queue=0,
    queued_s=0.0,
    peers=2,
    occupancy=412,
    lists=(ListLine("Le Barbier de Séville", "show", 41, 12.0, ListState.GOOD),),
    now=NOW,
    clock="signed",
    clock_error_s=0.4,
    signed_s=75.0,
    faults=(),
    commit_ms=9,
    free_mb=21_480,
    readers=(ReaderLine("outside", "serial", "entry", True),),
    machine=MachineState(
        temperature_c=51.5,
        is_under_voltage=False,
        was_under_voltage=False,
        is_throttled=False,
        memory_free_mb=2711,
        memory_mb=3791,
        networks=("eth0",),
    ),
    uptime_s=187_300.0,
    served_s=11_940.0,
    software="1.2.3",
    tested=(
        CheckLine("card", "GT-DSK", CheckOutcome.GOOD, "9 ms"),
        CheckLine("clock", "GT-CLK", CheckOutcome.GOOD, "± 0.4 s"),
        CheckLine("reader:outside", "GT-RDR", CheckOutcome.GOOD),
        CheckLine("display", "GT-DSP", CheckOutcome.ABSENT),
    ),
)

BAD_NIGHT = GateStatus(
    checkpoint="Porte A <b>",
    mode="degraded",
    causes=("link", "clock"),
    known_s=754.0,
    queue=1_204,
    queued_s=3_800.0,
    peers=0,
    occupancy=None,
    lists=(
        ListLine("Une soirée au titre qui n'en finit pas, deuxième partie", "a", 3, 90_000.0,
                 ListState.STALE),
        ListLine("", "0198f0a0-0000-7000-8000-0000000000be", 0, None, ListState.MISSING),
    ),
    now=NOW,
    clock="saved",
    clock_error_s=None,
    signed_s=None,
    faults=(
        FaultLine("GT-RLY", 125.0),
        FaultLine("GT-TMP", 30.0),
        FaultLine("GT-XYZ", None),
    ),
    commit_ms=310,
    free_mb=-1,
    readers=(
        ReaderLine("outside", "serial", "entry", True),
        ReaderLine("camera", "camera", "exit", False),
    ),
    machine=MachineState(temperature_c=83.2, is_under_voltage=True, networks=()),
    uptime_s=59.0,
    served_s=3.0,
    software="1.2.3",
    tested=(
        CheckLine("turnstile", "GT-RLY", CheckOutcome.FAULT),
        CheckLine("reader:camera", "GT-CAM", CheckOutcome.NOTE),
    ),
)  # fmt: skip

TAIL = [
    TailLine(1207, NOW, "passed", "", "entry", "outside", ""),
    TailLine(1206, NOW, "granted", "granted", "entry", "outside", ""),
    TailLine(1205, NOW, "denied", "already_used", "entry", "outside", ""),
    TailLine(1204, NOW, "forced", "", "", "", ""),
    TailLine(1203, NOW, "fault", "", "", "", "GT-RLY begun"),
    TailLine(1202, NOW, "99", "of_tomorrow", "exit", "<reader>", ""),
]


def glimpse(*seen: SeenCode, picture: bytes = b"\x89PNG", taken_ns: int = 7) -> Glimpse:
    return Glimpse(picture, "image/png", 320, 240, seen, taken_ns)


class StillCamera:
    """A reader that sees one picture, and never anything else."""

    def __init__(self, seen: Glimpse | None) -> None:
        self.seen = seen

    async def glimpse(self) -> Glimpse | None:
        return self.seen
