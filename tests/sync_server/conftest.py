"""A real database with a small venue in it, a clock to set, and chance that repeats itself."""

import asyncio
import hashlib
import json as json_text
import random

import aiohttp
import pytest

from admission.scan import Direction
from admission.trust.keys import public_key
from admission.trust.root import Role as TrustRole
from sync_server import main
from sync_server.account_ports import Role, User
from sync_server.ceremony import draft_first, sign_draft
from sync_server.config import ServerConfig
from sync_server.entities import (
    Checkpoint,
    Event,
    Gate,
    Organization,
    Performance,
    Venue,
    instant,
)
from sync_server.ledger import Ledger
from sync_server.password_hashing import Argon2id
from sync_server.storage.accounts import SqlAccounts
from sync_server.storage.database import open_database
from sync_server.trusting import Trust

NOW_US = 1_780_000_000_000_000


class SetClock:
    """The server's clock, standing still until set."""

    def __init__(self):
        self.at_us = NOW_US

    def now_us(self):
        return self.at_us

    def advance(self, seconds):
        self.at_us += int(seconds * 1_000_000)


class SeededEntropy:
    """Chance that is the same in every run."""

    def __init__(self):
        self._random = random.Random(7)

    def __call__(self, size):
        return self._random.randbytes(size)


def performance(name, **changes):
    values = {
        "id": name,
        "event_id": "event",
        "name": f"Name of {name}",
        "starts_ms": None,
        "timezone": "Europe/Paris",
        "day_starts_at": "00:00",
        "excluded_categories": (),
        "admits_from_us": None,
        "admits_until_us": None,
        "canceled": False,
        "list_key": name.encode().rjust(32, b"k"),
    }
    return Performance(**values | changes)


@pytest.fixture
def clock():
    return SetClock()


@pytest.fixture
def entropy():
    return SeededEntropy()


class HeardNews:
    """Remembers what was told."""

    def __init__(self):
        self.streams = []
        self.lists = 0
        self.reports = 0

    def streams_grew(self, streams):
        self.streams += sorted(streams)

    def lists_changed(self):
        self.lists += 1

    def report_changed(self):
        self.reports += 1


@pytest.fixture
def ledger(clock, entropy):
    return Ledger(clock, entropy)


class HeldKeys:
    """The private keys of the fixture `trust`, in memory."""

    def __init__(self, keys):
        self.keys = dict(keys)

    def private_keys(self):
        return list(self.keys.values())


@pytest.fixture
async def trust(database, ledger, clock):
    """The chain of trust: one key for each role, all of them on the server."""
    keys = {role: hashlib.sha256(role.value.encode()).digest() for role in TrustRole}
    public = {role: public_key(key) for role, key in keys.items()}
    draft = draft_first("Hall", public, instant(clock.now_us()))
    raw = sign_draft(draft, keys[TrustRole.ROOT], public[TrustRole.ROOT], None)
    trust = Trust(database, ledger, HeldKeys(keys))
    await trust.install(raw, None)
    await trust.open()
    return trust


@pytest.fixture
def news():
    return HeardNews()


@pytest.fixture
def master():
    """The user of the fixture `venue`."""
    return User("master", "root", "anna", "Anna", "", Role.MASTER, "fr")


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """A database file with all its tables: made once, copied for each test."""
    path = tmp_path_factory.mktemp("database") / "portillon.db"

    async def make():
        async with open_database(path):
            pass

    asyncio.run(make())
    return path.read_bytes()


@pytest.fixture
async def database(tmp_path, empty_database):
    path = tmp_path / "portillon.db"
    path.write_bytes(empty_database)
    async with open_database(path) as opened:
        yield opened


@pytest.fixture
async def venue(database, master, entropy):
    """The database with a venue: checkpoint c0 with gate g0, performances p0 and p1."""
    async with database.write() as transaction:
        await transaction.organizations.add_organization(Organization("root", None, "Root"))
        await transaction.organizations.add_venue(Venue("venue", "root", "Hall", "Europe/Paris"))
        await transaction.organizations.add_event(Event("event", "root", "venue", "Show"))
        await transaction.performances.add_performance(performance("p0"))
        await transaction.performances.add_performance(performance("p1"))
        await transaction.checkpoints.add_checkpoint(
            Checkpoint("c0", "venue", "North", None, None, ("p0", "p1"))
        )
        await transaction.gates.add_gate(Gate("g0", "venue", "Gate A", "c0", Direction.ENTRY))
    await SqlAccounts(database, entropy).add_user(master, NOW_US // 1000)
    return database


class Client:
    """A program that speaks to the API."""

    def __init__(self, session, address):
        self.session, self.address, self.csrf = session, address, ""

    async def call(self, method, path, json=None, data=None, csrf=None):
        headers = {"X-CSRF-Token": self.csrf if csrf is None else csrf}
        url = f"{self.address}/api/v1/{path}"
        async with self.session.request(
            method, url, headers=headers, json=json, data=data
        ) as response:
            text = await response.text()
            assert response.content_type == "application/json", text
            return response.status, json_text.loads(text), response.headers

    async def made(self, kind, **fields):
        status, document, _ = await self.call("POST", kind, json=fields)
        assert status == 201, document
        return document["id"]


@pytest.fixture
async def client(tmp_path, monkeypatch, unused_tcp_port):
    monkeypatch.setattr(main, "Argon2id", lambda: Argon2id(memory_kib=64, passes=1))
    password = await main.init_server(tmp_path, "anna")
    config = ServerConfig(tmp_path, port=unused_tcp_port)
    jar = aiohttp.CookieJar(unsafe=True)
    async with main.serving(config) as address, aiohttp.ClientSession(cookie_jar=jar) as session:
        client = Client(session, address)
        client.password = password
        yield client


@pytest.fixture
async def operator(client):
    body = {"login": "anna", "password": client.password}
    status, document, _ = await client.call("POST", "login", json=body)
    assert status == 200
    client.csrf = document["csrf"]
    return client
