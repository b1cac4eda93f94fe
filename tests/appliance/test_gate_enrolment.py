"""Becoming a gate of a server: one code, one identity, told in plain words when it fails."""

import asyncio
import socket
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from admission.sync import codec
from admission.sync.enrolment_link import EnrolmentLink
from admission.sync.messages import Enrol, Enrolled
from admission.trust.keys import check_string, public_key
from admission.trust.root import root_digest
from admission.trust.sealing import agreement_public_key
from appliance.config import Config, load_config
from appliance.enrolling import DRAFT_FILE, enrol, enrol_by_text, link_of
from appliance.errors import ConfigError, LinkAnswerError, LinkError, LinkRefusedError
from appliance.simulator.box_office import BoxOffice
from appliance.storage.device_secrets import device_secrets
from appliance.storage.identity_file import IDENTITY_FILE, Identity, read_identity
from appliance.storage.identity_vault import open_vault

OFFICE = BoxOffice()
ROOT = OFFICE.roots[0]


@dataclass
class Desk:
    """The server's side of an enrolment."""

    root: bytes = ROOT
    pending: bool = False
    certified: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    said: str = ""
    asked: list[Enrol] = field(default_factory=list)
    url: str = ""

    async def handle(self, request: web.Request) -> web.Response:
        asked = codec.decode(await request.read(), Enrol)
        self.asked.append(asked)
        if self.status != 200:
            return web.Response(status=self.status, text=self.said)
        said = {"gate": "gate-a", "device_key": asked.public_key} | self.certified
        said = {"agreement_key": asked.agreement_key} | said
        certificate = b"" if self.pending else OFFICE.certify(**said)
        answer = Enrolled("gate-a", "Porte A", self.root, "000000", 0, self.pending, certificate)
        return web.Response(body=codec.encode(answer))


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


async def enrol_gate(config: Config, code: str) -> tuple[Identity, str]:
    """Enrol by a typed code."""
    welcome = await enrol(config, link_of(config, code))
    return welcome.identity, welcome.check


def configured(folder: Path, server: str) -> Config:
    path = folder / "gate.toml"
    path.write_text(
        f'data = "{folder / "data"}"\n'
        + (f'server = "{server}"\n' if server else "")
        + f'[[readers]]\nkind = "folder"\nfolder = "{folder / "pictures"}"\n'
    )
    return load_config(path)


async def test_a_gate_makes_its_keys_and_keeps_what_the_server_says(desk: Desk, tmp_path: Path):
    config = configured(tmp_path, desk.url)
    identity, check = await enrol_gate(config, "CODE-1")
    (asked,) = desk.asked
    assert asked.code == "CODE-1"
    assert asked.public_key == public_key(identity.private_key)
    assert asked.agreement_key == agreement_public_key(identity.agreement_key)
    digest = bytes.fromhex(root_digest(ROOT))
    assert check == check_string(asked.public_key, asked.agreement_key, digest, b"")
    vault = await open_vault(tmp_path / "data" / IDENTITY_FILE, device_secrets(config.data, None))
    assert vault.identity == identity
    assert (identity.gate, identity.gate_name, identity.root) == ("gate-a", "Porte A", ROOT)
    assert identity.certificate


async def test_the_keys_lie_sealed_on_the_card(desk: Desk, tmp_path: Path):
    identity, _ = await enrol_gate(configured(tmp_path, desk.url), "CODE-1")
    kept = read_identity(tmp_path / "data" / IDENTITY_FILE)
    assert (kept.sealed_with, kept.private_key, kept.agreement_key) == ("file_beside", b"", b"")
    on_the_card = b"".join(
        path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()
    )
    for key in (identity.private_key, identity.agreement_key):
        assert key not in on_the_card
        assert b64encode(key) not in on_the_card


@pytest.mark.parametrize(
    "said", [{"gate": "gate-b"}, {"device_key": b"o" * 32}, {"agreement_key": b"o" * 32}]
)
async def test_a_certificate_of_another_gate_or_other_keys_enrols_nobody(
    desk: Desk, tmp_path: Path, said: dict[str, Any]
):
    desk.certified = said
    with pytest.raises(LinkError, match="certifies this gate wrongly"):
        await enrol_gate(configured(tmp_path, desk.url), "CODE-1")
    assert read_identity(tmp_path / "data" / IDENTITY_FILE) is None


async def test_a_gate_that_waits_has_no_certificate_yet(desk: Desk, tmp_path: Path):
    desk.pending = True
    config = configured(tmp_path, desk.url)
    welcome = await enrol(config, link_of(config, "CODE-1"))
    assert welcome.is_pending
    assert welcome.identity.certificate == b""


async def test_a_gate_that_is_enrolled_is_not_enrolled_over(desk: Desk, tmp_path: Path):
    config = configured(tmp_path, desk.url)
    identity, _ = await enrol_gate(config, "CODE-1")
    with pytest.raises(ConfigError, match=r"enrolled already; remove the file to enrol anew"):
        await enrol_gate(config, "CODE-2")
    assert len(desk.asked) == 1
    vault = await open_vault(tmp_path / "data" / IDENTITY_FILE, device_secrets(config.data, None))
    assert vault.identity == identity


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


