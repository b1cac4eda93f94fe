"""Composition root of the gate: the only file that knows which driver stands behind which port.

`run_gate` opens everything in order, runs the tasks, and closes in reverse; `enrol_gate` makes the
gate's keys and has the server accept them. Called by `portillon gate`.
"""

import asyncio
import logging
import random
import secrets
import signal
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from admission.passage import History
from admission.scan import Direction
from admission.sync.messages import Enrol
from admission.ticketlist.keys import check_string, public_key
from admission.ticketlist.sealing import agreement_public_key
from appliance.announcer import Announcer
from appliance.clock import SystemClock, boot_id, fresh_id
from appliance.config import Config, ReaderConfig
from appliance.errors import ConfigError
from appliance.gate import Gate
from appliance.health import Health
from appliance.holdings import GateHoldings
from appliance.lane_keeper import LaneKeeper
from appliance.lists import ListKeeper
from appliance.ports import Clock, Display, Reader, Signals, Turnstile
from appliance.recording import Recorder
from appliance.starting import close_open_grants, note_start, remember
from appliance.storage.database import open_database
from appliance.storage.identity_file import Identity, read_identity, write_identity
from appliance.storage.journal_store import SqliteJournal
from appliance.storage.memory_store import SqliteMemory
from appliance.transport.client import open_link
from appliance.uplink import Uplink

log = logging.getLogger(__name__)

IDENTITY_FILE: Final = "identity.json"
DATABASE_FILE: Final = "journal.sqlite"
LISTS_FOLDER: Final = "lists"

Task = Coroutine[Any, Any, None]


async def enrol_gate(config: Config, code: str) -> tuple[Identity, str]:
    """Make the gate's keys, hand their public halves in with a one-time code, keep the answer.

    Args:
        config: names server and data folder.
        code: as the operator was shown it.

    Returns:
        The identity, and the six digits that the operator's page must show too.

    Raises:
        ConfigError: if this gate is enrolled already.
        LinkError: if the server cannot be reached, or refuses the code.
        StorageError: if the identity cannot be written.
    """
    path = config.data / IDENTITY_FILE
    if read_identity(path) is not None:
        raise ConfigError(f"{path}: this gate is enrolled already; remove the file to enrol anew")
    private_key, agreement_key = secrets.token_bytes(32), secrets.token_bytes(32)
    own = public_key(private_key)
    async with open_link(config.server, "", private_key) as link:
        answer = await link.enrol(Enrol(code, own, agreement_public_key(agreement_key)))
    identity = Identity(
        gate=answer.gate,
        gate_name=answer.gate_name,
        server=config.server,
        private_key=private_key,
        agreement_key=agreement_key,
        list_keys=tuple(answer.list_keys),
    )
    write_identity(path, identity)
    return identity, check_string(own, answer.list_keys[0])


@dataclass(slots=True)
class _Parts:
    """What is shared by the gate's services while it runs."""

    config: Config
    identity: Identity
    software: str
    stack: AsyncExitStack
    clock: Clock
    boot: bytes
    recorder: Recorder
    memory: SqliteMemory
    announcer: Announcer
    tasks: list[Task]
    history: History = field(default_factory=History)
    holdings: GateHoldings = field(default_factory=GateHoldings)


async def run_gate(config: Config, software: str) -> None:
    """Run the gate until SIGTERM or SIGINT.

    Args:
        config: the checked configuration.
        software: version of this program.

    Raises:
        ApplianceError: if something without which no gate can work cannot be had.
    """
    identity = read_identity(config.data / IDENTITY_FILE)
    if identity is None:
        raise ConfigError(
            f"{config.data / IDENTITY_FILE}: this gate is not enrolled; "
            f"run: portillon gate enrol --config {config.path} --code CODE"
        )
    stop = _stop_on_signals()
    async with AsyncExitStack() as stack:
        parts = await _open_parts(config, identity, software, stack)
        keeper = await _load_lists(parts)
        health = _health(parts, keeper)
        uplink = await _uplink(parts, keeper, health)
        gate = _gate(parts, health, await _open_turnstile(parts))
        readers = [_open_reader(reader, parts) for reader in config.readers]
        parts.tasks += [gate.run(readers), uplink.run(), parts.announcer.run()]
        log.info("gate ready", extra={"gate": identity.gate_name})
        await _run_until(stop, parts.tasks)
    log.info("gate stopped")


