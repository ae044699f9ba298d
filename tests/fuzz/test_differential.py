"""differential: a fixed share of the search, and that the search can find something."""

import pytest

from tests.fuzz import differential
from tests.fuzz.messages import REQUESTS, RESPONSES
from tests.fuzz.readings import Reading


@pytest.mark.parametrize("data", REQUESTS)
def test_every_odd_request_is_explained(data):
    assert differential.compare(data, True) == []


@pytest.mark.parametrize("data", RESPONSES)
def test_every_odd_response_is_explained(data):
    assert differential.compare(data, False) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_no_changed_message_is_read_otherwise_without_reason(seed):
    assert differential.search(0, seed=seed, count=4000)


GOOD = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"


@pytest.mark.parametrize(
    "we",
    [
        Reading("refused", "bad_request_length"),
        Reading("refused", "bad_request_line_end"),
        Reading("more"),
        Reading("message", "", (b"POST", b"/", 11), ((b"host", b"a"), (b"content-length", b"5")), b"hell"),
        Reading("message", "", (b"POST", b"/", 11), ((b"host", b"a"),), b"hello"),
    ],
)
def test_a_wrong_reading_would_be_found(we):
    they = Reading("message", "", (b"POST", b"/", 11), ((b"host", b"a"), (b"content-length", b"5")), b"hello")
    assert differential.explained(GOOD, True, "h11", we, they)
