"""Writes the message catalogues anew, with Babel. Run by developers.

    .venv/bin/python tools/catalogues.py

Collects the messages of the templates and modules, merges them into each language's .po file
(translations stay; new messages come empty, to be filled in by hand), and compiles the .mo files
that the program reads. The .po files of gate and caretaker are written by hand, by the codes of
what is said, and only compiled. Tests fail while a .mo file is out of step.
"""

import io
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parent.parent
WEB = ROOT / "sync_server" / "web"
CATALOGUES = WEB / "catalogues"
DOMAIN = "back_office"
LANGUAGES = ("fr", "en")
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2.ext.babel_extract")]
OPTIONS = {"templates/**.html": {"trimmed": "true", "silent": "false"}}
KEYWORDS = {
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "words": None,
    "_words": None,
    "plural": (1, 2),
    "keyed": ((1, "c"), 2),
}


def collected() -> Catalog:
    """Give every message of the templates and modules."""
    catalog = Catalog(project="portillon", charset="utf-8")
    for file, _line, message, comments, context in extract_from_dir(
        str(WEB), METHODS, OPTIONS, KEYWORDS, strip_comment_tags=True
    ):
        catalog.add(message, None, [(file, None)], auto_comments=comments, context=context)
    return catalog


def po_path(language: str) -> Path:
    """Give where a language's catalogue is kept."""
    return CATALOGUES / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def read(language: str) -> Catalog:
    """Read a language's catalogue."""
    with po_path(language).open("rb") as file:
        return read_po(file, locale=language, domain=DOMAIN)


def compiled(catalog: Catalog) -> bytes:
    """Give a catalogue as the program reads it: the same bytes for the same words."""
    catalog.creation_date = catalog.revision_date = datetime(2000, 1, 1, tzinfo=UTC)
    buffer = io.BytesIO()
    write_mo(buffer, catalog)
    return buffer.getvalue()


def wanted(language: str) -> Catalog:
    """Give the messages that a language's catalogue must hold.

    A message without a context is English already; only codes need English words.
    """
    every = collected()
    if language != "en":
        return every
    codes = Catalog()
    for message in every:
        if message.context is not None:
            codes.add(message.id, None, message.locations, context=message.context)
    return codes


def missing(catalog: Catalog) -> list[object]:
    """Name the messages without a translation."""
    return [m.id for m in catalog if m.id and not _is_whole(m.string)]


def main() -> None:
    """Bring both languages into step."""
    for language in LANGUAGES:
        path = po_path(language)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            catalog = read(language)
        else:
            catalog = Catalog(locale=language, domain=DOMAIN, fuzzy=False)
        catalog.update(wanted(language), no_fuzzy_matching=True)
        catalog.obsolete.clear()
        path.write_bytes(_written(catalog))
        path.with_suffix(".mo").write_bytes(compiled(read(language)))
        print(f"{language}: {len(catalog)} messages, untranslated: {missing(catalog)}")
    written = [*ROOT.glob("appliance/*/catalogues/*/LC_MESSAGES/*.po")]
    written += ROOT.glob("caretaker/catalogues/*/LC_MESSAGES/*.po")
    for path in sorted(written):
        with path.open("rb") as file:
            catalog = read_po(file, locale=path.parts[-3], domain=path.stem)
        path.with_suffix(".mo").write_bytes(compiled(catalog))
        print(f"{path.relative_to(ROOT)}: compiled, untranslated: {missing(catalog)}")


def _written(catalog: Catalog) -> bytes:
    """Write a catalogue without a header that changes with every run."""
    buffer = io.BytesIO()
    write_po(buffer, catalog, width=100, omit_header=True, sort_by_file=True)
    header = (
        'msgid ""\nmsgstr ""\n'
        f'"Language: {catalog.locale}\\n"\n'
        f'"Plural-Forms: {catalog.plural_forms}\\n"\n'
        '"Content-Type: text/plain; charset=utf-8\\n"\n'
        '"Content-Transfer-Encoding: 8bit\\n"\n\n'
    )
    return header.encode() + buffer.getvalue()


def _is_whole(translation: str | tuple[str, ...]) -> bool:
    return all(translation) if isinstance(translation, tuple) else bool(translation)


if __name__ == "__main__":
    main()
