"""The configuration file is checked whole; every error names file, key and remedy."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from sync_server.config import ServerConfig, Tls, load_config
from sync_server.errors import ConfigError
from sync_server.keys import make_key, read_key


def _refusal(tmp_path, text):
    path = tmp_path / "server.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert caught.value.message.startswith(str(path))
    return caught.value.message.removeprefix(f"{path}: ")


def test_without_a_file_the_server_listens_on_this_machine_only():
    assert ServerConfig().host == "127.0.0.1"


def test_a_file_may_say_everything(tmp_path):
    path = tmp_path / "server.toml"
    path.write_text('data = "/srv/p"\nhost = "0.0.0.0"\nport = 9000\ntls = "proxy"\n')
    assert load_config(path) == ServerConfig(Path("/srv/p"), "0.0.0.0", 9000, Tls.PROXY)


def test_an_empty_file_is_the_defaults(tmp_path):
    path = tmp_path / "server.toml"
    path.write_text("")
    assert load_config(path) == ServerConfig()


PORT = "port: must be a whole number from 1 to 65535, such as port = 8080; got "
TLS = 'tls: must be one of "off", "proxy", "own", such as tls = "own"; got '
ADDRESSES = 'addresses: must be a list of addresses, such as addresses = ["https://10.0.0.5:8080"]'
NO_ADDRESS = "addresses: '{}' is no address that gates can use; write https://HOST[:PORT]"
OPEN = (
    "host: 0.0.0.0 is open to the network, where nothing may travel in clear; say tls ="
    ' "own", or put a web server with TLS before it and say tls = "proxy", or listen on 127.0.0.1'
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot = 1", "prot: is not a setting; did you mean 'port'?"),
        ("whatever = 1", "whatever: is not a setting; remove it"),
        ('port = "80"', PORT + "'80'"),
        ("port = true", PORT + "True"),
        ("port = 0", PORT + "0"),
        ("port = 65536", PORT + "65536"),
        ("tls = 1", TLS + "1"),
        ('tls = "yes"', TLS + "'yes'"),
        ("addresses = 1", ADDRESSES + "; got 1"),
        ('tls = "own"\naddresses = ["http://a"]', NO_ADDRESS.format("http://a")),
        ('tls = "own"\naddresses = ["https://a/b"]', NO_ADDRESS.format("https://a/b")),
        ('tls = "own"\naddresses = ["https://é"]', NO_ADDRESS.format("https://é")),
        ('addresses = ["https://a"]', NO_ADDRESS.format("https://a")),
        (
            f'tls = "own"\naddresses = {["https://a"] * 5}',
            "addresses: more than 4; keep the nearest ones",
        ),
        (
            'host = "x"',
            "host: must be an IP address in quotes, such as host = \"127.0.0.1\"; got 'x'",
        ),
        ('host = "0.0.0.0"', OPEN),
        ("data = 5", 'data: must be a text in quotes, such as data = "/var/lib/p"; got 5'),
    ],
)
def test_a_wrong_setting_is_named_with_its_remedy(tmp_path, text, message):
    assert _refusal(tmp_path, text) == message


def test_what_is_no_toml_or_no_text_is_said_to_be_so(tmp_path):
    assert _refusal(tmp_path, "port =").startswith("not TOML: ")
    assert _refusal(tmp_path, b"\xff") == "not UTF-8 at byte 0; save it as UTF-8"


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot be read .*; give --config FILE"):
        load_config(tmp_path / "nothing.toml")


def test_a_key_is_written_once_and_read_by_its_owner_only(tmp_path):
    path = tmp_path / "list-signing.key"
    make_key(path, b"k" * 32)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_key(path) == b"k" * 32
    with pytest.raises(ConfigError, match="never written over"):
        make_key(path, b"l" * 32)
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="others may read it; run chmod 600"):
        read_key(path)


@pytest.mark.parametrize("content", [b"", b"short", b"k" * 33])
def test_what_is_no_key_is_refused(tmp_path, content):
    path = tmp_path / "list-signing.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="no key of 32 bytes"):
        read_key(path)


def test_a_missing_key_leads_to_the_set_up(tmp_path):
    with pytest.raises(ConfigError, match="run `portillon server init`"):
        read_key(tmp_path / "list-signing.key")


def test_the_example_that_is_shipped_loads_and_shows_every_setting_with_its_default(tmp_path):
    example = Path(__file__).parents[2] / "docs" / "examples" / "server.toml"
    assert load_config(example) == ServerConfig(data=Path("/var/lib/portillon-server"))
    text = re.sub(r"(?m)^#(?=\w+ = )", "", example.read_text("utf-8"))
    path = tmp_path / "server.toml"
    path.write_text(text.replace('tls = "off"', 'tls = "own"'))
    shown = load_config(path)
    assert (shown.host, shown.port) == (ServerConfig().host, ServerConfig().port)
    assert all(re.search(rf"(?m)^{one.name} = ", text) for one in fields(ServerConfig))
