"""Back to how it left the factory, by the units of the image: nothing of one gate is left."""

import json
import os

import pytest

from booted import Booted
from caretaker.factory_reset import FLAG_FILE
from gate_in_container import GATE, LANE_TOML, show, wait_said

pytestmark = [pytest.mark.slow, pytest.mark.container]
GATE_TOML = 'server = "http://127.0.0.1:8443"\n' + LANE_TOML


def start(image, card, folder):
    return Booted(image, folder, card.binds, volatile="state")


def kept_on(card, folder):
    return {str(path.relative_to(card.folder)) for path in (card.folder / folder).rglob("*")}


@pytest.fixture
def used(image, enrolled, venue, tmp_path):
    """The card of a gate that admitted somebody."""
    (enrolled.folder / "boot/gate.toml").write_text(GATE_TOML)
    with start(image, enrolled, tmp_path / "used") as machine:
        machine.wait_active(GATE)
        show(machine, tmp_path, venue.tickets[0], 1)
        wait_said(machine, "answer='granted'")
    return enrolled


def is_as_new(image, card, folder):
    """Start the machine; tell what a new one would say, and what is left on the card."""
    with start(image, card, folder) as machine:
        assert machine.failed == []
        assert machine.shows(GATE, "ActiveState", "ConditionResult") == {
            "ActiveState": "inactive",
            "ConditionResult": "no",
        }
        said = json.loads(machine.run("cat", "/run/portillon-care/machine.json").stdout)
        assert said["provision"]["outcome"] == "none"
        left = machine.run("ls", "-A", "/var/lib/portillon-gate-secret", "/etc/portillon").stdout
    assert not [word for word in left.split() if not word.endswith(":")]
    return kept_on(card, "gate") | kept_on(card, "secret") | kept_on(card, "config")


def test_by_command_the_next_start_finds_nothing(image, used, tmp_path):
    with start(image, used, tmp_path / "asking") as machine:
        machine.wait_active(GATE)
        machine.run("portillon", "care", "factory-reset", "--ask")
        assert "secret/device" in kept_on(used, "secret")  # it works on, until it is started anew
    assert is_as_new(image, used, tmp_path / "after") == set()
    assert not (used.folder / "boot/gate.toml").exists()
    assert not (used.folder / "care" / FLAG_FILE).exists()


def test_by_a_file_on_the_card_the_next_start_finds_nothing(image, used, tmp_path):
    (used.folder / "boot" / FLAG_FILE).write_text("")
    assert is_as_new(image, used, tmp_path / "after") == set()
    assert not (used.folder / "boot" / FLAG_FILE).exists()


def test_a_reset_that_keeps_the_identity_leaves_the_key_and_nothing_else(image, used, tmp_path):
    key = (used.folder / "secret/device").read_bytes()
    (used.folder / "boot" / FLAG_FILE).write_text("keep-identity")
    with start(image, used, tmp_path / "after") as machine:
        assert machine.failed == []
        assert machine.shows(GATE, "ActiveState")["ActiveState"] == "inactive"
    assert kept_on(used, "gate") | kept_on(used, "secret") == {
        "gate/identity.json",
        "secret/device",
    }
    assert (used.folder / "secret/device").read_bytes() == key


def test_a_card_that_was_reset_becomes_a_gate_again_by_a_new_file(image, used, tmp_path):
    (used.folder / "boot" / FLAG_FILE).write_text("")
    assert is_as_new(image, used, tmp_path / "reset") == set()
    (used.folder / "boot/gate.toml").write_text(GATE_TOML)
    with start(image, used, tmp_path / "again") as machine:
        machine.wait_active(GATE)
        assert machine.failed == []
        wait_said(machine, "enrol")  # it belongs to nobody, and waits to be told to whom
    config = used.folder / "config/gate.toml"
    assert os.path.lexists(config)
