"""Composition root of the gate: services, storage and transport put together; see `drivers` too.

`run_gate` opens everything in order, runs the tasks, and closes in reverse. Called by `portillon
gate`.
"""

import asyncio
import logging
import random
import secrets
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from admission.errors import ListError
from admission.passage import History
from admission.trust.root import Role
from appliance.announcer import Announcer
from appliance.awaiting_enrolment import enrolled_vault
from appliance.card_keeper import CardKeeper, CardLimits, SlowCardPolicy
from appliance.claiming import Claiming
from appliance.clock import SystemClock, boot_id, fresh_id, scan_ids, software_date
from appliance.clock_watch import ClockWatch
from appliance.commanding import Commanding
from appliance.config import Config
from appliance.drivers import Drivers
from appliance.errors import ConfigError, StorageError
from appliance.fault_codes import JOURNAL_FAULT
from appliance.fetch_opening import open_fetching
from appliance.gate import Gate
from appliance.health import Health
from appliance.hinting import ExpressQueue, Hinting
from appliance.holdings import GateHoldings
from appliance.identity_keeper import IdentityKeeper
from appliance.key_cabinet import KeyCabinet
from appliance.lane_keeper import LaneKeeper
from appliance.life_ports import UNWATCHED, Watch
from appliance.lifetimes import run_until, stop_on_signals
from appliance.link_ports import ServerLink
from appliance.list_recheck import ListRecheck
from appliance.lists import ListKeeper
from appliance.page_binding import bind_page
from appliance.peering import Parts as PeeringParts
from appliance.peering import open_peering
from appliance.ports import Look, Screen, Task, Turnstile
from appliance.recording import Recorder
from appliance.restarts import House, serve_until
from appliance.staff_opening import StaffParts, open_handheld, open_stewarding
from appliance.starting import close_open_grants, note_start, remember, spare_the_collector
from appliance.state_report import GateLooks, StateReport, Write
from appliance.stewarding import Stewarding
from appliance.storage.card import DataCard
from appliance.storage.command_store import SqliteCommands
from appliance.storage.database import Database, open_database
from appliance.storage.device_secrets import device_secrets
from appliance.storage.identity_vault import FileVault
from appliance.storage.journal_store import SqliteJournal
from appliance.storage.memory_store import SqliteMemory
from appliance.storage.salvage import finish as finish_salvage
from appliance.storage.trust_store import SqliteTrust
from appliance.succession import Succession
from appliance.transport.client import HttpLink, open_link
from appliance.trust_keeper import TrustKeeper
from appliance.trusted_clock import TrustedClock
from appliance.uplink import Uplink
from appliance.watch_binding import watch_opening, watch_serving

log = logging.getLogger(__name__)

DATABASE_FILE: Final = "journal.sqlite"
LISTS_FOLDER: Final = "lists"
_NONCE_BYTES: Final = 16
_MB: Final = 1 << 20


@dataclass(slots=True)
class _Parts:
    """What is shared by the gate's services while it runs."""

    config: Config
    vault: FileVault
    software: str
    stack: AsyncExitStack
    clock: TrustedClock
    boot: bytes
    recorder: Recorder
    database: Database
    card: DataCard
    memory: SqliteMemory
    trusted: SqliteTrust
    commands: SqliteCommands
    announcer: Announcer
    drivers: Drivers
    history: History
    holdings: GateHoldings
    hinting: Hinting
    claiming: Claiming


