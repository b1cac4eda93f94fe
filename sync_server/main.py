"""Binds the server together: the only file that knows what stands behind each port.

Called by `portillon server`. Everything opens in order and closes in reverse.
"""

import asyncio
import gc
import logging
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from admission.trust.keys import public_key
from admission.trust.root import Role as TrustRole
from sync_server.account_ports import Role
from sync_server.accounts import Accounts
from sync_server.carrying import Carrying
from sync_server.ceremony import draft_first, sign_draft
from sync_server.certifying import Certifying
from sync_server.claiming import Claiming
from sync_server.command_ports import Courier
from sync_server.commanding import Commanding
from sync_server.config import ServerConfig, Tls
from sync_server.copied_cards import CopiedCards
from sync_server.enrollment import Enrollment, Whereabouts
from sync_server.entities import Organization, instant
from sync_server.errors import ConfigError
from sync_server.gate_desk import GateDesk
from sync_server.importing import Importing
from sync_server.issuing import Issuing
from sync_server.keys import KEY_BYTES, KeyFolder, make_key, read_key
from sync_server.ledger import Ledger
from sync_server.life_ports import UNWATCHED, WRITER_S_MAX, Watch, watched
from sync_server.operator_desk import OperatorDesk
from sync_server.password_hashing import Argon2id
from sync_server.planning import Planning
from sync_server.publishing import Publishing
from sync_server.quarantine import Quarantine
from sync_server.reconciling import Reconciling, fresh_numbering, refold_tickets
from sync_server.releasing import Releasing
from sync_server.reporting import Reporting
from sync_server.rolling_out import RollingOut
from sync_server.siting import Siting
from sync_server.sources.file import read_tickets
from sync_server.stewarding import Stewarding
from sync_server.storage.accounts import SqlAccounts
from sync_server.storage.bundle_files import BundleFolder
from sync_server.storage.database import Database, open_database
from sync_server.storage.snapshot_files import Folder
from sync_server.tls import (
    Pins,
    ensure_certificate,
    knows_pin,
    prepare_next,
    read_pins,
    server_context,
    switch,
)
from sync_server.trusting import Trust
from sync_server.web.back_office.live_board import LiveBoard
from sync_server.web.live_room import LiveRoom
from sync_server.web.public_api import Services
from sync_server.web.serving import make_application, serve
from sync_server.web.site_room import SiteRoom

log = logging.getLogger(__name__)

DATABASE: Final = "portillon.db"
TICKET_KEY: Final = "ticket-issuing.key"  # the server's own tickets are signed by keys of it
KEYS: Final = "keys"
LISTS: Final = "lists"
BUNDLES: Final = "bundles"
_NONCE_BYTES: Final = 16
COLLECTOR_THRESHOLDS: Final = (50_000, 20, 100)  # new objects; then rounds of the younger ones
_PASSWORD_BYTES: Final = 12


class SystemClock:
    """The machine's clock."""

    def now_us(self) -> int:
        """Give the wall-clock time: microseconds since 1970, UTC."""
        return time.time_ns() // 1000


class Bulletin:
    """The `News` of `ports`: passes on to the rooms of gates and sites, and to the pages' board."""

    def __init__(self, room: LiveRoom, sites: SiteRoom) -> None:
        self._room = room
        self._sites = sites
        self.board: LiveBoard | None = None

    def streams_grew(self, streams: Iterable[str]) -> None:
        """Facts were added to these feeds."""
        grown = set(streams)
        self._room.streams_grew(grown)
        self._sites.streams_grew(grown)

    def lists_changed(self) -> None:
        """A list or what a gate is told to do may be another now."""
        self._room.lists_changed()
        self._sites.lists_changed()

    def report_changed(self) -> None:
        """The live report is another now."""
        if self.board is not None:
            self.board.changed()


class Messengers:
    """The `Courier` of `command_ports`: brings commands to gates here and to those behind sites."""

    def __init__(self, room: LiveRoom, sites: SiteRoom) -> None:
        self._rooms = (room, sites)

    def order(self, gates: Iterable[str], envelope: bytes) -> int:
        """Send a command to those of some gates that are connected; tell how many; never waits."""
        wanted = set(gates)
        return sum(room.order(wanted, envelope) for room in self._rooms)


