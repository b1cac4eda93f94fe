"""The card's layout, and that everything made from it says the same."""

import re
from pathlib import Path

import pytest

from imaging import generated
from imaging.errors import RecipeError
from imaging.layout import MIB, SECTOR_BYTES, read_layout
from imaging.recipe import FOLDER, layout_of_repository

TEXT = (FOLDER / "layout.toml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def layout():
    return layout_of_repository()


def test_the_labels_are_those_that_the_machine_goes_by(layout):
    labels = [partition.label for partition in layout.partitions]
    assert labels == ["bootcfg", "boot_a", "boot_b", "system_a", "system_b", "data"]


def test_partitions_lie_one_after_the_other_aligned_and_inside_the_disk(layout):
    end = 0
    for partition in layout.partitions:
        assert partition.offset_bytes >= end
        assert partition.offset_bytes % (layout.align_mib * MIB) == 0
        end = partition.offset_bytes + partition.size_mib * MIB
    assert layout.disk_bytes >= end + generated_table_bytes()
    assert layout.disk_bytes % (layout.align_mib * MIB) == 0


def generated_table_bytes() -> int:
    return 33 * SECTOR_BYTES  # the table's second copy, at the disk's end


def test_the_firmwares_choice_names_the_slots_boot_partitions(layout):
    text = generated.autoboot(layout).decode()
    assert len(text) == generated.AUTOBOOT_BYTES < SECTOR_BYTES
    numbers = [int(number) for number in re.findall(r"boot_partition=(\d+)", text)]
    assert numbers == [layout.labelled("boot_a").number, layout.labelled("boot_b").number]


def test_the_start_finds_each_slots_system_by_the_firmwares_number(layout):
    rows = [line.split() for line in generated.slots_file(layout).splitlines()]
    assert rows == [["2", "system_a"], ["3", "system_b"]]


def test_disk_mounts_and_updates_name_the_same_partitions(layout):
    words = generated.sgdisk_arguments(layout)
    on_disk = {word.partition(":")[2] for word in words if word.startswith("--change-name=")}
    named = set(
        re.findall(
            r"by-partlabel/(\w+)", generated.fstab(layout) + generated.rauc_system(layout, "x")
        )
    )
    assert named == on_disk


def test_updates_write_each_slot_and_nothing_else(layout):
    text = generated.rauc_system(layout, "portillon-gate-debian-arm64")
    assert set(re.findall(r"by-partlabel/(\w+)", text)) == {
        "boot_a",
        "boot_b",
        "system_a",
        "system_b",
    }
    assert "compatible=portillon-gate-debian-arm64\n" in text
    assert "bundle-formats=-plain\n" in text
    assert "mountprefix=/run/rauc\n" in text  # the system itself is read-only
    assert re.findall(r"bootname=(\w)", text) == ["A", "B"]


def test_a_folder_is_mounted_from_the_data_partition_once_it_is_made(layout):
    made = {line.split()[1] for line in generated.data_folders(layout).splitlines()[1:]}
    rows = [line.split() for line in generated.fstab(layout).splitlines()[1:]]
    bound = {row[0]: row for row in rows if row[3].startswith("bind")}
    assert set(bound) == made
    assert all(f"x-systemd.after={generated.FOLDERS_UNIT}" in row[3] for row in bound.values())


def test_programs_find_their_folders_where_the_units_say(layout):
    places = {folder.at for folder in layout.folders}
    assert places >= {
        "/etc/portillon",
        "/var/lib/portillon-gate",
        "/var/lib/portillon-gate-secret",
        "/var/lib/portillon-care",
    }


def test_names_of_partitions_are_the_same_whenever_they_are_made(layout):
    again = layout_of_repository()
    assert generated.sgdisk_arguments(layout) == generated.sgdisk_arguments(again)
    assert len({partition.guid for partition in layout.partitions}) == len(layout.partitions)


@pytest.mark.parametrize(
    ("was", "becomes", "words"),
    [
        ("align_mib = 4", "align_mib = 0", "align_mib"),
        ("format = 1", "format = 2", "format has to be 1"),
        ('label = "boot_b"', 'label = "boot_a"', "one label"),
        ('label = "bootcfg"', 'label = "Boot config"', "small letters"),
        ('kind = "squashfs"', 'kind = "zfs"', "kind has to be one of"),
        ("grows = true", "", "the last partition grows"),
        ('role = "boot"', 'role = ""', "slot and role go together"),
        ("size_mib = 512", "size_mib = 400", "have to be alike"),
        ('mode = "0700"', 'mode = "rwx"', "octal"),
        ('at = "/tmp"', 'at = "tmp"', "absolute path"),
        ('folder = "rauc"', 'folder = "rauc"\ncolour = 1', "unknown: colour"),
        ("size_mib = 32", 'size_mib = "32"', "has to be int, not str"),
    ],
)
def test_a_layout_that_cannot_be_is_refused_in_words(tmp_path: Path, was, becomes, words):
    path = tmp_path / "layout.toml"
    assert was in TEXT
    path.write_text(TEXT.replace(was, becomes, 1))
    with pytest.raises(RecipeError, match=words):
        read_layout(path)


def test_a_layout_without_a_folder_for_the_installer_makes_no_description_of_it(tmp_path: Path):
    path = tmp_path / "layout.toml"
    path.write_text(TEXT.replace('folder = "rauc"', 'folder = "other"'))
    with pytest.raises(RecipeError, match="no folder rauc"):
        generated.rauc_system(read_layout(path), "x")