async def run_gate(
    config: Config,
    software: str,
    watch: Watch = UNWATCHED,
    write: Write | None = None,
    runtime: Path | None = None,
) -> None:
    """Run the gate until SIGTERM or SIGINT.

    A card that fails is told on the display and tried again; it does not end the daemon.

    Args:
        config: the checked configuration.
        software: version of this program.
        watch: whoever watches over the daemon.
        write: puts the report of the gate's state where the machine's caretaker looks for it.
        runtime: folder in which the caretaker looks for requests; None without a caretaker.

    Raises:
        ExceptionGroup: of ApplianceErrors, if something without which no gate can work cannot be
            had.
    """
    stop = stop_on_signals()
    async with AsyncExitStack() as stack:
        machine = SystemClock(config.clock.has_battery)
        drivers = Drivers(config, machine, stack)
        displays, signals = await drivers.open_displays(), await drivers.open_signals()
        announcer = Announcer(displays, signals, machine, len(config.languages))
        report = StateReport(watch, write, machine, software, boot_id())
        database = config.data / DATABASE_FILE
        house = House(config, software, machine, drivers, announcer, database, report, runtime)
        serving = serve_until(stop, house, _serve)
        running = [announcer.run(), watch.run(), report.run(), *drivers.tasks, serving]
        await run_until(stop, running)
        watch.stopping()
    log.info("gate stopped")


async def _serve(stop: asyncio.Event, house: House) -> None:
    """Open everything in order and serve until told to stop, or until the journal is damaged.

    Raises:
        StorageError: if the card does not let the gate begin.
        ApplianceError: if something else is missing.
    """
    config = house.config
    vault = await enrolled_vault(stop, house)
    if vault is None:
        return
    async with AsyncExitStack() as stack:
        opened = watch_opening(house.report.watch, stack)
        parts = await _open_parts(house, vault, stack)
        trust = await _load_trust(parts)
        keeper = await _load_lists(parts, trust)
        health = _health(parts, keeper)
        turnstile = parts.drivers.open_turnstile()
        lane = _lane(parts, health, turnstile)
        await lane.orders.restore()
        card = _card_keeper(parts, health, lane)
        parts.announcer.rest_on(Screen(Look.SELF_TEST, config.readers[0].direction))
        await card.self_test()
        health.changed()  # says what the gate rests on from here
        commanding = await _commanding(parts, trust, health, lane)
        succession = Succession(
            gate=vault.gate, recorder=parts.recorder, new_id=fresh_id, stir=lane.stirred.set
        )
        link = await _link(parts)
        uplink = _uplink(parts, link, trust, keeper, health, commanding, succession)
        uplink.card = card.report
        network = await _network(parts, link, trust, uplink, health)
        stewarding = await open_stewarding(_staff(parts, keeper, health, lane, commanding))
        gate = stewarding.judge = _gate(parts, health, lane, commanding, succession, stewarding)
        parts.drivers.tell_unread = parts.announcer.unread
        readers = parts.drivers.open_readers()
        handheld = open_handheld(parts.drivers, stewarding, health, uplink, stack)
        spare_the_collector()
        fetching = open_fetching(parts, house.runtime, link, trust, uplink, lambda: gate.read_ns)
        recheck = ListRecheck(keeper, parts.clock, uplink.lists_wanted)
        watch = ClockWatch(parts.clock, parts.recorder, health.changed)
        page = await bind_page(
            parts,
            health,
            keeper,
            gate_name=vault.identity.gate_name,
            server=vault.identity.server,
            card=card.report,
            readers=readers,
            turnstile=turnstile,
            lane=lane,
            gate=gate,
        )
        services = [
            gate.run(readers),
            uplink.run(),
            recheck.run(),
            watch.run(),
            *network,
            *fetching,
            card.run(),
            card.watch(),
            health.fault_log.run(),
            *handheld,
            *page,
        ]
        await house.tell_salvaged(parts.recorder, health)
        opened.set()
        looks = GateLooks(
            health, parts.holdings, parts.clock, lambda: uplink.heard_ns, lambda: gate.read_ns
        )
        watch_serving(house.report, stack, looks, gate, readers, parts.database.pulse)
        log.info("gate ready", extra={"gate": vault.identity.gate_name})
        await run_until(stop, [*services, *parts.drivers.tasks], card.damaged)
    if card.damaged.is_set():
        raise StorageError("the journal is damaged", JOURNAL_FAULT)


