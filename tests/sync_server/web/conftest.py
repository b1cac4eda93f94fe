"""Stand-ins for what the back office stands on: a store of accounts, a quick hash, a clock."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from admission.proof.rotation import Rotation
from admission.scan import Direction
from admission.ticket import TicketState
from admission.ticketlist.key_storage import KeyStorage
from fake_fleet import FakeFleet
from fake_sites import FakeSites
from memory_accounts import MemoryAccounts
from sync_server.account_ports import Role, User
from sync_server.accounts import Accounts
from sync_server.commanding import Issued
from sync_server.entities import (
    Checkpoint,
    Event,
    Gate,
    Import,
    ImportMode,
    ListVersion,
    Performance,
    Venue,
)
from sync_server.gate_reports import GateKnowledge
from sync_server.issuing import Blocked, ProvingSetUp
from sync_server.journal_ports import QuarantineLine, SideLine
from sync_server.reporting import (
    AnomalyLine,
    AnomalyPassage,
    CheckpointLine,
    GateLine,
    GateState,
    LiveReport,
    PassageLine,
    PerformanceLine,
    PerformanceStatus,
)
from sync_server.web.back_office.desk import Catalogue, ImportRun, NewCode, Taken, Upload
from sync_server.web.back_office.live import BOARD
from sync_server.web.back_office.routes import add_back_office

PASSWORD = "correct horse battery"
START_MS = 1_790_000_000_000


class QuickHash:
    """A hash that is none, with a version, and a count of what it was asked."""

    version = 1

    def __init__(self) -> None:
        self.verified: list[str] = []

    def make(self, password: str) -> str:
        return f"{self.version}:{password}"

    def verify(self, password_hash: str, password: str) -> bool:
        self.verified.append(password_hash)
        return password_hash.partition(":")[2] == password

    def is_outdated(self, password_hash: str) -> bool:
        return password_hash.partition(":")[0] != str(self.version)


class Milliseconds:
    """A clock that goes when it is told to."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms

    def advance(self, *, seconds: float = 0, hours: float = 0) -> None:
        self.now_ms += round(1000 * (seconds + 3600 * hours))


class CountedEntropy:
    """Bytes that are never the same twice, and the same in every run."""

    def __init__(self) -> None:
        self._calls = 0

    def __call__(self, size: int) -> bytes:
        self._calls += 1
        return self._calls.to_bytes(size, "big")


@pytest.fixture
def clock() -> Milliseconds:
    return Milliseconds()


@pytest.fixture
def account_store() -> MemoryAccounts:
    return MemoryAccounts()


@pytest.fixture
def quick_hash() -> QuickHash:
    return QuickHash()


@pytest.fixture
def accounts(account_store: MemoryAccounts, quick_hash: QuickHash, clock: Milliseconds) -> Accounts:
    return Accounts(account_store, quick_hash, clock, CountedEntropy())


@pytest.fixture
async def lea(accounts: Accounts) -> User:
    return await accounts.add_user(
        "organization-1", "Lea@Theatre.example", PASSWORD, Role.ADMIN, "Léa Martin", "fr"
    )


MINUTE_US = 60_000_000
NOW_US = START_MS * 1000


class FakeReports:
    """`LiveReports` with one report, which a test may replace."""

    def __init__(self, report: LiveReport) -> None:
        self.report = report
        self.name = "Théâtre du Quai"
        self.zone_names = ["Europe/Paris"]

    async def live(self, organization_id: str) -> LiveReport:
        return self.report

    async def organization_name(self, organization_id: str) -> str:
        return self.name

    async def zones(self, organization_id: str) -> list[str]:
        return self.zone_names


