"""`portillon care provision`: makes a machine what the `gate.toml` on its card says, or nothing.

Run at every start before the network and the gate, and when the file changes. Nothing of the file
is run or followed. What it asks is checked whole, then written to where it counts, then told beside
the file; only then are secrets taken off the card. Each step can be cut short: the next start does
it again. See docs/adr/0036-first-boot.md.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

from caretaker.complaints import Complaint, ComplaintError
from caretaker.errors import CareError, FileError
from caretaker.kept_files import read_small, remove, write_in_place, write_whole
from caretaker.machine_settings import Provisioned, Settings, keep, kept
from caretaker.network_files import ALL_FILES, made_files
from caretaker.persons_file import cleaned, is_half_cleaned
from caretaker.places import Places
from caretaker.provisioning_result import NONE, Result, tell_result
from caretaker.provisioning_text import FILE_BYTES_MAX, PersonsFile, read_text
from caretaker.toml_text import write_toml
from caretaker.wishes import MACHINE, Wishes, read_wishes

FILE: Final = "gate.toml"
PINS_FILE: Final = "page-pins.json"
ENROL_FILE: Final = "enrol.link"  # read and removed by the gate, once it is enrolled
_OWN_KEYS: Final = ("data", "device_secret")
_HEAD: Final = (
    "Made of the gate.toml of this gate's card; what that says of the machine is kept apart."
)


class GateKnowledge(Protocol):
    """What the gate knows of its own files; `portillon care` hands it over."""

    def problem(self, text: str) -> tuple[str, str] | None:
        """Give key and words of what is wrong with a configuration, None for nothing."""
        ...

    def pin_problem(self, role: str, pin: str) -> bool:
        """Tell whether a PIN is too short, too long or what everybody tries first."""
        ...

    def with_pins(self, before: bytes | None, pins: Mapping[str, str]) -> bytes:
        """Give the file of the PINs' hashes, with these changed."""
        ...

    def is_enrolled(self, state: Path) -> bool:
        """Tell whether the gate belongs to a server."""
        ...


