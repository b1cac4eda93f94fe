"""The server's services over one real database, and gates that take what they publish."""

import pretix_tokens
from admission import journal
from admission.proof.proving import IssuerFormat
from admission.sync.messages import Batch, Moment
from admission.ticketlist.manifest import decode_manifest
from admission.trust.envelope import MANIFEST_TYPE, open_envelope
from admission.trust.root import Role, signers
from appliance.holdings import open_list
from proving_gate import ProvingGate
from sync_server.entities import ImportMode, instant
from sync_server.importing import Importing
from sync_server.issuing import Issuing
from sync_server.publishing import Publishing
from sync_server.reconciling import Reconciling, refold_tickets
from sync_server.reporting import Reporting
from sync_server.sources.file import read_tickets
from sync_server.stewarding import Stewarding
from sync_server.storage.snapshot_files import Folder

P0_KEY = b"p0".rjust(32, b"k")
COMPACT, PRETIX = IssuerFormat.COMPACT, IssuerFormat.PRETIX
OWN = pretix_tokens.PUBLIC_KEY.hex()


class House:
    """The services over one real database, and gates that take what is published."""

    def __init__(self, venue, ledger, news, clock, folder, user, trust):
        self.trust = trust
        self.store, self.clock, self.user, self.news = venue, clock, user, news
        self.issuing = Issuing(venue, ledger, news, b"m" * 32)
        self.publishing = Publishing(venue, Folder(folder), ledger, news, trust)
        self.reconciling = Reconciling(venue, clock)
        self.reporting = Reporting(venue, ledger)
        self.stewarding = Stewarding(venue, ledger, news, self.reconciling)
        self.importing = Importing(venue, read_tickets, refold_tickets, ledger, news)

    async def add_own(self, *classes):
        lines = classes or ("0;standard;single", "1;vip;entry_exit")
        return await self.issuing.add_issuer(self.user, "p0", COMPACT, classes=lines)

    async def add_pretix(self, *classes, key=OWN, **more):
        lines = classes or ("1;standard;single", "2/5;vip;entry_exit")
        return await self.issuing.add_issuer(
            self.user, "p0", PRETIX, key=key, classes=lines, **more
        )

    async def issue(self, code=0, **more):
        (issued,) = await self.issuing.issue(self.user, "p0", code, **more)
        return issued

    async def block(self, *numbers, blocked=True):
        return await self.issuing.block(self.user, "p0", numbers, blocked=blocked)

    async def bring(self, text):
        return await self.importing.import_file(
            self.user, "p0", text.encode(), source_name="s", filename="f", mode=ImportMode.ADD
        )

    async def manifest(self):
        raw = await self.publishing.manifest("g0", "p0")
        return decode_manifest(
            open_envelope(raw, MANIFEST_TYPE, signers(self.trust.root, Role.LIST).keys)
        )

    async def gate(self, name):
        """Give a gate that holds what is published now."""
        await self.publishing.publish(self.user, "p0")
        gate = ProvingGate("p0", name=name)
        gate.checkpoint = gate.checkpoint.__class__("c0", ("p0",))
        await self.refresh(gate, publish=False)
        return gate

    async def refresh(self, gate, *, publish=True):
        if publish:
            await self.publishing.publish(self.user, "p0")
        manifest = await self.manifest()
        snapshot, *segments = [
            (await self.publishing.list_file("g0", "p0", piece.sha256)).read_bytes()
            for piece in (manifest.snapshot, *manifest.segments)
        ]
        gate.holdings.install(open_list(manifest, snapshot, P0_KEY, segments))
        gate.now = instant(self.clock.at_us)

    async def hand_in(self, *gates):
        for gate in gates:
            blobs = [journal.encode(record) for record in gate.records]
            sent = Moment(self.clock.at_us // 1000, 1, b"b" * 16)
            batch = Batch(gate.name, 1, journal.genesis(gate.name), blobs, sent)
            await self.reconciling.take("g0", batch)

    async def truth(self):
        report = await self.reporting.rules("root")
        found = [(one.gate, one.reason) for one in report.anomalies]
        return found, report.attendance["p0"]

    async def audit(self):
        async with self.store.read() as transaction:
            return {entry.what: entry for entry in await transaction.audit.newest(100)}
