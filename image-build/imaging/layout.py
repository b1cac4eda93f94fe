"""What lies where on a card: `layout.toml`, read and checked whole, and the figures that follow."""

import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from imaging.errors import RecipeError
from imaging.reading import Table, read_toml

FORMAT: Final = 1
SECTOR_BYTES: Final = 512
MIB: Final = 1024 * 1024
KINDS: Final = ("fat", "squashfs", "ext4")
ROLES: Final = ("", "boot", "system")
SLOTS: Final = ("a", "b")
GPT_SECTORS: Final = 34  # of the table at the disk's end, rounded up
LABEL_CHARACTERS_MAX: Final = 11  # a FAT's label has no more
# Names of partitions and file systems are made from their labels: a disk built twice is the same.
_NAMESPACE: Final = uuid.UUID("7e4ab0b5-0c5c-5f3e-9a55-6f2a1f0f4c11")


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition.

    Attributes:
        number: from 1 on, as the table has it.
        label: what it is known by.
        size_mib: in the image.
        kind: of file system, one of KINDS.
        type_guid: for the table.
        first_sector: where it begins.
        mount: where it is mounted; "" is nowhere, or as the root.
        options: of the mount.
        check: when it is checked at a start, as in fstab's last column; 0 is never.
        slot: "a" or "b"; "" is neither's.
        role: what it is in its slot, "boot" or "system".
        grows: whether it takes what is left of the card.
    """

    number: int
    label: str
    size_mib: int
    kind: str
    type_guid: str
    first_sector: int
    mount: str = ""
    options: tuple[str, ...] = ()
    check: int = 0
    slot: str = ""
    role: str = ""
    grows: bool = False

    @property
    def sectors(self) -> int:
        """How long it is."""
        return self.size_mib * MIB // SECTOR_BYTES

    @property
    def offset_bytes(self) -> int:
        """Where it begins on the disk."""
        return self.first_sector * SECTOR_BYTES

    @property
    def device(self) -> str:
        """Its device file on the gate."""
        return f"/dev/disk/by-partlabel/{self.label}"

    @property
    def guid(self) -> uuid.UUID:
        """Its own name in the table, and its file system's."""
        return uuid.uuid5(_NAMESPACE, self.label)

    @property
    def volume_id(self) -> str:
        """The eight hex digits that a FAT is told apart by."""
        return self.guid.hex[:8]


