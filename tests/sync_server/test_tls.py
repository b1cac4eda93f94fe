"""The server's own certificate: made once, kept from others, replaced only when gates know."""

import hashlib
import ssl
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography import x509

from admission.scan import Direction
from portillon.__main__ import main as portillon
from sync_server import main, tls
from sync_server.entities import Gate
from sync_server.errors import ConfigError
from sync_server.storage.database import open_database

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def data(tmp_path):
    tls.ensure_certificate(tmp_path, ["tickets.lan", "10.0.0.5", "::1"], NOW)
    return tmp_path


def _certificate(path):
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_the_certificate_is_long_lived_and_names_what_browsers_ask_for(data):
    certificate = _certificate(data / tls.KEY_FILE)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["tickets.lan"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.5", "::1"]
    assert certificate.public_key().curve.name == "secp256r1"
    assert certificate.not_valid_before_utc < NOW
    assert (certificate.not_valid_after_utc - NOW).days == 7300


def test_nobody_but_its_owner_may_read_the_key(data):
    path = data / tls.KEY_FILE
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    for look in (tls.read_pins, tls.server_context):
        with pytest.raises(ConfigError, match="others may read it; run chmod 600"):
            look(data)


def test_the_pin_is_the_digest_that_browsers_show(data):
    pem = (data / tls.KEY_FILE).read_text()
    der = ssl.PEM_cert_to_DER_cert(pem[pem.index("-----BEGIN CERTIFICATE") :])
    assert tls.read_pins(data) == tls.Pins(hashlib.sha256(der).digest())


def test_a_certificate_is_never_made_over(data):
    before = (data / tls.KEY_FILE).read_bytes()
    tls.ensure_certificate(data, ["other"], NOW)
    assert (data / tls.KEY_FILE).read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"nothing", b"\xff\xfe"])
def test_what_is_no_certificate_is_said_to_be_none(tmp_path, content):
    path = tmp_path / tls.KEY_FILE
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=r"tls\.key: "):
        tls.read_pins(tmp_path)


def test_a_certificate_without_its_key_serves_nobody(data):
    path = data / tls.KEY_FILE
    pem = path.read_text()
    path.write_text(pem[pem.index("-----BEGIN CERTIFICATE") :])
    with pytest.raises(ConfigError, match="no key with its certificate"):
        tls.server_context(data)


def test_a_missing_certificate_leads_to_the_set_up(tmp_path):
    with pytest.raises(ConfigError, match="run `portillon server init`"):
        tls.server_context(tmp_path)


def test_the_next_certificate_is_announced_before_it_takes_over(data):
    old = tls.read_pins(data).current
    prepared = tls.prepare_next(data, ["tickets.lan"], NOW)
    assert prepared.current == old
    assert prepared.all == (old, prepared.following)
    assert tls.prepare_next(data, [], NOW) == prepared  # announced is announced
    assert tls.switch(data) == tls.Pins(prepared.following)
    with pytest.raises(ConfigError, match=r"tls-next\.key: is missing"):
        tls.switch(data)


GATE = Gate("g", "v", "Gate A", "c", Direction.ENTRY, public_key=b"k" * 32)
TOLD = {"pins": [(b"n" * 32).hex()]}


@pytest.mark.parametrize(
    ("gate", "knows"),
    [
        (GATE, False),
        (replace(GATE, last_status={"pins": [(b"o" * 32).hex()]}), False),
        (replace(GATE, last_status=TOLD), True),
        (replace(GATE, last_status={"pins": []}), True),  # it trusts a public certificate
        (replace(GATE, public_key=None), True),
        (replace(GATE, revoked_ms=1), True),
    ],
)
def test_a_gate_knows_the_next_pin_when_it_says_so(gate, knows):
    assert tls.knows_pin(gate, b"n" * 32) is knows


async def test_the_switch_waits_for_gates_that_would_be_left_behind(tmp_path, database, venue):
    data = tmp_path  # the fixture's database is the server's
    tls.ensure_certificate(data, ["localhost"], NOW)
    pins = await main.renew_tls(data, ["localhost"])
    async with database.write() as transaction:
        gate = await transaction.gates.gate("g0")
        await transaction.gates.save_gate(replace(gate, public_key=b"k" * 32))
    with pytest.raises(ConfigError, match="Gate A: not told of the next certificate yet"):
        await main.switch_tls(data, leave_behind=False)
    async with open_database(data / main.DATABASE) as opened, opened.write() as transaction:
        await transaction.gates.note_gate("g0", 1, {"pins": [pins.following.hex()]})
    assert (await main.switch_tls(data, leave_behind=False)).current == pins.following


def test_the_command_says_what_to_do_next(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(main, "Argon2id", lambda: main_hash())
    data = str(tmp_path / "server")
    assert portillon(["server", "init", "--data", data]) == 0
    capsys.readouterr()
    assert portillon(["server", "renew-tls", "--data", data, "--switch"]) == 1
    assert "run `portillon server renew-tls` first" in capsys.readouterr().err
    assert portillon(["server", "renew-tls", "--data", data]) == 0
    printed = capsys.readouterr().out
    assert "Start the server anew: it tells its gates." in printed
    assert portillon(["server", "renew-tls", "--data", data, "--switch"]) == 0
    digest = printed.partition("SHA-256 ")[2].split()[0]
    assert f"certificate is now: SHA-256 {digest}" in capsys.readouterr().out


def main_hash():
    from sync_server.password_hashing import Argon2id

    return Argon2id(memory_kib=64, passes=1)
