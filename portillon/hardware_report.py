"""`portillon selftest --hardware-report`: looks, measures, asks, writes what a board has shown."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from admission.trust.keys import public_key
from appliance.board_facts import read_board
from appliance.config import Config
from appliance.device_bench import Effort, Table, commit_table, decoding_table, memory_table
from appliance.errors import ApplianceError
from appliance.gate_facts import read_libraries, read_set_up
from appliance.hardware_report import (
    NOTE_MAX,
    REPORT_BYTES_MAX,
    Answered,
    Report,
    as_text,
    checked,
    signed,
    unanswered,
    written,
)
from appliance.page_ports import CheckLine
from appliance.physical_checks import PHYSICAL_CHECKS, Answer, PhysicalCheck
from appliance.storage.device_secrets import device_secrets
from appliance.storage.identity_file import IDENTITY_FILE
from appliance.storage.identity_vault import open_vault
from portillon import __version__

EFFORT: Final = Effort(frames=10, commits=200, tickets=20_000)
MOVE_WORD: Final = "move"
_ANSWERS: Final = {
    **dict.fromkeys(("y", "yes"), Answer.YES),
    **dict.fromkeys(("n", "no"), Answer.NO),
    **dict.fromkeys(("s", "skip", ""), Answer.SKIPPED),
}


def make(
    config: Config | None,
    checks: Sequence[CheckLine],
    folder: Path,
    *,
    is_asking: bool,
    arm: str = "not asked to",
) -> tuple[str, list[Path]]:
    """Make a report and write it.

    Args:
        config: the gate's; None on a machine that is none yet.
        checks: what the self-test has found.
        folder: where the files go.
        is_asking: whether somebody stands before the gate and answers.
        arm: whether this run has released it.

    Returns:
        What it says, and the files: the document, and its signed envelope where there is a key.

    Raises:
        ApplianceError: the folder cannot be written to.
    """
    key = _key_if_any(config)
    now = datetime.now(UTC)
    of_gate = read_set_up(config) | {"arm": {"released by this run": arm}} if config else {}
    report = Report(
        made_at=now,
        software=__version__,
        key=public_key(key) if key else b"",
        board=read_board() | read_libraries() | of_gate,
        checks=checks,
        figures=_figures(config.data if config else folder),
        answers=questions(PHYSICAL_CHECKS, input) if is_asking else unanswered(),
    )
    body = written(report)
    name = f"portillon-report-{now:%Y%m%dT%H%M%SZ}"
    files = [(folder / f"{name}.json", body)]
    if key:
        files.append((folder / f"{name}.signed.json", signed(body, key)))
    for path, content in files:
        try:
            path.write_bytes(content)
        except OSError as exc:
            raise ApplianceError(f"{path}: cannot be written: {exc.strerror}") from exc
    document, _ = checked(body)
    return as_text(document), [path for path, _ in files]


def check(path: Path) -> tuple[str, str]:
    """Read a report from a file; give what it says, and the id of the key that signed it.

    Raises:
        ApplianceError: it cannot be read, is no report, or its signature is not good.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(REPORT_BYTES_MAX + 1)
    except OSError as exc:
        raise ApplianceError(f"{path}: cannot be read: {exc.strerror}") from exc
    document, signer = checked(raw)
    return as_text(document), signer


def may_move(ask: Callable[[str], str]) -> bool:
    """Ask whether the arm may move now; only the whole word says yes."""
    print("The arm will be released once, for an entry. Nobody may stand in it.", file=sys.stderr)
    try:
        return ask(f"Type {MOVE_WORD} to do so, anything else not to: ").strip() == MOVE_WORD
    except EOFError:
        return False


def questions(checks: Sequence[PhysicalCheck], ask: Callable[[str], str]) -> list[Answered]:
    """Ask each; whoever ends the input has skipped what is left.

    Args:
        checks: what to ask.
        ask: shows a text and gives what was typed.
    """
    answers: list[Answered] = []
    for number, one in enumerate(checks, 1):
        print(f"\n{number}/{len(checks)}  {one.do}", file=sys.stderr)
        try:
            answer, note = _understood(one, ask)
        except EOFError:
            return [*answers, *unanswered()[len(answers) :]]
        answers.append(Answered(one.name, answer, note))
    return answers


def _understood(one: PhysicalCheck, ask: Callable[[str], str]) -> tuple[Answer, str]:
    while True:
        said = ask(f"     {one.ask} [y/n/s, and a note if you like] ")
        word, *rest = said.split(maxsplit=1) or ("",)
        if word.lower() in _ANSWERS:
            note = "".join(c for c in "".join(rest).strip() if c.isprintable())
            return _ANSWERS[word.lower()], note[:NOTE_MAX]
        print("     y for yes, n for no, s to skip", file=sys.stderr)


def _key_if_any(config: Config | None) -> bytes:
    """Read the gate's key; the report of a gate that cannot read its own is worth having, too."""
    try:
        return asyncio.run(_private_key(config)) if config else b""
    except ApplianceError as exc:
        print(f"portillon selftest: not signed: {exc}", file=sys.stderr)
        return b""


async def _private_key(config: Config) -> bytes:
    secrets = device_secrets(config.data, config.device_secret)
    vault = await open_vault(config.data / IDENTITY_FILE, secrets)
    return b"" if vault is None else vault.identity.private_key


def _figures(folder: Path) -> list[Table]:
    try:
        commits = asyncio.run(commit_table(EFFORT, folder))
    except (OSError, ApplianceError) as exc:  # of the words only what names no folder
        why = exc.strerror if isinstance(exc, OSError) else type(exc).__name__
        commits = Table(f"commits could not be measured: {why}", (), ())
    return [memory_table(EFFORT), decoding_table(EFFORT), commits]
