"""Fetches the update that the server offers, and asks the caretaker for it when its time has come.

A task of the gate. It comes after everything else: it rests while people come or the link is down,
takes half of the line at the most, goes on where it was broken off, and whatever fails in it fails
nothing else. What is installed is the caretaker's word; here nothing is ever run.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum, unique
from typing import Final

from admission.errors import AdmissionError
from admission.software_version import read_version
from admission.sync.machine_messages import Fetching, Machine
from admission.sync.update_offer import UpdateOffer, accept_offer
from admission.trust.root import Signers
from appliance.errors import LinkError, StorageError
from appliance.trusted_clock import TrustedClock
from appliance.update_ports import BundleShelf, UpdateDesk, UpdateLink, UpdateRequest

log = logging.getLogger(__name__)

POLL_S: Final = 300.0
RETRY_S: Final = 30.0  # after a failure, or while somebody is in the way
QUIET_S: Final = 60.0  # somebody came so lately: line and card are theirs
CALM_S: Final = 600.0  # nobody came for so long: the gate may go away for some minutes
FRESH_S: Final = 600.0  # so old an offer may be when it is acted on
PART_BYTES: Final = 256 * 1024  # some hundredths of a second of a card, if somebody comes just then
MARGIN_BYTES: Final = 64 << 20  # left free for the journal, above its own floor
DAMAGED_MAX: Final = 3  # a bundle that came wrong so often is not fetched again before a restart
_NS_PER_S: Final = 1_000_000_000
_DONE_WITH: Final = frozenset(
    {"installing", "armed", "trying", "committed", "rolled_back", "abandoned", "refused"}
)


@unique
class FetchState(StrEnum):
    """How far the gate has come with what it is offered."""

    NONE = "none"
    FETCHING = "fetching"
    NO_ROOM = "no_room"
    DAMAGED = "damaged"
    WHOLE = "whole"  # waits for its hour
    ASKED = "asked"


class BundleFetcher:
    """Fetches for one gate."""

    def __init__(
        self,
        *,
        link: UpdateLink,
        shelf: BundleShelf,
        desk: UpdateDesk,
        gate: str,
        signers: Callable[[], Signers],
        machine: Callable[[], Machine | None],
        clock: TrustedClock,
        is_live: Callable[[], bool],
        read_ns: Callable[[], int | None],
        jitter: Callable[[], float],
    ) -> None:
        """Take what the fetcher works with.

        Args:
            link: to the server.
            shelf: where bundles lie.
            desk: where the caretaker is asked.
            gate: id of the gate.
            signers: gives who may sign offers now; raises ListError where nobody may.
            machine: gives what the machine runs; None where there is no caretaker.
            clock: trusted time.
            is_live: tells whether the server is there.
            read_ns: gives `monotonic_ns` of the last code that was read, None for none.
            jitter: gives a random number from 0 to 1.
        """
        self._link = link
        self._shelf = shelf
        self._desk = desk
        self._gate = gate
        self._signers = signers
        self._machine = machine
        self._clock = clock
        self._is_live = is_live
        self._read_ns = read_ns
        self._jitter = jitter
        self._begun_ns = clock.monotonic_ns()
        self._offer: UpdateOffer | None = None
        self._offer_ns = 0
        self._state = FetchState.NONE
        self._have = 0
        self._damaged: dict[str, int] = {}
        self._reason = ""

    @property
    def fetching(self) -> Fetching:
        """How far it has come, as the server is told."""
        offer = self._offer
        if offer is None or self._state is FetchState.NONE:
            return Fetching()
        return Fetching(offer.version, self._state.value, self._have, offer.size)

    async def run(self) -> None:
        """Go on until cancelled."""
        await self._clock.sleep(self._jitter() * POLL_S)  # a hall of gates starts at one moment
        while True:
            try:
                wait_s = await self._round()
                self._reason = ""
            except (LinkError, StorageError, AdmissionError) as exc:
                wait_s = RETRY_S
                if str(exc) != self._reason:
                    log.warning("update not fetched", extra={"reason": str(exc)})
                self._reason = str(exc)
            await self._clock.sleep(wait_s * (0.9 + 0.2 * self._jitter()))

    async def _round(self) -> float:
        """Go one step further; give how long to wait before the next, in seconds."""
        if not self._is_live() or self._idle_s() < QUIET_S:
            return RETRY_S
        offer = await self._ask_server()
        if offer is None or not self._is_wanted(offer):
            self._state = FetchState.NONE
            return POLL_S
        path = await self._fetch(offer)
        if not path:
            return RETRY_S if self._state is FetchState.FETCHING else POLL_S
        if not self._may_install(offer):
            if self._state is not FetchState.ASKED:
                self._state = FetchState.WHOLE
            return RETRY_S
        await self._desk.ask(UpdateRequest(path, offer.version, offer.size, offer.sha256))
        if self._state is not FetchState.ASKED:
            log.warning("update asked for", extra={"version": offer.version})
        self._state = FetchState.ASKED
        return POLL_S

    async def _ask_server(self) -> UpdateOffer | None:
        """Ask what is offered now; where nothing is, nothing may be asked of the caretaker."""
        raw = await self._link.update_offer()
        offer = None
        if raw is not None:
            trusted, now = self._signers(), self._clock.now()
            offer = accept_offer(raw, trusted=trusted, gate=self._gate, now=now)
        self._offer, self._offer_ns = offer, self._clock.monotonic_ns()
        if offer is None:
            await self._desk.take_back()
        return offer

    def _is_wanted(self, offer: UpdateOffer) -> bool:
        """Tell whether this machine could and should run what is offered."""
        machine, wanted = self._machine(), read_version(offer.version)
        runs = None if machine is None else read_version(machine.version)
        if machine is None or runs is None or wanted is None:
            return False
        is_known = machine.update in _DONE_WITH and read_version(machine.update_version) == wanted
        if is_known or machine.compatible != offer.compatible or runs == wanted:
            return False
        if any(read_version(one) == wanted for one in machine.blocked):
            return False
        return runs < wanted or offer.is_downgrade

    async def _fetch(self, offer: UpdateOffer) -> str:
        """Fetch what is missing; give the path of the whole bundle, "" while it is not whole."""
        if self._damaged.get(offer.sha256, 0) >= DAMAGED_MAX:
            self._state = FetchState.DAMAGED
            return ""
        self._have = await self._shelf.have(offer.sha256)
        missing = max(offer.size - self._have, 0)
        copy = offer.size  # the caretaker's own: it installs nothing that the gate could change
        room = missing + copy + MARGIN_BYTES if missing else 0
        if not await self._shelf.make_room(offer.sha256, room):
            self._state = FetchState.NO_ROOM
            return ""
        if self._state in (FetchState.NONE, FetchState.NO_ROOM):
            self._state = FetchState.FETCHING
        while self._have < offer.size:
            if not self._is_live() or self._idle_s() < QUIET_S or self._offer_age_s() > FRESH_S:
                return ""
            await self._fetch_part(offer)
        path = await self._shelf.finish(offer.sha256, offer.version)
        if not path:
            self._damaged[offer.sha256] = self._damaged.get(offer.sha256, 0) + 1
            self._have, self._state = 0, FetchState.FETCHING
            log.error("update came damaged", extra={"version": offer.version})
        return path

    async def _fetch_part(self, offer: UpdateOffer) -> None:
        """Fetch one part, then leave the line to others for as long as that took."""
        begun_ns = self._clock.monotonic_ns()
        length = min(PART_BYTES, offer.size - self._have)
        data = await self._link.bundle_part(offer.sha256, self._have, length, offer.size)
        await self._shelf.append(offer.sha256, self._have, data)
        self._have += len(data)
        took_s = (self._clock.monotonic_ns() - begun_ns) / _NS_PER_S
        await self._clock.sleep(took_s)

    def _may_install(self, offer: UpdateOffer) -> bool:
        now: datetime = self._clock.now()
        return (
            self._clock.is_trusted
            and offer.install_from <= now < offer.install_until
            and self._idle_s() >= CALM_S
            and self._offer_age_s() <= FRESH_S
        )

    def _idle_s(self) -> float:
        """Tell for how long nobody has come; at a start, since then: who came before is unknown."""
        read_ns = self._read_ns()
        last_ns = self._begun_ns if read_ns is None else max(read_ns, self._begun_ns)
        return (self._clock.monotonic_ns() - last_ns) / _NS_PER_S

    def _offer_age_s(self) -> float:
        return (self._clock.monotonic_ns() - self._offer_ns) / _NS_PER_S