async def init_server(
    data: Path, login: str, names: Sequence[str] = ServerConfig().names
) -> str | None:
    """Make a server's folder: database, keys, root document, certificate, first login.

    Safe to repeat.

    Args:
        data: the folder.
        login: of the first user, a master.
        names: under which browsers reach it, for its certificate.

    Returns:
        The new user's password, to be shown once; None if the server was set up before.

    Raises:
        ConfigError: if the folder cannot be made, or holds half of a server.
        StorageError: if the database cannot be used.
    """
    await asyncio.to_thread(_make_folder, data)
    ledger = Ledger(SystemClock(), os.urandom)
    await asyncio.to_thread(ensure_certificate, data, names, datetime.now(UTC))
    async with open_database(data / DATABASE) as database:
        await _ensure_trust(database, ledger, KeyFolder(data / KEYS))
        root = await _ensure_root(database, ledger)
        accounts = _accounts(database, ledger)
        if await SqlAccounts(database, os.urandom).has_users():
            return None
        password = secrets.token_urlsafe(_PASSWORD_BYTES)
        await accounts.add_user(root, login, password, Role.MASTER, login, "fr")
        return password


async def add_user(data: Path, login: str, role: Role) -> str:
    """Let somebody else sign in, in the organization that all others are below.

    Returns:
        The new user's password, to be shown once.

    Raises:
        ConfigError: if the folder was not set up.
        ConflictError: if the login is taken.
        InvalidError: if the login cannot be one.
        StorageError: if the database cannot be used.
    """
    _require_server(data)
    ledger = Ledger(SystemClock(), os.urandom)
    async with open_database(data / DATABASE) as database:
        root = await _ensure_root(database, ledger)
        password = secrets.token_urlsafe(_PASSWORD_BYTES)
        await _accounts(database, ledger).add_user(root, login, password, role, login, "fr")
        return password


async def renumber_feeds(data: Path) -> None:
    """Give the feeds' numbers another name: what follows a backup is no gate's old numbers.

    Raises:
        ConfigError: if the folder was not set up.
        StorageError: if the database cannot be used.
    """
    _require_server(data)
    async with open_database(data / DATABASE) as database, database.write() as transaction:
        await transaction.facts.renumber(fresh_numbering(os.urandom))


async def renew_tls(data: Path, names: Sequence[str]) -> Pins:
    """Make the certificate that will take over, to be announced to the gates.

    Raises:
        ConfigError: if the folder was not set up.
    """
    return await asyncio.to_thread(prepare_next, data, names, datetime.now(UTC))


async def switch_tls(data: Path, *, leave_behind: bool) -> Pins:
    """Have the prepared certificate take over.

    Args:
        data: the folder.
        leave_behind: even if gates do not know it yet.

    Raises:
        ConfigError: if none is prepared, or gates do not know it.
        StorageError: if the database cannot be used.
    """
    pins = await asyncio.to_thread(read_pins, data)
    async with open_database(data / DATABASE) as database, database.read() as transaction:
        root = await transaction.organizations.root()
        branch = [] if root is None else await transaction.organizations.branch(root.id)
        gates = await transaction.gates.gates([one.id for one in branch])
    late = [gate.name for gate in gates if not knows_pin(gate, pins.following)]
    if late and not leave_behind and pins.following is not None:
        raise ConfigError(
            f"{', '.join(late)}: not told of the next certificate yet; let them be connected for"
            " a while, or give --leave-behind and enrol them anew"
        )
    return await asyncio.to_thread(switch, data)


async def _ensure_trust(database: Database, ledger: Ledger, keys: KeyFolder) -> None:
    """Make a key for each role and the first root, where there is none yet.

    The root's own key lies on the server like the others, until somebody takes it away from there
    (`portillon trust`). Keys that a root names are never made anew.
    """
    trust = Trust(database, ledger, keys)
    await trust.refresh()
    if trust.raw:
        trust.require_online_keys()
        return
    secrets_by_role = {role: os.urandom(KEY_BYTES) for role in TrustRole}
    for role, secret in secrets_by_role.items():
        await asyncio.to_thread(keys.add, role.value, public_key(secret), secret)
    public = {role: public_key(secret) for role, secret in secrets_by_role.items()}
    draft = draft_first("Portillon", public, instant(ledger.now_us()))
    own = TrustRole.ROOT
    await trust.install(sign_draft(draft, secrets_by_role[own], public[own], None), None)


def _require_server(data: Path) -> None:
    if not (data / DATABASE).is_file():
        raise ConfigError(f"{data}: is no server's folder; run `portillon server init`")


def _make_folder(data: Path) -> None:
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(
            f"{data}: cannot be made ({exc.strerror}); choose another --data"
        ) from exc


async def _ensure_root(database: Database, ledger: Ledger) -> str:
    async with database.write() as transaction:
        root = await transaction.organizations.root()
        if root is None:
            root = Organization(ledger.new_id(), None, "Portillon")
            await transaction.organizations.add_organization(root)
    return root.id


