"""Binds a site server together: the same device API over another desk, and a way to its upstream.

Called by `portillon server join` and by `portillon server run` in a folder that has joined. A site
has no accounts, no keys of any role and no lists of its own; it carries between a venue's gates and
the central server, and serves the gates while that is away (docs/adr/0019-site-server.md).
"""

import asyncio
import logging
import os
import random
import secrets
import signal
import time
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from admission.errors import AdmissionError, ProtocolError
from admission.sync.enrolment_link import EnrolmentLink, read_link
from admission.sync.messages import Hint
from admission.sync.site_messages import Join, Joined, SiteTold
from admission.trust.keys import public_key, sign
from admission.trust.root import first_root, root_digest
from sync_server.claiming import Claiming
from sync_server.config import ServerConfig, Tls
from sync_server.errors import ConfigError, UpstreamError
from sync_server.keys import KEY_BYTES
from sync_server.ledger import Ledger
from sync_server.life_ports import UNWATCHED, WRITER_S_MAX, Watch, watched
from sync_server.main import DATABASE, LISTS, SystemClock
from sync_server.reconciling import Reconciling
from sync_server.relaying import Relay
from sync_server.site_book import SiteBook
from sync_server.site_desk import Present, SiteDesk
from sync_server.site_facts import SiteFacts, UpstreamFeed
from sync_server.site_identity import (
    SITE_FILE,
    IdentityFile,
    SiteIdentity,
    read_identity,
    write_identity,
)
from sync_server.site_state import SiteStates
from sync_server.site_uplink import SiteUplink
from sync_server.siting import site_check_string
from sync_server.stocking import Stock
from sync_server.storage.database import Database, open_database
from sync_server.storage.snapshot_files import Folder
from sync_server.tls import ensure_certificate, read_pins, server_context
from sync_server.upstream.link import UpstreamLink, open_upstream
from sync_server.web.live_room import LiveRoom
from sync_server.web.serving import make_site_application, serve

log = logging.getLogger(__name__)

_NONCE_BYTES: Final = 16
_NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class Welcome:
    """How joining ended.

    Attributes:
        identity: who this site is now.
        check: six digits that the operator's page must show too.
    """

    identity: SiteIdentity
    check: str


class SiteNews:
    """The `News` of `ports`: passes on to the gates' room; a site has no report."""

    def __init__(self, room: LiveRoom) -> None:
        self._room = room

    def streams_grew(self, streams: Iterable[str]) -> None:
        """Facts were added to these feeds."""
        self._room.streams_grew(streams)

    def lists_changed(self) -> None:
        """A list or what a gate is told to do may be another now."""
        self._room.lists_changed()

    def report_changed(self) -> None:
        """Nobody watches a report here."""


def has_joined(data: Path) -> bool:
    """Tell whether a folder is a site server's."""
    return (data / SITE_FILE).exists()


async def join_site(config: ServerConfig, text: str) -> Welcome:
    """Make a folder a site server's, by the link that the central server's page shows.

    Raises:
        ConfigError: if the folder is taken, or the text is no link.
        UpstreamError: if upstream is not reached, refuses the code, or names another root.
    """
    try:
        link = read_link(text)
    except ProtocolError as exc:
        raise ConfigError(f"--upstream: {exc}") from None
    await asyncio.to_thread(_prepare, config)
    pins = _own_pins(config)
    secret = os.urandom(KEY_BYTES)
    request = Join(link.code, public_key(secret), list(pins), list(config.addresses))
    server, answer = await _ask(link, request)
    try:
        first_root(answer.root, link.root_digest or None)
    except AdmissionError as exc:
        raise UpstreamError(f"{server}: names no root to trust: {exc}") from exc
    identity = SiteIdentity(answer.site, answer.name, answer.venue, server, link.pins, secret)
    async with open_database(config.data / DATABASE):
        pass  # made now, so that a disk that cannot hold it is found now
    await asyncio.to_thread(write_identity, config.data / SITE_FILE, identity)
    digest = bytes.fromhex(root_digest(answer.root))
    upstream_pin = link.pins[0] if link.pins else b""
    return Welcome(identity, site_check_string(public_key(secret), pins, digest, upstream_pin))


def _prepare(config: ServerConfig) -> None:
    """Make the folder, and the certificate that gates will pin, where it is not there yet."""
    data = config.data
    if has_joined(data):
        raise ConfigError(f"{data}: has joined already; remove {data / SITE_FILE} to join anew")
    if (data / DATABASE).exists():
        raise ConfigError(f"{data}: is a server's folder already; choose another --data")
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(
            f"{data}: cannot be made ({exc.strerror}); choose another --data"
        ) from exc
    if config.tls is Tls.OWN:
        ensure_certificate(data, config.names, datetime.now(UTC))


def _own_pins(config: ServerConfig) -> tuple[bytes, ...]:
    return read_pins(config.data).all if config.tls is Tls.OWN else ()


