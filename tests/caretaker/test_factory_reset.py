"""A reset erases keys before anything else, everything in the end, and goes on after any cut."""

import os
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from appliance.errors import ConfigError
from caretaker import factory_reset
from caretaker.errors import FileError
from caretaker.factory_reset import Demand, ask, demand, reset
from caretaker.kept_files import write_in_place
from caretaker.machine_settings import Provisioned, Settings, keep
from caretaker.places import Places
from portillon.care_reset import is_held

KEYS = (
    "var/lib/portillon-gate-secret/device",
    "var/lib/portillon-care/provisioned.json",
    "var/lib/portillon-gate/identity.json",
    "var/lib/portillon-gate/page-pins.json",
)
DATA = (
    "data/config/gate.toml",
    "var/lib/portillon-gate/journal.sqlite",
    "var/lib/portillon-gate/journal.sqlite-wal",
    "var/lib/portillon-gate/lists/p1/list.bin",
    "var/lib/portillon-gate/bundles/x.raucb",
    "var/lib/portillon-care/clock",
)


def lived_in(root: Path, reset_pin: int | None = None) -> Places:
    places = Places(root)
    for path in (*KEYS, *DATA, "data/.provisioned", "boot/cfg/gate.toml", "proc/cmdline"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"of this gate: {path}")
    (root / "proc/cmdline").write_text("root=LABEL=system_a quiet\n")
    (root / "etc/portillon").mkdir(parents=True)
    places.config.symlink_to("/data/config/gate.toml")
    keep(places, Provisioned(Settings(reset_pin=reset_pin)))
    return places


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return lived_in(tmp_path)


def left(places: Places) -> set[str]:
    kept = (path for path in places.root.rglob("*") if path.is_file() or path.is_symlink())
    own = {"etc/portillon/gate.toml", "proc/cmdline"}
    return (
        {str(path.relative_to(places.root)) for path in kept if "run" not in path.parts[-3:]}
        - own
        - {"run/portillon-care/machine.json", "run/portillon-care/machine.lock"}
    )


def nobody(pin: int, seconds: float) -> bool:
    raise AssertionError("no button is configured")


def test_a_start_that_nobody_asked_to_erase_anything_erases_nothing(places: Places):
    assert demand(places, nobody) is None


def test_nothing_of_the_gate_is_left(places: Places):
    reset(places, Demand("button"))
    assert left(places) == set()
    assert demand(places, nobody) is None


def test_the_identity_may_be_kept_and_nothing_else(places: Places):
    reset(places, Demand("card", keeps_identity=True))
    assert left(places) == {KEYS[0], KEYS[2]}
    assert (places.root / KEYS[2]).read_text() == f"of this gate: {KEYS[2]}"


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("quiet portillon.factory_reset", Demand("kernel")),
        ("portillon.factory_reset=1", Demand("kernel")),
        ("portillon.factory_reset=keep-identity", Demand("kernel", keeps_identity=True)),
        ("portillon.factory_reset=0", None),
        ("xportillon.factory_reset", None),
    ],
)
def test_the_kernels_command_line_asks(places: Places, words: str, wanted: Demand | None):
    (places.root / "proc/cmdline").write_text(words + "\n")
    assert demand(places, nobody) == wanted


@pytest.mark.parametrize("said", [b"", b"keep-identity\r\n"])
def test_a_file_on_the_card_asks(places: Places, said: bytes):
    (places.boot_partition / "factory-reset").write_bytes(said)
    assert demand(places, nobody) == Demand("card", keeps_identity=bool(said))


def test_a_link_on_the_card_asks_nothing(places: Places):
    (places.boot_partition / "factory-reset").symlink_to(places.config)
    assert demand(places, nobody) is None


@pytest.mark.parametrize("keeps", [False, True])
def test_a_command_asks_for_the_next_start(places: Places, keeps: bool):
    ask(places, keeps_identity=keeps)
    assert demand(places, nobody) == Demand("command", keeps_identity=keeps)