async def _open_parts(house: House, vault: FileVault, stack: AsyncExitStack) -> _Parts:
    config, machine = house.config, house.machine
    try:
        config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(
            f"{config.path}: data: {config.data} cannot be made ({exc.strerror}); "
            "name a folder that this user may write to"
        ) from exc
    boot = boot_id()
    await asyncio.to_thread(finish_salvage, house.database)
    database = await stack.enter_async_context(open_database(house.database))
    await database.require_whole()
    own = await SqliteJournal.open(database, fresh_id())
    await own.check()
    memory = SqliteMemory(database, config.data / LISTS_FOLDER)
    clock = await TrustedClock.open(
        machine, boot, software_date(), own, memory, machine.start_error_ms
    )
    recorder = Recorder(own, clock, boot)
    history, holdings = History(), GateHoldings()
    hinting = Hinting(vault.gate, recorder, history, holdings, clock)
    claiming = Claiming(ExpressQueue(), clock, config.claim_s_max)
    hinting.lanes.append(claiming.lane)
    parts = _Parts(
        config=config,
        vault=vault,
        software=house.software,
        stack=stack,
        clock=clock,
        boot=boot,
        recorder=recorder,
        database=database,
        card=DataCard(database, own, config.journal.reserve_mb * _MB),
        memory=memory,
        trusted=SqliteTrust(database),
        commands=SqliteCommands(database),
        announcer=house.announcer,
        drivers=house.drivers.for_one_start(stack),
        history=history,
        holdings=holdings,
        hinting=hinting,
        claiming=claiming,
    )
    await note_start(recorder, vault.gate, house.software)
    await close_open_grants(recorder, await own.open_grants())
    await remember(parts.history, own, memory, await own.all_facts())
    return parts


async def _load_trust(parts: _Parts) -> TrustKeeper:
    identity = parts.vault.identity
    try:
        trust = TrustKeeper(
            root=identity.root,
            root_digest=identity.root_digest,
            memory=parts.trusted,
            time=parts.clock,
            fresh_nonce=lambda: secrets.token_urlsafe(_NONCE_BYTES),
        )
        await trust.load()
    except ListError as exc:
        raise StorageError(
            f"what this gate trusts was altered on its card: {exc}; enrol the gate anew"
        ) from exc
    return trust


async def _load_lists(parts: _Parts, trust: TrustKeeper) -> ListKeeper:
    keeper = ListKeeper(
        gate=parts.vault.gate,
        trust=trust,
        cabinet=_cabinet(parts),
        memory=parts.memory,
        holdings=parts.holdings,
        recorder=parts.recorder,
        now=parts.clock.now,
    )
    await keeper.load()
    return keeper


def _cabinet(parts: _Parts) -> KeyCabinet:
    return KeyCabinet(
        shelf=parts.memory.keys,
        secrets=device_secrets(parts.config.data, parts.config.device_secret),
        agreement_key=lambda: parts.vault.agreement_key,
        random=secrets.token_bytes,
    )


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


async def _link(parts: _Parts) -> HttpLink:
    vault = parts.vault
    server = parts.config.server or vault.identity.server
    return await parts.stack.enter_async_context(
        open_link(server, vault.gate, vault, vault.pins, parts.config.proxy)
    )


async def _network(
    parts: _Parts, link: ServerLink, trust: TrustKeeper, uplink: Uplink, health: Health
) -> list[Task]:
    """Join the gates of the local network; give what runs for it, nothing where there is none."""
    peering = await open_peering(
        PeeringParts(
            config=parts.config.peers,
            data=parts.config.data,
            vault=parts.vault,
            trust=trust,
            recorder=parts.recorder,
            history=parts.history,
            hinting=parts.hinting,
            holdings=parts.holdings,
            link=link,
            is_live=lambda: uplink.live,
            changed=health.changed,
            clock=parts.clock,
        ),
        parts.stack,
    )
    if peering is None:
        return []
    uplink.around = peering.network.neighbours
    health.changed()
    return peering.tasks


