"""The displays' words: every answer in every language, and compiled as written."""

import io
import re
from dataclasses import replace
from gettext import GNUTranslations
from pathlib import Path

import pytest
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from admission.operating_mode import Cause
from admission.scan import Direction
from admission.verdict import Answer
from appliance.displays import words
from appliance.displays.fonts import showable
from appliance.displays.words import LANGUAGES, check_language, spoken, words_of
from appliance.local_page import words as page_words
from appliance.ports import Look, Screen
from appliance.screen import ENROLLING_LINES

CATALOGUES = {
    (domain, language): Path(module.__file__).parent / "catalogues" / language / "LC_MESSAGES"
    for domain, module in (("gate", words), ("local_page", page_words))
    for language in LANGUAGES
}
EVERY = [(domain, language) for domain, language in CATALOGUES]
# What the table of screens prescribes, to the letter.
PRESCRIBED = {
    Answer.GRANTED: ("Valide", "Entrez", "Valid"),
    Answer.ALREADY_USED: ("Déjà utilisé", "", "Already used"),
    Answer.ALREADY_INSIDE: ("Déjà à l'intérieur", "", "Already inside"),
    Answer.NOT_INSIDE: ("Anomalie : non entré", "", "Not checked in"),
    Answer.NO_PASSES_LEFT: ("Plus de passage", "", ""),
    Answer.DAILY_LIMIT_REACHED: ("Limite du jour", "", ""),
    Answer.EXIT_NOT_ALLOWED: ("Sortie non prévue", "", "Not an exit ticket"),
    Answer.LIST_EXPIRED: ("Liste périmée", "Appelez", "List expired"),
    Answer.GATE_LOCKED: ("Porte fermée", "", "Gate closed"),
    Answer.CANCELED: ("Annulé", "", "Cancelled"),
    Answer.REISSUED: ("Billet remplacé", "", "Replaced ticket"),
    Answer.BLOCKED: ("Opposition", "", "Blocked"),
    Answer.UNPAID: ("Non payé", "", "Not paid"),
    Answer.INCOMPLETE: ("Information manquante", "", "Missing"),
    Answer.CATEGORY_EXCLUDED: ("Billet filtré", "", "Category not admitted"),
    Answer.WRONG_PERFORMANCE: ("Mauvais événement", "", "Wrong event"),
    Answer.NO_LONGER_VALID: ("Accès terminé", "", ""),
    Answer.FULL: ("Zone complète", "", "Zone full"),
    Answer.PERFORMANCE_CANCELED: ("Représentation annulée ou reportée", "", ""),
    Answer.UNKNOWN_TICKET: ("Invalide", "Vérifiez le billet", "Not recognised"),
    Answer.MALFORMED: ("Invalide", "Vérifiez le billet", "Not recognised"),
}


def screen_of(answer: Answer, **more: object) -> Screen:
    look = Look.GRANTED if answer is Answer.GRANTED else Look.DENIED
    return Screen(look, answer=answer, **more)


def read(domain: str, language: str):
    with (CATALOGUES[domain, language] / f"{domain}.po").open("rb") as file:
        return read_po(file, locale=language, domain=domain)


def messages_of(file) -> dict:
    """Every message of a compiled catalogue; its head holds the time of compiling."""
    return {key: text for key, text in GNUTranslations(file)._catalog.items() if key}


def named_faults() -> list[str]:
    """Every code that a screen explains; that each there is has a line is told beside its page."""
    keys = [str(message.id) for message in read("gate", "fr")]
    return [found[1] for key in keys if (found := re.fullmatch(r"fault\.GT-(\w+)\.line", key))]


FAULTS = named_faults()


def test_the_codes_of_old_are_explained():
    assert {"NET", "CLK", "LIST", "CAM", "RLY", "PWR", "TMP", "DSK", "LCK"} <= set(FAULTS)


@pytest.mark.parametrize(("domain", "language"), EVERY)
def test_the_compiled_catalogue_is_in_step_with_the_written_one(domain, language):
    compiled = io.BytesIO()
    write_mo(compiled, read(domain, language))
    compiled.seek(0)
    with (CATALOGUES[domain, language] / f"{domain}.mo").open("rb") as kept:
        assert messages_of(kept) == messages_of(compiled), "run: make catalogues"


@pytest.mark.parametrize(("domain", "language"), EVERY)
def test_every_message_is_written_and_none_is_doubtful(domain, language):
    for message in read(domain, language):
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        assert all(strings), message.id
        assert not message.fuzzy or not message.id, message.id


