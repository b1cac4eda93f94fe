"""No password or key that two installations have in common, and none in what is handed out."""

import re
from pathlib import Path
from typing import Final

import pytest

from portillon.__main__ import main as portillon
from sync_server import main, tls
from sync_server.password_hashing import Argon2id

ROOT: Final = Path(__file__).resolve().parent.parent
HANDED_OUT: Final = (
    *sorted((ROOT / "docs").rglob("*")),
    *sorted((ROOT / "systemd").rglob("*")),
    ROOT / "README.md",
    ROOT / "Makefile",
)
GIVEN: Final = re.compile(
    r"""(?ix) \b (password | passwd | secret | token | api[_-]?key | private[_-]?key)
    \s* [=:] \s* ["']? (?P<value> [^\s"'<>{}…]{4,} )"""
)


@pytest.fixture(autouse=True)
def quick_hash(monkeypatch):
    monkeypatch.setattr(main, "Argon2id", lambda: Argon2id(memory_kib=64, passes=1))


def _set_up(folder, capsys):
    assert portillon(["server", "init", "--data", str(folder)]) == 0
    return re.search(r"^  password: (\S+)$", capsys.readouterr().out, re.MULTILINE)[1]


def test_every_new_server_has_a_password_keys_and_a_certificate_of_its_own(tmp_path, capsys):
    secrets = []
    for name in ("one", "two"):
        folder = tmp_path / name
        password = _set_up(folder, capsys)
        keys = [path.read_bytes() for path in sorted(folder.rglob("*.key"))]
        assert len(password) >= 16
        assert len(keys) >= 2
        assert tls.KEY_FILE in {path.name for path in folder.rglob("*.key")}
        secrets.append({password.encode(), *keys})
    assert not secrets[0] & secrets[1]


def test_what_is_secret_of_a_new_server_is_its_owners_alone(tmp_path, capsys):
    folder = tmp_path / "server"
    password = _set_up(folder, capsys)
    assert folder.stat().st_mode & 0o077 == 0
    for path in folder.rglob("*"):
        if path.is_file():
            assert path.suffix not in {".key", ".db"} or path.stat().st_mode & 0o077 == 0, path
            assert password.encode() not in path.read_bytes(), path


def test_no_example_and_no_document_gives_a_secret():
    found = [
        f"{path.relative_to(ROOT)}: {given[0]}"
        for path in HANDED_OUT
        if path.is_file() and path.suffix in {".md", ".toml", ".service", ".conf", ""}
        for given in GIVEN.finditer(path.read_text("utf-8"))
    ]
    assert found == []


def test_a_given_secret_would_be_found():
    for text in ('password = "hunter2"', "TOKEN: abcd1234", "api_key='xyzw'"):
        assert GIVEN.search(text)
