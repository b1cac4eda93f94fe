"""Each server numbers for itself: a gate that is moved, or whose server came from a backup."""

from hypothesis import given
from hypothesis import strategies as st

from admission.sync.gate_side import (
    ApplyFeed,
    ChangeNumbering,
    FeedReader,
    FetchFeed,
    RestartFeed,
)
from admission.sync.messages import Feed, FeedItem, Subscribe
from admission.sync.server_side import LiveSide, ReadFeed, Send

PAGE_MAX = 3


def item(number: int, sequence: int) -> FeedItem:
    return FeedItem(number, 12, "north", sequence, 0, "door", "show", b"T1", 1, 0)


def page(after: int, *sequences: int, head: int | None = None, numbering: str = "central") -> Feed:
    items = [item(after + place, sequence) for place, sequence in enumerate(sequences, 1)]
    return Feed("show", after, items, after + len(items) if head is None else head, numbering)


# --- the gate -------------------------------------------------------------------------------------


def test_what_another_server_numbers_is_applied_from_its_first_item():
    reader = FeedReader({"show": 2}, "central")
    assert reader.receive(page(0, 7, 8, 9, numbering="site")) == [
        ChangeNumbering("site"),
        ApplyFeed("show", (item(1, 7), item(2, 8), item(3, 9)), 3),
    ]
    assert (reader.numbering, reader.cursors) == ("site", {"show": 3})


def test_a_page_of_another_numbering_that_does_not_begin_at_its_start_is_no_page_of_ours():
    reader = FeedReader({"show": 5}, "central")
    assert reader.receive(page(5, 9, numbering="site")) == [
        ChangeNumbering("site"),
        FetchFeed("show", 0),
    ]


def test_another_server_with_nothing_new_is_no_server_that_went_back():
    reader = FeedReader({"show": 5}, "central")
    assert reader.receive(page(5, head=2, numbering="site")) == [
        ChangeNumbering("site"),
        FetchFeed("show", 0),
    ]


def test_a_gate_that_comes_back_to_a_server_goes_on_where_it_was():
    reader = FeedReader({"show": 5}, "central")
    reader.receive(page(0, 7, numbering="site"))
    assert reader.receive(page(5, 9)) == [
        ChangeNumbering("central"),
        ApplyFeed("show", (item(6, 9),), 6),
    ]


def test_a_server_that_went_back_under_its_own_name_is_read_from_its_start():
    reader = FeedReader({"show": 5}, "central")
    assert reader.receive(page(5, head=2)) == [
        RestartFeed("show", "central"),
        FetchFeed("show", 0),
    ]
    assert reader.receive(page(5, head=2)) == [FetchFeed("show", 0)]


# --- the server -----------------------------------------------------------------------------------


def test_cursors_of_another_numbering_or_of_none_count_as_nothing():
    for numbering in ("site", ""):
        side = LiveSide(frozenset({"show"}), "central")
        assert side.receive(Subscribe({"show": 7}, numbering)) == [ReadFeed("show", 0)]
    side = LiveSide(frozenset({"show"}), "central")
    assert side.receive(Subscribe({"show": 7}, "central")) == [ReadFeed("show", 7)]


# --- moved about ----------------------------------------------------------------------------------


class Server:
    """One server's stream: it learns facts in an order of its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sequences: list[int] = []

    def learn(self, *sequences: int) -> None:
        self.sequences += [one for one in sequences if one not in self.sequences]

    def page(self, after: int) -> Feed:
        some = self.sequences[after : after + PAGE_MAX]
        return page(after, *some, head=len(self.sequences), numbering=self.name)


class Gate:
    """A gate's reader, its disk, and what it has applied."""

    def __init__(self) -> None:
        self.last = ""
        self.stored: dict[str, int] = {}
        self.known: list[int] = []
        self.reader = FeedReader({})

    def visit(self, server: Server, frames_max: int) -> None:
        """Connect, take some frames, and go away; what is on the disk is what is left."""
        elsewhere = {name: {"show": cursor} for name, cursor in self.stored.items()}
        self.reader = FeedReader(elsewhere.get(self.last, {}), self.last, elsewhere)
        self.reader.follow(["show"])
        side = LiveSide(frozenset({"show"}), server.name)
        todo = side.receive(Subscribe(self.reader.cursors, self.reader.numbering))
        for _ in range(frames_max):
            frames = []
            while todo:
                command = todo.pop(0)
                if isinstance(command, ReadFeed):
                    todo += side.page(server.page(command.after))
                elif isinstance(command, Send):
                    frames.append(command.message)
            for frame in frames:
                self.take(server, frame)

    def take(self, server: Server, feed: Feed) -> None:
        for command in self.reader.receive(feed):
            match command:
                case ApplyFeed(items=items, cursor=cursor):
                    self.known += [one.sequence for one in items]
                    self.stored[self.reader.numbering] = cursor
                case ChangeNumbering(numbering):
                    self.last = numbering
                case RestartFeed(numbering=numbering):
                    self.stored[numbering] = 0
                case FetchFeed(after=after):
                    self.take(server, server.page(after))


acts = st.lists(
    st.one_of(
        st.tuples(
            st.just("learn"),
            st.integers(0, 1),
            st.lists(st.integers(1, 12), max_size=4, unique=True),
        ),
        st.tuples(st.just("visit"), st.integers(0, 1), st.integers(0, 3)),
        st.tuples(st.just("rename"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("restore"), st.integers(0, 1), st.integers(0, 4)),
    ),
    max_size=30,
)


@given(acts, st.integers(0, 1))
def test_a_gate_moved_between_servers_in_any_order_misses_nothing(drawn, last):
    """Each server may come from a backup, and is named anew then."""
    servers, gate = [Server("central"), Server("site")], Gate()
    for turn, (act, which, what) in enumerate(drawn):
        server = servers[which]
        match act:
            case "learn":
                server.learn(*what)
            case "visit":
                gate.visit(server, what)
            case "rename":
                server.name = f"named in turn {turn}"
            case "restore":
                server.name = f"named in turn {turn}"
                del server.sequences[what:]
    gate.visit(servers[last], 20)
    assert set(servers[last].sequences) <= set(gate.known)
    assert gate.stored.get(servers[last].name, 0) == len(servers[last].sequences)


@given(acts)
def test_a_gate_that_stays_with_a_server_is_told_nothing_twice(drawn):
    server, gate = Server("central"), Gate()
    for act, _, what in drawn:
        if act == "learn":
            server.learn(*what)
        elif act == "visit":
            gate.visit(server, what)
    assert len(gate.known) == len(set(gate.known))
