"""`portillon care update`: takes a bundle, has RAUC install it, and tries it in a quiet moment.

Run by portillon-update.service, as root: when the gate asks, every few minutes while something
waits, and by a person. Speaks with no network. What comes from the gate or from a stick is taken as
a stranger's. The steps and their order are those of `update_machine`.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from caretaker import rauc
from caretaker.bundle_intake import Request, bundles_on, read_request, take, take_from_stick
from caretaker.errors import CareError, FileError
from caretaker.firmware import read_boot, read_booted, read_built_s
from caretaker.gate_failed import systemctl
from caretaker.gate_status import read_status
from caretaker.places import Places
from caretaker.update_file import Before, Kept, advance, held, load, primary, running_version, save
from caretaker.update_machine import (
    ATTEMPTS_MAX,
    Booted,
    Installed,
    InstallFailed,
    Phase,
    Refused,
    Requested,
    Try,
    is_on_its_way_down,
)
from caretaker.update_policy import loader_refusal, lock, version_refusal

OPERATOR: Final = "operator"
TRYBOOT: Final = "portillon-tryboot.service"
COPY: Final = "bundle.raucb"


def _start_on_trial() -> None:
    systemctl(["start", "--no-block", TRYBOOT])


@dataclass(frozen=True, slots=True)
class Tools:
    """What is done to the machine. Each raises CareError where it does not work.

    Attributes:
        inspect: checks a bundle's signature and gives its manifest.
        install: writes it into the slots that do not run.
        try_it: has the machine start anew, by the firmware's one-shot flag; returns before that.
        now_ms: gives the wall clock.
    """

    inspect: Callable[[Path], rauc.Manifest] = rauc.inspect
    install: Callable[[Path], None] = rauc.install
    try_it: Callable[[], None] = _start_on_trial
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person, or a unit, wants of a run.

    Attributes:
        is_now: whatever goes on at the gate: the lock is overridden.
        quiet_ms: how long nobody must have come.
        bundles: files that a person brought.
        unblock: a version that may be tried once more; "" for none.
    """

    is_now: bool = False
    quiet_ms: int = 15 * 60 * 1000
    bundles: tuple[Path, ...] = ()
    unblock: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the action's arguments."""
    parser.add_argument("--bundle", type=Path, help="install this file, which a person brought")
    parser.add_argument("--stick", type=Path, help="install what is on the stick mounted there")
    parser.add_argument("--now", action="store_true", help="also while people are at the gate")
    parser.add_argument("--quiet-minutes", type=int, default=15, help="since somebody came")
    parser.add_argument("--unblock", default="", metavar="VERSION", help="let it be tried again")
    parser.add_argument("--root", type=Path, default=Path("/"), help="of the machine's files")


def run(arguments: argparse.Namespace) -> int:
    """Go on with what there is; see the module's text."""
    bundles = [arguments.bundle] if arguments.bundle else []
    if arguments.stick:
        bundles += bundles_on(arguments.stick)
    wish = Wish(arguments.now, arguments.quiet_minutes * 60_000, tuple(bundles), arguments.unblock)
    print(Updating(Places(arguments.root), Tools(), wish).go_on())
    return 0


