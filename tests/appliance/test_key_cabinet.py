"""Where a gate keeps list keys: as the signed list allows, never more, and nothing once wiped."""

import sqlite3
import struct
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admission.errors import ListFormatError, SignatureError
from admission.ticketlist.key_storage import KeyStorage
from admission.ticketlist.manifest import decode_manifest, encode_manifest
from admission.trust.sealing import BOX_NONCE_BYTES, close_box, open_box
from admission.verdict import Answer
from appliance.errors import StorageError
from appliance.ports import DeviceSecret
from appliance.simulator.imagined_secret import ImaginedSecret
from appliance.storage import device_secrets
from appliance.storage.database import open_database
from appliance.storage.device_secrets import FileSecret, OtpSecret
from linked_gate import linked
from list_shelf import CHIP, admits, listed, offer, open_shelf

FILE, SEALED, MEMORY = KeyStorage
SECRET = b"a key of this performance only !"
OTHER_CHIP = ImaginedSecret(b"d" * 32)
NO_CHIP = ImaginedSecret(None)


def _list(version: int, storage: KeyStorage):
    return listed(version, "T1", list_key=SECRET, key_storage=storage)


def _holds_key(folder: Path) -> bool:
    """Look for the key's bytes in every file, the database's log included."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.name.startswith("journal.sqlite") for path in found)
    return any(SECRET in path.read_bytes() for path in found)


@pytest.mark.parametrize(
    ("storage", "kept", "on_disk"),
    [(FILE, "file", True), (SEALED, "sealed_otp", False), (MEMORY, "memory", False)],
)
async def test_a_key_is_kept_as_its_list_says(tmp_path, storage, kept, on_disk):
    async with open_shelf(tmp_path) as shelf:
        assert await offer(shelf, _list(1, storage))
        assert admits(shelf, "T1")
        assert shelf.keeper.keys_kept == {"show": kept}
        assert _holds_key(tmp_path) == on_disk
    assert _holds_key(tmp_path) == on_disk


async def test_a_list_that_says_nothing_has_its_key_sealed(tmp_path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, listed(1, "T1"))
        assert shelf.keeper.keys_kept == {"show": "sealed_otp"}


@pytest.mark.parametrize("storage", KeyStorage)
async def test_no_log_ever_holds_a_key(tmp_path, caplog, storage):
    caplog.set_level(1)
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, _list(1, storage))
    async with open_shelf(tmp_path):
        pass
    told = "\n".join(repr(vars(record)) + record.getMessage() for record in caplog.records)
    assert "list key kept" in told
    assert SECRET.decode() not in told
    assert SECRET.hex() not in told


@pytest.mark.parametrize("storage", [FILE, SEALED])
async def test_a_key_that_was_kept_needs_no_server_after_a_restart(tmp_path, storage):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, _list(1, storage))
    async with open_shelf(tmp_path) as shelf:
        assert admits(shelf, "T1")
        assert shelf.link.requests == []


async def test_a_key_that_is_never_written_is_fetched_again_after_a_restart(tmp_path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, _list(1, MEMORY), version=1)
    async with open_shelf(tmp_path) as shelf:
        assert shelf.holdings.get("show") is None  # and its scans are `list_untrusted`
        assert await offer(shelf, _list(1, MEMORY), version=1)
        assert admits(shelf, "T1")
        assert "list_key show" in shelf.link.requests
        assert not [one for one in shelf.link.requests if one.startswith("download")]
    assert not _holds_key(tmp_path)


async def test_a_gate_that_boots_offline_without_its_key_says_that_it_has_no_list(
    tmp_path, open_gate
):
    first = {"key_storage": MEMORY}
    async with open_gate(["T1"], **first) as gate:
        assert (await gate.scan("T1")).answer is Answer.GRANTED
    async with open_gate(["T1"], is_offline=True, **first) as gate:
        assert gate.display.last.look.value == "waiting_list"
        assert (await gate.scan("T1")).answer is Answer.LIST_UNTRUSTED
        await gate.keeper.refresh(gate.link)
        gate.health.changed()
        await gate.later(1)  # a refusal stands for so long
        assert (await gate.scan("T1")).answer is Answer.ALREADY_USED


@pytest.mark.parametrize("before", KeyStorage)
@pytest.mark.parametrize("after", KeyStorage)
async def test_a_list_that_says_otherwise_is_obeyed_at_once_and_after_a_restart(
    tmp_path, before, after
):
    words = {FILE: "file", SEALED: "sealed_otp", MEMORY: "memory"}
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, _list(1, before), version=1)
        assert await offer(shelf, _list(2, after), version=2)
        assert shelf.keeper.keys_kept == {"show": words[after]}
        assert _holds_key(tmp_path) == (after is FILE)
    assert _holds_key(tmp_path) == (after is FILE)
    async with open_shelf(tmp_path) as shelf:
        assert (shelf.holdings.get("show") is not None) == (after is not MEMORY)


async def test_a_change_that_was_cut_off_is_made_good_at_the_next_start(tmp_path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, _list(1, MEMORY))
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as connection:
        connection.execute("INSERT INTO list_keys VALUES ('show', 'file', ?)", [SECRET])
        connection.commit()
    assert _holds_key(tmp_path)
    async with open_shelf(tmp_path) as shelf:
        assert admits(shelf, "T1")  # for this time: it was there
        assert shelf.keeper.keys_kept == {"show": "memory"}
        assert not _holds_key(tmp_path)


async def test_a_card_in_another_machine_opens_nothing(tmp_path):
    async with open_shelf(tmp_path, secrets=[CHIP]) as shelf:
        await offer(shelf, _list(1, SEALED))
    for secrets in ([OTHER_CHIP], [NO_CHIP], [], [ImaginedSecret(b"c" * 32, "file_beside")]):
        async with open_shelf(tmp_path, secrets=secrets) as shelf:
            assert shelf.holdings.get("show") is None
            assert shelf.keeper.keys_kept == {}
    async with open_shelf(tmp_path, secrets=[OTHER_CHIP]) as shelf:  # which the server then trusts
        await offer(shelf, _list(1, SEALED))
        assert shelf.keeper.keys_kept == {"show": "sealed_otp"}
    async with open_shelf(tmp_path, secrets=[OTHER_CHIP]) as shelf:
        assert admits(shelf, "T1")


async def test_without_any_device_secret_a_key_that_is_to_be_sealed_stays_in_memory(
    tmp_path, caplog
):
    broken = tmp_path / "folder"
    broken.mkdir()
    (tmp_path / "data").mkdir()
    for secrets in ([NO_CHIP], [FileSecret(broken)]):
        async with open_shelf(tmp_path / "data", secrets=secrets) as shelf:
            await offer(shelf, _list(1, SEALED))
            assert shelf.keeper.keys_kept == {"show": "memory"}
            assert not _holds_key(tmp_path)
    assert "no device secret" in caplog.text


async def test_the_best_secret_that_there_is_seals(tmp_path):
    beside = FileSecret(tmp_path / "secret")
    (tmp_path / "data").mkdir()
    async with open_shelf(tmp_path / "data", secrets=[NO_CHIP, beside]) as shelf:
        await offer(shelf, _list(1, SEALED))
        assert shelf.keeper.keys_kept == {"show": "sealed_file_beside"}
    async with open_shelf(tmp_path / "data", secrets=[CHIP, beside]) as shelf:
        assert admits(shelf, "T1")  # opened by the one, sealed anew by the other
        assert shelf.keeper.keys_kept == {"show": "sealed_otp"}
    (tmp_path / "secret").unlink()
    async with open_shelf(tmp_path / "data", secrets=[CHIP, beside]) as shelf:
        assert admits(shelf, "T1")


async def test_a_key_of_another_list_is_not_used(tmp_path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, _list(1, FILE))
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as connection:
        connection.execute("UPDATE list_keys SET content = ?", [bytes(32)])
        connection.commit()
    async with open_shelf(tmp_path) as shelf:
        assert shelf.holdings.get("show") is None
        await offer(shelf, _list(1, FILE))
        assert admits(shelf, "T1")


async def test_a_list_that_stands_in_does_not_open_what_was_sealed_since(tmp_path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, _list(1, FILE), version=1)
        await offer(shelf, _list(2, SEALED), version=2)
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as connection:
        connection.execute("UPDATE lists SET manifest = x'00'")
        connection.commit()
    async with open_shelf(tmp_path) as shelf:
        assert admits(shelf, "T1")
        assert shelf.holdings.version("show") == 1
        assert shelf.keeper.keys_kept == {"show": "sealed_otp"}
        assert not _holds_key(tmp_path)


async def test_the_list_to_fall_back_on_survives_a_restart_without_the_key(tmp_path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, _list(1, MEMORY), version=1)
        await offer(shelf, _list(2, MEMORY), version=2)
        (before,) = await shelf.memory.lists()
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, _list(2, MEMORY), version=2)
        assert await shelf.memory.lists() == [before]
        assert before.before is not None


async def test_a_database_of_the_first_release_gives_its_keys_over_and_keeps_no_copy(tmp_path):
    path = tmp_path / "journal.sqlite"
    signed = _list(1, SEALED)
    schema = Path(device_secrets.__file__).parent / "schema" / "0001_journal.sql"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(schema.read_text("utf-8"))
        connection.execute(
            "INSERT INTO lists VALUES ('show', 1, ?, ?, ?)",
            [signed.manifest.chain, signed.envelope, SECRET],
        )
        connection.execute("PRAGMA user_version = 1")
        connection.commit()
    (tmp_path / "lists").mkdir()
    snapshot = signed.manifest.snapshot.sha256
    (tmp_path / "lists" / f"{snapshot}.tgl").write_bytes(signed.piece(snapshot))
    assert _holds_key(tmp_path)
    async with open_shelf(tmp_path) as shelf:
        assert admits(shelf, "T1")
        assert shelf.keeper.keys_kept == {"show": "sealed_otp"}
    assert not _holds_key(tmp_path)


async def test_the_server_is_told_what_is_really_done(open_gate):
    async with linked(open_gate) as gate:
        assert gate.uplink.status().keys == {"show": "sealed_otp"}


def test_a_way_of_keeping_that_is_unknown_is_no_list():
    raw = encode_manifest(_list(1, FILE).manifest)
    assert b'"key_storage":"file"' in raw
    with pytest.raises(ListFormatError, match="key_storage"):
        decode_manifest(raw.replace(b'"file"', b'"paper"'))


@given(st.binary(max_size=64), st.binary(min_size=16, max_size=64), st.binary(max_size=20))
def test_a_box_opens_with_its_own_key_and_context_only(secret, key, context):
    box = close_box(secret, key, context, bytes(BOX_NONCE_BYTES))
    assert open_box(box, key, context) == secret
    for wrong in (
        (box, key + b"x", context),
        (box, key, context + b"x"),
        (box[:-1], key, context),
        (box[:20], key, context),
        (b"", key, context),
        (bytes([box[0] ^ 1]) + box[1:], key, context),
    ):
        with pytest.raises(SignatureError):
            open_box(*wrong)


# --- secrets of the device ------------------------------------------------------------------------

ROWS = (0xF8DBC7B0, 0xA4FCFB1D, 0x706E298A, 0xC9D0485C, 1, 2, 3, 4)


def _firmware(rows=ROWS, code=0x80000000, tag_code=0x80000028):
    def exchange(request: bytes) -> bytes:
        assert struct.unpack("<16I", request) == (64, 0, 0x30081, 40, 40, 0, 8, *[0] * 9)
        return struct.pack("<16I", 64, code, 0x30081, 40, tag_code, 0, 8, *rows, 0)

    return exchange


async def test_a_board_with_a_private_key_yields_the_same_secret_every_time():
    one = await OtpSecret(_firmware()).read()
    assert one is not None
    assert len(one) == 32
    assert one == await OtpSecret(_firmware()).read()
    assert one != await OtpSecret(_firmware((*ROWS[:7], 5))).read()
    assert struct.pack(">8I", *ROWS) not in one


def _cut_off(request: bytes) -> bytes:
    return request[:20]


def _closed(request: bytes) -> bytes:
    raise PermissionError


@pytest.mark.parametrize(
    "exchange",
    [
        _firmware([0] * 8),
        _firmware(code=0x80000001),
        _firmware(tag_code=0),
        _cut_off,
        _closed,
    ],
    ids=["never programmed", "error", "tag unknown", "cut off", "not allowed"],
)
async def test_a_board_without_one_yields_none(exchange):
    assert await OtpSecret(exchange).read() is None


async def test_this_machine_is_no_such_board():
    assert await OtpSecret().read() is None


async def test_a_secret_in_a_file_is_made_once_for_its_owner_alone(tmp_path):
    path = tmp_path / "beside" / "secret"
    one: DeviceSecret = FileSecret(path)
    secret = await one.read()
    assert secret is not None
    assert len(secret) == 32
    assert path.stat().st_mode & 0o077 == 0
    assert await FileSecret(path).read() == secret
    assert list(path.parent.iterdir()) == [path]
    assert await FileSecret(tmp_path / "other").read() != secret


async def test_a_secret_that_others_may_read_or_that_is_cut_off_is_not_used(tmp_path):
    path = tmp_path / "secret"
    await FileSecret(path).read()
    path.chmod(0o640)
    with pytest.raises(StorageError, match="chmod 600"):
        await FileSecret(path).read()
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(StorageError, match="no device secret"):
        await FileSecret(path).read()


async def test_a_cut_in_the_making_leaves_no_half_secret(tmp_path, monkeypatch):
    path = tmp_path / "secret"
    monkeypatch.setattr(device_secrets.secrets, "token_bytes", lambda size: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        await FileSecret(path).read()
    monkeypatch.undo()
    assert not path.exists()
    assert await FileSecret(path).read() is not None


async def test_what_is_deleted_is_overwritten(tmp_path):
    async with open_database(tmp_path / "journal.sqlite") as connection:
        ((is_on,),) = await connection.execute_fetchall("PRAGMA secure_delete")
    assert is_on == 1
