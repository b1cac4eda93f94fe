"""Others' facts on their way to a gate: pushed, paged, lost, asked for again; each exactly once."""

from datetime import datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admission import journal
from admission.errors import RemoteProtocolError
from admission.journal import Flag, Kind, Record
from admission.passage import FreeCrossing, Passage, Reset
from admission.scan import Direction
from admission.sync.feed_items import fact_of_item, item_of
from admission.sync.gate_side import ApplyFeed, FeedReader, FetchFeed, RestartFeed
from admission.sync.messages import Beat, Feed, FeedItem, Lists, Moment, Status, Subscribe
from admission.sync.server_side import LiveSide, NoteStatus, ReadFeed, Send

half = settings(max_examples=settings.default.max_examples // 2)  # of what the profile says

NOON = datetime.fromisoformat("2026-07-14T12:00:00.000001+00:00")
STATUS = Status("connected", [], 0, {}, Moment(0, 0, b""))


def item(number):
    return FeedItem(
        number=number,
        kind=Kind.PASSED,
        gate="north",
        sequence=number,
        at_us=0,
        checkpoint="door",
        performance="show",
        identifier=b"T1",
        direction=1,
        flags=0,
    )


def feed(after, last, head=None, stream="show"):
    items = [item(number) for number in range(after + 1, last + 1)]
    return Feed(stream, after, items, last if head is None else head)


# --- the gate's side --------------------------------------------------------------------------


def test_items_that_follow_the_cursor_are_applied():
    reader = FeedReader({"show": 2})
    new = feed(2, 4)
    assert reader.receive(new) == [ApplyFeed("show", tuple(new.items), 4)]
    assert reader.cursors == {"show": 4}


def test_items_that_were_applied_before_are_left_out():
    reader = FeedReader({"show": 3})
    assert reader.receive(feed(1, 3)) == []
    assert reader.receive(feed(1, 5)) == [ApplyFeed("show", (item(4), item(5)), 5)]
    assert reader.receive(feed(1, 5)) == []


def test_items_beyond_the_cursor_are_not_applied_and_what_is_missing_is_asked_for():
    reader = FeedReader({"show": 1})
    assert reader.receive(feed(3, 5)) == [FetchFeed("show", 1)]
    assert reader.cursors == {"show": 1}


def test_a_head_beyond_the_items_is_asked_for():
    reader = FeedReader({"show": 0})
    assert reader.receive(feed(0, 1, head=7)) == [
        ApplyFeed("show", (item(1),), 1),
        FetchFeed("show", 1),
    ]
    assert reader.receive(feed(1, 1, head=7)) == [FetchFeed("show", 1)]
    assert reader.receive(feed(1, 1, head=2)) == [FetchFeed("show", 1)]
    assert reader.receive(feed(1, 1, head=1)) == []


def test_items_with_a_gap_are_a_fault_of_the_other_side_and_nothing_is_applied():
    reader = FeedReader({"show": 0})
    for numbers in ([1, 3], [2, 1], [1, 1], [2]):
        hostile = Feed("show", 0, [item(number) for number in numbers], 3)
        with pytest.raises(RemoteProtocolError, match="gap"):
            reader.receive(hostile)
    assert reader.cursors == {"show": 0}


def test_a_server_that_came_from_a_backup_is_followed_from_its_start():
    reader = FeedReader({"show": 9, "matinee": 9})
    assert reader.receive(feed(9, 9, head=3)) == [RestartFeed("show"), FetchFeed("show", 0)]
    assert reader.cursors == {"show": 0, "matinee": 9}
    assert reader.receive(feed(9, 9, head=3)) == [FetchFeed("show", 0)]  # told again: no news
    assert reader.receive(feed(0, 3)) == [ApplyFeed("show", (item(1), item(2), item(3)), 3)]


def test_an_older_page_with_a_lower_head_is_no_reason_to_begin_anew():
    reader = FeedReader({"show": 9})
    assert reader.receive(feed(1, 3)) == []
    assert reader.receive(feed(3, 3)) == []
    assert reader.cursors == {"show": 9}


def test_a_stream_that_is_not_followed_is_passed_over():
    reader = FeedReader({"show": 0})
    assert reader.receive(feed(0, 1, stream="matinee")) == []


def test_a_stream_that_is_followed_anew_begins_at_the_start_and_a_known_one_goes_on():
    reader = FeedReader({"show": 4, "gala": 9})
    reader.follow(["show", "matinee"])
    assert reader.cursors == {"show": 4, "matinee": 0}


def test_the_cursors_given_and_got_are_copies():
    stored = {"show": 1}
    reader = FeedReader(stored)
    reader.cursors["show"] = 9
    stored["show"] = 8
    assert reader.cursors == {"show": 1}


# --- the server's side ------------------------------------------------------------------------


def subscribed(**cursors):
    side = LiveSide(frozenset({"show", "matinee"}))
    return side, side.receive(Subscribe(cursors))


def test_a_subscription_reads_every_stream_that_the_gate_may_follow():
    side, commands = subscribed(show=3, matinee=0, gala=1)
    assert commands == [ReadFeed("matinee", 0), ReadFeed("show", 3)]
    assert side.wake(["gala", "show"]) == []  # one may not be followed, one is being read


def test_before_the_subscription_nothing_is_sent():
    side = LiveSide(frozenset({"show"}))
    assert side.wake(["show"]) == []
    assert side.announce(Lists({}, 1)) == []
    assert side.page(feed(0, 3)) == []
    assert not side.is_subscribed
    side.receive(Subscribe({}))
    assert side.is_subscribed


def test_what_was_read_is_sent_and_the_rest_is_read_at_once():
    side, _ = subscribed(show=0)
    page = feed(0, 2, head=5)
    assert side.page(page) == [Send(page), ReadFeed("show", 2)]
    assert side.page(feed(2, 5)) == [Send(feed(2, 5))]


def test_an_empty_page_is_not_sent():
    side, _ = subscribed(show=4)
    assert side.page(feed(4, 4)) == []


def test_a_gate_that_stands_higher_than_the_stream_is_told_so_and_served_from_there():
    side, _ = subscribed(show=9)
    told = feed(9, 9, head=3)
    assert side.page(told) == [Send(told)]
    assert side.wake(["show"]) == [ReadFeed("show", 3)]
    assert side.page(feed(3, 4)) == [Send(feed(3, 4))]


def test_any_number_of_wake_ups_costs_at_most_one_further_read():
    side, _ = subscribed(show=0)
    assert [side.wake(["show"]) for _ in range(50)] == [[]] * 50
    assert side.page(feed(0, 1)) == [Send(feed(0, 1)), ReadFeed("show", 1)]
    assert side.page(feed(1, 1)) == []
    assert side.wake(["show"]) == [ReadFeed("show", 1)]


def test_a_page_from_before_a_new_subscription_is_not_sent_twice():
    side, _ = subscribed(show=0)
    side.receive(Subscribe({"show": 0}))
    assert side.page(feed(0, 2)) == [Send(feed(0, 2))]
    assert side.page(feed(0, 2)) == []


def test_the_news_in_a_page_from_before_a_new_subscription_is_not_lost():
    side, _ = subscribed(show=0)
    side.receive(Subscribe({"show": 0}))
    assert side.page(feed(0, 2)) == [Send(feed(0, 2))]
    assert side.page(feed(0, 3)) == [ReadFeed("show", 2)]
    assert side.page(feed(2, 3)) == [Send(feed(2, 3))]


def test_a_page_of_a_stream_that_is_no_longer_followed_is_dropped():
    side, _ = subscribed(show=0)
    side.receive(Subscribe({"matinee": 0}))
    assert side.page(feed(0, 2)) == []
    assert side.wake(["show"]) == []


def test_the_gate_is_told_of_new_lists():
    side, _ = subscribed()
    assert side.announce(Lists({"show": 4}, 2)) == [Send(Lists({"show": 4}, 2))]


def test_how_the_gate_is_is_noted_and_a_beat_is_nothing():
    side, _ = subscribed()
    assert side.receive(STATUS) == [NoteStatus(STATUS)]
    assert side.receive(Beat()) == []


@pytest.mark.parametrize("message", [feed(0, 1), Lists({}, 1)])
def test_what_only_a_server_says_is_refused_from_a_gate(message):
    side, _ = subscribed(show=0)
    with pytest.raises(RemoteProtocolError, match="a gate does not send"):
        side.receive(message)


# --- both sides, over a link that loses frames ------------------------------------------------

STREAMS = ("show", "matinee")


class Link:
    """A server's streams, one gate, and everything that is under way between them."""

    def __init__(self):
        self.lengths = dict.fromkeys(STREAMS, 0)
        self.reads = []
        self.frames = []
        self.applied = {stream: [] for stream in STREAMS}
        self.connect()

    def connect(self):
        """Begin a connection: what was under way is lost, the gate tells its stored cursors."""
        self.frames.clear()
        self.reads.clear()
        cursors = {stream: len(numbers) for stream, numbers in self.applied.items()}
        self.reader = FeedReader(cursors)
        self.side = LiveSide(frozenset(STREAMS))
        self.obey(self.side.receive(Subscribe(cursors)))

    def grow(self, stream, count, wake_ups):
        self.lengths[stream] += count
        for _ in range(wake_ups):
            self.obey(self.side.wake([stream]))

    def page(self, stream, after, size):
        head = self.lengths[stream]
        return feed(after, min(head, after + size), head, stream)

    def obey(self, commands):
        for command in commands:
            match command:
                case ReadFeed():
                    self.reads.append(command)
                case Send():
                    self.frames.append(command.message)
        assert len(self.reads) <= len(STREAMS)

    def go_back(self, count):
        """Start the server from a backup that lacks the last items; gates connect anew."""
        self.lengths = {stream: max(0, length - count) for stream, length in self.lengths.items()}
        self.connect()

    def finish_read(self, size):
        if self.reads:
            read = self.reads.pop(0)
            self.obey(self.side.page(self.page(read.stream, read.after, size)))

    def deliver(self, *, lost=False, size=3):
        if self.frames:
            frame = self.frames.pop(0)
            if not lost:
                self.take(frame, size)

    def take(self, frame, size):
        for command in self.reader.receive(frame):
            match command:
                case ApplyFeed():
                    numbers = [one.number for one in command.items]
                    self.applied[command.stream] += numbers
                    assert command.cursor == numbers[-1]
                case FetchFeed():
                    self.take(self.page(command.stream, command.after, size), size)
                case RestartFeed():
                    self.applied[command.stream].clear()  # numbered anew from here

    def settle(self):
        while self.reads or self.frames:
            self.finish_read(3)
            self.deliver()


acts = st.lists(
    st.tuples(
        st.sampled_from(("grow", "grow", "read", "read", "deliver", "lose", "connect", "wake")),
        st.sampled_from(STREAMS),
        st.integers(0, 4),
    ),
    max_size=40,
)


@half
@given(acts)
def test_every_item_is_applied_exactly_once_and_in_order(drawn):
    link = Link()
    for act, stream, count in drawn:
        match act:
            case "grow":
                link.grow(stream, count, wake_ups=1)
            case "read":
                link.finish_read(count + 1)
            case "deliver":
                link.deliver(size=count + 1)
            case "lose":
                link.deliver(lost=True)
            case "connect":
                link.connect()
            case "wake":
                link.grow(stream, 0, wake_ups=count)
        for name, numbers in link.applied.items():
            assert numbers == list(range(1, len(numbers) + 1))
            assert len(numbers) <= link.lengths[name]
    link.connect()
    link.settle()
    for name, numbers in link.applied.items():
        assert numbers == list(range(1, link.lengths[name] + 1))


@half
@given(acts, st.integers(1, 6), acts)
def test_after_a_server_came_from_a_backup_the_gate_has_what_the_server_has(before, lost, after):
    link = Link()
    play(link, before)
    link.settle()
    link.go_back(lost)
    link.settle()
    play(link, after)
    link.settle()
    for name, numbers in link.applied.items():
        assert numbers == list(range(1, link.lengths[name] + 1))


def play(link, drawn):
    """Play what was drawn, without loss and without connecting anew."""
    for act, stream, count in drawn:
        match act:
            case "grow" | "connect" | "wake":
                link.grow(stream, count, wake_ups=1)
            case "read":
                link.finish_read(count + 1)
            case "deliver" | "lose":
                link.deliver(size=count + 1)


@half
@given(acts)
def test_without_loss_a_wake_up_is_enough_and_nobody_has_to_connect_anew(drawn):
    link = Link()
    play(link, drawn)
    link.settle()
    for name, numbers in link.applied.items():
        assert numbers == list(range(1, link.lengths[name] + 1))


# --- facts as items ---------------------------------------------------------------------------


def record(kind, **fields):
    known = {
        "sequence": 3,
        "wall_ms": 1,
        "boot_ms": 0,
        "boot_id": b"",
        "checkpoint": "door",
        "performance": "show",
        "identifier": b"T1",
        "direction": 2,
        "ticket_class": ("vip", "multi", 3, None),
    }
    return Record(kind=kind, **{**known, **fields})


@pytest.mark.parametrize(
    ("kind", "fact_type"),
    [(Kind.PASSED, Passage), (Kind.RESET, Reset), (Kind.FREE, FreeCrossing)],
)
def test_a_fact_comes_out_of_the_feed_as_it_went_in_with_its_corrected_instant(kind, fact_type):
    told = record(kind, flags=Flag.OVERRIDE | Flag.UNRESOLVED | Flag.STALE | Flag.DEGRADED)
    fact = fact_of_item(item_of(9, "north", told, NOON))
    assert isinstance(fact, fact_type)
    assert fact == journal.fact_of("north", told, NOON)
    assert fact.at == NOON


def test_circumstances_of_the_gate_do_not_travel():
    told = record(Kind.PASSED, flags=Flag.OVERRIDE | Flag.STALE | Flag.CLOCK_SUSPECT)
    assert item_of(9, "north", told, NOON).flags == Flag.OVERRIDE


def test_a_passage_of_a_number_that_no_list_holds_travels_as_well():
    told = record(Kind.PASSED, performance="", identifier=b"", ticket_class=None)
    fact = fact_of_item(item_of(9, "north", told, NOON))
    assert fact == Passage("north", 3, NOON, "door", None, b"", Direction.EXIT)


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": Kind.GRANTED},
        {"kind": 99},
        {"direction": 0},
        {"at_us": 1 << 62},
        {"ticket_class": ("vip", "season", None, None)},
    ],
)
def test_an_item_that_states_no_fact_is_a_fault_of_the_other_side(fields):
    with pytest.raises(RemoteProtocolError, match="feed item 7"):
        fact_of_item(msgspec.structs.replace(item(7), **fields))
