"""docs/operations/keys.md, followed to the letter by its commands; a gate follows the roots."""

import re
import shlex
from pathlib import Path

import pytest

from admission.trust.root import Role, first_root, next_root, signers
from portillon.__main__ import main as portillon
from sync_server import main
from sync_server.password_hashing import Argon2id

PAGE = Path(__file__).parents[2] / "docs/operations/keys.md"


def commands():
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return [shlex.split(line)[2:] for line in "".join(blocks).splitlines() if line.startswith("$ ")]


@pytest.fixture
def place(tmp_path, monkeypatch, capsys):
    """Give a folder with a server in it, to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(main, "Argon2id", lambda: Argon2id(memory_kib=64, passes=1))
    assert portillon(["server", "init", "--data", "server"]) == 0
    capsys.readouterr()
    return tmp_path


def root_key(place):
    (path,) = (place / "server/keys").glob("root-*.key")
    return path


def test_the_ceremony_of_the_manual_goes_through_and_a_gate_follows_it(place, capsys):
    (place / "server/keys/root.key").hardlink_to(root_key(place))  # as the manual calls it
    said = []
    for words in commands():
        assert portillon(words) == 0, (words, capsys.readouterr().err)
        said.append(capsys.readouterr().out)
    everything = "\n".join(said)
    assert "It still needs 1 of its own root keys and 1 of the root's before" not in said[-1]
    assert "The root's keys lie on this server" in said[0]
    assert "It has every signature that it needs." in everything
    assert "No longer used, to be destroyed:" in everything
    assert re.search(r"Root 3 is installed", everything)
    first = first_root((place / "root-1.json").read_bytes(), None)
    second = next_root(first, (place / "root-2.json").read_bytes())
    third = next_root(second, (place / "root-3.json").read_bytes())
    assert len(signers(second, Role.ROOT).keys) == 3
    assert second.roles[Role.ROOT].threshold == 2
    assert signers(third, Role.LIST) != signers(second, Role.LIST)
    assert signers(third, Role.STATUS) == signers(first, Role.STATUS)


def test_every_role_can_be_rotated_at_once_where_the_root_is_on_the_server(place, capsys):
    for version, role in enumerate(Role, 2):
        words = ["trust", "rotate", "--data", "server", "--role", role.value]
        assert portillon(words) == 0, capsys.readouterr().err
        assert f"Role {role.value} has a new key" in capsys.readouterr().out
        assert portillon(["trust", "show", "--data", "server"]) == 0
        shown = capsys.readouterr().out
        assert f"Root {version} of Portillon" in shown
        assert shown.count("No longer used") == version - 1


def test_a_draft_that_lacks_signatures_is_not_installed(place, capsys):
    portillon(["trust", "key", "anna.key"])
    portillon(["trust", "draft", "--data", "server", "--out", "r.json", "--root", "anna.pub"])
    capsys.readouterr()
    assert portillon(["trust", "install", "r.json", "--data", "server"]) == 1
    assert "signed by 0 of the 1" in capsys.readouterr().err
    assert portillon(["trust", "show", "r.json"]) == 0
    assert "still missing: 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("show --data nowhere", "is no server's folder; run `portillon server init`"),
        ("show nothing.json", "nothing.json: cannot be read"),
        ("key server/portillon.db", "is there already; a key is never written over"),
        ("key nowhere/x.key", "nowhere/x.key"),
        ("draft --data server --out r.json --root nothing.pub", "no public key can be read"),
        ("draft --data server --out r.json --root short.pub", "2 bytes are no public key"),
        ("draft --data server --out r.json --threshold root", "write ROLE=N"),
        ("draft --data server --out r.json --threshold root=5", "needs 5 of 1 keys"),
        ("draft --data server --out nowhere/r.json", "nowhere/r.json: cannot be written"),
        ("sign short.pub --key anna.key", "not a signed envelope"),
        ("install short.pub --data server", "not a signed envelope"),
    ],
)
def test_what_goes_wrong_is_told_with_its_remedy(place, capsys, words, told):
    (place / "short.pub").write_text("abcd\n")
    portillon(["trust", "key", "anna.key"])
    capsys.readouterr()
    assert portillon(["trust", *words.split()]) == 1
    assert told in capsys.readouterr().err


def test_a_key_that_may_not_sign_is_told_so(place, capsys):
    portillon(["trust", "key", "anna.key"])
    portillon(["trust", "draft", "--data", "server", "--out", "r.json"])
    assert portillon(["trust", "sign", "r.json", "--key", "anna.key"]) == 1
    assert "is no root key" in capsys.readouterr().err


def test_private_keys_are_for_nobody_else_to_read(place):
    portillon(["trust", "key", "anna.key"])
    assert (place / "anna.key").stat().st_mode & 0o077 == 0
    assert len((place / "anna.pub").read_text()) == 65