class FakeDesk(FakeReports, FakeSites, FakeFleet):
    """`BackOfficeDesk` in lists, with one venue and what was asked of it."""

    def __init__(self, report: LiveReport) -> None:
        super().__init__(report)
        self.reached = 0
        self.venues = [Venue("v1", "organization-1", "Théâtre du Quai", "Europe/Paris")]
        self.events = [Event("e1", "organization-1", "v1", "La Nuit des Rois")]
        self.performances = [performance("p1", "Samedi 20:30", version=7)]
        self.checkpoints = [Checkpoint("c1", "v1", "Grande salle", None, 540, ("p1",))]
        self.gates = [Gate("g1", "v1", "Porte A", "c1", Direction.ENTRY)]
        self.runs: list[ImportRun] = []
        self.held: list[QuarantineLine] = []
        self.copied: list[SideLine] = []
        self.asked: list[tuple[object, ...]] = []
        self.refusal: Exception | None = None
        self.accepted = ProvingSetUp((), None, 0, b"o" * 32)

    async def catalogue(self, user: User) -> Catalogue:
        if user.organization_id != "organization-1":
            return Catalogue((), (), (), (), ())
        return Catalogue(
            tuple(self.venues),
            tuple(self.events),
            tuple(self.performances),
            tuple(self.checkpoints),
            tuple(self.gates),
        )

    def _ask(self, *what: object) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.asked.append(what)

    async def add_venue(self, user: User, name: str, timezone: str) -> str:
        self._ask("venue", name, timezone)
        self.venues.append(Venue("v2", user.organization_id, name, timezone))
        return "v2"

    async def add_event(self, user: User, venue_id: str, name: str) -> str:
        self._ask("event", venue_id, name)
        return "e2"

    async def add_performance(
        self, user: User, event_id: str, name: str, starts_ms: int | None
    ) -> str:
        self._ask("performance", event_id, name, starts_ms)
        return "p2"

    async def add_checkpoint(
        self, user: User, venue_id: str, name: str, capacity: int | None, performances: list[str]
    ) -> str:
        self._ask("checkpoint", venue_id, name, capacity, performances)
        return "c2"

    async def change_checkpoint(
        self, user: User, checkpoint_id: str, capacity: int | None, performances: list[str]
    ) -> None:
        self._ask("change", checkpoint_id, capacity, performances)

    async def add_gate(
        self, user: User, checkpoint_id: str, name: str, direction: Direction
    ) -> str:
        self._ask("gate", checkpoint_id, name, direction)
        return "g2"

    async def new_code(self, user: User, gate_id: str, reached_by: str) -> NewCode:
        self._ask("code", gate_id)
        link = f"portillon:enrol?v=1&server={reached_by}&code=K7QM-2XVD-94BT-HW3F"
        return NewCode("K7QM-2XVD-94BT-HW3F", START_MS + 900_000, link)

    async def new_group_code(
        self,
        user: User,
        checkpoint_id: str,
        direction: Direction,
        uses: int,
        minutes: int,
        reached_by: str,
    ) -> NewCode:
        self._ask("group", checkpoint_id, direction, uses, minutes)
        return await self.new_code(user, "several", reached_by)

    async def confirm_gate(self, user: User, gate_id: str) -> None:
        self._ask("confirm", gate_id)

    async def command_gate(self, user: User, *sent: str) -> Issued:
        self._ask("command", *sent)
        return Issued("PORTILLON:CMD:" + "CODE" * 99, 7, sent[:1], self.reached, 1)

    async def revoke_gate(self, user: User, gate_id: str) -> None:
        self._ask("revoke", gate_id)

    async def quarantine(self, user: User) -> list[QuarantineLine]:
        return self.held

    async def release(self, user: User, gate_id: str) -> int:
        self._ask("release", gate_id)
        return 1

    async def copied_cards(self, user: User) -> list[SideLine]:
        return self.copied

    async def settle_copies(self, user: User, gate_id: str, reason: str) -> int:
        self._ask("settle", gate_id, reason)
        return 1

    def check_string(self, gate: Gate) -> str:
        return "" if gate.enrolled_ms is None else "4821 0937"

    async def imports(self, user: User, performance_id: str) -> list[ImportRun]:
        return self.runs

    async def list_versions(self, user: User, performance_id: str) -> list[ListVersion]:
        return [ListVersion(performance_id, 7, START_MS - 3_600_000, b"", b"", 9000, 548)]

    async def import_file(self, user: User, performance_id: str, upload: Upload) -> Taken:
        self._ask("import", performance_id, upload)
        self.runs.insert(0, ImportRun(import_run(filename=upload.filename), upload.source))
        return Taken("i1", ("zeros_lost",))

    async def publish(self, user: User, performance_id: str) -> int:
        self._ask("publish", performance_id)
        return 8

    async def choose_key_storage(
        self, user: User, performance_id: str, storage: KeyStorage, reason: str
    ) -> None:
        self._ask("key", performance_id, storage, reason)

    async def set_state(
        self, user: User, performance_id: str, number: str, state: TicketState
    ) -> bool:
        self._ask("state", performance_id, number, state)
        return True

    async def reset(
        self, user: User, performance_id: str, checkpoint_id: str, number: str, reason: str
    ) -> None:
        self._ask("reset", performance_id, checkpoint_id, number, reason)

    async def proving(self, user: User, performance_id: str) -> ProvingSetUp:
        return self.accepted

    async def add_issuer(self, user: User, *what: object) -> str:
        self._ask("issuer", *what)
        return "i1"

    async def withdraw_issuer(self, user: User, performance_id: str, issuer_id: str) -> None:
        self._ask("withdraw", performance_id, issuer_id)

    async def set_rotation(
        self, user: User, performance_id: str, rotation: Rotation | None
    ) -> None:
        self._ask("rotation", performance_id, rotation)

    async def rotating_patterns(self, user: User, performance_id: str) -> str:
        self._ask("export", performance_id)
        return "number,key_0\nA1,00\n"

    async def block_numbers(
        self, user: User, performance_id: str, lines: list[str], *, blocked: bool
    ) -> Blocked:
        self._ask("block", performance_id, lines, blocked)
        return Blocked(len(lines), 0)