@pytest.mark.parametrize("domain", ["gate", "local_page"])
def test_every_language_has_the_same_messages(domain):
    keys = [{str(m.id) for m in read(domain, language) if m.id} for language in LANGUAGES]
    assert keys[0] == keys[1]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_catalogue_holds_nothing_that_no_screen_says(language):
    answers = "|".join(Answer)
    lines = "|".join(ENROLLING_LINES)
    looks = "|".join(look for look in Look if look not in (Look.GRANTED, Look.DENIED))
    known = re.compile(
        rf"answer\.({answers})(\.exit|\.attention)?\.(title|title_before|line|detail)|look\.({looks})\.(title|line|scan|doors)|look\.enrolling\.({lines})"
        rf"|fault\.GT-({'|'.join(FAULTS)})\.line|direction\.(entry|exit)"
        rf"|banner\.(degraded|{'|'.join(Cause)})(\.short|\.why|\.for)?|age\.(minutes|hours|days)"
        r"|number\.group|occupancy\.one|passage\.anyway|gate\.here"
    )
    for message in read("gate", language):
        key = message.id[0] if isinstance(message.id, tuple) else message.id
        assert not key or known.fullmatch(key), key


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("answer", Answer)
@pytest.mark.parametrize("direction", Direction)
def test_every_answer_has_its_words_in_every_language(answer, language, direction):
    said = words_of(screen_of(answer, direction=direction), language)
    assert said.title
    assert said.line
    assert said.way


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("look", [look for look in Look if look is not Look.DENIED])
def test_every_look_has_its_words_in_every_language(look, language):
    assert words_of(Screen(look), language).title


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_code_is_explained(fault, language):
    said = words_of(Screen(Look.OUT_OF_SERVICE, fault=f"GT-{fault}"), language)
    plain = words_of(Screen(Look.OUT_OF_SERVICE), language)
    assert said.detail == f"GT-{fault}"
    assert said.line not in ("", plain.line)
    unknown = words_of(Screen(Look.OUT_OF_SERVICE, fault="GT-XYZ"), language)
    assert (unknown.detail, unknown.line) == ("GT-XYZ", plain.line)


@pytest.mark.parametrize("answer", PRESCRIBED)
def test_the_prescribed_words_are_used(answer):
    french_title, french_line, english_title = PRESCRIBED[answer]
    french = words_of(screen_of(answer), "fr")
    assert french.title.replace("\u00a0", " ") == french_title
    assert french_line in french.line
    assert english_title in words_of(screen_of(answer, detail="x"), "en").title


@pytest.mark.parametrize(
    ("answer", "detail", "french", "english"),
    [
        (Answer.NOT_YET_VALID, "19:00", "Portes à 19:00", "Doors at 19:00"),
        (Answer.WRONG_CHECKPOINT, "C", "Autre porte : C", "Use gate: C"),
        (Answer.WRONG_PERFORMANCE, "Le Cid", "Mauvais événement : Le Cid", "Wrong event: Le Cid"),
        (Answer.INCOMPLETE, "photo", "Information manquante : photo", "Missing: photo"),
        (Answer.GATE_LOCKED, "B", "Porte fermée. Passez par : B", "Gate closed. Use: B"),
        (Answer.ALREADY_USED, "19:02", "Déjà utilisé. 19:02", "Already used. 19:02"),
    ],
)
def test_a_detail_stands_where_its_sentence_wants_it(answer, detail, french, english):
    screen = screen_of(answer, detail=detail)
    assert spoken(screen, "fr").replace("\u00a0", " ").startswith(french + ".")
    assert spoken(screen, "en").startswith(english + ".")


def test_a_repeat_says_when_and_where_it_was_used_first():
    used = screen_of(Answer.ALREADY_USED, detail="19:02", gate="Porte B")
    assert words_of(used, "fr").detail == "19:02 · Porte B"
    here = replace(used, gate="")
    assert words_of(here, "fr").detail == "19:02 · ici"
    assert words_of(here, "en").detail == "19:02 · here"
    assert words_of(replace(used, gate=None), "en").detail == "19:02"


def test_an_admission_says_what_to_look_at_then_whose_it_is_and_where_it_leads():
    screen = screen_of(Answer.GRANTED, detail="Réduit", seat="F · 12")
    assert words_of(screen, "fr").detail == "Réduit · F · 12"
    checked = replace(screen, attention=("Carte étudiant",), holder="Zoé Martin")
    said = words_of(checked, "fr")
    assert said.detail.replace("\u00a0", " ") == "Vérifiez : Carte étudiant"
    assert said.line == "Zoé Martin · Réduit · F · 12"
    bare = Screen(Look.GRANTED, attention=("Carte étudiant", "Chien"))
    assert words_of(bare, "en").detail == "Check: Carte étudiant · Chien"
    assert words_of(bare, "en").line == "Check proof"
    unspecified = replace(screen, attention=("!",))
    assert words_of(unspecified, "en").detail == "Réduit · F · 12"
    assert words_of(unspecified, "en").line == "Check proof"