def _uplink(
    parts: _Parts,
    link: ServerLink,
    trust: TrustKeeper,
    keeper: ListKeeper,
    health: Health,
    commanding: Commanding,
    succession: Succession,
) -> Uplink:
    vault = parts.vault
    identity = IdentityKeeper(
        vault=vault,
        signers=lambda: trust.signers(Role.ENROL),
        now=parts.clock.now,
        recorder=parts.recorder,
        health=health,
    )
    uplink = Uplink(
        link=link,
        keeper=keeper,
        identity=identity,
        commanding=commanding,
        hinting=parts.hinting,
        claiming=parts.claiming,
        memory=parts.memory,
        recorder=parts.recorder,
        history=parts.history,
        holdings=parts.holdings,
        clock=parts.clock,
        boot_id=parts.boot,
        jitter=random.random,
        changed=health.changed,
        software=parts.software,
        gate=vault.gate,
        signer=vault,
        forked=succession.ask,
    )
    health.situation = uplink.situation
    health.others = uplink.faults
    uplink.device_faults = lambda: health.faults
    health.changed()
    return uplink


def _card_keeper(parts: _Parts, health: Health, lane: LaneKeeper) -> CardKeeper:
    config = parts.config.journal
    parts.database.on_trouble = health.broken
    return CardKeeper(
        card=parts.card,
        times=parts.recorder.times,
        health=health,
        announcer=parts.announcer,
        clock=parts.clock,
        limits=CardLimits(
            config.slow_commit_ms,
            config.commit_s_max,
            SlowCardPolicy(config.slow_card_policy),
            config.free_mb_min,
        ),
        mended=lane.retry,
    )


def _lane(parts: _Parts, health: Health, turnstile: Turnstile) -> LaneKeeper:
    return LaneKeeper(
        turnstile=turnstile,
        inputs=parts.drivers.open_inputs(),
        recorder=parts.recorder,
        history=parts.history,
        health=health,
        announcer=parts.announcer,
        hinting=parts.hinting,
        clock=parts.clock,
        passage_timeout_s=parts.config.turnstile.passage_timeout_s,
        commit_s_max=parts.config.journal.commit_s_max,
    )


async def _commanding(
    parts: _Parts, trust: TrustKeeper, health: Health, lane: LaneKeeper
) -> Commanding:
    commanding = Commanding(
        gate=parts.vault.gate,
        signers=lambda: trust.signers_in_force(Role.OPERATOR),
        memory=parts.commands,
        recorder=parts.recorder,
        holdings=parts.holdings,
        health=health,
        lane=lane,
        announcer=parts.announcer,
        clock=parts.clock,
    )
    await commanding.load()
    return commanding


def _staff(
    parts: _Parts, lists: ListKeeper, health: Health, lane: LaneKeeper, commanding: Commanding
) -> StaffParts:
    return StaffParts(
        config=parts.config,
        recorder=parts.recorder,
        holdings=parts.holdings,
        lists=lists,
        history=parts.history,
        health=health,
        lane=lane,
        commanding=commanding,
        memory=parts.commands,
        clock=parts.clock,
    )


def _gate(
    parts: _Parts,
    health: Health,
    lane: LaneKeeper,
    commanding: Commanding,
    succession: Succession,
    stewarding: Stewarding,
) -> Gate:
    return Gate(
        holdings=parts.holdings,
        history=parts.history,
        recorder=parts.recorder,
        lane=lane,
        health=health,
        announcer=parts.announcer,
        commanding=commanding,
        hinting=parts.hinting,
        claiming=parts.claiming,
        clock=parts.clock,
        new_id=scan_ids(),
        at_rest=succession.settle,
        serve_next=stewarding.serve_next,
        taken=stewarding.taken,
    )
