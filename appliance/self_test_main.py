"""The self-test from the shell: opens each device as the gate does, looks at it and lets it go.

Called by `portillon selftest`. The daemon has to be stopped: a relay or a reader that it holds is
told as one that cannot be had. Nothing is written to the journal and the arm stays at rest.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from admission.trust.trusted_time import TRUSTED
from appliance.clock import software_date
from appliance.config import Config, ReaderConfig, is_on_this_machine
from appliance.drivers import READERS, Drivers
from appliance.fault_codes import DISK_FAULT, FULL_FAULT, JOURNAL_FAULT, RELAY_FAULT, SLOW_FAULT
from appliance.gate_checks import LIST_FAULT, PICTURES
from appliance.machine_state import read_machine
from appliance.page_config import PageConfig
from appliance.page_ports import CheckLine, CheckOutcome, MachineState
from appliance.ports import Clock, Look, Reader, Screen
from appliance.self_test import (
    ABSENT,
    CAMERA_FAULT,
    DISPLAY_FAULT,
    GOOD,
    READER_FAULT,
    SIGNAL_FAULT,
    Check,
    Finding,
    MachineChecks,
    look_at,
)
from appliance.storage.database import open_database
from appliance.storage.device_secrets import device_secrets
from appliance.storage.faults import file_error
from appliance.storage.identity_file import IDENTITY_FILE
from appliance.storage.identity_vault import open_vault
from appliance.storage.memory_store import SqliteMemory
from appliance.trusted_clock import CLOCK_FAULT

IDENTITY_FAULT: Final = "GT-IDN"  # who the gate is cannot be read, or it was never enrolled
PROBE_FILE: Final = "selftest.probe"
COMMITS: Final = 8
READER_S_MAX: Final = 4.0  # below what a check may take
POLL_S: Final = 0.05
_BLOCK: Final = bytes(4096)
_MB: Final = 1 << 20
_SHOWN: Final = Screen(Look.SELF_TEST)


@dataclass(frozen=True, slots=True)
class Trial:
    """What a self-test is made with.

    Attributes:
        config: the checked configuration.
        clock: the machine's.
        database: path of the journal's file.
        lists: folder of the lists.
        machine: reads what the machine tells of itself.
    """

    config: Config
    clock: Clock
    database: Path
    lists: Path
    machine: Callable[[], MachineState] = read_machine


async def try_all(trial: Trial) -> tuple[CheckLine, ...]:
    """Make every check, one after the other."""
    config = trial.config
    server = config.server or "https://elsewhere.invalid"
    machine = MachineChecks(trial.machine, needs_network=not is_on_this_machine(server))
    checks = [
        *_checks_of_the_card(trial),
        Check("clock", CLOCK_FAULT, lambda: _time(trial.clock)),
        *_checks_of_devices(trial),
        *machine.checks(),
    ]
    return tuple([await look_at(check) for check in checks])


def admits(lines: Sequence[CheckLine]) -> bool:
    """Tell whether all that admission needs works."""
    return all(line.outcome is not CheckOutcome.FAULT for line in lines)


def _checks_of_the_card(trial: Trial) -> list[Check]:
    fault, data = CheckOutcome.FAULT, trial.config.data
    return [
        Check("identity", IDENTITY_FAULT, lambda: _identity(trial), fault),
        Check("card", DISK_FAULT, lambda: _card(data, trial.config.journal.slow_commit_ms), fault),
        Check("room", FULL_FAULT, lambda: _room(data, trial.config.journal.free_mb_min), fault),
        Check("journal", JOURNAL_FAULT, lambda: _journal(trial), fault),
        Check("lists", LIST_FAULT, lambda: _lists(trial)),
    ]


def _checks_of_devices(trial: Trial) -> list[Check]:
    config = trial.config
    has_arm, fault = config.turnstile.kind != "none", CheckOutcome.FAULT
    has_display, has_signals = config.display.kind != "none", config.signals.kind != "none"
    return [
        Check("turnstile", RELAY_FAULT, _of(trial, _arm, is_there=has_arm), fault),
        *(_reader(trial, reader) for reader in config.readers),
        Check("display", DISPLAY_FAULT, _of(trial, _display, is_there=has_display)),
        Check("signals", SIGNAL_FAULT, _of(trial, _signals, is_there=has_signals)),
    ]


# --- what lies on the card ------------------------------------------------------------------------


async def _identity(trial: Trial) -> Finding:
    config = trial.config
    secrets = device_secrets(config.data, config.device_secret)
    vault = await open_vault(config.data / IDENTITY_FILE, secrets)
    if vault is None:
        return Finding(CheckOutcome.FAULT, "portillon gate enrol")
    return Finding(CheckOutcome.GOOD, vault.identity.gate_name)


async def _card(data: Path, slow_ms: int) -> Finding:
    worst_ms = await asyncio.to_thread(_commit, data)
    is_slow = worst_ms >= slow_ms
    figure = f"{SLOW_FAULT} {worst_ms} ms" if is_slow else f"{worst_ms} ms"
    return Finding(CheckOutcome.NOTE if is_slow else CheckOutcome.GOOD, figure)


def _commit(data: Path) -> int:
    """Write and sync as a commit does; give the slowest in milliseconds, rounded up."""
    file, took_ns = data / PROBE_FILE, []
    try:
        with file.open("wb", buffering=0) as probe:
            for _ in range(COMMITS):
                begun_ns = time.monotonic_ns()
                probe.write(_BLOCK)
                os.fsync(probe.fileno())
                took_ns.append(time.monotonic_ns() - begun_ns)
        file.unlink()
    except OSError as exc:
        raise file_error(f"{file}: cannot be written", exc) from exc
    return -(-max(took_ns) // 1_000_000)


async def _room(data: Path, least_mb: int) -> Finding:
    try:
        found = os.statvfs(data)
    except OSError as exc:
        raise file_error(f"{data}: cannot be asked for its room", exc) from exc
    free_mb = found.f_bavail * found.f_frsize // _MB
    outcome = CheckOutcome.FAULT if free_mb < least_mb else CheckOutcome.GOOD
    return Finding(outcome, f"{free_mb} MB")


async def _journal(trial: Trial) -> Finding:
    if not trial.database.exists():
        return ABSENT
    async with open_database(trial.database) as database:
        await database.require_whole()
    return GOOD


async def _lists(trial: Trial) -> Finding:
    if not trial.database.exists():
        return ABSENT
    async with open_database(trial.database) as database:
        held = await SqliteMemory(database, trial.lists).lists()
    return Finding(CheckOutcome.GOOD if held else CheckOutcome.NOTE, str(len(held)))


async def _time(clock: Clock) -> Finding:
    quality = clock.wall_quality()
    is_good = quality in TRUSTED and clock.now() >= software_date()
    return Finding(CheckOutcome.GOOD if is_good else CheckOutcome.NOTE, quality.value)


# --- devices --------------------------------------------------------------------------------------


def _of(
    trial: Trial, look: Callable[[Drivers], Awaitable[Finding]], *, is_there: bool
) -> Callable[[], Awaitable[Finding]]:
    """Make a look with drivers that are closed behind it."""

    async def looked() -> Finding:
        if not is_there:
            return ABSENT
        async with _drivers(trial) as drivers:
            return await look(drivers)

    return looked


@asynccontextmanager
async def _drivers(trial: Trial) -> AsyncIterator[Drivers]:
    config = replace(trial.config, page=PageConfig())  # its port may be in use, and is no device
    async with AsyncExitStack() as stack:
        yield Drivers(config, trial.clock, stack)


async def _arm(drivers: Drivers) -> Finding:
    drivers.open_turnstile().rest()
    drivers.open_inputs()
    return GOOD


async def _display(drivers: Drivers) -> Finding:
    for display in await drivers.open_displays():
        await display.show(_SHOWN)
    return GOOD


async def _signals(drivers: Drivers) -> Finding:
    for signals in await drivers.open_signals():
        await signals.signal(_SHOWN)
        signals.rest()
    return GOOD


def _reader(trial: Trial, config: ReaderConfig) -> Check:
    async def look(drivers: Drivers) -> Finding:
        reader = READERS[config.kind](drivers, config)
        return GOOD if await _comes_up(reader, trial.clock) else Finding(CheckOutcome.NOTE)

    code = CAMERA_FAULT if config.kind in PICTURES else READER_FAULT
    return Check(f"reader:{config.name}", code, _of(trial, look, is_there=True))


async def _comes_up(reader: Reader, clock: Clock) -> bool:
    """Read for a moment, and tell whether the device is there by then."""
    until_ns = clock.monotonic_ns() + round(READER_S_MAX * 1e9)
    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(_read(reader))
        while not reader.is_alive() and clock.monotonic_ns() < until_ns:
            await clock.sleep(POLL_S)
        is_there = reader.is_alive()
        reading.cancel()
    return is_there


async def _read(reader: Reader) -> None:
    async for _ in reader.payloads():
        pass
