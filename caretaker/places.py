"""Where things lie on a gate's machine: one list for units, caretaker and image.

The gate itself is told its folder by its configuration; what both sides read and write stands
here and in docs/adr/0031-caretaker.md.
"""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Places:
    """The folders, below a root that is "/" but in tests.

    Attributes:
        root: what all the others lie below.
    """

    root: Path = field(default=Path("/"))

    @property
    def config(self) -> Path:
        """The gate's checked configuration: written by provisioning, or by hand."""
        return self.root / "etc/portillon/gate.toml"

    @property
    def boot_partition(self) -> Path:
        """The FAT partition that any laptop opens: `gate.toml` in, `gate-result.txt` out."""
        return self.root / "boot/cfg"

    @property
    def state(self) -> Path:
        """The gate's own folder: journal, lists, keys; and the bundles that it fetched."""
        return self.root / "var/lib/portillon-gate"

    @property
    def device_secret(self) -> Path:
        """What the gate's keys are sealed under (`device_secret`): in a folder of its own."""
        return self.root / "var/lib/portillon-gate-secret/device"

    @property
    def care(self) -> Path:
        """The caretaker's own folder, root's: update state, saved clock, what was provisioned."""
        return self.root / "var/lib/portillon-care"

    @property
    def gate_run(self) -> Path:
        """Written by the gate, read by the caretaker; gone at every start of the machine."""
        return self.root / "run/portillon-gate"

    @property
    def care_run(self) -> Path:
        """Written by the caretaker, read by the gate; gone at every start of the machine."""
        return self.root / "run/portillon-care"
