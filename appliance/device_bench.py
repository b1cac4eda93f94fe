"""What the device it runs on can do: decoding, commits and memory, for sizing and support.

Called by `portillon bench`. Measures with the gate's own decoder, journal and list, in a folder
that is removed afterwards; the gate need not be enrolled, and one that runs is disturbed by nothing
but the time it takes. Nothing here is a promise: what a figure is held against stands beside it.
"""

import os
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from admission.journal import Kind
from admission.ticket import TicketState
from admission.ticketlist.identifiers import identify
from admission.ticketlist.manifest import ClassRow, Manifest, Showing, list_key_id
from admission.ticketlist.packed import Entry, pack
from admission.ticketlist.pieces import FileRef
from appliance.clock import SystemClock, boot_id, fresh_id, software_date
from appliance.holdings import GateHoldings, open_list
from appliance.readers.chain import open_decoder
from appliance.readers.decoding import MATRIX, Decoder, Decoding, Frame, Pixels, Symbology
from appliance.readers.zxing import ZxingDecoder
from appliance.recording import Recorder
from appliance.simulator.ticket_pictures import draw_code
from appliance.storage.database import open_database
from appliance.storage.journal_store import SqliteJournal
from appliance.storage.memory_store import SqliteMemory
from appliance.trusted_clock import TrustedClock

SIZES: Final = ((640, 480), (1280, 720), (1456, 1088))  # what gates' cameras are set up for
_PAYLOAD: Final = b"PORTILLON-BENCH-0123456789"
_EIGHT: Final = MATRIX | {
    Symbology.CODE_128,
    Symbology.CODE_39,
    Symbology.ITF,
    Symbology.EAN_13,
}
_ITF_LENGTHS: Final = frozenset({14})
_LIST_KEY: Final = b"b" * 32
_PERFORMANCE: Final = "0198f0a0-0000-7000-8000-0000000000be"
_MIB: Final = 1024 * 1024
_BLOCK: Final = bytes(4096)
_MODEL: Final = Path("/proc/device-tree/model")
_MEMINFO: Final = Path("/proc/meminfo")
_STATUS: Final = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured.

    Attributes:
        frames: frames decoded for each cell of the table.
        commits: records written.
        tickets: how long the list is whose memory is measured.
    """

    frames: int = 40
    commits: int = 400
    tickets: int = 100_000


@dataclass(frozen=True, slots=True)
class Table:
    """Figures with their meaning.

    Attributes:
        title: what was measured.
        columns: names of the figures, with their units.
        rows: a name and its figures; None where there is none.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float | None, ...]], ...]


