"""`portillon gate try-display`: everything is shown once, in every language, gate or no gate."""

import asyncio

from appliance.config import load_config
from appliance.displays.appearance import appearance_of
from appliance.displays.signals import pattern_of
from appliance.faces_trial import SCREENS, try_faces
from appliance.ports import Look
from appliance.simulator.virtual_clock import VirtualClock
from portillon.__main__ import main

HEAD = 'data = "d"\nserver = "http://127.0.0.1:1"\nlanguages = ["fr", "en"]\n'
READER = '[[readers]]\nkind = "folder"\nfolder = "f"\n'
LAMP = '[signals]\nkind = "gpio"\npin_factory = "mock"\nlamp_dims = false\n'
PICTURE = '[display]\nkind = "picture"\n'


def configured(tmp_path, tables):
    path = tmp_path / "gate.toml"
    path.write_text(HEAD + READER + tables, "utf-8")
    return load_config(path)


async def tried(tmp_path, tables) -> tuple[bool, list[str]]:
    told: list[str] = []
    clock = VirtualClock()
    async with asyncio.TaskGroup() as tasks:
        trial = tasks.create_task(try_faces(configured(tmp_path, tables), clock, 3.0, told.append))
        for _ in range(400):
            if trial.done():
                break
            await clock.run(1.0)
            await asyncio.sleep(0.001)  # pictures are drawn in a thread
    return trial.result(), told


async def test_all_is_told_once_in_every_language(tmp_path):
    is_well, told = await tried(tmp_path, PICTURE + LAMP)
    assert is_well
    assert len(told) == 2 * len(SCREENS)
    assert any("Déjà utilisé. 19:02 · ici" in line for line in told)
    assert any("Already used. 19:02 · here" in line for line in told)


def test_every_light_and_every_sound_is_among_them():
    """What a lamp and a buzzer can do is all seen and heard while a lane is wired."""
    refusals = {appearance_of(screen).hue for screen in SCREENS if screen.look is Look.DENIED}
    assert len(refusals) == 5
    sounds = {pattern_of(screen).sound for screen in SCREENS}
    assert len(sounds) == 8
    assert {Look.FREE_PASSAGE, Look.LOCKED_DOWN} <= {screen.look for screen in SCREENS}


async def test_a_device_that_does_not_answer_is_told_and_the_others_go_on(tmp_path):
    is_well, told = await tried(tmp_path, '[display]\nkind = "oled"\nbus = 31\n' + LAMP)
    assert not is_well
    assert any("cannot be opened: I2C device not found" in line for line in told)
    assert len([line for line in told if not line.startswith("  ")]) == 2 * len(SCREENS)


async def test_a_gate_without_faces_is_told_so(tmp_path):
    is_well, told = await tried(tmp_path, "")
    assert not is_well
    assert told[0] == "there is no display and no light: see [display] and [signals]"


def test_the_command_says_what_should_be_seen(tmp_path, capsys):
    configured(tmp_path, LAMP)
    command = ["gate", "try-display", "--seconds", "0.001", "--config", str(tmp_path / "gate.toml")]
    assert main(command) == 0
    assert "free_passage: Sortie libre." in capsys.readouterr().out
