"""Both languages hold every message, and what is compiled is what is written."""

import importlib.util
import string
from pathlib import Path

import pytest

from admission.scan import Direction
from admission.ticket import TicketState
from admission.verdict import Answer
from sync_server.account_ports import Role
from sync_server.reporting import GateState, PerformanceStatus
from sync_server.web.codes import CODES
from sync_server.web.languages import LANGUAGES, catalogue

ROOT = Path(__file__).parents[3]


def load_tool():
    path = ROOT / "tools" / "catalogues.py"
    spec = importlib.util.spec_from_file_location("catalogues", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tool = load_tool()


def keys(catalog) -> set:
    return {(message.context, message.id) for message in catalog if message.id}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_holds_the_messages_of_the_pages_and_no_others(language):
    assert keys(tool.read(language)) == keys(tool.wanted(language)), "run tools/catalogues.py"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_is_translated(language):
    assert tool.missing(tool.read(language)) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_catalogue_is_in_step(language):
    compiled = tool.po_path(language).with_suffix(".mo").read_bytes()
    assert compiled == tool.compiled(tool.read(language)), "run tools/catalogues.py"


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_fill_the_same_places(language):
    for message in tool.read(language):
        if not message.id or message.context:
            continue
        ids = message.id if isinstance(message.id, tuple) else (message.id,)
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        places = {name for text in ids for name in placeholders(text)}
        for text in strings:
            assert placeholders(text) == places, message.id


def placeholders(text: str) -> set[str]:
    return {
        part.partition(")s")[0]
        for part in text.split("%(")[1:]
        if set(part.partition(")s")[0]) <= set(string.ascii_lowercase + "_")
    }


def test_french_counts_nought_and_one_alike_and_english_does_not():
    one, many = "%(num)s anomaly.", "%(num)s anomalies."
    assert catalogue("fr").ngettext(one, many, 0) == "%(num)s anomalie."
    assert catalogue("fr").ngettext(one, many, 1) == "%(num)s anomalie."
    assert catalogue("fr").ngettext(one, many, 2) == "%(num)s anomalies."
    assert catalogue("en").ngettext(one, many, 0) == many


@pytest.mark.parametrize(
    ("context", "codes"),
    [
        ("answer", Answer),
        ("state", TicketState),
        ("direction", Direction),
        ("performance", PerformanceStatus),
        ("role", Role),
    ],
)
def test_every_code_has_words(context, codes):
    assert {code for where, code in CODES if where == context} == {code.value for code in codes}


def test_every_state_of_a_gate_has_words():
    named = {code for where, code in CODES if where == "gate"}
    assert named == {state.value for state in GateState} | {"degraded"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_code_is_shown_bare(language):
    for context, code in CODES:
        assert catalogue(language).pgettext(context, code) != code or "_" not in code