def machine() -> dict[str, str | int]:
    """Tell what machine and software this is."""
    return {
        "model": _first_line(_MODEL).rstrip("\0") or platform.processor() or platform.machine(),
        "architecture": platform.machine(),
        "cores": os.cpu_count() or 0,
        "memory_mib": _kib(_MEMINFO, "MemTotal") // 1024,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def decoding_table(effort: Effort) -> Table:
    """Measure CPU time a frame, empty and with a code on it, by frame size and by what is sought.

    The gate's pipeline stands beside a plain look for every kind of code.
    """
    rows = []
    for width, height in SIZES:
        empty, shown = _scene(width, height, None), _scene(width, height, _PAYLOAD)
        for name, make in _decoders().items():
            rows.append(
                (
                    f"{width}x{height} {name}",
                    (
                        *_cpu_ms(make(), empty, effort.frames),
                        *_cpu_ms(make(), shown, effort.frames),
                    ),
                )
            )
    columns = ("empty p50 ms", "empty p95 ms", "code p50 ms", "code p95 ms")
    return Table("decoding, one thread, CPU time a frame", columns, tuple(rows))


async def commit_table(effort: Effort, folder: Path) -> Table:
    """Measure how long a record takes until it is durable, beside a bare write and sync.

    Args:
        effort: how many.
        folder: on the disk in question; what is made there is removed again.

    Raises:
        OSError: if nothing can be written there.
        StorageError: likewise.
    """
    with tempfile.TemporaryDirectory(prefix="portillon-bench-", dir=folder) as name:
        bare = _bare_ms(Path(name) / "bare", effort.commits)
        journal = await _journal_ms(Path(name), effort.commits)
    ratio = tuple(ours / theirs for ours, theirs in zip(journal, bare, strict=True))
    rows = (("journal record", journal), ("4 KiB and fdatasync", bare), ("ratio", ratio))
    return Table("commits, wall time", ("p50 ms", "p95 ms", "p99 ms", "max ms"), rows)


def memory_table(effort: Effort) -> Table:
    """Measure this process's resident memory as the gate's parts come into it."""
    before = resident_mib()
    decoder = open_decoder(Decoding())
    frames = _scene(1280, 720, _PAYLOAD)
    _cpu_ms(decoder, frames, effort.frames)
    decoding = resident_mib()
    snapshot = pack(_PERFORMANCE, _entries(effort.tickets))
    packed = resident_mib()
    holdings = GateHoldings()
    holdings.install(open_list(_manifest(snapshot, effort.tickets), snapshot, _LIST_KEY))
    installed = resident_mib()
    _cpu_ms(decoder, frames, effort.frames)
    after = resident_mib()
    rows = (
        ("python and the gate's modules", (before, None)),
        ("with a decoder and its frames", (decoding, decoding - before)),
        (f"list of {effort.tickets:,} tickets, its file", (None, len(snapshot) / _MIB)),
        ("that list, held", (installed, installed - packed)),
        ("after as many frames again", (after, after - installed)),
    )
    return Table("memory", ("resident MiB", "of that new MiB"), rows)


def resident_mib() -> float:
    """Give this process's resident memory in MiB."""
    return _kib(_STATUS, "VmRSS") / 1024


def _decoders() -> dict[str, Callable[[], Decoder]]:
    eight = Decoding(_EIGHT, _ITF_LENGTHS)
    qr = Decoding(frozenset({Symbology.QR_CODE}))
    return {
        "QR only": lambda: ZxingDecoder(qr),
        "four matrix kinds": lambda: ZxingDecoder(Decoding()),
        "eight kinds": lambda: ZxingDecoder(eight),
        "the gate's pipeline": lambda: open_decoder(Decoding()),
    }


def _scene(width: int, height: int, payload: bytes | None) -> list[Frame]:
    """Give some frames of a wall with grain on it, and a ticket before it where one is wanted."""
    chance = np.random.default_rng(width)
    wall = np.linspace(90, 160, width, dtype=np.float64)[np.newaxis, :].repeat(height, axis=0)
    frames = []
    for _ in range(3):
        grain = chance.normal(0, 3, (height, width))
        pixels: Pixels = np.clip(wall + grain, 0, 255).astype(np.uint8)
        if payload is not None:
            code = np.asarray(draw_code(payload))
            top, left = (height - code.shape[0]) // 2, (width - code.shape[1]) // 2
            pixels[top : top + code.shape[0], left : left + code.shape[1]] = code
        frames.append(Frame(pixels, 0))
    return frames


def _cpu_ms(decoder: Decoder, frames: Sequence[Frame], count: int) -> tuple[float, float]:
    times = []
    for turn in range(count):
        begun_ns = time.thread_time_ns()
        decoder.decode(frames[turn % len(frames)])
        times.append((time.thread_time_ns() - begun_ns) / 1e6)
    return _at(times, 0.5), _at(times, 0.95)


def _bare_ms(path: Path, count: int) -> tuple[float, float, float, float]:
    times = []
    with path.open("wb", buffering=0) as file:
        for _ in range(count):
            begun_ns = time.monotonic_ns()
            file.write(_BLOCK)
            os.fdatasync(file.fileno())
            times.append((time.monotonic_ns() - begun_ns) / 1e6)
    return _spread(times)


async def _journal_ms(folder: Path, count: int) -> tuple[float, float, float, float]:
    async with open_database(folder / "journal.sqlite") as database:
        journal = await SqliteJournal.open(database, fresh_id())
        memory = SqliteMemory(database, folder / "lists")
        boot = boot_id()
        clock = await TrustedClock.open(SystemClock(), boot, software_date(), journal, memory)
        recorder = Recorder(journal, clock, boot)
        times = []
        for _ in range(count):
            begun_ns = time.monotonic_ns()
            await recorder.note(Kind.ALARM, detail={"code": "bench"})
            times.append((time.monotonic_ns() - begun_ns) / 1e6)
    return _spread(times)


def _entries(count: int) -> Any:
    return (
        Entry(identify(_LIST_KEY, f"T{place:019d}"), 0, TicketState.VALID) for place in range(count)
    )


def _manifest(snapshot: bytes, count: int) -> Manifest:
    return Manifest(
        performance=_PERFORMANCE,
        version=1,
        chain="0" * 64,
        snapshot=FileRef(version=1, size=len(snapshot), sha256="0" * 64, count=count),
        list_key_id=list_key_id(_LIST_KEY),
        classes=(ClassRow(category="standard", mode="single"),),
        showing=Showing(name="Bench", timezone="UTC"),
        published_at=datetime.now(UTC),
    )


def _spread(times: Sequence[float]) -> tuple[float, float, float, float]:
    return _at(times, 0.5), _at(times, 0.95), _at(times, 0.99), max(times)


def _at(times: Sequence[float], part: float) -> float:
    return sorted(times)[min(len(times) - 1, int(part * len(times)))]


def _first_line(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").split("\n", 1)[0].strip()
    except OSError:
        return ""  # not a board with a device tree


def _kib(path: Path, key: str) -> int:
    try:
        lines = path.read_text("ascii").splitlines()
    except OSError:
        return 0  # no procfs: the figure is missing, the others are not
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{key}:")), 0)
