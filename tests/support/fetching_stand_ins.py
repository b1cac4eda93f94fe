"""A server with one bundle, a shelf in memory, and clocks, for tests of the fetcher of updates."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta

import msgspec

from admission.sync.machine_messages import Machine
from admission.sync.update_offer import UpdateOffer, encode_offer
from admission.trust.envelope import OFFER_TYPE, seal_envelope
from admission.trust.root import Role, signers
from appliance.bundle_fetching import PART_BYTES, BundleFetcher
from appliance.errors import LinkError, StorageError
from appliance.simulator.virtual_clock import VirtualClock
from appliance.update_ports import UpdateRequest
from trust_documents import draft_root, private

GATE = "g1"
KIND = "portillon-gate-debian-arm64"
ROOT = draft_root()
TRUSTED = signers(ROOT, Role.STATUS)
BUNDLE = b"hsqs" + bytes(range(256)) * 4 * (PART_BYTES // 256)  # five parts, the last one small
SHA256 = hashlib.sha256(BUNDLE).hexdigest()
OLD = Machine(version="0.1.0", slot="a", compatible=KIND, update="idle")


class BelievedClock(VirtualClock):
    """A virtual clock that counts as trusted time."""

    is_trusted = True


class HurriedClock:
    """A clock on which every wait is over at once, and has lasted all the same."""

    is_trusted = True

    def __init__(self) -> None:
        self.waited_s = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_ns(self) -> int:
        return int(self.waited_s * 1e9)

    async def sleep(self, seconds: float) -> None:
        self.waited_s += seconds
        await asyncio.sleep(0)


class BundleServer:
    """The port `UpdateLink`: offers one bundle, or nothing, and can fail.

    Attributes:
        offer: what is offered, None for nothing.
        data: what the bundle's bytes are on the way.
        parts: (start, length) of what was asked for.
        fails: what is raised in place of the next parts.
        cut: so many bytes of each part come.
        by: which key signs.
    """

    def __init__(self, clock, **fields) -> None:
        self.clock = clock
        self.fields = fields
        self.is_offered = True
        self.data = BUNDLE
        self.parts: list[tuple[int, int]] = []
        self.fails: list[Exception] = []
        self.cut = PART_BYTES
        self.by = 20
        self.asked = 0
        self.part_s = 0.0
        self.while_sending = lambda: None

    def offer(self) -> UpdateOffer:
        now = self.clock.now()
        known = {
            "gate": GATE,
            "version": "0.2.0",
            "compatible": KIND,
            "size": len(BUNDLE),
            "sha256": SHA256,
            "issued_at": now,
            "not_after": now + timedelta(minutes=30),
            "install_from": now - timedelta(hours=1),
            "install_until": now + timedelta(hours=3),
        }
        return UpdateOffer(**known | self.fields)

    async def update_offer(self) -> bytes | None:
        self.asked += 1
        if not self.is_offered:
            return None
        return seal_envelope(OFFER_TYPE, encode_offer(self.offer()), [private(self.by)])

    async def bundle_part(self, sha256: str, start: int, length: int, size: int) -> bytes:
        if self.fails:
            raise self.fails.pop(0)
        self.parts.append((start, length))
        await self.clock.sleep(self.part_s)
        self.while_sending()
        data = self.data[start : start + min(length, self.cut)]
        if not data:
            raise LinkError("answer broke off")
        return data


class MemoryShelf:
    """The port `BundleShelf`, in memory; it may be small."""

    def __init__(self, room: int = 1 << 40) -> None:
        self.room = room
        self.parts: dict[str, bytes] = {}
        self.whole: dict[str, str] = {}
        self.is_full = False

    async def have(self, sha256: str) -> int:
        return len(self.parts.get(sha256, b""))

    async def append(self, sha256: str, start: int, data: bytes) -> None:
        if self.is_full:
            raise StorageError("bundle cannot be written: no space left")
        self.parts[sha256] = self.parts.get(sha256, b"")[:start] + data

    async def finish(self, sha256: str, version: str) -> str:
        if hashlib.sha256(self.parts[sha256]).hexdigest() != sha256:
            del self.parts[sha256]
            return ""
        self.whole[sha256] = f"/bundles/{version}-{sha256}.raucb"
        return self.whole[sha256]

    async def make_room(self, sha256: str, bytes_more: int) -> bool:
        return bytes_more <= self.room


class MemoryDesk:
    """The port `UpdateDesk`, in memory."""

    def __init__(self) -> None:
        self.request: UpdateRequest | None = None
        self.taken_back = 0

    async def ask(self, request: UpdateRequest) -> None:
        self.request = request

    async def take_back(self) -> None:
        self.taken_back += 1
        self.request = None


class Bench:
    """A fetcher and all that it works with."""

    def __init__(self, clock=None, **fields) -> None:
        self.clock = clock or BelievedClock()
        self.server = BundleServer(self.clock, **fields)
        self.shelf = MemoryShelf()
        self.desk = MemoryDesk()
        self.machine: Machine | None = OLD
        self.is_live = True
        self.read_ns: int | None = None
        self.fetcher = self.made()

    def made(self) -> BundleFetcher:
        """Make the fetcher of another start of the daemon."""
        return BundleFetcher(
            link=self.server,
            shelf=self.shelf,
            desk=self.desk,
            gate=GATE,
            signers=lambda: TRUSTED,
            machine=lambda: self.machine,
            clock=self.clock,
            is_live=lambda: self.is_live,
            read_ns=lambda: self.read_ns,
            jitter=lambda: 0.5,
        )

    def somebody_comes(self) -> None:
        self.read_ns = self.clock.monotonic_ns()

    def runs(self, **fields) -> None:
        self.machine = msgspec.structs.replace(OLD, **fields)

    @property
    def state(self) -> tuple[str, int]:
        told = self.fetcher.fetching
        return told.state, told.have
