"""The first start of a card: grown and furnished once, and begun again after any cut."""

import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from caretaker import first_boot as module
from caretaker.errors import MachineError
from caretaker.first_boot import FOLDERS, Partition, first_boot, grow, partition_of, run_program
from caretaker.places import Places

PART = Partition("/dev/mmcblk0p6", "/dev/mmcblk0", 6)
ROOM = 32 << 20


@pytest.fixture(autouse=True)
def known_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every user for the one who runs the tests."""
    here = module.pwd.getpwuid(os.geteuid())
    monkeypatch.setattr(module.pwd, "getpwnam", lambda _: here)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Make a machine whose /data is the sixth part of a card."""
    (tmp_path / "data").mkdir()
    number = (tmp_path / "data").stat().st_dev
    card = tmp_path / "sys/devices/mmc0/block/mmcblk0/mmcblk0p6"
    card.mkdir(parents=True)
    (card / "partition").write_text("6\n")
    link = tmp_path / f"sys/dev/block/{os.major(number)}:{os.minor(number)}"
    link.parent.mkdir(parents=True)
    link.symlink_to(card)
    return Places(tmp_path)


class Programs:
    """Takes down what is run; the supply goes before the one numbered `cut`."""

    def __init__(self, cut: int = 99) -> None:
        self.ran: list[str] = []
        self.cut = cut

    def __call__(self, words: Sequence[str], said: str) -> None:
        if len(self.ran) == self.cut:
            raise MachineError("cut")
        self.ran.append(" ".join(words) + (f" < {said.strip()}" if said else ""))


def test_the_data_takes_the_room_there_is_and_its_folders_are_made(places: Places):
    programs = Programs()
    first_boot(places, programs)
    assert programs.ran == [
        "sfdisk --no-reread --relocate gpt-bak-std /dev/mmcblk0",
        "sfdisk --no-reread --no-tell-kernel -N 6 /dev/mmcblk0 < , +",
        "partx --update --nr 6 /dev/mmcblk0",
        "resize2fs /dev/mmcblk0p6",
    ]
    for name, _, mode in FOLDERS:
        assert stat.S_IMODE((places.root / "data" / name).stat().st_mode) == mode
    first_boot(places, programs)
    assert len(programs.ran) == 4


@pytest.mark.parametrize("cut", range(4))
def test_what_was_cut_short_is_begun_again(places: Places, cut: int):
    with pytest.raises(MachineError):
        first_boot(places, Programs(cut))
    assert not (places.root / "data/.provisioned").exists()
    (places.root / "data/gate").mkdir()  # the image brings it, and whatever is in it stays
    (places.root / "data/gate/journal").write_text("kept")
    programs = Programs()
    first_boot(places, programs)
    assert len(programs.ran) == 4
    assert (places.root / "data/gate/journal").read_text() == "kept"
    assert (places.root / "data/.provisioned").exists()


def test_a_folder_that_is_no_partition_is_furnished_and_not_grown(places: Places):
    shutil.rmtree(places.root / "sys")
    programs = Programs()
    first_boot(places, programs)
    assert programs.ran == []
    assert (places.root / "data/care").is_dir()


def test_where_the_data_lies_is_asked_of_the_kernel(places: Places):
    assert partition_of(places, places.root / "data") == PART


@pytest.mark.parametrize(
    ("words", "told"),
    [(("false",), "false: status 1"), (("no-such-program",), "no-such-program: .*No such file")],
)
def test_a_program_that_refuses_is_told_in_its_own_words(words: tuple[str, ...], told: str):
    with pytest.raises(MachineError, match=told):
        run_program(words, "")


def test_a_table_and_a_file_system_are_really_grown_and_twice_is_once(tmp_path: Path):
    """On a file in place of a card: all but telling the kernel, which has none of it."""
    for program in ("sfdisk", "mkfs.ext4", "resize2fs", "dumpe2fs"):
        assert shutil.which(program, path=SBIN), f"needs {program}: apt install fdisk e2fsprogs"
    card, part = tmp_path / "card.img", tmp_path / "part.img"
    for path, size in ((card, ROOM), (part, 8 << 20)):
        with path.open("wb") as file:
            file.truncate(size)
    table = "label: gpt\n\nsize=4M\nsize=8M, name=data\n"
    subprocess.run(["sfdisk", "-q", card], input=table, text=True, check=True, env={"PATH": SBIN})
    subprocess.run(["mkfs.ext4", "-q", part], check=True, env={"PATH": SBIN})
    with card.open("r+b") as file:
        file.truncate(2 * ROOM)  # the image was written to a larger card

    def run_here(words: Sequence[str], said: str) -> None:
        if words[0] == "resize2fs":
            with part.open("r+b") as file:
                file.truncate(data_bytes(card))
        if words[0] != "partx":
            run_program(words, said)

    for _ in range(2):
        grow(Partition(str(part), str(card), 2), run_here)
        assert data_bytes(card) > 2 * ROOM - (8 << 20)
        told = subprocess.run(
            ["dumpe2fs", "-h", part], capture_output=True, text=True, check=True, env={"PATH": SBIN}
        ).stdout
        blocks = int(re.search(r"^Block count: +(\d+)$", told, re.MULTILINE)[1])
        assert 0 <= data_bytes(card) // 1024 - blocks < 1024  # less than a group is left over


SBIN = "/usr/sbin:/sbin:/usr/bin:/bin"


def data_bytes(card: Path) -> int:
    """Give the size of the second partition."""
    told = subprocess.run(
        ["sfdisk", "--json", card], capture_output=True, text=True, check=True, env={"PATH": SBIN}
    ).stdout
    return json.loads(told)["partitiontable"]["partitions"][1]["size"] * 512