@dataclass(frozen=True, slots=True)
class Volatile:
    """A folder in memory.

    Attributes:
        at: where.
        options: of the mount.
    """

    at: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of the data partition.

    Attributes:
        folder: its name there.
        at: where programs find it.
        mode: octal, as text.
        owner, group: names; "root" by default.
    """

    folder: str
    at: str
    mode: str
    owner: str
    group: str


@dataclass(frozen=True, slots=True)
class Layout:
    """All of it.

    Attributes:
        align_mib: partitions begin at multiples of it.
        partitions: in the order of their numbers.
        volatile: folders in memory.
        folders: those of the data partition.
    """

    align_mib: int
    partitions: tuple[Partition, ...]
    volatile: tuple[Volatile, ...]
    folders: tuple[Folder, ...]

    @property
    def guid(self) -> uuid.UUID:
        """The disk's own name."""
        return uuid.uuid5(_NAMESPACE, "disk")

    @property
    def disk_bytes(self) -> int:
        """How long the image is."""
        last = self.partitions[-1]
        end = last.first_sector + last.sectors + GPT_SECTORS
        unit = self.align_mib * MIB // SECTOR_BYTES
        return -(-end // unit) * unit * SECTOR_BYTES

    def labelled(self, label: str) -> Partition:
        """Give a partition.

        Raises:
            RecipeError: if there is none of that label.
        """
        for partition in self.partitions:
            if partition.label == label:
                return partition
        raise RecipeError(f"layout.toml: no partition has the label {label}")

    def of_slot(self, slot: str, role: str) -> Partition:
        """Give a slot's partition.

        Raises:
            RecipeError: if it has none of that role.
        """
        for partition in self.partitions:
            if (partition.slot, partition.role) == (slot, role):
                return partition
        raise RecipeError(f"layout.toml: slot {slot} has no {role} partition")


def read_layout(path: Path) -> Layout:
    """Read and check `layout.toml`.

    Raises:
        RecipeError: if something of it is not as it has to be.
    """
    whole = read_toml(path)
    if whole.take("format", int) != FORMAT:
        raise RecipeError(f"{path}: format has to be {FORMAT}")
    align_mib = whole.take("align_mib", int)
    if not 1 <= align_mib <= 64:
        raise RecipeError(f"{path}: align_mib has to be from 1 to 64")
    partitions: list[Partition] = []
    end = 0
    for table in whole.tables("partitions"):
        unit = align_mib * MIB // SECTOR_BYTES
        first = unit if not partitions else -(-end // unit) * unit
        partition = _partition(table, len(partitions) + 1, first)
        end = first + partition.sectors
        partitions.append(partition)
    volatile = tuple(_volatile(table) for table in whole.tables("volatile"))
    folders = tuple(_folder(table) for table in whole.tables("folders"))
    whole.end()
    layout = Layout(align_mib, tuple(partitions), volatile, folders)
    _check(layout)
    return layout


def _partition(table: Table, number: int, first_sector: int) -> Partition:
    partition = Partition(
        number=number,
        label=table.take("label", str),
        size_mib=table.take("size_mib", int),
        kind=table.take("kind", str),
        type_guid=table.take("type", str),
        first_sector=first_sector,
        mount=table.take("mount", str, ""),
        options=table.words("options"),
        check=table.take("check", int, 0),
        slot=table.take("slot", str, ""),
        role=table.take("role", str, ""),
        grows=table.take("grows", bool, False),
    )
    table.end()
    where = f"layout.toml, partition {number}"
    if not re.fullmatch(rf"[a-z][a-z0-9_]{{0,{LABEL_CHARACTERS_MAX - 1}}}", partition.label):
        raise RecipeError(
            f"{where}: label has to be small letters, digits and _, at most {LABEL_CHARACTERS_MAX}"
        )
    if partition.kind not in KINDS:
        raise RecipeError(f"{where}: kind has to be one of {', '.join(KINDS)}")
    if partition.role not in ROLES or partition.slot not in ("", *SLOTS):
        raise RecipeError(f"{where}: role has to be boot or system, slot a or b")
    if bool(partition.role) != bool(partition.slot):
        raise RecipeError(f"{where}: slot and role go together")
    if partition.size_mib < 1 or partition.check not in (0, 1, 2):
        raise RecipeError(f"{where}: size_mib has to be 1 or more, check 0, 1 or 2")
    try:
        uuid.UUID(partition.type_guid)
    except ValueError:
        raise RecipeError(f"{where}: type has to be a GUID") from None
    return partition


def _volatile(table: Table) -> Volatile:
    volatile = Volatile(table.take("at", str), table.words("options"))
    table.end()
    return volatile


def _folder(table: Table) -> Folder:
    owner = table.take("owner", str, "root")
    folder = Folder(
        folder=table.take("folder", str),
        at=table.take("at", str),
        mode=table.take("mode", str),
        owner=owner,
        group=table.take("group", str, owner),
    )
    table.end()
    if not re.fullmatch(r"[0-7]{4}", folder.mode):
        raise RecipeError(f"layout.toml, folder {folder.folder}: mode has to be four octal digits")
    return folder


def _check(layout: Layout) -> None:
    """Check what holds between partitions."""
    labels = [partition.label for partition in layout.partitions]
    if len(set(labels)) != len(labels):
        raise RecipeError("layout.toml: two partitions have one label")
    for role in ROLES[1:]:
        one, other = (layout.of_slot(slot, role) for slot in SLOTS)
        if (one.size_mib, one.kind, one.type_guid) != (other.size_mib, other.kind, other.type_guid):
            raise RecipeError(f"layout.toml: {one.label} and {other.label} have to be alike")
    if [p.label for p in layout.partitions if p.grows] != labels[-1:]:
        raise RecipeError("layout.toml: the last partition grows, and no other can")
    places = [folder.at for folder in layout.folders] + [v.at for v in layout.volatile]
    places += [p.mount for p in layout.partitions if p.mount]
    if len(set(places)) != len(places) or not all(re.fullmatch(r"(/[\w.-]+)+", p) for p in places):
        raise RecipeError("layout.toml: every place is an absolute path of its own")
