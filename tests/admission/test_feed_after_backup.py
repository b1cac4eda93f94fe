"""Feeds whose numbers went back, and pages that cross with a new subscription."""

from admission.sync.gate_side import ApplyFeed, FeedReader, FetchFeed, RestartFeed
from admission.sync.messages import Feed, FeedItem, Subscribe
from admission.sync.server_side import LiveSide, ReadFeed, Send


def item(number: int) -> FeedItem:
    return FeedItem(number, 12, "gate-b", number, 0, "door", "show", bytes(16), 1, 0)


def page(after: int, *numbers: int, head: int | None = None) -> Feed:
    top = max(numbers, default=after) if head is None else head
    return Feed("show", after, [item(number) for number in numbers], top)


# --- the gate -------------------------------------------------------------------------------------


def test_a_stream_that_is_shorter_than_the_cursor_is_read_from_its_beginning():
    reader = FeedReader({"show": 9})
    assert reader.receive(page(9, head=4)) == [RestartFeed("show"), FetchFeed("show", 0)]
    assert reader.cursors == {"show": 0}
    assert reader.receive(page(0, 1, 2, 3, 4)) == [
        ApplyFeed("show", tuple(item(number) for number in (1, 2, 3, 4)), 4)
    ]


def test_a_page_that_was_overtaken_is_no_reason_to_begin_again():
    reader = FeedReader({"show": 9})
    assert reader.receive(page(2, 3, 4, head=4)) == []
    assert reader.cursors == {"show": 9}


def test_a_stream_that_is_begun_again_is_not_begun_again_twice():
    reader = FeedReader({"show": 9})
    reader.receive(page(9, head=4))
    assert reader.receive(page(9, head=4)) == [FetchFeed("show", 0)]


# --- the server -----------------------------------------------------------------------------------


def following(cursor: int) -> LiveSide:
    side = LiveSide(frozenset({"show"}))
    assert side.receive(Subscribe({"show": cursor})) == [ReadFeed("show", cursor)]
    return side


def test_a_gate_that_stands_higher_than_the_stream_is_told_so():
    side = following(9)
    assert side.page(page(9, head=4)) == [Send(page(9, head=4))]
    assert side.wake(["show"]) == [ReadFeed("show", 4)]
    assert side.page(page(4, 5)) == [Send(page(4, 5))]


def test_a_gate_that_is_up_to_date_is_sent_nothing():
    side = following(4)
    assert side.page(page(4, head=4)) == []


def test_a_page_of_before_a_new_subscription_is_dropped():
    side = following(2)
    side.receive(Subscribe({"show": 7}))
    assert side.page(page(2, 3, 4, head=7)) == []


def test_the_news_in_a_page_that_is_dropped_is_not_lost():
    """The wake-up for number 9 was spent on a read that crossed with another one."""
    side = following(7)
    side.receive(Subscribe({"show": 7}))  # two reads after 7 are under way now
    assert side.page(page(7, 8)) == [Send(page(7, 8))]
    assert side.page(page(7, 8, 9)) == [ReadFeed("show", 8)]
    assert side.page(page(8, 9)) == [Send(page(8, 9))]


def test_a_page_of_a_stream_that_is_followed_no_more_is_dropped():
    side = following(2)
    side.receive(Subscribe({}))
    assert side.page(page(2, 3)) == []