async def _open_parts(
    config: Config, identity: Identity, software: str, stack: AsyncExitStack
) -> _Parts:
    config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    clock, boot = SystemClock(), boot_id()
    connection = await stack.enter_async_context(open_database(config.data / DATABASE_FILE))
    journal = await SqliteJournal.open(connection, fresh_id())
    recorder = Recorder(journal, clock, boot)
    memory = SqliteMemory(connection, config.data / LISTS_FOLDER)
    tasks: list[Task] = []
    displays, signals = await _open_faces(config, identity, clock, stack, tasks)
    announcer = Announcer(displays, signals, clock)
    parts = _Parts(
        config, identity, software, stack, clock, boot, recorder, memory, announcer, tasks
    )
    await note_start(recorder, identity.gate, software)
    await close_open_grants(recorder, await journal.open_grants())
    await remember(parts.history, journal.id, await journal.facts(), memory)
    return parts


async def _load_lists(parts: _Parts) -> ListKeeper:
    keeper = ListKeeper(
        gate=parts.identity.gate,
        trusted_keys=parts.identity.list_keys,
        agreement_key=parts.identity.agreement_key,
        memory=parts.memory,
        holdings=parts.holdings,
        recorder=parts.recorder,
        now=parts.clock.now,
    )
    await keeper.load()
    parts.memory.sweep(parts.holdings.manifests)
    return keeper


def _health(parts: _Parts, keeper: ListKeeper) -> Health:
    return Health(
        keeper=keeper,
        holdings=parts.holdings,
        history=parts.history,
        recorder=parts.recorder,
        announcer=parts.announcer,
        clock=parts.clock,
        direction=parts.config.readers[0].direction,
    )


async def _uplink(parts: _Parts, keeper: ListKeeper, health: Health) -> Uplink:
    identity = parts.identity
    link = await parts.stack.enter_async_context(
        open_link(parts.config.server, identity.gate, identity.private_key)
    )
    uplink = Uplink(
        link=link,
        keeper=keeper,
        memory=parts.memory,
        recorder=parts.recorder,
        history=parts.history,
        holdings=parts.holdings,
        clock=parts.clock,
        boot_id=parts.boot,
        jitter=random.random,
        changed=health.changed,
        software=parts.software,
    )
    health.situation = uplink.situation
    health.changed()
    return uplink


def _gate(parts: _Parts, health: Health, turnstile: Turnstile) -> Gate:
    lane = LaneKeeper(
        turnstile=turnstile,
        recorder=parts.recorder,
        history=parts.history,
        health=health,
        announcer=parts.announcer,
        clock=parts.clock,
        passage_timeout_s=parts.config.turnstile.passage_timeout_s,
    )
    return Gate(
        holdings=parts.holdings,
        history=parts.history,
        recorder=parts.recorder,
        lane=lane,
        health=health,
        announcer=parts.announcer,
        clock=parts.clock,
        new_id=fresh_id,
    )


# --- which driver stands behind which port ------------------------------------------------------


def _open_reader(config: ReaderConfig, parts: _Parts) -> Reader:
    return READERS[config.kind](config, parts)


def _open_serial(config: ReaderConfig, parts: _Parts) -> Reader:
    from appliance.readers.framing import Framing
    from appliance.readers.serial_port import SerialPort, SerialReader

    framing = Framing(config.prefix.encode(), config.suffix.encode(), config.aim_identifier)
    port = SerialPort(config.port, config.baud, framing)
    return SerialReader(config.name, config.direction, port, parts.clock)


