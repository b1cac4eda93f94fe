"""The file systems of an image: made without mounting, and the same whenever they are made."""

import os
import shutil
from pathlib import Path
from typing import Final

from imaging.errors import BuildError
from imaging.layout import MIB, Partition
from imaging.running import run

SQUASHFS_BLOCK: Final = "131072"
ZSTD_LEVEL: Final = "15"


def squashfs(tree: Path, target: Path, partition: Partition, epoch: int, processors: int) -> None:
    """Pack a tree.

    Args:
        tree: what is packed, owners and all.
        target: the file that is made.
        partition: that it has to fit into.
        epoch: seconds since 1970; no file is younger.
        processors: how many may work at it.

    Raises:
        BuildError: if it does not fit.
    """
    target.unlink(missing_ok=True)
    words: list[str | Path] = [
        "mksquashfs",
        tree,
        target,
        "-noappend",
        "-no-progress",
        "-quiet",
        "-no-exports",
    ]
    words += ["-comp", "zstd", "-Xcompression-level", ZSTD_LEVEL, "-b", SQUASHFS_BLOCK]
    words += ["-no-xattrs", "-processors", str(processors)]
    run(words, variables={"SOURCE_DATE_EPOCH": str(epoch)})
    _fits(target, partition)


def fat(files: Path, target: Path, partition: Partition, epoch: int) -> None:
    """Make a FAT that holds a folder's files, by mtools.

    Raises:
        BuildError: if they do not fit.
    """
    target.unlink(missing_ok=True)
    kib = str(partition.size_mib * 1024)
    label = (partition.slot and "SLOT") or partition.label.upper()
    volume = "b0070001" if partition.slot else partition.volume_id  # both slots hold the same bytes
    run(["mkfs.vfat", "--invariant", "-C", "-i", volume, "-n", label, target, kib])
    for path in sorted(files.rglob("*"), key=lambda p: p.relative_to(files).parts):
        os.utime(path, (epoch, epoch))
        inside = f"::{path.relative_to(files)}"
        variables = {"SOURCE_DATE_EPOCH": str(epoch), "MTOOLS_SKIP_CHECK": "1"}
        if path.is_dir():
            run(["mmd", "-i", target, inside], variables=variables)
        else:
            run(["mcopy", "-m", "-i", target, path, inside], variables=variables)
    _fits(target, partition)


def ext4(target: Path, partition: Partition, epoch: int) -> None:
    """Make an empty ext4 that grows to the size of a card."""
    target.unlink(missing_ok=True)
    with target.open("wb") as file:
        file.truncate(partition.size_mib * MIB)
    # The journal has the size that a card wants, not the image; room to grow to 256 GiB.
    extended = f"hash_seed={partition.guid},lazy_itable_init=0,lazy_journal_init=0,resize=67108864"
    words = ["mkfs.ext4", "-q", "-F", "-b", "4096", "-J", "size=16", "-L", partition.label]
    words += ["-U", str(partition.guid), "-E", extended, str(target)]
    run(words, variables={"E2FSPROGS_FAKE_TIME": str(epoch)})


def assemble(
    target: Path, size_bytes: int, table: list[str], parts: list[tuple[int, Path]]
) -> None:
    """Make a disk: its table by sgdisk, then each file at its offset, holes left as holes.

    Args:
        target: the file that is made.
        size_bytes: how long it is.
        table: see `generated.sgdisk_arguments`.
        parts: offsets in bytes, and what lies there.
    """
    target.unlink(missing_ok=True)
    with target.open("wb") as disk:
        disk.truncate(size_bytes)
    run(["sgdisk", *table, target])
    with target.open("r+b") as disk:
        for offset, path in parts:
            with path.open("rb") as part:
                disk.seek(offset)
                while block := part.read(MIB):
                    if block.count(0) == len(block):
                        disk.seek(len(block), os.SEEK_CUR)
                    else:
                        disk.write(block)


def copy_firmware(root: Path, pattern: str, folder: Path) -> None:
    """Copy what a pattern finds below a root into a folder.

    Raises:
        BuildError: if it finds nothing.
    """
    found = sorted(root.glob(pattern))
    if not found:
        raise BuildError(f"firmware: nothing is called {pattern}; see the flavour's firmware")
    folder.mkdir(parents=True, exist_ok=True)
    for path in found:
        if path.is_dir():
            for inner in sorted(path.iterdir()):
                shutil.copyfile(inner, folder / inner.name)
        else:
            shutil.copyfile(path, folder / path.name)


def _fits(path: Path, partition: Partition) -> None:
    if path.stat().st_size > partition.size_mib * MIB:
        raise BuildError(
            f"{path.name}: {path.stat().st_size // MIB + 1} MiB do not fit into {partition.label} "
            f"({partition.size_mib} MiB): take something out, or change layout.toml"
        )
