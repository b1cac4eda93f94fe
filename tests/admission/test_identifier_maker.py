"""The fast way to many identifiers gives what the plain way gives."""

import hmac

from hypothesis import given
from hypothesis import strategies as st

from admission.ticketlist.identifiers import identifier_maker, identify


@given(st.binary(min_size=1, max_size=64), st.text(max_size=600))
def test_both_ways_give_the_same_identifier(list_key, number):
    expected = hmac.digest(list_key, number.encode("utf-8", "surrogatepass"), "sha256")[:16]
    assert identifier_maker(list_key)(number) == identify(list_key, number) == expected


def test_one_maker_serves_any_number_of_numbers():
    make = identifier_maker(b"k" * 32)
    numbers = [str(n) for n in range(1000)]
    assert [make(number) for number in numbers] == [identify(b"k" * 32, n) for n in numbers]