@dataclass(frozen=True, slots=True)
class Provisioning:
    """One run.

    Attributes:
        places: where things lie.
        gate: what the gate knows.
        now_ms: what time it is.
        set_name: sets the machine's name; raises OSError where it may not.
    """

    places: Places
    gate: GateKnowledge
    now_ms: Callable[[], int]
    set_name: Callable[[str], None]

    def run(self, stick: Path | None = None) -> Result:
        """Apply the file that is there, if it is another one than was applied last.

        Args:
            stick: folder of a stick that brings one; None is the card's own partition.

        Raises:
            FileError: if what is to be kept cannot be written.
        """
        before = self._kept()
        folder = stick or self.places.boot_partition
        try:
            raw = read_small(folder / FILE, FILE_BYTES_MAX)
        except FileError as exc:
            raw, result = None, Result.refused([Complaint("file", values={"what": str(exc)})])
        else:
            result = NONE
        if raw is not None:
            result, before = self._take(raw, before, is_stick=stick is not None)
        self._make(before.settings)
        if result is not NONE:
            tell_result(self.places, folder, replace(result, at_ms=self.now_ms()))
        if stick is None and raw is not None and before.clean and not before.is_cleaned:
            self._clean(folder / FILE, before)
        return result

    def _take(
        self, raw: bytes, before: Provisioned, *, is_stick: bool
    ) -> tuple[Result, Provisioned]:
        digest = hashlib.sha256(raw).hexdigest()
        if digest == (before.stick_digest if is_stick else before.digest):
            return NONE, before
        if not is_stick and before.clean:
            clean = bytes.fromhex(before.clean)
            if raw == clean or (not before.is_cleaned and is_half_cleaned(raw, clean)):
                return NONE, before
        try:
            file, wishes, document = self.check(raw, before.settings, is_stick=is_stick)
            clean = cleaned(file)
        except ComplaintError as exc:
            return Result.refused(list(exc.complaints), _language(raw)), before
        notes = self._keep_gates_part(wishes, document)
        after = replace(before, settings=wishes.settings)
        if is_stick:  # it goes on to the next gate as it is
            after = replace(after, stick_digest=digest)
        else:
            after = replace(after, digest=digest, clean=clean.hex(), is_cleaned=clean == raw)
        keep(self.places, after)
        return Result.applied(wishes, document, notes), after

    def check(
        self, raw: bytes, before: Settings, *, is_stick: bool = False
    ) -> tuple[PersonsFile, Wishes, dict[str, Any]]:
        """Check a file whole; give what it asks of the machine, and the gate's part.

        Raises:
            ComplaintError: with everything that is wrong.
        """
        if is_stick and self.gate.is_enrolled(self.places.state):
            # whoever reaches a socket on the outside must not make the gate another's
            raise ComplaintError(Complaint("stick_enrolled"))
        file = read_text(raw)
        document = dict(file.document)
        wishes, complaints = read_wishes(document.pop(MACHINE, {}))
        wishes, kept_complaints = _with_kept_passphrase(wishes, before)
        complaints += kept_complaints
        for role, pin in wishes.pins.items():
            if self.gate.pin_problem(role, pin):
                key = f"{role}_pin"
                complaints.append(Complaint("pin", values={"at": f"{MACHINE}.{key}", "key": key}))
        if wishes.enrol and ":" not in wishes.enrol and not document.get("server"):
            complaints.append(Complaint("server", values={"at": f"{MACHINE}.enrol"}))
        complaints += [
            Complaint("own_place", values={"at": key, "key": key})
            for key in _OWN_KEYS
            if key in document
        ]
        document |= {
            "data": str(self.places.state),
            "device_secret": str(self.places.device_secret),
        }
        try:
            problem = self.gate.problem(write_toml(document))
        except ValueError as exc:
            problem = ("", str(exc))
        if problem is not None:
            at, what = problem
            complaints.append(Complaint("gate", values={"at": at, "key": at, "what": what}))
        if complaints:
            raise ComplaintError(*sorted(map(_placed(file), complaints), key=lambda c: c.line))
        return file, wishes, document

    def _keep_gates_part(self, wishes: Wishes, document: dict[str, Any]) -> list[str]:
        """Write what the gate reads; give what is worth a word."""
        notes = []
        config = self.places.config
        if config.is_symlink():  # an image's own, to where it can be written; and no further
            config = self.places.root / config.parent.joinpath(config.readlink()).relative_to("/")
        text = write_toml(document, _HEAD).encode()
        if read_small(config) != text:
            write_whole(config, text, mode=0o644)  # it holds no secret, and the gate reads it
        if wishes.pins:
            path = self.places.state / PINS_FILE
            write_whole(path, self.gate.with_pins(read_small(path), wishes.pins))
        if wishes.enrol and self.gate.is_enrolled(self.places.state):
            notes.append("enrolled_already")
        elif wishes.enrol:
            write_whole(self.places.state / ENROL_FILE, wishes.enrol.encode())
            notes.append("enrols")
        return notes

    def _make(self, settings: Settings) -> None:
        """Have what counts until the machine stops be as the settings say."""
        made = {file.path: file for file in made_files(settings)}
        for path in ALL_FILES:
            if path not in made:
                remove(self.places.root / path)
        for file in made.values():
            target = self.places.root / file.path
            target.parent.mkdir(mode=file.folder_mode, parents=True, exist_ok=True)
            content = file.content.encode()
            if read_small(target) != content:
                write_whole(target, content, file.mode)
        if settings.name:
            try:
                self.set_name(settings.name)
            except OSError as exc:
                raise CareError(f"the machine's name cannot be set: {exc.strerror}") from exc

    def _clean(self, path: Path, provisioned: Provisioned) -> None:
        """Take the secrets off the card, where they lie, and remember that it was done."""
        write_in_place(path, bytes.fromhex(provisioned.clean))
        keep(self.places, replace(provisioned, is_cleaned=True))

    def _kept(self) -> Provisioned:
        try:
            return kept(self.places)
        except FileError:  # damaged: the card's file is applied anew, if it still is there
            return Provisioned()


def _with_kept_passphrase(wishes: Wishes, before: Settings) -> tuple[Wishes, list[Complaint]]:
    """Fill in the passphrase that was taken off the card when the file was applied before."""
    wifi = wishes.settings.wifi
    if not wishes.keeps_passphrase or wifi is None:
        return wishes, []
    if before.wifi is None or before.wifi.ssid != wifi.ssid or not before.wifi.passphrase:
        at = f"{MACHINE}.wifi.passphrase"
        return wishes, [Complaint("passphrase_unknown", values={"at": at, "key": "passphrase"})]
    full = replace(wifi, passphrase=before.wifi.passphrase)
    return replace(wishes, settings=replace(wishes.settings, wifi=full)), []


def _language(raw: bytes) -> str:
    """Give the gate's language as far as a file that is refused tells it."""
    try:
        return str(read_text(raw).document.get("language", ""))
    except ComplaintError:
        return ""


def _placed(file: PersonsFile) -> Callable[[Complaint], Complaint]:
    def placed(complaint: Complaint) -> Complaint:
        at = complaint.values.get("at", "")
        return replace(complaint, line=file.line_of(at)) if at else complaint

    return placed