def test_a_button_asks_that_was_held_for_ten_seconds(tmp_path: Path):
    places = lived_in(tmp_path, reset_pin=26)
    asked: list[tuple[int, float]] = []

    def held(pin: int, seconds: float) -> bool:
        asked.append((pin, seconds))
        return len(asked) > 1

    assert demand(places, held) is None
    assert demand(places, held) == Demand("button")
    assert asked == [(26, 10.0)] * 2


@pytest.mark.parametrize(("let_go_after", "is_asked"), [(0, False), (99, False), (101, True)])
def test_a_button_that_is_let_go_asks_nothing(let_go_after: int, is_asked: bool):
    waits = 0

    class Pin:
        pull = ""

        def input_with_pull(self, pull: str) -> None:
            self.pull = pull

        @property
        def state(self) -> int:
            assert self.pull == "up"
            return int(waits >= let_go_after)

    def wait(seconds: float) -> None:
        nonlocal waits
        waits += 1

    opening = nullcontext(SimpleNamespace(pin={26: Pin()}.__getitem__))
    assert is_held(opening, 26, 10.0, wait) is is_asked


def test_a_board_whose_pins_cannot_be_had_starts_all_the_same(
    capsys: pytest.CaptureFixture[str],
):
    class Broken:
        def __enter__(self) -> None:
            raise ConfigError("the relay needs lgpio")

        def __exit__(self, *about: object) -> None:
            return

    assert not is_held(Broken(), 26, 10.0, lambda _: None)
    assert "needs lgpio" in capsys.readouterr().out


def test_keys_are_written_over_before_they_are_removed(
    places: Places, monkeypatch: pytest.MonkeyPatch
):
    over: dict[str, bytes] = {}

    def written(path: Path, content: bytes) -> None:
        write_in_place(path, content)
        over[str(path.relative_to(places.root))] = path.read_bytes()

    monkeypatch.setattr(factory_reset, "write_in_place", written)
    reset(places, Demand("button"))
    assert set(KEYS) <= over.keys()
    assert all(b"this gate" not in content for content in over.values())


class CutError(Exception):
    """The supply went."""


@pytest.mark.parametrize("keeps", [False, True])
def test_a_cut_anywhere_leaves_no_key_beside_lost_data_and_ends_in_the_same(
    tmp_path: Path, keeps: bool
):
    wanted = Demand("button", keeps_identity=keeps)
    steps: list[str] = []
    whole = lived_in(tmp_path / "whole")
    reset(whole, wanted, steps.append)
    assert len(steps) > 12
    for cut in range(len(steps)):
        places = lived_in(tmp_path / str(cut))
        seen = 0

        def at_step(_: str, cut: int = cut) -> None:
            nonlocal seen
            if seen == cut:
                raise CutError
            seen += 1

        with pytest.raises(CutError):
            reset(places, wanted, at_step)
        now = left(places)
        keys = {KEYS[1], KEYS[3]} if keeps else set(KEYS)
        assert not (keys & now) or set(DATA) <= now
        again = demand(places, nobody)
        if cut:
            assert again == Demand("command", keeps_identity=keeps)
        reset(places, again or wanted)
        assert left(places) == left(whole)


def test_a_link_in_the_gates_folder_goes_and_not_where_it_leads(places: Places, tmp_path: Path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("stays")
    (places.state / "folder").symlink_to(outside)
    (places.state / "identity.json").unlink()
    (places.state / "identity.json").symlink_to(outside / "file")
    reset(places, Demand("button"))
    assert (outside / "file").read_text() == "stays"
    assert not os.path.lexists(places.state / "identity.json")


def test_what_cannot_be_erased_is_told_and_asked_for_again(
    places: Places, monkeypatch: pytest.MonkeyPatch
):
    def refused(path: Path, content: bytes) -> None:
        raise FileError(f"{path}: cannot be written: Read-only file system")

    monkeypatch.setattr(factory_reset, "write_in_place", refused)
    with pytest.raises(FileError, match="Read-only"):
        reset(places, Demand("button"))
    assert set(DATA) <= left(places)
    assert demand(places, nobody) == Demand("command")
