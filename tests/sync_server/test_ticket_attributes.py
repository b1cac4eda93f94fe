"""What tickets say: read from files, kept, and sealed for the gates as far as it may travel."""

import pytest

from admission.ticketlist.acceptance import accept_manifest
from admission.ticketlist.attributes import NOTHING, Attributes, decode_attributes
from admission.ticketlist.identifiers import identify
from admission.ticketlist.sealed_file import SealedFile, open_attributes
from admission.trust.root import Role as TrustRole
from admission.trust.root import signers
from sync_server.entities import ImportMode
from sync_server.errors import InvalidError
from sync_server.importing import Importing
from sync_server.planning import PerformanceChange, Planning
from sync_server.publishing import Publishing
from sync_server.reconciling import refold_tickets
from sync_server.sources.file import read_tickets
from sync_server.storage.snapshot_files import Folder
from sync_server.ticket_ports import TicketRow

KEY = b"p0".rjust(32, b"k")


def said_in(text: str) -> list[Attributes | None]:
    return [row.said for row in read_tickets(text.encode()) if isinstance(row, TicketRow)]


# --- in a file ------------------------------------------------------------------------------------


def test_columns_are_known_by_their_french_and_english_headers():
    french = (
        "Code barre;Tribune;Rang;Siège;Porte;Nom;Prénom;Société;Remarque;Attention;extra.Menu\n"
        "A1;Nord;12;345;B;Dupont;Zoé;SA;fauteuil;oui;végétarien\n"
    )
    english = (
        "barcode;zone;row;seat;entrance;last name;first name;company;note;attention;Extra.Menu\n"
        "A1;Nord;12;345;B;Dupont;Zoé;SA;fauteuil;yes;végétarien\n"
    )
    expected = Attributes(
        "Nord", "12", "345", "B", "!", "Dupont", "Zoé", "SA", "fauteuil", {"Menu": "végétarien"}
    )
    assert said_in(french) == said_in(english) == [expected]


def test_a_file_without_such_columns_says_nothing_of_any_ticket():
    assert said_in("number;category\nA1;vip\n") == [None]


def test_a_file_with_such_columns_says_so_where_they_are_empty():
    assert said_in("number;seat\nA1;\nA2;7\n") == [NOTHING, Attributes(seat="7")]


@pytest.mark.parametrize(
    ("cell", "said"),
    [("", ""), ("0", ""), ("Non", ""), ("1", "!"), ("TRUE", "!"), ("!", "!"), ("VIP", "VIP")],
)
def test_attention_is_a_word_for_yes_or_no_or_says_what_it_is_about(cell, said):
    assert said_in(f"number;attention\nA1;{cell}\n") == [Attributes(attention=said)]


def test_no_text_beside_the_number_can_refuse_a_row():
    long = "x" * 500
    odd = "a\x1b[31m\u202eb"
    (said,) = said_in(f'number;zone;note\nA1;"{odd}\r\n{odd}";{long}\n')
    assert said.note == "x" * 100
    assert said.zone.isprintable()
    assert said_in("number;category;seat\nA1;vip\n") == [NOTHING]  # the row ends before it


def test_of_two_columns_of_one_kind_the_first_counts():
    assert said_in("number;nom;nom\nA1;Dupont;Durand\n") == [Attributes(holder_last="Dupont")]


# --- kept and published ---------------------------------------------------------------------------


class House:
    """A server that publishes, and a gate's eyes on what it publishes."""

    def __init__(self, venue, folder, ledger, news, master, trust):
        self.store, self.master, self.folder = venue, master, folder
        self.publishing = Publishing(venue, Folder(folder), ledger, news, trust)
        self.trust = trust
        self.importing = Importing(venue, read_tickets, refold_tickets, ledger, news)
        self.planning = Planning(venue, ledger, news)
        self.manifest = None

    async def bring(self, text, source="s"):
        return await self.importing.import_file(
            self.master,
            "p0",
            text.encode(),
            source_name=source,
            filename="f",
            mode=ImportMode.ADD,
        )

    async def let_travel(self, *fields):
        change = PerformanceChange(gate_fields=fields)
        return await self.planning.change_performance(self.master, "p0", change)

    async def publish(self):
        await self.publishing.publish(self.master, "p0")
        self.manifest = accept_manifest(
            await self.publishing.manifest("g0", "p0"),
            performance="p0",
            trusted=signers(self.trust.root, TrustRole.LIST),
            installed=None,
            now=None,
        )
        return self.manifest.attributes

    async def said(self, *numbers):
        files = []
        for ref in self.manifest.attributes:
            path = await self.publishing.list_file("g0", "p0", ref.sha256)
            raw = path.read_bytes()
            assert len(raw) == ref.size
            files.append(SealedFile(raw, "p0"))
        found = [open_attributes(files, identify(KEY, one), KEY, one) for one in numbers]
        return found[0] if len(numbers) == 1 else found

    async def kept(self, number):
        async with self.store.read() as transaction:
            (one,) = await transaction.tickets.said_among("p0", [identify(KEY, number)])
        return decode_attributes(one.said)