def test_a_gate_at_rest_says_when_its_doors_open():
    idle = Screen(Look.IDLE, title="Carmen", detail="Porte B", doors="19:00")
    assert words_of(idle, "fr").detail.replace("\u00a0", " ") == "Porte B · Portes à 19:00"
    assert words_of(idle, "en").detail == "Porte B · Doors at 19:00"
    assert words_of(replace(idle, doors=""), "en").detail == "Porte B"


def test_a_name_is_in_no_text_that_stands_for_a_screen_in_a_log():
    assert "Martin" not in repr(screen_of(Answer.GRANTED, holder="Zoé Martin"))


def test_a_detail_with_braces_is_only_a_detail():
    screen = screen_of(Answer.GATE_LOCKED, detail="{0.__class__} {detail}")
    assert "{0.__class__} {detail}" in words_of(screen, "en").detail


def test_the_spoken_text_tells_the_way_the_counter_and_the_mode():
    screen = Screen(Look.GRANTED, Direction.EXIT, occupancy=1, degraded=True)
    assert spoken(screen, "fr") == (
        "Sortie enregistrée. Au revoir. Sortie. 1 personne à l'intérieur. Mode dégradé."
    )
    assert spoken(screen, "en").endswith("Exit. 1 person inside. Degraded mode.")


@pytest.mark.parametrize(
    ("count", "french", "english"),
    [
        (0, "0 personne à", "0 people"),
        (1, "1 personne à", "1 person "),
        (2, "2 personnes", "2 people"),
        (12_345, "12\u202f345 personnes", "12,345 people"),
        (-2, "−2 personnes", "−2 people"),
    ],
)
def test_people_are_counted_as_each_language_counts(count, french, english):
    assert french in spoken(Screen(Look.IDLE, occupancy=count), "fr")
    assert english in spoken(Screen(Look.IDLE, occupancy=count), "en")


def test_an_idle_gate_shows_the_performance_or_else_what_to_do():
    named = words_of(Screen(Look.IDLE, title="Carmen"), "fr")
    assert (named.title, named.line) == ("Carmen", "Présentez votre billet")
    nameless = words_of(Screen(Look.IDLE), "fr")
    assert (nameless.title, nameless.line) == ("Présentez votre billet", "")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_typeface_shows_every_word_of_the_catalogue(language):
    for message in read("gate", language):
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        for text in strings:
            if message.id and message.id != "number.group":
                assert showable(text) == text, message.id


@pytest.mark.parametrize(("tag", "name"), [("fr", "fr"), ("fr-CA", "fr"), ("EN_gb", "en")])
def test_a_tag_finds_its_language(tag, name):
    assert check_language(tag) == name


def test_a_language_without_words_is_refused():
    with pytest.raises(ValueError, match=r"no words for language 'xx'; there are en, fr"):
        check_language("xx")


# --- what is amiss, and for how long --------------------------------------------------------------


@pytest.mark.parametrize(
    ("cause", "minutes", "language", "told"),
    [
        (Cause.LINK, 0, "fr", "Sans réseau"),
        (Cause.LINK, 12, "fr", "Sans réseau depuis 12 min"),
        (Cause.LINK, 12, "en", "No network for 12 min"),
        (Cause.PEERS_ONLY, 65, "fr", "Sans serveur depuis 1 h 05"),
        (Cause.LIST_AGE, 47 * 60 + 59, "fr", "Liste vieille de 47 h 59"),
        (Cause.LIST_AGE, 48 * 60, "fr", "Liste vieille de 2 jours"),
        (Cause.LIST_AGE, 48 * 60, "en", "List 2 days old"),
        (Cause.BACKLOG, 3, "en", "Sending 3 min late"),
        (Cause.CLOCK, 12, "fr", "Heure non sûre"),
    ],
)
def test_the_banner_says_what_is_amiss_and_for_how_long(cause, minutes, language, told):
    screen = Screen(Look.IDLE, degraded=True, degraded_by=cause, degraded_min=minutes)
    assert words_of(screen, language).banner == told
    assert told in spoken(screen, language)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("cause", Cause)
def test_every_cause_has_its_words(cause, language):
    words = words_of(Screen(Look.IDLE, degraded=True, degraded_by=cause), language)
    assert words.banner
    assert words.banner_short
    assert words.banner_why
