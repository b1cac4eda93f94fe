"""The gate's page beyond its own machine: TLS by default; and PINs from the shell."""

import socket
import ssl
import stat
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from aiohttp import ClientSession, TCPConnector
from cryptography import x509

from appliance.config import load_config
from appliance.errors import ConfigError
from appliance.page_config import PageConfig
from appliance.page_opening import open_page
from appliance.page_ports import GateDesk, PageRole
from appliance.simulator.picture_display import PictureDisplay
from appliance.simulator.virtual_clock import VirtualClock
from appliance.storage.page_certificate import (
    CERTIFICATE_FILE,
    ensure_certificate,
    fingerprint_of,
    load_certificate,
)
from appliance.storage.pin_file import PinFile
from portillon.__main__ import main

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "gate.toml"

    def write(page: str = ""):
        path.write_text(
            f'data = "{tmp_path}/data"\nlanguage = "en"\n[[readers]]\nkind = "folder"\n'
            f'folder = "{tmp_path}"\n[page]\n{page}\n'
        )
        return path

    return write


@pytest.mark.parametrize(
    ("page", "is_tls"),
    [
        ("", False),
        ('address = "::1"', False),
        ('address = "0.0.0.0"', True),
        ('address = "192.0.2.7"', True),
        ('address = "192.0.2.7"\nrisk_of_plain_http = true', False),
        ('certificate = "page.pem"', True),
    ],
)
def test_beyond_its_own_machine_the_page_is_served_over_tls(file, page, is_tls):
    assert load_config(file(page)).page.is_tls is is_tls


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ('key = "page.key"', "page.certificate: is missing"),
        ('certificate = "a"\nrisk_of_plain_http = true', "contradicts certificate"),
        ("idle_min = 0", "page.idle_min: must be a whole number from 1 to 240"),
        ("kiosk = 1", "page.kiosk: must be true or false"),
    ],
)
def test_a_table_that_is_wrong_says_what_and_where(file, page, words):
    with pytest.raises(ConfigError, match=words):
        load_config(file(page))


async def test_the_gate_shows_the_certificate_that_it_made(file, tmp_path, free_port):
    config = load_config(file(f'certificate = "{tmp_path}/own.pem"\nport = {free_port}'))
    made = ensure_certificate(tmp_path, ["127.0.0.1"], NOW)
    made.rename(tmp_path / "own.pem")
    trusting = ssl.create_default_context(cafile=str(tmp_path / "own.pem"))
    async with AsyncExitStack() as stack:
        clock = VirtualClock()
        await open_page(config, clock, GateDesk(), PictureDisplay("en"), stack)
        client = await stack.enter_async_context(
            ClientSession(connector=TCPConnector(ssl=trusting))
        )
        async with client.get(f"https://127.0.0.1:{free_port}/gate/login") as response:
            assert response.status == 200
            assert "Secure" in response.headers["Set-Cookie"]


def test_a_certificate_is_made_once_and_only_this_user_reads_its_key(tmp_path):
    path = ensure_certificate(tmp_path / "data", ["gate-1", "192.0.2.7"], NOW)
    assert path.name == CERTIFICATE_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    assert ensure_certificate(tmp_path / "data", ["other"], NOW).read_bytes() == before
    (found,) = x509.load_pem_x509_certificates(before)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["gate-1"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.7"]
    assert load_certificate(path, None).fingerprint == fingerprint_of(path)
    assert len(fingerprint_of(path)) == 95


def test_a_certificate_that_cannot_be_used_is_told(tmp_path):
    (tmp_path / "page.pem").write_text("nothing")
    with pytest.raises(ConfigError, match=r"page\.certificate: .*page\.pem"):
        load_certificate(tmp_path / "page.pem", None)


def test_a_pin_is_chosen_from_the_shell(file, tmp_path, monkeypatch, capsys):
    (tmp_path / "data").mkdir()
    path = file()
    monkeypatch.setattr("sys.stdin", _Piped("804627\n"))
    assert main(["gate", "pin", "--config", str(path)]) == 0
    assert "supervisor's PIN is chosen" in capsys.readouterr().out
    assert _is_right(tmp_path, PageRole.SUPERVISOR, "804627")
    monkeypatch.setattr("sys.stdin", _Piped("4711\n"))
    assert main(["gate", "pin", "--role", "steward", "--config", str(path)]) == 0
    assert _is_right(tmp_path, PageRole.STEWARD, "4711")
    assert main(["gate", "pin", "--role", "steward", "--remove", "--config", str(path)]) == 0
    assert not _is_right(tmp_path, PageRole.STEWARD, "4711")


def test_a_plain_pin_is_refused_at_the_shell_too(file, tmp_path, monkeypatch, capsys):
    (tmp_path / "data").mkdir()
    monkeypatch.setattr("sys.stdin", _Piped("123456\n"))
    assert main(["gate", "pin", "--config", str(file())]) == 1
    assert "nothing was changed" in capsys.readouterr().err
    assert not _is_right(tmp_path, PageRole.SUPERVISOR, "123456")


def test_a_config_of_a_page_may_be_made_without_a_file():
    assert replace(PageConfig(), address="192.0.2.7").is_tls


class _Piped:
    def __init__(self, line: str) -> None:
        self._line = line

    def isatty(self) -> bool:
        return False

    def readline(self) -> str:
        return self._line


def _is_right(tmp_path, role: PageRole, pin: str) -> bool:
    return PinFile(tmp_path / "data")._is_right(role, pin)