async def test_the_keys_are_on_the_disk_before_the_server_hears_of_them_and_stay_for_a_code(
    desk: Desk, tmp_path: Path
):
    config = configured(tmp_path, desk.url)
    desk.status = 500
    for code in ("CODE-1", "CODE-1", "CODE-2"):
        with pytest.raises(LinkError):
            await enrol_gate(config, code)
    desk.status = 200
    identity, _ = await enrol_gate(config, "CODE-2")
    keys = [asked.public_key for asked in desk.asked]
    assert (keys[0] == keys[1], keys[1] == keys[2], keys[2] == keys[3]) == (True, False, True)
    assert public_key(identity.private_key) == keys[3]
    assert not (tmp_path / "data" / DRAFT_FILE).exists()


@pytest.mark.parametrize("root", [b"", b"{}", ROOT.replace(b"sig", b"gis")])
async def test_a_server_that_names_no_root_enrols_nobody(desk: Desk, tmp_path: Path, root: bytes):
    desk.root = root
    with pytest.raises(LinkError, match="names no root to trust"):
        await enrol_gate(configured(tmp_path, desk.url), "CODE-1")
    assert read_identity(tmp_path / "data" / IDENTITY_FILE) is None


async def test_a_link_says_where_the_server_is_and_the_file_need_not(desk: Desk, tmp_path: Path):
    config = configured(tmp_path, "")
    welcome = await enrol_by_text(config, f"portillon:enrol?v=1&server={desk.url}&code=CODE-1")
    assert (desk.asked[0].code, welcome.identity.server) == ("CODE-1", desk.url)
    assert desk.asked[0].name  # what the machine calls itself


async def test_the_next_address_of_a_link_is_tried_where_the_first_does_not_answer(
    desk: Desk, tmp_path: Path, unused_tcp_port: int
):
    nobody = f"http://127.0.0.1:{unused_tcp_port}"
    link = f"portillon:enrol?v=1&server={nobody}&server={desk.url}&code=CODE-1"
    welcome = await enrol_by_text(configured(tmp_path, ""), link)
    assert welcome.identity.server == desk.url


async def test_a_server_that_refuses_is_not_asked_again_at_its_other_address(
    desk: Desk, tmp_path: Path
):
    desk.status, desk.said = 403, "this code was used"
    link = f"portillon:enrol?v=1&server={desk.url}&server={desk.url}&code=CODE-1"
    with pytest.raises(LinkRefusedError):
        await enrol_by_text(configured(tmp_path, ""), link)
    assert len(desk.asked) == 1


async def test_another_root_than_the_links_enrols_nobody(desk: Desk, tmp_path: Path):
    config = configured(tmp_path, "")
    with pytest.raises(LinkError, match="not the one that was pinned"):
        await enrol_by_text(
            config, f"portillon:enrol?v=1&server={desk.url}&code=CODE-1&root={'A' * 43}"
        )
    assert read_identity(tmp_path / "data" / IDENTITY_FILE) is None
    pinned = EnrolmentLink((desk.url,), "CODE-1", (), root_digest(ROOT))
    assert (await enrol(config, pinned)).identity.root == ROOT


async def test_nobody_is_enrolled_in_clear_over_a_network_unless_the_risk_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async def unknown(host: str, *_: object, **__: object) -> None:
        raise socket.gaierror(-2, f"Name or service not known: {host}")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    link = "portillon:enrol?v=1&server=http://tickets.invalid&code=CODE-1"
    config = configured(tmp_path, "")
    with pytest.raises(ConfigError, match=r"in clear.*risk_of_plain_http = true"):
        await enrol_by_text(config, link)
    config.path.write_text("risk_of_plain_http = true\n" + config.path.read_text())
    with pytest.raises(LinkError, match=r"tickets\.invalid"):  # it would have been asked
        await enrol_by_text(load_config(config.path), link)


async def test_a_code_without_a_server_or_with_an_impossible_pin_is_told(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"server: is missing; .* or enrol by --link"):
        link_of(configured(tmp_path, ""), "CODE-1")
    config = configured(tmp_path, "https://tickets.example.org")
    for pin in ("zz", "AA:BB"):
        with pytest.raises(ConfigError, match="--code or --pin"):
            link_of(config, "CODE-1", pin)
    assert link_of(config, "code-1", ":".join(["AB"] * 32)).pins == (b"\xab" * 32,)


async def test_what_is_no_link_is_told_without_repeating_the_code(tmp_path: Path):
    with pytest.raises(ConfigError, match="enrolment link") as caught:
        await enrol_by_text(configured(tmp_path, ""), "portillon:enrol?v=2&code=SECRET-CODE")
    assert "SECRET" not in str(caught.value)
