"""What must hold for any bytes that a person leaves as `gate.toml`; a target of `fuzz_targets`."""

import tomllib
from collections.abc import Callable
from typing import Any

from caretaker.complaints import LANGUAGES, ComplaintError
from caretaker.persons_file import cleaned, is_half_cleaned
from caretaker.provisioning_text import read_text
from caretaker.toml_text import write_toml
from caretaker.wishes import MACHINE, read_wishes


def persons_file(data: bytes, attempt: Callable[..., Any]) -> None:
    """A gate.toml as somebody left it: read or named, and without its secrets as long as before."""
    file = attempt(ComplaintError, read_text, data)
    if file is None:
        return
    document = dict(file.document)
    _, complaints = read_wishes(document.pop(MACHINE, {}))
    for complaint in complaints:
        assert all(complaint.told(language) for language in LANGUAGES)
        assert file.line_of(complaint.values["at"]) <= len(file.lines)
    clean = attempt(ComplaintError, cleaned, file)
    if clean is not None:
        assert len(clean) == len(data)
        assert is_half_cleaned(data, clean)
        assert cleaned(read_text(clean)) == clean
    written = attempt(ValueError, write_toml, document)
    if written is not None:
        assert repr(tomllib.loads(written)) == repr(document)