async def _ask(link: EnrolmentLink, request: Join) -> tuple[str, Joined]:
    """Ask the servers of a link in turn; one that answers ends it, whatever it answers."""
    unreached: UpstreamError | None = None
    for server in link.servers:
        try:
            async with open_upstream(server, "", bytes, link.pins) as opened:
                return server, await opened.join(request)
        except UpstreamError as exc:
            if exc.status == _NOT_FOUND:
                raise UpstreamError(
                    f"{server}: knows no sites; a site server joins the central server, never"
                    " another site"
                ) from exc
            if exc.status:
                raise
            unreached = unreached or exc
    raise unreached or UpstreamError("the link names no server")


@asynccontextmanager
async def serving_site(
    config: ServerConfig, software: str, watch: Watch = UNWATCHED
) -> AsyncIterator[str]:
    """Serve a venue's gates while the context lasts; give the address.

    Args:
        config: the checked configuration.
        software: version of this program.
        watch: whoever watches over the daemon.

    Raises:
        ConfigError: if the folder has not joined, or the address is taken.
        StorageError: if the database cannot be used.
        UpstreamError: if upstream's address and pins do not go together.
    """
    path = config.data / SITE_FILE
    file = IdentityFile(path, await asyncio.to_thread(read_identity, path))
    ledger = Ledger(SystemClock(), os.urandom)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(config.data / DATABASE))
        stack.enter_context(watch.over("database", database.pulse, WRITER_S_MAX))
        upstream = await stack.enter_async_context(_upstream(file.identity))
        site = await _site(config, software, file, database, ledger, upstream)
        nonce = secrets.token_urlsafe(_NONCE_BYTES)
        app = make_site_application(site.desk, site.room, site.states.now, nonce)
        context = server_context(config.data) if config.tls is Tls.OWN else None
        address = await stack.enter_async_context(serve(app, config.host, config.port, context))
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(site.uplink.run())
            try:
                yield address
            finally:
                task.cancel()


@dataclass(frozen=True, slots=True)
class _Site:
    desk: SiteDesk
    room: LiveRoom
    uplink: SiteUplink
    states: SiteStates


def _upstream(identity: SiteIdentity) -> AbstractAsyncContextManager[UpstreamLink]:
    secret = identity.private_key
    return open_upstream(
        identity.upstream, identity.site, lambda text: sign(secret, text), identity.pins
    )


async def _site(
    config: ServerConfig,
    software: str,
    file: IdentityFile,
    database: Database,
    ledger: Ledger,
    upstream: UpstreamLink,
) -> _Site:
    room, present = LiveRoom(), Present()
    news = SiteNews(room)
    book = SiteBook(database, ledger)
    await book.open()
    facts = SiteFacts(book)
    stock = Stock(database, ledger, Folder(config.data / LISTS), book, upstream)
    relay = Relay(database, ledger, upstream, news.report_changed)
    pins, addresses = list(_own_pins(config)), list(config.addresses)

    def told(backlog: int, refused: Collection[str]) -> SiteTold:
        faults = ["relay_refused"] if refused else []
        return SiteTold(pins, addresses, backlog, faults, software)

    def pins_told(said: tuple[bytes, ...]) -> None:
        known = file.identity.pins
        if said and known and said != known and set(said) & set(known):
            file.keep_pins(said)
            upstream.take_pins(said)
            log.info("upstream's pins taken", extra={"pins": len(said)})

    claiming = Claiming(database, lambda: time.monotonic_ns() // 1_000_000, stock.showing)

    def hear(hint: Hint) -> None:
        claiming.hear(hint)
        room.hint(hint, onward=False)

    uplink = SiteUplink(
        upstream=upstream,
        book=book,
        stock=stock,
        feed=UpstreamFeed(database, facts, book, upstream, news),
        relay=relay,
        present=present,
        courier=room,
        hear=hear,
        news=news,
        ledger=ledger,
        told=told,
        jitter=random.random,
        pins_told=pins_told,
    )
    room.onward = present.hint_up
    desk = SiteDesk(
        store=database,
        ledger=ledger,
        news=news,
        book=book,
        stock=stock,
        upstream=upstream,
        reconciling=Reconciling(database, SystemClock(), facts.absorb),
        relay=relay,
        claiming=claiming,
        present=present,
    )
    states = SiteStates(
        store=database,
        ledger=ledger,
        address=file.identity.upstream,
        names=(file.identity.name, file.identity.venue),
        book=book,
        stock=stock,
        relay=relay,
        uplink=uplink,
        present=present,
    )
    return _Site(desk, room, uplink, states)


async def run_site(config: ServerConfig, software: str, watch: Watch = UNWATCHED) -> None:
    """Serve a venue's gates until SIGTERM or SIGINT.

    Args:
        config: the checked configuration.
        software: version of this program.
        watch: whoever watches over the daemon.

    Raises:
        ConfigError: if the folder has not joined, or the address is taken.
        StorageError: if the database cannot be used.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serving_site(config, software, watch) as address, watched(watch, address):
        log.info("site ready", extra={"address": address})
        await stop.wait()
        log.info("site stops")
    log.info("site stopped")
