"""`portillon gate`: what it ends with, and how little is loaded to turn a relay off."""

import subprocess
import sys

from portillon.__main__ import main

ARM = """
import sys
from portillon.__main__ import main
status = main(["gate", "rest-arm", "--config", sys.argv[1]])
print(status, *sorted(set(sys.modules) & {"aiohttp", "aiosqlite", "numpy", "PIL", "zeroconf"}))
"""


def config(folder, **more):
    path = folder / "gate.toml"
    lines = [f'data = "{folder}/data"', *(f'{key} = "{value}"' for key, value in more.items())]
    readers = '[[readers]]\nkind = "folder"\nfolder = "pictures"'
    turnstile = '[turnstile]\nkind = "relay"\nentry_pin = 17\npin_factory = "mock"'
    path.write_text("\n".join([*lines, readers, turnstile]))
    return str(path)


def test_to_bring_the_relays_to_rest_no_page_no_database_and_no_decoder_is_loaded(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", ARM, config(tmp_path)], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_a_configuration_that_a_person_has_to_mend_ends_the_daemon_with_its_own_status(
    tmp_path, capsys
):
    assert main(["gate", "run", "--config", str(tmp_path / "none.toml")]) == 78
    assert main(["gate", "run", "--config", config(tmp_path, colour="red")]) == 78
    assert main(["gate", "pin", "--config", config(tmp_path, colour="red")]) == 1
    assert "colour" in capsys.readouterr().err