class Updating:
    """One run.

    Args:
        places: where things lie.
        tools: what is done to the machine.
        wish: what is wanted of the run.
    """

    def __init__(self, places: Places, tools: Tools, wish: Wish) -> None:
        self._places = places
        self._tools = tools
        self._wish = wish
        self._is_now = wish.is_now

    def go_on(self) -> str:
        """Do what can be done now; gives what became of it, for people.

        Raises:
            CareError: if the machine is no image of ours, or its state cannot be read or written.
        """
        with held(self._places):
            booted, boot = read_booted(self._places), read_boot(self._places)
            kept = load(self._places)
            if is_on_its_way_down(kept.update, boot):
                self._tools.try_it()  # whoever was to may have been ended before
                return "the machine is about to start the new version"
            if self._wish.unblock:
                kept = replace(kept, update=kept.update.unblocked(self._wish.unblock), answered="")
                save(self._places, kept)
            kept = self._install_what_is_asked(kept, booted, boot)
            return self._try(kept, boot)

    def _install_what_is_asked(self, kept: Kept, booted: Booted, boot: str) -> Kept:
        for path in self._wish.bundles:
            kept = self._take_in(kept, booted, boot, None, path)
        try:
            request = read_request(self._places)
        except FileError as exc:
            print(exc)  # whoever wrote it writes another; the bundle it names is not known
            return kept
        if request is None or request.digest == kept.answered:
            return kept
        update = kept.update
        is_held = update.phase is Phase.ARMED and request.version == update.version
        has_failed = update.phase is Phase.ROLLED_BACK and request.version == update.version
        if is_held or (has_failed and request.version in update.blocked):
            return self._answer(kept, request)  # nothing new, and it stands as it stands
        if request.version == running_version(self._places):
            return self._answer(kept, request)
        self._is_now = self._is_now or request.by == OPERATOR
        return self._take_in(kept, booted, boot, request, request.path)

    def _take_in(
        self, kept: Kept, booted: Booted, boot: str, request: Request | None, path: Path
    ) -> Kept:
        """Copy, check and install one bundle; one that is refused is told so."""
        hindrance = self._hindrance(kept, booted)
        if hindrance:
            return self._wait(kept, hindrance)
        copy = self._places.care / COPY
        version = request.version if request else path.name
        try:
            try:
                manifest = self._checked(request, path, copy, kept)
                version = manifest.version
            except CareError as exc:
                return self._refuse(kept, version, exc, request)
            event = Requested(version, booted.slot, primary(self._places), boot)
            kept, _ = advance(self._places, kept, event, self._tools.now_ms())
            try:
                self._tools.install(copy)
            except CareError as exc:
                failed = InstallFailed(str(exc))
                kept, _ = advance(self._places, kept, failed, self._tools.now_ms())
                return self._answer(kept, request)
            kept, _ = advance(self._places, kept, Installed(), self._tools.now_ms())
            return self._answer(kept, request)
        finally:
            copy.unlink(missing_ok=True)

    def _checked(
        self, request: Request | None, path: Path, copy: Path, kept: Kept
    ) -> rauc.Manifest:
        """Copy a bundle and check all but its payload, which the installation does."""
        if request is None:
            take_from_stick(path, copy)
        else:
            take(request, self._places, copy)
        manifest = self._tools.inspect(copy)
        own = rauc.compatible(self._places)
        if manifest.compatible != own:
            raise FileError(f"bundle is for {manifest.compatible}, this machine is {own}")
        if request is not None and manifest.version != request.version:
            raise FileError(f"bundle holds {manifest.version}, {request.version} was asked for")
        running = running_version(self._places)
        wrong = loader_refusal(read_built_s(self._places)) or version_refusal(
            manifest.version, running, kept.update.blocked, manifest.may_go_back
        )
        if wrong:
            raise FileError(wrong)
        return manifest

    def _hindrance(self, kept: Kept, booted: Booted) -> str:
        """Tell why nothing is installed now; "" where it may be."""
        if kept.update.phase is Phase.TRYING:
            return "a version is on trial"
        if primary(self._places) != booted.slot:
            return "the slot that runs is not the one that the boot partition names"
        return self._locked()

    def _locked(self) -> str:
        if self._is_now:
            return ""
        status = read_status(self._places)
        return lock(status, self._tools.now_ms(), self._wish.quiet_ms) or ""

    def _try(self, kept: Kept, boot: str) -> str:
        """Start what is installed and waits for its trial."""
        update = kept.update
        if update.phase is not Phase.ARMED or update.attempts >= ATTEMPTS_MAX:
            said = f"{update.phase} {update.version} {update.reason or kept.waits}"
            return " ".join(said.split())
        locked = self._locked()
        if locked:
            self._wait(kept, locked)
            return f"version {update.version} is installed and waits: {locked}"
        status = read_status(self._places)
        if status is not None:
            before = Before(status.tickets, status.server_reached_ms is not None, status.faults)
            kept = replace(kept, before=before)
        advance(self._places, kept, Try(boot), self._tools.now_ms())
        self._tools.try_it()
        return f"version {update.version} is started on trial"

    def _wait(self, kept: Kept, why: str) -> Kept:
        if kept.waits != why:
            kept = replace(kept, waits=why)
            save(self._places, kept)
        return kept

    def _refuse(self, kept: Kept, version: str, error: CareError, request: Request | None) -> Kept:
        print(f"version {version} is refused: {error}")
        if kept.update.phase is not Phase.ARMED:  # what is installed keeps its turn
            refused = Refused(version, str(error))
            kept, _ = advance(self._places, kept, refused, self._tools.now_ms())
        return self._answer(kept, request)

    def _answer(self, kept: Kept, request: Request | None) -> Kept:
        """Note that a request was answered for good: the same again is not gone into."""
        if request is None or kept.answered == request.digest:
            return kept
        kept = replace(kept, answered=request.digest)
        save(self._places, kept)
        return kept