@pytest.fixture
def house(venue, tmp_path, ledger, news, master, trust):
    return House(venue, tmp_path / "lists", ledger, news, master, trust)


MANY = "\n".join(f"N{n:03d};B;{n};Dupont" for n in range(100))
FILE = f"number;zone;seat;nom\n{MANY}\n"


async def test_a_performance_whose_tickets_say_nothing_has_no_such_file(house):
    await house.bring("number\nA1\n")
    assert await house.publish() == ()


async def test_seats_travel_and_names_stay_unless_they_are_let_travel(house):
    await house.bring(FILE)
    (ref,) = await house.publish()
    assert (ref.version, ref.count) == (1, 100)
    assert await house.said("N007") == Attributes("B", "", "7")
    assert await house.kept("N007") == Attributes("B", "", "7", holder_last="Dupont")
    assert await house.said("N100") == NOTHING
    changed = await house.let_travel("seat", "holder_last")
    assert changed.gate_fields == ("seat", "holder_last")
    (ref,) = await house.publish()
    assert ref.version == 2
    assert await house.said("N007") == Attributes(seat="7", holder_last="Dupont")
    await house.let_travel()
    (ref,) = await house.publish()
    assert (ref.version, ref.count) == (3, 0)
    assert await house.said("N007") == NOTHING


async def test_what_may_travel_is_some_of_what_tickets_say(house):
    with pytest.raises(InvalidError, match="gate_fields are some of zone, row"):
        await house.let_travel("price")


async def test_what_has_changed_is_a_further_file_and_what_has_not_is_none(house):
    await house.bring(FILE)
    first = await house.publish()
    assert await house.publish() == first
    report = await house.bring(
        "number;zone;seat;nom\nN001;C;1;Dupont\nN002;B;2;Durand\nN003;;;\nA1;D;1;X\nA2;;;\n"
    )
    assert (report.added, report.changed) == (2, 3)
    refs = await house.publish()
    assert refs[:1] == first
    assert (refs[1].version, refs[1].count) == (3, 3)  # of N002 nothing that travels is another
    assert await house.said("N000", "N001", "N002", "N003", "A1", "A2") == [
        Attributes("B", "", "0"),
        Attributes("C", "", "1"),
        Attributes("B", "", "2"),
        NOTHING,
        Attributes("D", "", "1"),
        NOTHING,
    ]
    assert (await house.kept("N002")).holder_last == "Durand"
    assert await house.publish() == refs


async def test_much_change_is_sealed_anew(house):
    await house.bring(FILE)
    await house.publish()
    await house.bring("number;zone\n" + "\n".join(f"N{n:03d};E" for n in range(11)))
    (ref,) = await house.publish()
    assert (ref.version, ref.count) == (2, 100)
    assert await house.said("N010", "N011") == [Attributes("E"), Attributes("B", "", "11")]


async def test_a_file_that_says_nothing_of_tickets_leaves_what_others_said(house):
    await house.bring(FILE)
    report = await house.bring("number;category\nN001;vip\n")
    assert report.changed == 1
    assert (await house.kept("N001")).seat == "1"


async def test_rows_that_do_not_count_say_nothing(house):
    await house.bring("number;seat\nA1;1\nA1;2\n")
    assert (await house.kept("A1")).seat == "1"
    report = await house.bring("number;seat\nA1;3\n", source="another")
    assert report.conflicts == 1
    assert (await house.kept("A1")).seat == "1"


async def test_a_published_file_that_is_not_as_it_was_is_sealed_anew(house):
    await house.bring(FILE)
    (ref,) = await house.publish()
    path = house.folder / f"{ref.sha256}.tgl"
    raw = path.read_bytes()
    path.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    await house.bring("number;zone\nN001;C\n")
    (anew,) = await house.publish()
    assert anew.version == 2
    assert await house.said("N001", "N002") == [Attributes("C"), Attributes("B", "", "2")]
