"""How guessable numbers are and where the list key is kept, as the pages tell it."""

from dataclasses import replace

import pytest

from admission.ticketlist.guessability import Guessability, Reason, Strength
from admission.ticketlist.key_storage import KeyStorage
from sync_server.account_ports import Role
from sync_server.entities import ImportMode
from sync_server.errors import ConflictError
from sync_server.web.back_office.desk import Upload
from sync_server.web.codes import CODES
from sync_server.web.languages import LANGUAGES
from sync_server.web.number_risk import KeptKey, kept_keys, number_risk
from sync_server.web.rendering import Words

PASSWORD = "correct horse battery"

OPEN = Guessability(
    16.6, 0.0, 16.6, (Reason.SHORT, Reason.CLOSE_TOGETHER, Reason.PART_OF_THEM), 1000, 40
)
STRONG = Guessability(158.0, 148.0, 158.0, (), 1000, 1000)


@pytest.fixture
async def signed_in(browser, lea):
    await browser.sign_in()
    return browser


def _with(desk, **changes):
    desk.performances[0] = replace(desk.performances[0], **changes)


def test_every_class_and_reason_has_words():
    for context, words in (
        ("strength", Strength),
        ("strength_told", Strength),
        ("guessable", Reason),
        ("key_storage", KeyStorage),
        ("key_risk", KeyStorage),
    ):
        assert {code for where, code in CODES if where == context} == {one.value for one in words}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("bits", [0.0, 4.3, 25, 34, 45, 52, 55, 61, 70, 90, 158, 4000])
def test_any_measure_can_be_told(language, bits):
    risk = number_risk(
        Words(language), language, Guessability(bits, bits, bits, tuple(Reason), 2_000_000, 5)
    )
    assert all((risk.strength, risk.told, *risk.reasons))
    assert all(name and value and "%" not in value for name, value in risk.figures)
    assert len(risk.reasons) == len(Reason)


def test_figures_have_as_many_digits_as_they_mean_something():
    def figures(bits):
        measured = Guessability(bits, bits, bits, (), 10, 10)
        return [value for _, value in number_risk(Words("en"), "en", measured).figures]

    assert figures(0) == ["about 1", "under a second", "under a second", "about 1"]
    assert figures(23.3)[:3] == ["about 10,000,000", "under a second", "6 days"]
    assert figures(40)[:3] == ["about 10¹²", "110 seconds", "1742 years"]
    assert figures(158)[1:3] == ["more than ten thousand years"] * 2


async def test_a_performance_page_says_what_a_stolen_card_gives_away(signed_in, desk):
    _with(desk, guessability=OPEN)
    status, text = await signed_in.get("/performances/p1")
    assert status == 200
    assert "badge-bad" in text
    assert "Devinable par n’importe qui" in text
    assert "40 sur 1" in text
    _with(desk, guessability=STRONG)
    _, text = await signed_in.get("/performances/p1")
    assert "Impossible à deviner" in text


async def test_before_an_import_there_is_nothing_to_say(signed_in, desk):
    _, text = await signed_in.get("/performances/p1")
    assert "Mesuré à l’import des billets." in text


async def test_an_import_says_it_too(signed_in, desk):
    await desk.import_file(None, "p1", Upload(b"", "a.csv", "shop", ImportMode.ADD))
    (one,) = desk.runs
    desk.runs = [replace(one, run=replace(one.run, guessability=OPEN))]
    _, text = await signed_in.get("/performances/p1/imports/i1")
    assert "Devinable par n’importe qui" in text
    assert "Les numéros se suivent" in text


async def test_where_the_key_is_kept_is_chosen_on_the_page(signed_in, desk):
    status, goal = await signed_in.post(
        "/performances/p1/key-storage", {"key_storage": "memory", "key_storage_reason": " "}
    )
    assert (status, goal) == (303, "/performances/p1?done=key")
    assert desk.asked[-1] == ("key", "p1", KeyStorage.MEMORY, "")
    status, text = await signed_in.post("/performances/p1/key-storage", {"key_storage": "paper"})
    assert status == 422
    assert "Choisissez une des manières." in text


async def test_a_risky_choice_is_refused_beside_the_reason(signed_in, desk):
    desk.refusal = ConflictError("key_storage_risky", "…")
    status, text = await signed_in.post("/performances/p1/key-storage", {"key_storage": "file"})
    assert status == 422
    assert 'id="key-key_storage_reason-error"' in text
    assert "dites pourquoi il le faut" in text


async def test_an_operator_sees_the_choice_and_cannot_change_it(browser, accounts):
    await accounts.add_user(
        "organization-1", "paul@theatre.example", PASSWORD, Role.OPERATOR, "Paul", "fr"
    )
    await browser.sign_in("paul@theatre.example")
    _, text = await browser.get("/performances/p1")
    assert "Scellée sur la porte" in text
    assert "key-storage" not in text
    status, _ = await browser.post("/performances/p1/key-storage", {"key_storage": "file"})
    assert status == 403


async def test_a_choice_that_no_longer_holds_is_told(signed_in, desk):
    _with(desk, guessability=OPEN, key_storage=KeyStorage.FILE)
    _, text = await signed_in.get("/performances/p1")
    assert "Un fichier avait été choisi" in text
    _with(desk, key_storage_reason="<b>assumé</b>")
    _, text = await signed_in.get("/performances/p1")
    assert "<bdi>&lt;b&gt;assumé&lt;/b&gt;</bdi>" in text
    assert "Un fichier avait été choisi" not in text


@pytest.mark.parametrize(
    ("measured", "code", "kind"),
    [
        (OPEN, "memory", "good"),
        (OPEN, "sealed_otp", "good"),
        (OPEN, "sealed_file_beside", "warn"),
        (STRONG, "sealed_file_beside", "good"),
        (STRONG, "file", "warn"),  # it was told to seal it
        (STRONG, "<script>", "good"),
    ],
)
def test_what_gates_really_do_is_told_with_what_it_leaves(desk, measured, code, kind):
    _with(desk, guessability=measured)
    gates = [
        replace(desk.gates[0], last_status={"keys": {"p1": code}}),
        replace(desk.gates[0], last_status={"keys": {"p1": code}}, revoked_ms=1),
        replace(desk.gates[0], last_status={"keys": [1]}),
        replace(desk.gates[0], last_status={"keys": {"p1": 7}}),
        replace(desk.gates[0], last_status=None),
    ]
    (kept,) = kept_keys(Words("en"), desk.performances[0], gates)
    assert isinstance(kept, KeptKey)
    assert kept.kind == kind
    assert "<" not in kept.told
