"""PINs are kept as slow hashes that only this user may read; a new one ends the old one."""

import json
import stat

import pytest

from appliance.errors import StorageError
from appliance.page_ports import PageRole, pin_problem
from appliance.storage import pin_file
from appliance.storage.pin_file import PIN_FILE, PinFile


@pytest.fixture
def pins(tmp_path):
    return PinFile(tmp_path)


async def test_a_pin_opens_its_own_role_alone(pins, tmp_path):
    await pins.choose(PageRole.SUPERVISOR, "804627")
    assert await PinFile(tmp_path).is_right(PageRole.SUPERVISOR, "804627")
    assert not await pins.is_right(PageRole.SUPERVISOR, "804628")
    assert not await pins.is_right(PageRole.STEWARD, "804627")
    assert not await pins.is_right(PageRole.STEWARD, "")


async def test_there_is_no_pin_before_one_is_chosen(pins):
    assert await pins.stamps() == {}
    assert not await pins.is_right(PageRole.SUPERVISOR, "")


async def test_neither_pin_nor_a_hash_without_salt_stands_in_the_file(pins, tmp_path):
    for role in PageRole:
        await pins.choose(role, "804627")
    file = tmp_path / PIN_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    known = json.loads(file.read_text())
    assert "804627" not in file.read_text()
    assert known["steward"]["digest"] != known["supervisor"]["digest"]
    assert all(one["n"] >= 1 << 15 for one in known.values())


async def test_another_pin_has_another_stamp_and_ends_the_one_before(pins):
    await pins.choose(PageRole.STEWARD, "4711")
    before = await pins.stamps()
    await pins.choose(PageRole.STEWARD, "4712")
    assert (await pins.stamps())[PageRole.STEWARD] != before[PageRole.STEWARD]
    assert not await pins.is_right(PageRole.STEWARD, "4711")


async def test_a_pin_can_be_taken_away(pins):
    await pins.choose(PageRole.STEWARD, "4711")
    await pins.choose(PageRole.STEWARD, "")
    assert await pins.stamps() == {}


@pytest.mark.parametrize(
    ("pin", "problem"),
    [("80462", "short"), ("0" * 65, "long"), ("000000", "plain"), ("123456", "plain"),
     ("987654", "plain"), ("804627", "")],
)  # fmt: skip
async def test_what_everybody_tries_first_is_no_pin(pins, pin, problem):
    assert pin_problem(PageRole.SUPERVISOR, pin) == problem
    if problem:
        with pytest.raises(ValueError, match=problem):
            await pins.choose(PageRole.SUPERVISOR, pin)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"supervisor": {"salt": "", "digest": "", "n": 1073741824}}',
        '{"supervisor": {"salt": "", "digest": "", "n": 3}}',
        '{"owner": {"salt": "", "digest": ""}}',
    ],
)
async def test_a_file_that_holds_no_pins_lets_nobody_in_and_says_so(pins, tmp_path, content):
    (tmp_path / PIN_FILE).write_text(content)
    with pytest.raises(StorageError, match="PIN"):
        await pins.is_right(PageRole.SUPERVISOR, "804627")


async def test_a_folder_that_takes_nothing_is_told(pins, tmp_path):
    (tmp_path / (PIN_FILE + ".part")).mkdir()
    with pytest.raises(StorageError, match="written"):
        await pins.choose(PageRole.STEWARD, "4711")
    assert await pins.stamps() == {}


async def test_the_hash_takes_its_memory(monkeypatch, pins):
    asked = []
    real = pin_file.hashlib.scrypt
    monkeypatch.setattr(
        pin_file.hashlib, "scrypt", lambda *a, **how: asked.append(how) or real(*a, **how)
    )
    await pins.choose(PageRole.STEWARD, "4711")
    assert 128 * asked[0]["n"] * asked[0]["r"] == 32 << 20
