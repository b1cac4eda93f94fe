"""Makes a machine a venue's site server, says whom it serves, and hears how it is.

Called by web. A site carries between gates and this server and needs no trust: its key signs
nothing but its own requests, it gets no certificate (among gates it would pass for one of them),
and no list key is ever sealed for it. It is told of the gates of one venue and of no other.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from admission.sync.messages import Feed, Lists
from admission.sync.site_messages import (
    Join,
    Joined,
    Roster,
    RosterCheckpoint,
    RosterGate,
    SiteTold,
)
from admission.trust.keys import check_string
from sync_server.account_ports import User
from sync_server.branches import find_site, find_venue
from sync_server.enrollment import (
    CODE_BYTES,
    CODE_LIFE_MS,
    NewCode,
    code_digest,
    match_code,
    write_code,
)
from sync_server.entities import Gate, JsonValue, Site, SiteCode, Standing, Venue
from sync_server.errors import (
    ConflictError,
    EnrolmentError,
    InvalidError,
    LockedOutError,
    NotFoundError,
)
from sync_server.ledger import Ledger
from sync_server.planning import check_name
from sync_server.ports import News, Store, Transaction
from sync_server.publishing import Publishing
from sync_server.reconciling import Reconciling
from sync_server.throttling import Throttle
from sync_server.trusting import Trust

SITES_MAX: Final = 3  # of one venue: the pins of all of them stand in every status there
_SUBJECT: Final = "site"  # what failures are counted under, beside the address


class Siting:
    """The service.

    Args:
        store: the database.
        ledger: time, chance, audit.
        news: told when a site has joined or gone.
        trust: names the root.
        publishing: says what each gate holds.
        reconciling: has the feeds.
        pins: by which this server is known, the present one first.
    """

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        news: News,
        trust: Trust,
        publishing: Publishing,
        reconciling: Reconciling,
        pins: Sequence[bytes],
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._news = news
        self._trust = trust
        self._publishing = publishing
        self._reconciling = reconciling
        self._pins = tuple(pins)
        self._throttle = Throttle()

    async def add_site(self, user: User, venue_id: str, name: str) -> str:
        """Make a site server of a venue; give its id.

        Raises:
            ConflictError: if the venue has as many as it may.
            InvalidError: for a name that cannot be.
            NotFoundError: if the venue is out of reach.
        """
        check_name("name", name)
        async with self._store.write() as transaction:
            venue = await find_venue(transaction, user, venue_id)
            standing = await transaction.sites.sites_at([venue.id])
            if len([one for one in standing if one.revoked_ms is None]) >= SITES_MAX:
                raise ConflictError(
                    "too_many_sites", f"{SITES_MAX} site servers are the most of one venue"
                )
            site = Site(self._ledger.new_id(), venue.id, name)
            await transaction.sites.add_site(site)
            await self._ledger.note(transaction, user.id, "site_added", site.id)
        return site.id

    async def sites(self, user: User, venues: Sequence[Venue]) -> list[Site]:
        """Give the site servers of some venues that a user reaches."""
        del user  # whoever has a venue may see what stands there
        async with self._store.read() as transaction:
            return await transaction.sites.sites_at([venue.id for venue in venues])

    async def new_code(self, user: User, site_id: str) -> NewCode:
        """Make the code with which a machine becomes this site; earlier ones are void.

        Raises:
            NotFoundError: if the site is out of reach.
        """
        code = write_code(self._ledger.random(CODE_BYTES))
        expires_ms = self._ledger.now_ms() + CODE_LIFE_MS
        async with self._store.write() as transaction:
            site = await find_site(transaction, user, site_id)
            await transaction.sites.add_code(SiteCode(code_digest(code), site.id, expires_ms))
            await self._ledger.note(transaction, user.id, "site_code_made", site.id)
        return NewCode(code, expires_ms)

    async def revoke(self, user: User, site_id: str) -> None:
        """Have a site's key mean nothing any more; its gates hear that its pins are gone.

        Raises:
            NotFoundError: if the site is out of reach.
        """
        async with self._store.write() as transaction:
            site = await find_site(transaction, user, site_id)
            revoked = replace(site, revoked_ms=self._ledger.now_ms(), pins=())
            await transaction.sites.save_site(revoked)
            await self._ledger.note(transaction, user.id, "site_revoked", site.id)
        self._news.lists_changed()
        self._news.report_changed()

    async def join(self, request: Join, address: str) -> Joined:
        """Spend a code: the machine that knows it is the site from now on.

        Args:
            request: code, key, and how its gates know it.
            address: where it comes from, for the lock-out.

        Raises:
            EnrolmentError: if the code is wrong, used or too old, or the key is another site's.
            LockedOutError: if too many wrong codes came.
        """
        now_ms = self._ledger.now_ms()
        wait_ms = self._throttle.wait_ms(_SUBJECT, address, now_ms)
        if wait_ms > 0:
            raise LockedOutError(-(-wait_ms // 1000))
        self._throttle.failed(_SUBJECT, address, now_ms)  # counted before it is looked at
        try:
            async with self._store.write() as transaction:
                site, venue = await self._spend(transaction, request, now_ms)
        except ConflictError:
            raise EnrolmentError from None
        self._throttle.succeeded(_SUBJECT, address)
        self._news.lists_changed()
        self._news.report_changed()
        return Joined(site.id, site.name, venue, self._trust.raw, self.check_string(site))

    async def _spend(
        self, transaction: Transaction, request: Join, now_ms: int
    ) -> tuple[Site, str]:
        digest = code_digest(request.code)
        code = match_code(digest, await transaction.sites.codes(), now_ms)
        if code is None or not await transaction.sites.spend_code(digest, now_ms):
            raise EnrolmentError
        site = await transaction.sites.site(code.site_id)
        venue = site and await transaction.organizations.venue(site.venue_id)
        if site is None or venue is None:
            raise EnrolmentError
        joined = replace(
            site,
            public_key=request.public_key,
            pins=_hexadecimal(request.pins),
            addresses=tuple(request.addresses),
            joined_ms=now_ms,
            revoked_ms=None,
        )
        await transaction.sites.save_site(joined)
        await self._ledger.note(transaction, None, "site_joined", site.id)
        return joined, venue.name

    def check_string(self, site: Site) -> str:
        """Give the digits that the site has shown too, "" before it has joined."""
        if site.public_key is None:
            return ""
        return site_check_string(
            site.public_key,
            [bytes.fromhex(pin) for pin in site.pins],
            bytes.fromhex(self._trust.digest),
            self._pins[0] if self._pins else b"",
        )

    async def caller(self, site_id: str) -> Site | None:
        """Give the site that an id names, whatever became of it; None if there is none."""
        async with self._store.read() as transaction:
            return await transaction.sites.site(site_id)

    async def gate_of(self, site_id: str, gate_id: str) -> Gate:
        """Give a gate of a site's venue.

        Raises:
            NotFoundError: if it is none.
        """
        async with self._store.read() as transaction:
            site = await transaction.sites.site(site_id)
            gate = await transaction.gates.gate(gate_id)
        if site is None or gate is None or gate.venue_id != site.venue_id:
            raise NotFoundError("gate")
        return gate

    async def roster(self, site_id: str) -> Roster:
        """Say whom a site serves.

        Raises:
            NotFoundError: if there is no such site.
        """
        async with self._store.read() as transaction:
            site = await transaction.sites.site(site_id)
            if site is None:
                raise NotFoundError("site")
            venue = await transaction.organizations.venue(site.venue_id)
            if venue is None:
                raise NotFoundError("venue")
            near = [venue.organization_id]
            gates = [one for one in await transaction.gates.gates(near) if one.venue_id == venue.id]
            checkpoints = [
                RosterCheckpoint(
                    one.id,
                    one.name,
                    list(one.performances),
                    None if one.allowed_categories is None else list(one.allowed_categories),
                    one.capacity,
                )
                for one in await transaction.checkpoints.checkpoints(near)
                if one.venue_id == venue.id
            ]
        return Roster(
            site=site.id,
            name=site.name,
            venue=venue.id,
            venue_name=venue.name,
            timezone=venue.timezone,
            gates=[await self._line(gate) for gate in gates],
            checkpoints=checkpoints,
            root=self._trust.root.version,
            pins=list(self._pins),
        )

    async def _line(self, gate: Gate) -> RosterGate:
        in_force = gate.standing is Standing.IN_FORCE
        async with self._store.read() as transaction:
            keys = await transaction.gates.keys(gate.id)
        former = [key for key, is_good in keys.items() if is_good and key != gate.public_key]
        lists = await self._publishing.lists(gate.id) if in_force else Lists({}, 0)
        streams = await self._publishing.streams(gate.id) if in_force else frozenset()
        return RosterGate(
            id=gate.id,
            name=gate.name,
            checkpoint=gate.checkpoint_id,
            direction=gate.direction.value,
            standing=gate.standing.value,
            public_key=gate.public_key or b"",
            agreement_key=gate.agreement_key or b"",
            former_keys=former,
            streams=sorted(streams),
            lists=lists.versions,
            assignment=lists.assignment,
        )

    async def streams(self, site_id: str) -> frozenset[str]:
        """Give the feeds that a site may follow: those of its venue's gates."""
        roster = await self.roster(site_id)
        return frozenset(stream for gate in roster.gates for stream in gate.streams)

    async def numbering(self) -> str:
        """Give the name of the feeds' numbers."""
        return await self._reconciling.numbering()

    async def feed(self, site_id: str, stream: str, after: int) -> Feed:
        """Read a stream after a cursor.

        Raises:
            NotFoundError: if it is none of the site's.
        """
        if stream not in await self.streams(site_id):
            raise NotFoundError("feed")
        return await self._reconciling.feed(stream, after)

    async def note(self, site_id: str, told: SiteTold) -> None:
        """Remember how a site is, and by which certificates its gates know it.

        Raises:
            InvalidError: if it says an address that can be none.
        """
        if not all(one.startswith(("https://", "http://")) for one in told.addresses):
            raise InvalidError("addresses", "an address of a site begins with https://")
        said: dict[str, JsonValue] = {
            "queue": told.queue,
            "faults": list(told.faults),
            "software": told.software,
        }
        pins, addresses = _hexadecimal(told.pins), tuple(told.addresses)
        async with self._store.write() as transaction:
            site = await transaction.sites.site(site_id)
            if site is None or not site.is_in_force:
                return
            await transaction.sites.note_site(site_id, self._ledger.now_ms(), said)
            has_moved = (site.pins, site.addresses) != (pins, addresses)
            if has_moved:
                changed = replace(site, pins=pins, addresses=addresses)
                await transaction.sites.save_site(changed)
                await self._ledger.note(transaction, None, "site_moved", site_id)
        if has_moved:
            self._news.lists_changed()  # gates ask for a status, and learn the pins


def site_check_string(
    key: bytes, pins: Sequence[bytes], root_digest: bytes, upstream_pin: bytes
) -> str:
    """Give the six digits that a site and its upstream show.

    Args:
        key: the site's public key.
        pins: by which its gates are to know it.
        root_digest: of the root that upstream names.
        upstream_pin: by which the site knows upstream, b"" where it pins nothing.
    """
    return check_string(b"site", key, b"".join(pins), root_digest, upstream_pin)


def _hexadecimal(pins: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(pin.hex() for pin in pins)