def _accounts(database: Database, ledger: Ledger) -> Accounts:
    return Accounts(SqlAccounts(database, os.urandom), Argon2id(), ledger.now_ms, os.urandom)


@asynccontextmanager
async def serving(config: ServerConfig, watch: Watch = UNWATCHED) -> AsyncIterator[str]:
    """Serve while the context lasts; give the address.

    Args:
        config: the checked configuration.
        watch: whoever watches over the daemon.

    Raises:
        ConfigError: if the folder was not set up, or the address is taken.
        StorageError: if the database cannot be used.
    """
    _require_server(config.data)
    ledger = Ledger(SystemClock(), os.urandom)
    room, sites = LiveRoom(), SiteRoom()
    room.onward = sites.hint
    news = Bulletin(room, sites)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(config.data / DATABASE))
        stack.enter_context(watch.over("database", database.pulse, WRITER_S_MAX))
        trust = Trust(database, ledger, KeyFolder(config.data / KEYS))
        await trust.open()
        services = _services(database, config, trust, ledger, news, Messengers(room, sites))
        app, news.board = make_application(
            desk=OperatorDesk(database, services),
            gates=_gate_desk(database, services, trust, ledger, news),
            services=services,
            accounts=_accounts(database, ledger),
            room=room,
            sites=sites,
            nonce=secrets.token_urlsafe(_NONCE_BYTES),
            tls=config.tls is not Tls.OFF,
            proxied=config.tls is Tls.PROXY,
        )
        context = server_context(config.data) if config.tls is Tls.OWN else None
        yield await stack.enter_async_context(serve(app, config.host, config.port, context))


def _services(
    database: Database,
    config: ServerConfig,
    trust: Trust,
    ledger: Ledger,
    news: Bulletin,
    courier: Courier,
) -> Services:
    reconciling = Reconciling(database, SystemClock())
    bundles = BundleFolder(config.data / BUNDLES)
    pins = read_pins(config.data).all if config.tls is Tls.OWN else ()
    whereabouts = Whereabouts(config.addresses, pins)
    publishing = Publishing(database, Folder(config.data / LISTS), ledger, news, trust)
    return Services(
        planning=Planning(database, ledger, news),
        enrollment=Enrollment(database, ledger, news, trust, whereabouts),
        importing=Importing(database, read_tickets, refold_tickets, ledger, news),
        publishing=publishing,
        reconciling=reconciling,
        quarantine=Quarantine(database, ledger, news, reconciling),
        copied_cards=CopiedCards(database, ledger, news),
        stewarding=Stewarding(database, ledger, news, reconciling),
        reporting=Reporting(database, ledger),
        commanding=Commanding(database, ledger, trust, courier),
        issuing=Issuing(database, ledger, news, _ticket_key(config.data)),
        siting=Siting(database, ledger, news, trust, publishing, reconciling, pins),
        releasing=Releasing(database, ledger, bundles),
        rolling_out=RollingOut(database, ledger, news, trust, bundles),
    )


def _ticket_key(data: Path) -> bytes:
    """Give the key that keys of the server's own tickets are derived from; made where missing.

    Nothing is lost with it: what was issued is proven by the public keys in the database.
    """
    path = data / TICKET_KEY
    if not path.exists():
        make_key(path, os.urandom(KEY_BYTES))
    return read_key(path)


def _gate_desk(
    database: Database, services: Services, trust: Trust, ledger: Ledger, news: Bulletin
) -> GateDesk:
    return GateDesk(
        store=database,
        trust=trust,
        ledger=ledger,
        news=news,
        enrollment=services.enrollment,
        publishing=services.publishing,
        reconciling=services.reconciling,
        quarantine=services.quarantine,
        carrying=Carrying(database, services.reconciling, services.quarantine),
        certifying=Certifying(database, ledger, trust),
        commanding=services.commanding,
        claiming=Claiming(database, lambda: time.monotonic_ns() // 1_000_000),
        rolling_out=services.rolling_out,
        connected=services.reporting.connected,
        pins=services.enrollment.pins,
    )


def spare_the_collector() -> None:
    """Keep the garbage collector from going through everything while a hint waits.

    What is loaded stays as it is, and a batch of records makes no garbage: a full collection would
    look at all of them, half a tenth of a second at the wrong moment.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)


async def run_server(config: ServerConfig, watch: Watch = UNWATCHED) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        config: the checked configuration.
        watch: whoever watches over the daemon.

    Raises:
        ConfigError: if the folder was not set up, or the address is taken.
        StorageError: if the database cannot be used.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serving(config, watch) as address, watched(watch, address):
        spare_the_collector()
        log.info("server ready", extra={"address": address})
        await stop.wait()
        log.info("server stops")
    log.info("server stopped")
