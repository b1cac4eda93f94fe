"""The files that follow from `layout.toml`: pure text, made for disk, image and updates alike."""

from typing import Final

from imaging.errors import RecipeError
from imaging.layout import SLOTS, Layout

_MADE: Final = "# Made from image-build/layout.toml; change it there.\n"
DATA: Final = "data"
BOOT_CONFIG: Final = "bootcfg"
FOLDERS_UNIT: Final = "portillon-data-folders.service"
FOLDERS_FILE: Final = "usr/lib/portillon-image/data-folders.conf"
BACKEND: Final = "/usr/lib/portillon-image/boot-backend"
KEYRING: Final = "/etc/rauc/keyring.pem"
MOUNTS: Final = "/run/rauc"  # where a bundle is mounted: the system itself cannot be written to
AUTOBOOT_BYTES: Final = 496  # as caretaker/autoboot.py writes it over, at one size for ever


def sgdisk_arguments(layout: Layout) -> list[str]:
    """Give what makes the disk's table, by Debian's sgdisk, but for the image's path."""
    words = ["--clear", f"--set-alignment={layout.align_mib * 2048}"]
    words.append(f"--disk-guid={layout.guid}")
    for p in layout.partitions:
        last = p.first_sector + p.sectors - 1
        words += [
            f"--new={p.number}:{p.first_sector}:{last}",
            f"--typecode={p.number}:{p.type_guid}",
            f"--change-name={p.number}:{p.label}",
            f"--partition-guid={p.number}:{p.guid}",
        ]
    return words


def fstab(layout: Layout) -> str:
    """Give /etc/fstab: partitions, what is kept in memory, and folders of the data partition."""
    rows = [
        (p.device, p.mount, "vfat" if p.kind == "fat" else p.kind, p.options, p.check)
        for p in layout.partitions
        if p.mount
    ]
    rows += [("tmpfs", volatile.at, "tmpfs", volatile.options, 0) for volatile in layout.volatile]
    data = layout.labelled(DATA).mount
    after = (f"x-systemd.requires={FOLDERS_UNIT}", f"x-systemd.after={FOLDERS_UNIT}")
    rows += [
        (f"{data}/{folder.folder}", folder.at, "none", ("bind", *after), 0)
        for folder in layout.folders
    ]
    lines = [
        f"{device} {at} {kind} {','.join(options)} 0 {check}\n"
        for device, at, kind, options, check in rows
    ]
    return _MADE + "".join(lines)


def data_folders(layout: Layout) -> str:
    """Give the folders of the data partition, for systemd-tmpfiles."""
    data = layout.labelled(DATA).mount
    lines = [f"d {data}/{f.folder} {f.mode} {f.owner} {f.group}\n" for f in layout.folders]
    return _MADE + "".join(lines)


def rauc_system(layout: Layout, compatible: str) -> str:
    """Give RAUC's description of the slots.

    Args:
        layout: where they lie.
        compatible: the machines that a bundle has to be for.
    """
    data = next((folder.at for folder in layout.folders if folder.folder == "rauc"), None)
    if data is None:
        raise RecipeError("layout.toml: no folder rauc, for what the installer keeps")
    text = (
        f"{_MADE}[system]\ncompatible={compatible}\nbootloader=custom\n"
        f"bundle-formats=-plain\nmountprefix={MOUNTS}\ndata-directory={data}\n"
        f"\n[handlers]\nbootloader-custom-backend={BACKEND}\n"
        f"\n[keyring]\npath={KEYRING}\ncheck-purpose=codesign\n"
    )
    for number, slot in enumerate(SLOTS):
        system, boot = layout.of_slot(slot, "system"), layout.of_slot(slot, "boot")
        text += (
            f"\n[slot.rootfs.{number}]\ndevice={system.device}\ntype=raw\nbootname={slot.upper()}\n"
            f"\n[slot.boot.{number}]\ndevice={boot.device}\ntype=raw\nparent=rootfs.{number}\n"
        )
    return text


def slots_file(layout: Layout) -> str:
    """Give what the start goes by: the number of a boot partition, and its system's label."""
    return "".join(
        f"{layout.of_slot(slot, 'boot').number} {layout.of_slot(slot, 'system').label}\n"
        for slot in SLOTS
    )


def autoboot(layout: Layout) -> bytes:
    """Give the first `autoboot.txt`: slot a starts, slot b on trial."""
    first, other = (layout.of_slot(slot, "boot").number for slot in SLOTS)
    text = f"[all]\ntryboot_a_b=1\nboot_partition={first}\n[tryboot]\nboot_partition={other}\n"
    return text.encode().ljust(AUTOBOOT_BYTES, b"\n")