def _open_camera(config: ReaderConfig, parts: _Parts) -> Reader:
    from appliance.readers.picamera import Picamera, PicameraFrames

    frames = PicameraFrames(Picamera(config.camera), parts.clock)
    return _image_reader(config, parts, frames.open, _worker(parts))


def _open_folder(config: ReaderConfig, parts: _Parts) -> Reader:
    from appliance.readers.folder import Folder, FolderFrames

    if config.folder is None:
        raise ConfigError(f"{parts.config.path}: readers: {config.name} has no folder")
    config.folder.mkdir(parents=True, exist_ok=True)
    worker = _worker(parts)
    frames = FolderFrames(Folder(config.folder), worker, parts.clock)
    return _image_reader(config, parts, frames.open, worker)


def _worker(parts: _Parts) -> ThreadPoolExecutor:
    return parts.stack.enter_context(ThreadPoolExecutor(1, "frames"))


def _image_reader(
    config: ReaderConfig, parts: _Parts, open_frames: Any, worker: ThreadPoolExecutor
) -> Reader:
    from appliance.readers.camera import CameraReader
    from appliance.readers.chain import open_decoder
    from appliance.readers.decoding import Decoding, Strategy, symbologies_named

    decoding = Decoding()
    try:
        if config.symbologies:
            decoding = Decoding(symbologies_named(config.symbologies))
    except ValueError as exc:
        raise ConfigError(f"{parts.config.path}: readers: {config.name}: {exc}") from exc
    if config.linear_second_opinion:
        strategies = (*decoding.strategies, Strategy.SECOND_OPINION)
        decoding = Decoding(decoding.symbologies, strategies=strategies)
    return CameraReader(
        config.name, config.direction, open_frames, open_decoder(decoding), worker, parts.clock
    )


READERS: Final[dict[str, Callable[[ReaderConfig, _Parts], Reader]]] = {
    "serial": _open_serial,
    "camera": _open_camera,
    "folder": _open_folder,
}


async def _open_turnstile(parts: _Parts) -> Turnstile:
    from appliance.turnstiles.free import FreePassage

    config = parts.config.turnstile
    if config.kind == "none":
        return FreePassage()
    from appliance.turnstiles.pins import PinLibrary, open_pins
    from appliance.turnstiles.relay import RelayPin, SensorPin, Wiring, open_relay_turnstile

    simulated = config.kind == "simulated"
    library = PinLibrary.MOCK if simulated else PinLibrary(config.pin_factory)
    pins = parts.stack.enter_context(open_pins(library))
    relays = {Direction.ENTRY: RelayPin(config.entry_pin, config.active_high)}
    if config.exit_pin is not None:
        relays[Direction.EXIT] = RelayPin(config.exit_pin, config.active_high)
    sensor = None if config.sensor_pin is None else SensorPin(config.sensor_pin)
    wiring = Wiring(relays, sensor, config.pulse_s)
    turnstile = parts.stack.enter_context(open_relay_turnstile(wiring, pins, parts.clock))
    if simulated and config.sensor_pin is not None:
        from appliance.simulator.demo_person import DemoPerson
        from appliance.simulator.virtual_turnstile import Person

        after_s = None if config.person_delay_s < 0 else config.person_delay_s
        relay_pins = [pins.pin(relay.pin) for relay in relays.values()]
        people = _always(Person(after_s))
        person = DemoPerson(relay_pins, pins.pin(config.sensor_pin), parts.clock, people)
        parts.tasks.append(person.run())
    return turnstile


def _always(person: Any) -> Any:
    from itertools import repeat

    return repeat(person)


async def _open_faces(
    config: Config,
    identity: Identity,
    clock: Clock,
    stack: AsyncExitStack,
    tasks: list[Task],
) -> tuple[list[Display], list[Signals]]:
    return [], []


# --- running -------------------------------------------------------------------------------------


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def _run_until(stop: asyncio.Event, tasks: list[Task]) -> None:
    """Run all tasks until told to stop; one that fails ends them all and is told."""
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(task) for task in tasks]
        await stop.wait()
        for task in running:
            task.cancel()
