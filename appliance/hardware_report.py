"""What a run on a real board has shown, as a document: evidence that an emulator cannot give.

Made by `portillon selftest --hardware-report`. Holds no ticket number, no name, no address and no
serial number. Signed with the gate's own key where there is one, so that two reports can be told to
be of one gate; the key says nothing else.

Format 1: a JSON object with `format`, `kind`, `made_at`, `software`, `key` (hex, "" for none),
`board` (sections of facts), `checks` (the self-test), `figures` (tables of `portillon bench`) and
`answers`. The signed file is a DSSE envelope of it (`PAYLOAD_TYPE`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from admission.errors import ListFormatError, SignatureError
from admission.trust.envelope import open_envelope, seal_envelope, unverified_body
from admission.trust.keys import key_id
from appliance.device_bench import Table
from appliance.errors import ApplianceError
from appliance.kernel_files import Facts
from appliance.page_ports import CheckLine
from appliance.physical_checks import PHYSICAL_CHECKS, Answer
from appliance.self_test import is_wrong

FORMAT: Final = 1
KIND: Final = "portillon-hardware-report"
PAYLOAD_TYPE: Final = "application/vnd.portillon.hardware-report+json"
NOTE_MAX: Final = 200
REPORT_BYTES_MAX: Final = 1 << 20
_NAMING: Final = ("identity", "network")  # whose figure is a name, or holds an address


@dataclass(frozen=True, slots=True)
class Answered:
    """What somebody said to a physical check.

    Attributes:
        check: its name.
        answer: yes, no, skipped.
        note: in their words; at most `NOTE_MAX` characters.
    """

    check: str
    answer: Answer
    note: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All of a report.

    Attributes:
        made_at: when, aware.
        software: Portillon's version.
        key: the gate's public key, 32 bytes; b"" for a machine that is no gate yet.
        board: sections of facts.
        checks: of the self-test.
        figures: what was measured.
        answers: of the person who stood before it.
    """

    made_at: datetime
    software: str
    key: bytes
    board: Mapping[str, Facts]
    checks: Sequence[CheckLine]
    figures: Sequence[Table]
    answers: Sequence[Answered]


def written(report: Report) -> bytes:
    """Give the document's bytes."""
    document = {
        "format": FORMAT,
        "kind": KIND,
        "made_at": report.made_at.isoformat(timespec="seconds"),
        "software": report.software,
        "key": report.key.hex(),
        "board": report.board,
        "checks": [
            {
                "check": name,
                "outcome": line.outcome.value,
                "code": line.code if is_wrong(line) else "",
                "figure": "" if line.name in _NAMING else line.figure,
            }
            for name, line in zip(_nameless(report.checks), report.checks, strict=True)
        ],
        "figures": [asdict(table) for table in report.figures],
        "answers": [asdict(answer) for answer in report.answers],
    }
    return json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"


def _nameless(checks: Sequence[CheckLine]) -> list[str]:
    """Name checks without the words that the site has for its readers: they are counted."""
    names: list[str] = []
    for line in checks:
        number = sum(name.startswith("reader ") for name in names) + 1
        names.append(f"reader {number}" if line.name.startswith("reader:") else line.name)
    return names


def signed(body: bytes, private_key: bytes) -> bytes:
    """Give the document's envelope, signed with the gate's key."""
    return seal_envelope(PAYLOAD_TYPE, body, [private_key])


def checked(raw: bytes) -> tuple[dict[str, Any], str]:
    """Read a report, signed or not.

    Returns:
        The document, and the id of the key that signed it; "" for an unsigned one.

    Raises:
        ApplianceError: it is no report, or not signed with the key that it names.
    """
    if len(raw) > REPORT_BYTES_MAX:
        raise ApplianceError(f"no report has {len(raw)} bytes")
    try:
        body = unverified_body(raw, PAYLOAD_TYPE)
    except ListFormatError:
        return _document(raw), ""
    document = _document(body)
    try:
        key = bytes.fromhex(str(document.get("key")))
        open_envelope(raw, PAYLOAD_TYPE, [key])
    except (ValueError, SignatureError) as exc:
        raise ApplianceError(f"not signed with the key that it names: {exc}") from exc
    return document, key_id(key)


def as_text(document: Mapping[str, Any]) -> str:
    """Tell a report to people, with nothing in it that a terminal would obey.

    Raises:
        ApplianceError: it lacks a part.
    """
    try:
        lines = [f"{KIND}, {document['made_at']}, Portillon {document['software']}"]
        for section, facts in document["board"].items():
            lines += ["", section]
            lines += [f"  {name:26} {said}".rstrip() for name, said in facts.items()]
            lines += [] if facts else ["  (nothing is told)"]
        lines += ["", "self-test"]
        for check in document["checks"]:
            words = (check["outcome"], check["code"], check["figure"])
            lines.append(f"  {check['check']:26} {' '.join(filter(None, words))}")
        for table in document["figures"]:
            lines += ["", f"{table['title']} ({', '.join(table['columns'])})"]
            width = max(26, *(len(name) for name, _ in table["rows"]))
            for name, figures in table["rows"]:
                cells = [("-" if one is None else f"{one:.2f}").rjust(9) for one in figures]
                lines.append(f"  {name:{width}} {''.join(cells)}")
        lines += ["", "by hand"]
        for said in document["answers"]:
            lines.append(f"  {said['check']:26} {said['answer']:8} {said['note']}".rstrip())
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise ApplianceError(f"no whole report: {exc!r}") from exc
    return "\n".join("".join(c if c.isprintable() else " " for c in line) for line in lines)


def unanswered() -> list[Answered]:
    """Give the answers of a run in which nobody was asked."""
    return [Answered(check.name, Answer.SKIPPED) for check in PHYSICAL_CHECKS]


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise ApplianceError("no report: it is no JSON") from exc
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise ApplianceError(f"no report: its kind is not {KIND}")
    if document.get("format") != FORMAT:
        raise ApplianceError(f"a report of another format than {FORMAT}; use a newer Portillon")
    return document
