"""The set-up page: the file whole, nothing kept that would not start, and nobody's change lost."""

import stat

import pytest

from appliance.errors import StorageError
from appliance.page_ports import GateDesk, PageRole
from appliance.simulator.virtual_clock import VirtualClock
from appliance.storage import settings_file
from appliance.storage.settings_file import SettingsFile
from gate_visitor import both_pins, pages_of, visiting

SET_UP = "/gate/set-up"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "gate.toml"
    path.write_text(f'data = "{tmp_path}/data"\n[[readers]]\nkind = "serial"\nport = "/dev/x"\n')
    path.chmod(0o644)
    return path


async def test_a_good_change_is_kept_with_the_one_before_beside_it(file):
    settings = SettingsFile(file)
    before = await settings.read()
    changed = before.text + "[page]\nport = 8080\n"
    assert await settings.save(changed, before.digest) == ""
    assert file.read_text() == changed
    assert file.with_name("gate.toml.before").read_text() == before.text
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert not file.with_name("gate.toml.part").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("data = 1", "data: must be a text"),
        ("no toml", "not TOML"),
        ('data = "d"\nfoo = 1\n[[readers]]\nkind = "serial"\nport = "x"', "foo: is not a setting"),
        ("x" * 70_000, "over 65536 bytes"),
    ],
)
async def test_what_would_not_start_is_not_kept_and_the_reason_names_no_other_file(
    file, text, words
):
    settings = SettingsFile(file)
    before = await settings.read()
    problem = await settings.save(text, before.digest)
    assert words in problem
    assert "/tmp/" not in problem
    assert (await settings.read()) == before


async def test_a_change_over_a_change_of_somebody_else_is_refused(file):
    settings = SettingsFile(file)
    before = await settings.read()
    file.write_text(before.text + "# by hand\n")
    assert await settings.save(before.text, before.digest) == "changed"
    assert "# by hand" in file.read_text()


async def test_a_card_that_takes_nothing_leaves_the_file_as_it_is(file, monkeypatch):
    def failing(handle):
        raise OSError(30, "read only")

    settings = SettingsFile(file)
    before = await settings.read()
    monkeypatch.setattr(settings_file.os, "fsync", failing)
    with pytest.raises(StorageError, match="written"):
        await settings.save(before.text + "# more\n", before.digest)
    assert (await settings.read()) == before


async def test_the_page_checks_keeps_and_tells(file):
    desk = GateDesk("A", settings=SettingsFile(file))
    async with visiting(pages_of(VirtualClock(), desk)) as visitor:
        await visitor.log_in(PageRole.STEWARD)
        await visitor.get(SET_UP)
        assert visitor.status == 403
        await visitor.post("/gate/logout")
        await visitor.log_in()
        await visitor.get(SET_UP)
        assert "/dev/x" in visitor.body
        before = file.read_text()
        seen = (await desk.settings.read()).digest
        await visitor.post(SET_UP, text="a <b> = ", seen=seen, do="save")
        assert visitor.status == 400
        assert "not TOML" in visitor.body
        assert "a &lt;b&gt; = " in visitor.body  # what was typed is not lost
        await visitor.post(SET_UP, text=before.replace("\n", "\r\n"), seen=seen, do="check")
        assert "not kept yet" in visitor.body
        changed = before + "# more\n"
        await visitor.post(SET_UP, text=changed.replace("\n", "\r\n"), seen=seen, do="save")
        assert "Start the gate again" in visitor.body
        assert file.read_text() == changed


async def test_the_stewards_pin_is_chosen_here(file):
    pins = both_pins()
    async with visiting(pages_of(VirtualClock(), GateDesk("A"), pins)) as visitor:
        await visitor.log_in()
        await visitor.get(SET_UP)
        await visitor.post(f"{SET_UP}/pin", pin="1234", again="1234")
        assert "Too plain" in visitor.body
        await visitor.post(f"{SET_UP}/pin", pin="4821", again="4822")
        assert "not the same" in visitor.body
        await visitor.post(f"{SET_UP}/pin", pin="4821", again="4821")
        assert pins.pins[PageRole.STEWARD] == "4821"
