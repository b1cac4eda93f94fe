"""What of the lock file another machine installs: by its markers, and by what asks for what."""

import importlib.util
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parent.parent / "tools/target_wheels.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("target_wheels", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def names(tool, arch, *extras):
    lines = tool.wanted(tool.LOCK.read_text(), set(extras), tool.environment(arch))
    return {line.split("==")[0] for line in lines}


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_a_gate_gets_what_its_packages_ask_for_and_nothing_of_the_server(tool, arch):
    gate = names(tool, arch, "gate")
    assert {"aiohttp", "multidict", "cryptography", "cffi", "zxing-cpp", "luma-oled"} <= gate
    assert not gate & {"sqlalchemy", "pytest", "ruff", "uv", "alembic", "jinja2"}
    assert ("evdev-binary" in gate) == (arch == "x86_64")  # it has no wheel for the other
    assert {"sqlalchemy", "greenlet", "asyncpg"} <= names(tool, arch, "server")


def test_every_line_has_the_hashes_that_it_is_checked_by(tool):
    lines = list(
        tool.wanted(tool.LOCK.read_text(), {"gate", "server"}, tool.environment("aarch64"))
    )
    assert [line for line in lines if "--hash=sha256:" not in line] == []


def test_a_lock_file_that_lacks_what_is_asked_for_says_so(tool):
    with pytest.raises(SystemExit, match=r"lacks .*aiohttp.*make lock"):
        list(tool.wanted("", {"gate"}, tool.environment("x86_64")))


def test_an_unknown_machine_is_named(tool, tmp_path):
    with pytest.raises(SystemExit, match="not mips"):
        tool.main("mips", str(tmp_path))
