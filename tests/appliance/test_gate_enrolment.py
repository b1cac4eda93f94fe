"""Becoming a gate of a server: one code, one identity, told in plain words when it fails."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from admission.sync import codec
from admission.sync.messages import Enrol, Enrolled
from admission.trust.keys import check_string, public_key
from admission.trust.sealing import agreement_public_key
from appliance.config import Config, load_config
from appliance.errors import ConfigError, LinkAnswerError, LinkError, LinkRefusedError
from appliance.main import IDENTITY_FILE, enrol_gate, run_gate
from appliance.storage.identity_file import read_identity

LIST_KEY = b"l" * 32


@dataclass
class Desk:
    """The server's side of an enrolment."""

    answer: bytes = codec.encode(Enrolled("gate-a", "Porte A", [LIST_KEY], "000000", 0))
    status: int = 200
    said: str = ""
    asked: list[Enrol] = field(default_factory=list)
    url: str = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(codec.decode(await request.read(), Enrol))
        if self.status != 200:
            return web.Response(status=self.status, text=self.said)
        return web.Response(body=self.answer)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    served = Desk()
    app = web.Application()
    app.router.add_post("/sync/v1/enrolments", served.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    served.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield served
    await runner.cleanup()


def configured(folder: Path, server: str) -> Config:
    path = folder / "gate.toml"
    path.write_text(
        f'data = "{folder / "data"}"\nserver = "{server}"\n'
        f'[[readers]]\nkind = "folder"\nfolder = "{folder / "pictures"}"\n'
    )
    return load_config(path)


async def test_a_gate_makes_its_keys_and_keeps_what_the_server_says(desk: Desk, tmp_path: Path):
    config = configured(tmp_path, desk.url)
    identity, check = await enrol_gate(config, "CODE-1")
    (asked,) = desk.asked
    assert asked.code == "CODE-1"
    assert asked.public_key == public_key(identity.private_key)
    assert asked.agreement_key == agreement_public_key(identity.agreement_key)
    assert check == check_string(asked.public_key, LIST_KEY)
    kept = read_identity(tmp_path / "data" / IDENTITY_FILE)
    assert kept == identity
    assert (kept.gate, kept.gate_name, kept.list_keys) == ("gate-a", "Porte A", (LIST_KEY,))


async def test_a_gate_that_is_enrolled_is_not_enrolled_over(desk: Desk, tmp_path: Path):
    config = configured(tmp_path, desk.url)
    identity, _ = await enrol_gate(config, "CODE-1")
    with pytest.raises(ConfigError, match=r"enrolled already; remove the file to enrol anew"):
        await enrol_gate(config, "CODE-2")
    assert len(desk.asked) == 1
    assert read_identity(tmp_path / "data" / IDENTITY_FILE) == identity


@pytest.mark.parametrize(
    ("status", "said", "error", "told"),
    [
        (403, "this code was used", LinkRefusedError, r"\(403\): this code was used"),
        (429, "too many wrong codes", LinkAnswerError, "429: too many wrong codes"),
        (500, "", LinkAnswerError, "answers 500"),
    ],
)
async def test_a_code_that_is_refused_is_told_in_the_servers_words(
    desk: Desk, tmp_path: Path, status: int, said: str, error: type[LinkError], told: str
):
    desk.status, desk.said = status, said
    with pytest.raises(error, match=told):
        await enrol_gate(configured(tmp_path, desk.url), "CODE-1")
    assert read_identity(tmp_path / "data" / IDENTITY_FILE) is None


async def test_a_server_that_names_no_list_key_enrols_nobody(desk: Desk, tmp_path: Path):
    desk.answer = codec.encode(Enrolled("gate-a", "Porte A", [], "000000", 0))
    with pytest.raises(LinkError, match="names no key that signs lists; look at the server"):
        await enrol_gate(configured(tmp_path, desk.url), "CODE-1")
    assert read_identity(tmp_path / "data" / IDENTITY_FILE) is None


async def test_a_gate_that_was_never_enrolled_does_not_start_and_says_what_to_do(tmp_path: Path):
    config = configured(tmp_path, "https://tickets.example.org")
    with pytest.raises(ConfigError, match=r"not enrolled; run: portillon gate enrol --config .*"):
        await run_gate(config, "1.2.3")
