"""Reports between our own activator and autoscaler."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.contract.document import DocumentError, document
from dataplane.contract.reports import Counts, Path, Ready, Report, read_message

NAMES = st.text(min_size=1, max_size=20)
WHOLE = st.integers(0, 1 << 50)
SECONDS = st.floats(0, 1e12)
COUNTS = st.builds(Counts, requests=WHOLE, busy_s=SECONDS, running=WHOLE, waiting=WHOLE)
MESSAGES = st.one_of(
    st.tuples(
        st.just("report"),
        st.builds(
            Report,
            sender=NAMES,
            life=NAMES,
            sequence=WHOLE,
            time_s=SECONDS,
            revisions=st.dictionaries(NAMES, COUNTS, max_size=3),
        ),
    ),
    st.tuples(st.just("ready"), st.builds(Ready, revision=NAMES, address=NAMES, port=st.integers(1, 65535))),
    st.tuples(
        st.sampled_from(["path", "in_path"]),
        st.builds(Path, version=WHOLE, revisions=st.lists(NAMES, max_size=3).map(tuple)),
    ),
)


@given(MESSAGES)
def test_a_message_survives_its_way_over_the_wire(message):
    name, content = message
    assert read_message(json.loads(json.dumps({name: document(content)}))) == message


@pytest.mark.parametrize("wrong", [[], {}, {"report": {}, "ready": {}}, {"mirror": {}}])
def test_what_is_no_message_is_refused(wrong):
    with pytest.raises(DocumentError, match="one of report, ready, path, in_path"):
        read_message(wrong)


def test_all_problems_are_named_at_once():
    with pytest.raises(DocumentError) as caught:
        read_message({"ready": {"revision": 1, "port": 0}})
    assert caught.value.problems == (
        'ready.revision: "1" is no text',
        "ready.address: is missing",
        'ready.port: "0" is no whole number from 1 to 65535',
    )