def performance(id_: str, name: str, version: int = 0, **changes: object) -> Performance:
    """Make a performance of the one event."""
    known = Performance(
        id=id_,
        event_id="e1",
        name=name,
        starts_ms=START_MS,
        timezone="Europe/Paris",
        day_starts_at="00:00",
        excluded_categories=(),
        admits_from_us=None,
        admits_until_us=None,
        canceled=False,
        list_key=b"k" * 32,
        published_version=version,
    )
    return replace(known, **changes)


def import_run(**changes: object) -> Import:
    """Make an import with two rows that were not applied."""
    known = Import(
        id="i1",
        source_id=1,
        user_id=None,
        at_ms=START_MS,
        filename="tickets.csv",
        mode=ImportMode.ADD,
        rows=550,
        added=548,
        changed=0,
        canceled=0,
        conflicts=1,
        refused=1,
        problems=(
            {"line": 17, "column": 1, "field": "number", "code": "number_rounded"},
            {"line": 42, "column": 0, "field": "number", "code": "number_repeated"},
        ),
    )
    return replace(known, **changes)


@pytest.fixture
def report() -> LiveReport:
    """One evening: two gates let one ticket in, one of them has gone silent."""
    return LiveReport(
        at_us=NOW_US,
        performances=(
            PerformanceLine(
                "p1", "Samedi 20:30", "La Nuit des Rois", 548, 516, 7, 23,
                PerformanceStatus.PUBLISHED,
            ),
        ),
        checkpoints=(CheckpointLine("c1", "Grande salle", 497, 540),),
        gates=(
            GateLine(
                "g1", "Porte A", "Grande salle", Direction.ENTRY, GateState.ONLINE, "connected",
                {"p1": 7}, START_MS, 0, 312, 14,
            ),
            GateLine(
                "g2", "Porte B", "Grande salle", Direction.ENTRY, GateState.OFFLINE, "degraded",
                {"p1": 6}, START_MS - 90_000, 4, 204, 9,
                knowledge=GateKnowledge(
                    ("link",), START_MS - 900_000, START_MS - 300_000, 4_000, 120
                ),
            ),
        ),
        refusals=(("already_used", 14), ("unknown_ticket", 7)),
        last_passages=(
            PassageLine(
                NOW_US - 4_000_000, "Porte A", "Grande salle", Direction.ENTRY, "Samedi 20:30",
                "9e37", "granted", False, False,
            ),
        ),
        anomalies=(
            AnomalyLine(
                "already_used", "Samedi 20:30", "Grande salle", "9f3a", NOW_US - 60_000_000,
                (
                    AnomalyPassage("Porte A", NOW_US - 72_000_000, Direction.ENTRY, False),
                    AnomalyPassage("Porte B", NOW_US - 60_000_000, Direction.ENTRY, True),
                ),
            ),
        ),
        entries_per_minute=tuple((NOW_US - n * MINUTE_US, n % 7) for n in range(59, -1, -1)),
    )  # fmt: skip


@pytest.fixture
def desk(report: LiveReport) -> FakeDesk:
    return FakeDesk(report)


@pytest.fixture
def reports(desk: FakeDesk) -> FakeDesk:
    """The desk, for tests of the live page only."""
    return desk


class Browser:
    """A client that keeps cookies, and signs in and finds tokens as a person's browser does."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        self.csrf = ""

    async def get(self, path: str, **options: object) -> tuple[int, str]:
        async with self.client.get(path, allow_redirects=False, **options) as answer:
            return answer.status, answer.headers.get("Location", "") or await answer.text()

    async def post(
        self, path: str, fields: dict[str, str | list[str]], **options: object
    ) -> tuple[int, str]:
        given = {"csrf": self.csrf, **fields}
        fields = [
            (name, value)
            for name, values in given.items()
            for value in (values if isinstance(values, list) else [values])
        ]
        async with self.client.post(path, data=fields, allow_redirects=False, **options) as answer:
            return answer.status, answer.headers.get("Location", "") or await answer.text()

    async def sign_in(self, login: str = "lea@theatre.example") -> None:
        status, _ = await self.post("/login", {"login": login, "password": PASSWORD})
        assert status == 303
        _, text = await self.get("/")
        self.csrf = text.partition('<meta name="csrf" content="')[2].partition('"')[0]


@pytest.fixture
def app(accounts: Accounts, desk: FakeDesk) -> web.Application:
    application = web.Application()
    add_back_office(application, accounts=accounts, desk=desk, tls=False)
    return application


@pytest.fixture
async def server(app: web.Application) -> AsyncIterator[TestServer]:
    async with TestServer(app) as running:
        yield running


@pytest.fixture
async def browser(server: TestServer, app: web.Application) -> AsyncIterator[Browser]:
    async with TestClient(server) as client:
        yield Browser(client)
        app[BOARD].close()
