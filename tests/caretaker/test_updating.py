"""`care update`, `health`, `commit`, `rollback-report` on files as a gate's machine has them."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from caretaker.autoboot import AUTOBOOT_FILE, BYTES, commit, document, primary_slot
from caretaker.boot_backend import answer
from caretaker.bundle_intake import read_request
from caretaker.committing import commit_trial
from caretaker.errors import CareError, FileError, MachineError
from caretaker.gate_status import GateStatus
from caretaker.health_watch import Eyes, watch
from caretaker.places import Places
from caretaker.rauc import Manifest
from caretaker.rollback_report import note_start
from caretaker.update_file import Before, load
from caretaker.update_health import BLAMED, Course, Seen, what_is_wrong
from caretaker.update_machine import Phase
from caretaker.update_policy import LOADER_S_MIN, lock, parse_version, version_refusal
from caretaker.updating import Tools, Updating, Wish

NOW_MS = 1_780_000_000_000
MINUTE_MS = 60_000
BOOT = "11111111222233334444555555555555"
BUNDLE = b"a bundle" * 1000


@dataclass
class Rauc:
    """RAUC and the restart, as the caretaker calls them."""

    manifest: Manifest = field(default_factory=lambda: Manifest("here", "2.0.0", False))
    refuses: str = ""
    fails: str = ""
    done: list[str] = field(default_factory=list)

    def inspect(self, bundle: Path) -> Manifest:
        assert bundle.read_bytes() == BUNDLE
        if self.refuses:
            raise FileError(self.refuses)
        return self.manifest

    def install(self, bundle: Path) -> None:
        self.done.append("install")
        if self.fails:
            raise FileError(self.fails)

    def tools(self) -> Tools:
        return Tools(self.inspect, self.install, lambda: self.done.append("try"), lambda: NOW_MS)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(tmp_path)
    for folder in (places.care, places.care_run, places.gate_run, places.boot_partition):
        folder.mkdir(parents=True)
    (places.state / "bundles").mkdir(parents=True)
    (tmp_path / "etc/rauc").mkdir(parents=True)
    (tmp_path / "etc/rauc/system.conf").write_text("[system]\ncompatible=here\n")
    (tmp_path / "etc/os-release").write_text('NAME="x"\nIMAGE_VERSION="1.0.0"\n')
    (places.boot_partition / AUTOBOOT_FILE).write_bytes(document("a"))
    start(places, "a")
    return places


def start(places: Places, slot: str, is_tryboot: bool = False, boot: str = BOOT) -> None:
    """Start the machine: what the kernel says afterwards."""
    (places.root / "proc/sys/kernel/random").mkdir(parents=True, exist_ok=True)
    (places.root / "proc/sys/kernel/random/boot_id").write_text(boot)
    partition = {"a": 2, "b": 3}[slot]
    arguments = f"ro portillon.partition={partition} portillon.tryboot={int(is_tryboot)} quiet\n"
    (places.root / "proc/cmdline").write_text(arguments)


def ask(places: Places, version: str = "2.0.0", **other: object) -> Path:
    bundle = places.state / "bundles" / f"{version}-x.raucb"
    bundle.write_bytes(BUNDLE)
    said = {
        "format": 1,
        "path": str(bundle),
        "version": version,
        "size": len(BUNDLE),
        "sha256": hashlib.sha256(BUNDLE).hexdigest(),
        "by": "server",
    }
    (places.gate_run / "update-request.json").write_text(json.dumps(said | other))
    return bundle


def say(places: Places, **said: object) -> None:
    status = {"format": 1, "written_ms": NOW_MS, "boot_id": BOOT, "ready": True, "tickets": 7}
    (places.gate_run / "status.json").write_text(json.dumps(status | said))


def told(places: Places) -> dict[str, str]:
    machine = json.loads((places.care_run / "machine.json").read_text())
    update: dict[str, str] = machine["update"]
    return update


def go_on(places: Places, rauc: Rauc, **wish: object) -> str:
    return Updating(places, rauc.tools(), Wish(**wish)).go_on()  # type: ignore[arg-type]


# --- what is asked for ----------------------------------------------------------------------------


def test_a_bundle_that_is_asked_for_is_installed_and_tried_once(places):
    ask(places)
    rauc = Rauc()
    assert "on trial" in go_on(places, rauc)
    assert rauc.done == ["install", "try"]
    assert (told(places)["state"], told(places)["version"]) == ("armed", "2.0.0")
    assert not (places.care / "bundle.raucb").exists()
    go_on(places, rauc)  # in the same start the restart alone is asked for again
    assert rauc.done == ["install", "try", "try"]
    assert load(places).update.attempts == 1


def test_while_a_performance_is_on_nothing_is_installed_until_an_operator_says_so(places):
    ask(places)
    say(places, on_until_ms=NOW_MS + MINUTE_MS)
    rauc = Rauc()
    go_on(places, rauc)
    assert rauc.done == []
    assert told(places)["reason"] == "a performance is on"
    go_on(places, rauc, is_now=True)
    assert rauc.done == ["install", "try"]


def test_what_is_installed_waits_for_its_trial_while_somebody_comes(places):
    ask(places)
    rauc = Rauc()
    installing = rauc.install
    tools = Tools(
        rauc.inspect,
        lambda bundle: (installing(bundle), say(places, last_scan_ms=NOW_MS))[0],
        lambda: rauc.done.append("try"),
        lambda: NOW_MS,
    )
    assert "waits: somebody came" in Updating(places, tools, Wish()).go_on()
    say(places, last_scan_ms=NOW_MS - 16 * MINUTE_MS, tickets=9, server_reached_ms=NOW_MS)
    go_on(places, rauc)
    assert rauc.done == ["install", "try"]
    assert load(places).before == Before(9, True, frozenset())


@pytest.mark.parametrize(
    ("rauc", "words"),
    [
        (Rauc(refuses="signature verification failed"), "signature"),
        (Rauc(Manifest("elsewhere", "2.0.0", False)), "is for elsewhere"),
        (Rauc(Manifest("here", "2.0.1", False)), "2.0.0 was asked for"),
        (Rauc(fails="bundle payload is corrupted"), "corrupted"),
    ],
)
def test_what_is_refused_is_told_and_not_gone_into_again(places, rauc, words):
    ask(places)
    go_on(places, rauc)
    assert told(places)["state"] == "refused"
    assert words in told(places)["reason"]
    done = list(rauc.done)
    go_on(places, rauc)
    assert rauc.done == done


@pytest.mark.parametrize("may_go_back", [True, False])
def test_an_older_version_is_installed_only_if_its_bundle_allows_it(places, may_go_back):
    ask(places, "0.9.0")
    rauc = Rauc(Manifest("here", "0.9.0", may_go_back))
    go_on(places, rauc)
    assert rauc.done == (["install", "try"] if may_go_back else [])


def test_a_bundle_that_a_person_brought_speaks_by_its_signature_alone(places, tmp_path):
    stick = tmp_path / "stick.raucb"
    stick.write_bytes(BUNDLE)
    rauc = Rauc()
    go_on(places, rauc, bundles=(stick,))
    assert rauc.done == ["install", "try"]


# --- a hostile folder -----------------------------------------------------------------------------


def _link(bundle: Path) -> None:
    bundle.rename(bundle.with_suffix(".other"))
    bundle.symlink_to(bundle.with_suffix(".other"))


def _pipe(bundle: Path) -> None:
    bundle.unlink()
    os.mkfifo(bundle)


def _linked_folder(bundle: Path) -> None:
    folder = bundle.parent
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to(folder.with_name("elsewhere"))


def _other_bytes(bundle: Path) -> None:
    bundle.write_bytes(b"b" + BUNDLE[1:])


def _longer(bundle: Path) -> None:
    bundle.write_bytes(BUNDLE + b"!")


@pytest.mark.parametrize("spoil", [_link, _pipe, _linked_folder, _other_bytes, _longer])
def test_nothing_is_taken_through_a_link_or_that_is_another_than_was_said(
    places, spoil: Callable[[Path], None]
):
    spoil(ask(places))
    rauc = Rauc()
    go_on(places, rauc)
    assert rauc.done == []
    assert told(places)["state"] == "refused"
    assert not (places.care / "bundle.raucb").exists()


@pytest.mark.parametrize("path", ["/etc/shadow", "../../x.raucb", "bundles/x.raucb"])
def test_a_bundle_elsewhere_is_not_opened(places, path):
    ask(places, path=path)
    go_on(places, Rauc())
    assert "bundles are taken from there alone" in told(places)["reason"]


@pytest.mark.parametrize(
    "other", [{"format": 2}, {"size": True}, {"size": -1}, {"sha256": "ab"}, {"version": 7}]
)
def test_a_request_that_cannot_be_understood_does_nothing(places, other):
    ask(places, **other)
    with pytest.raises(FileError, match="cannot be understood"):
        read_request(places)
    rauc = Rauc()
    go_on(places, rauc)
    assert rauc.done == []


# --- starts, health, commit -----------------------------------------------------------------------


def on_trial(places: Places) -> None:
    """Bring a machine into the trial of 2.0.0."""
    ask(places)
    say(places)
    go_on(places, Rauc())
    start(places, "b", is_tryboot=True, boot="b2")
    (places.root / "etc/os-release").write_text("IMAGE_VERSION=2.0.0\n")
    note_start(places, NOW_MS)


def eyes(places: Places, *seen: Seen) -> Eyes:
    looks = iter(seen)
    last = [seen[-1]]

    def look(_: Places) -> tuple[Seen, int]:
        last[0] = next(looks, last[0])
        return last[0], 0

    return Eyes(look, lambda _: None, lambda: NOW_MS)


WELL = Seen(GateStatus(NOW_MS, "b2", True, frozenset(), 7), NOW_MS, "b2")
ILL = Seen(GateStatus(NOW_MS, "b2", False, frozenset({"GT-RLY"}), 7), NOW_MS, "b2")
COURSE = Course(window_s=30, patience_s=20, look_s=5)


def test_a_version_that_is_well_for_the_window_is_committed(places):
    on_trial(places)
    assert watch(places, COURSE, eyes(places, ILL, WELL)) == 0
    good: list[str] = []
    assert commit_trial(places, NOW_MS, lambda: good.append("good")) == 0
    assert good == ["good"]
    assert (places.boot_partition / AUTOBOOT_FILE).read_bytes() == document("b")
    assert told(places)["state"] == "committed"


def test_a_version_that_is_not_well_is_left_and_blocked_at_the_next_start(places):
    on_trial(places)
    assert watch(places, COURSE, eyes(places, ILL)) == 1
    assert commit_trial(places, NOW_MS, lambda: None) == 1
    start(places, "a", boot="b3")
    (places.root / "etc/os-release").write_text("IMAGE_VERSION=1.0.0\n")
    assert "rolled_back" in note_start(places, NOW_MS)
    machine = json.loads((places.care_run / "machine.json").read_text())
    assert (machine["version"], machine["slot"], machine["blocked"]) == ("1.0.0", "a", ["2.0.0"])
    assert "GT-RLY" in machine["update"]["reason"]
    rauc = Rauc()
    go_on(places, rauc)
    assert rauc.done == []
    assert told(places)["state"] == "rolled_back"  # asked again, it stands as it stands
    go_on(places, rauc, unblock="2.0.0")
    assert rauc.done == ["install", "try"]


def test_nothing_is_installed_while_a_version_is_on_trial(places):
    on_trial(places)
    ask(places, "2.1.0")
    rauc = Rauc(Manifest("here", "2.1.0", False))
    go_on(places, rauc)
    assert rauc.done == []
    assert load(places).waits == "a version is on trial"


def test_a_usual_start_ends_health_and_commit_at_once_whatever_the_file_says(places):
    (places.care / "update.json").write_text("damaged")
    assert watch(places, COURSE, eyes(places, ILL)) == 0
    assert commit_trial(places, NOW_MS, lambda: None) == 0
    with pytest.raises(FileError, match="is damaged"):
        note_start(places, NOW_MS)
    machine = json.loads((places.care_run / "machine.json").read_text())
    assert (machine["version"], machine["slot"]) == ("1.0.0", "a")


def test_a_machine_without_two_slots_has_nothing_to_note(places):
    (places.root / "proc/cmdline").write_text("ro quiet\n")
    assert "updates need the image" in note_start(places, NOW_MS).lower()
    with pytest.raises(MachineError):
        go_on(places, Rauc())


def test_the_firmware_is_believed_before_the_kernels_arguments(places):
    tree = places.root / "proc/device-tree/chosen/bootloader"
    tree.mkdir(parents=True)
    (tree / "partition").write_bytes(b"\0\0\0\3")
    (tree / "tryboot").write_bytes(b"\0\0\0\1")
    assert answer(places, "get-current", None, None) == "B"


@pytest.mark.parametrize(
    ("seen", "before", "words"),
    [
        (WELL, Before(), None),
        (ILL, Before(), "does not serve"),
        (Seen(None, NOW_MS, "b2"), Before(), "has not started"),
        (Seen(WELL.status, NOW_MS, "b9"), Before(), "has not started"),
        (Seen(WELL.status, NOW_MS + MINUTE_MS, "b2"), Before(), "says nothing"),
        (WELL, Before(tickets=8), "7 tickets are held, 8 were"),
        (WELL, Before(was_server_reached=True), "server"),
        (Seen(WELL.status, NOW_MS, "b2", ("x.service",)), Before(), "x.service failed"),
        (Seen(WELL.status, NOW_MS, "b2", (), 3.0), Before(), "memory"),
        (Seen(WELL.status, NOW_MS, "b2", (), 50.0, 95.0), Before(), "95"),
    ],
)
def test_what_is_wrong_is_said(seen, before, words):
    wrong = "; ".join(what_is_wrong(seen, before))
    assert (words in wrong) if words else wrong == ""


def test_a_fault_that_was_there_before_is_not_the_new_versions():
    status = GateStatus(NOW_MS, "b2", True, frozenset({"GT-CAM", "GT-NET"}), 7)
    seen = Seen(status, NOW_MS, "b2")
    assert what_is_wrong(seen, Before()) == ["GT-CAM is new"]
    assert what_is_wrong(seen, Before(faults=frozenset({"GT-CAM"}))) == []


def test_each_code_that_a_version_is_blamed_for_is_one_of_the_page():
    page = Path(__file__).parents[2] / "docs/operations/faults.md"
    assert [code for code in sorted(BLAMED) if f"`{code}`" not in page.read_text()] == []


# --- versions, the lock, the sector, RAUC ---------------------------------------------------------


def test_versions_are_compared_as_numbers():
    assert parse_version("0.10.0+2") > parse_version("0.9.9+10") > parse_version("0.9.9")
    assert version_refusal("1.2.0", "1.10.0", (), may_go_back=False)
    assert version_refusal("1.2.0", "1.10.0", (), may_go_back=True) is None
    assert version_refusal("2.0.0", "1.0.0", ("2.0.0",), may_go_back=False)
    assert version_refusal("1.0.0", "1.0.0", (), may_go_back=True)
    assert version_refusal("2.0", "1.0.0", (), may_go_back=True)


@pytest.mark.parametrize(
    ("status", "is_locked"),
    [
        (None, False),
        (GateStatus(NOW_MS), False),
        (GateStatus(NOW_MS, on_until_ms=NOW_MS + 1), True),
        (GateStatus(NOW_MS, on_until_ms=NOW_MS), False),
        (GateStatus(NOW_MS, last_scan_ms=NOW_MS - 14 * MINUTE_MS), True),
        (GateStatus(NOW_MS, last_scan_ms=NOW_MS - 15 * MINUTE_MS), False),
        (GateStatus(NOW_MS + MINUTE_MS, last_scan_ms=NOW_MS + MINUTE_MS), True),
        (GateStatus(NOW_MS - 11 * MINUTE_MS, on_until_ms=NOW_MS + 1), False),
    ],
)
def test_a_gate_is_not_taken_from_people(status, is_locked):
    assert (lock(status, NOW_MS) is not None) is is_locked


def test_the_sector_is_of_one_size_and_never_names_one_partition_twice():
    assert {len(document(slot)) for slot in "ab"} == {BYTES}
    assert b"boot_partition=2\n[tryboot]\nboot_partition=3\n" in document("a")
    assert [primary_slot(document(slot)) for slot in "ab"] == ["a", "b"]
    with pytest.raises(FileError, match="somebody edited it"):
        primary_slot(b"[all]\nboot_partition=2\n[tryboot]\nboot_partition=2\n".ljust(BYTES, b"\n"))


def test_a_commit_writes_over_the_sector_where_it_lies(tmp_path):
    path = tmp_path / AUTOBOOT_FILE
    path.write_bytes(document("a"))
    place = path.stat().st_ino
    commit(tmp_path, "b")
    assert (path.stat().st_ino, path.read_bytes()) == (place, document("b"))
    assert [one.name for one in tmp_path.iterdir()] == [AUTOBOOT_FILE]


def test_rauc_is_answered_and_changes_no_boot_slot(places):
    assert answer(places, "get-primary", None, None) == "A"
    assert answer(places, "get-current", None, None) == "A"
    assert answer(places, "set-primary", "B", None) == ""
    assert (places.boot_partition / AUTOBOOT_FILE).read_bytes() == document("a")
    assert answer(places, "get-state", "B", None) == "good"
    assert answer(places, "set-state", "B", "bad") == ""
    assert answer(places, "get-state", "B", None) == "bad"
    with pytest.raises(CareError):
        answer(places, "set-state", "B", None)


def test_the_state_outlives_the_program(places):
    ask(places)
    go_on(places, Rauc())
    kept = load(places)
    assert (kept.update.phase, kept.update.target) == (Phase.ARMED, "b")
    assert len(kept.answered) == 64


def built(places: Places, seconds: int) -> None:
    folder = places.root / "proc/device-tree/chosen/bootloader"
    folder.mkdir(parents=True)
    (folder / "build-timestamp").write_bytes(seconds.to_bytes(4, "big"))


def test_a_board_whose_boot_loader_forgets_trials_is_told_so_before_anything_is_written(
    places,
):
    built(places, 1_619_000_000)  # of April 2021
    ask(places)
    rauc = Rauc()
    go_on(places, rauc)
    assert told(places)["state"] == "refused"
    assert "boot loader is of 2021-04-21" in told(places)["reason"]
    assert rauc.done == []


@pytest.mark.parametrize("seconds", [None, 0, LOADER_S_MIN, 1_750_000_000])
def test_one_that_is_new_enough_or_does_not_tell_hinders_nothing(places, seconds):
    if seconds is not None:
        built(places, seconds)
    ask(places)
    rauc = Rauc()
    go_on(places, rauc)
    assert rauc.done == ["install", "try"]


def test_what_the_boot_loader_is_of_is_told_at_each_start(places):
    built(places, 1_700_000_000)
    note_start(places, NOW_MS)
    said = json.loads((places.care_run / "machine.json").read_text())
    assert said["firmware_s"] == 1_700_000_000
