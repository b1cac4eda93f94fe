"""`portillon server` as people run it."""

import asyncio
import re
import signal
import sqlite3
import sys
from contextlib import closing

import aiohttp
import pytest

from portillon.__main__ import main as portillon
from sync_server import main
from sync_server.password_hashing import Argon2id


@pytest.fixture(autouse=True)
def quick_hash(monkeypatch):
    monkeypatch.setattr(main, "Argon2id", lambda: Argon2id(memory_kib=64, passes=1))


def _password(printed):
    return re.search(r"^  password: (\S+)$", printed, re.MULTILINE)[1]


def test_init_prints_login_and_password_once(tmp_path, capsys):
    data = str(tmp_path / "server")
    assert portillon(["server", "init", "--data", data, "--login", "anna"]) == 0
    printed = capsys.readouterr().out
    assert f"{data} is set up." in printed
    assert "  login:    anna\n" in printed
    assert len(_password(printed)) >= 12
    assert portillon(["server", "init", "--data", data, "--login", "anna"]) == 0
    assert capsys.readouterr().out == f"{data} is set up already; nothing was changed.\n"


def test_further_logins_are_made_with_their_role(tmp_path, capsys):
    data = str(tmp_path)
    portillon(["server", "init", "--data", data])
    assert portillon(["server", "add-user", "--data", data, "--login", "bob"]) == 0
    assert _password(capsys.readouterr().out)
    assert portillon(["server", "add-user", "--data", data, "--login", "bob"]) == 1
    assert capsys.readouterr().err == "portillon server: another user has this login\n"


def _numbering(data):
    with closing(sqlite3.connect(data / "portillon.db")) as connection:
        return connection.execute("SELECT name FROM feed_numbering").fetchall()


def test_each_server_names_its_feeds_numbers_for_itself_and_anew_when_told(tmp_path, capsys):
    one, other = tmp_path / "one", tmp_path / "other"
    portillon(["server", "init", "--data", str(one)])
    portillon(["server", "init", "--data", str(other)])
    ((before,),), ((others,),) = _numbering(one), _numbering(other)
    assert before != others
    portillon(["server", "init", "--data", str(one)])
    assert _numbering(one) == [(before,)]
    capsys.readouterr()
    assert portillon(["server", "renumber", "--data", str(one)]) == 0
    assert "every gate reads its feeds from the start" in capsys.readouterr().out
    ((after,),) = _numbering(one)
    assert after not in {before, others}


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["renumber", "--data", "{folder}"], 1, "run `portillon server init`"),
        (["run", "--data", "{folder}"], 1, "run `portillon server init`"),
        (["run", "--config", "{folder}/none.toml"], 78, "none.toml: cannot be read"),
        (["run", "--data", "{folder}", "--port", "0"], 78, "command line: port: must be"),
        (
            ["run", "--data", "{folder}", "--host", "0.0.0.0"],
            78,
            "where nothing may travel in clear",
        ),
        (["init", "--config", "{folder}/none.toml"], 1, "none.toml: cannot be read"),
        (["add-user", "--data", "{folder}", "--login", "x"], 1, "run `portillon server init`"),
        (["init", "--data", "/proc/nothing"], 1, "/proc/nothing: cannot be made"),
    ],
)
def test_what_goes_wrong_is_said_with_its_remedy(tmp_path, capsys, arguments, status, message):
    """78 keeps systemd from starting anew what only a person can mend."""
    words = [word.replace("{folder}", str(tmp_path)) for word in arguments]
    assert portillon(["server", *words]) == status
    assert message in capsys.readouterr().err


async def test_it_serves_until_told_to_stop_and_then_ends_in_good_order(tmp_path, unused_tcp_port):
    await main.init_server(tmp_path, "anna")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "portillon", "server", "run",
        "--data", str(tmp_path), "--port", str(unused_tcp_port), "--log", "json",
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        ready = await process.stderr.readline()
        assert b'"event": "server ready"' in ready
        address = f"http://127.0.0.1:{unused_tcp_port}/login"
        async with aiohttp.request("GET", address) as response:
            assert response.status == 200
        process.send_signal(signal.SIGTERM)
        rest = await process.stderr.read()
        assert await process.wait() == 0
    assert b'"event": "server stopped"' in rest
    assert b"Traceback" not in rest
    assert not (tmp_path / "portillon.db-wal").exists()


def test_a_bundle_is_taken_in_shown_and_withdrawn(tmp_path, capsys):
    data, bundle = str(tmp_path / "server"), tmp_path / "gate.raucb"
    portillon(["server", "init", "--data", data])
    bundle.write_bytes(b"hsqs" + bytes(5000))
    adding = ["server", "add-release", str(bundle), "--version", "0.2.0+5", "--data", data]
    adding += ["--compatible", "portillon-gate-debian-arm64"]
    assert portillon(adding) == 0
    assert "0.2.0+5 for portillon-gate-debian-arm64 is here: 5004" in capsys.readouterr().out
    kept = list((tmp_path / "server/bundles").iterdir())
    assert [path.read_bytes() for path in kept] == [bundle.read_bytes()]
    assert portillon(adding) == 1
    assert "is here already; withdraw it first" in capsys.readouterr().err
    assert portillon(["server", "releases", "--data", data]) == 0
    line = capsys.readouterr().out
    assert line.split()[1:] == ["0.2.0+5", "portillon-gate-debian-arm64", "5004", "offered"]
    assert portillon(["server", "withdraw-release", line.split()[0], "--data", data]) == 0
    assert list((tmp_path / "server/bundles").iterdir()) == []
    capsys.readouterr()
    portillon(["server", "releases", "--data", data])
    assert capsys.readouterr().out.split()[-1] == "withdrawn"


def test_what_cannot_be_a_release_is_refused_by_name(tmp_path, capsys):
    data, none = str(tmp_path / "server"), str(tmp_path / "none.raucb")
    given = ["--version", "0.2.0", "--compatible", "portillon-gate-debian-arm64", "--data", data]
    assert portillon(["server", "add-release", __file__, *given]) == 1
    assert "run `portillon server init`" in capsys.readouterr().err
    portillon(["server", "init", "--data", data])
    capsys.readouterr()
    assert portillon(["server", "add-release", none, *given]) == 1
    assert f"{none}: cannot be read" in capsys.readouterr().err
    assert portillon(["server", "add-release", __file__, *given]) == 1
    assert "this is no update bundle" in capsys.readouterr().err
    assert portillon(["server", "withdraw-release", "nobody", "--data", data]) == 1
    assert "no such release" in capsys.readouterr().err
