"""`update.json`: how the last update stands, on the data partition; and what `machine.json` tells.

Each program of the caretaker that moves an update on holds the lock of it, so that one at a time
does. What is written is durable before anything is done about it.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from caretaker.autoboot import read_primary
from caretaker.errors import FileError, MachineError
from caretaker.kept_files import read_small, write_whole
from caretaker.machine_file import tell
from caretaker.places import Places
from caretaker.update_machine import Action, Event, Phase, Update, step

UPDATE_FILE: Final = "update.json"
FORMAT: Final = 1
_LOCK_FILE: Final = "update.lock"
_RELEASE: Final = "etc/os-release"
_FAULTS_MAX: Final = 64
_REASON_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Before:
    """How the gate was under the old version: what the new one is measured by.

    Attributes:
        tickets: it held.
        was_server_reached: whether its server had answered.
        faults: codes of what was wrong already.
    """

    tickets: int = 0
    was_server_reached: bool = False
    faults: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Kept:
    """All that the file holds.

    Attributes:
        update: how the last update stands.
        since_ms: since when, by the wall clock.
        before: how the gate was, taken when the trial was asked for.
        answered: hash of the last request that was answered for good.
        waits: why an update that is asked for, or armed, is not gone on with; "" for no reason.
    """

    update: Update = field(default_factory=Update)
    since_ms: int = 0
    before: Before = field(default_factory=Before)
    answered: str = ""
    waits: str = ""


@contextmanager
def held(places: Places) -> Iterator[None]:
    """Let nobody else move the update on for as long as the context lasts; waits for its turn.

    Raises:
        FileError: if there is no folder to lock in.
    """
    try:
        places.care_run.mkdir(mode=0o755, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        lock = os.open(places.care_run / _LOCK_FILE, flags, 0o600)
    except OSError as exc:
        raise FileError(f"{places.care_run}: cannot be written to: {exc.strerror}") from exc
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def load(places: Places) -> Kept:
    """Give what the file holds; nothing, for a machine that was never updated.

    Raises:
        FileError: if it is damaged: what is on trial is then not known, and nothing is installed.
    """
    path = places.care / UPDATE_FILE
    raw = read_small(path)
    if raw is None:
        return Kept()
    try:
        return _kept(json.loads(raw))
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise FileError(f"{path}: is damaged ({exc}); remove it to begin anew") from exc


def save(places: Places, kept: Kept) -> None:
    """Write it durably, then tell it in `machine.json`.

    Raises:
        FileError: if it cannot be written.
    """
    document = {
        "format": FORMAT,
        "update": asdict(kept.update),
        "since_ms": kept.since_ms,
        "before": asdict(kept.before) | {"faults": sorted(kept.before.faults)[:_FAULTS_MAX]},
        "answered": kept.answered,
        "waits": kept.waits,
    }
    places.care.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(places.care / UPDATE_FILE, json.dumps(document).encode())
    report(places, kept)


def advance(places: Places, kept: Kept, event: Event, now_ms: int) -> tuple[Kept, Action]:
    """Move the update on: the new state is durable when this returns; the action is the caller's.

    Raises:
        OutOfTurnError: if the event cannot happen now.
        FileError: if the state cannot be written.
    """
    update, action = step(kept.update, event)
    is_same = (update.phase, update.version) == (kept.update.phase, kept.update.version)
    since_ms = kept.since_ms if is_same else now_ms
    after = replace(kept, update=update, since_ms=since_ms, waits="")
    if after != kept:
        save(places, after)
    return after, action


def report(places: Places, kept: Kept, **parts: Any) -> None:
    """Tell the gate, and through it the server, how the update stands.

    Raises:
        FileError: if it cannot be told.
    """
    update = kept.update
    tell(
        places,
        update={
            "state": update.phase.value,
            "version": update.version,
            "reason": (update.reason or kept.waits)[:_REASON_MAX],
            "since_ms": kept.since_ms,
        },
        blocked=list(update.blocked),
        **parts,
    )


def running_version(places: Places) -> str:
    """Give the version of what runs, from the slot itself and never from what an updater believes.

    Raises:
        MachineError: if the slot does not say it: then it is no image of ours.
    """
    path = places.root / _RELEASE
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as exc:
        raise MachineError(f"{path}: cannot be read: {exc}") from exc
    for line in text.splitlines():
        name, _, value = line.partition("=")
        if name == "IMAGE_VERSION":
            return value.strip().strip("\"'")
    raise MachineError(f"{path}: has no IMAGE_VERSION; updates need the image")


def primary(places: Places) -> str:
    """Give the slot that the boot partition names."""
    return read_primary(places.boot_partition)


def _kept(said: dict[str, Any]) -> Kept:
    if said["format"] != FORMAT:
        raise ValueError(f"is of format {said['format']}, this program knows {FORMAT}")
    update = dict(said["update"])
    update["phase"] = Phase(update["phase"])
    update["blocked"] = tuple(update["blocked"])
    before = dict(said["before"])
    before["faults"] = frozenset(before["faults"])
    return Kept(
        Update(**update), said["since_ms"], Before(**before), said["answered"], said["waits"]
    )
