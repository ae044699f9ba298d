"""The routes document: what is written is read again, and what is wrong is named, all of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.contract.document import DocumentError, document
from dataplane.contract.routes import (
    Certificate,
    Delta,
    Endpoint,
    Host,
    Path,
    Split,
    Target,
    read_delta,
)

NAMES = st.text(min_size=1, max_size=12)
HEADERS = st.dictionaries(NAMES, st.text(max_size=12), max_size=3)
SECONDS = st.floats(min_value=0, max_value=1e6)
TARGETS = st.builds(
    Target,
    concurrency=st.integers(0, 1000),
    hold=st.booleans(),
    waiting_max=st.integers(1, 1000),
    request_s=SECONDS,
    start_s=SECONDS,
    idle_s=SECONDS,
    protocol=st.sampled_from(["http1", "h2c", "follow"]),
)
SPLITS = st.one_of(
    st.tuples(st.builds(Split, target=NAMES, set_headers=HEADERS)),
    st.tuples(st.builds(Split, target=NAMES, percent=st.just(30)), st.builds(Split, target=NAMES, percent=st.just(70))),
)
PATHS = st.builds(
    Path, splits=SPLITS, prefix=NAMES, headers=HEADERS, set_headers=HEADERS, rewrite_host=NAMES, local=st.booleans()
)
HOSTS = st.builds(
    Host,
    ingress=NAMES,
    hash=NAMES,
    paths=st.lists(PATHS, max_size=3).map(tuple),
)
ENDPOINTS = st.lists(st.builds(Endpoint, address=NAMES, port=st.integers(1, 65535)), max_size=3).map(tuple)
CERTIFICATES = st.builds(Certificate, hosts=st.tuples(NAMES), chain=NAMES, key=NAMES)
DELTAS = st.builds(
    Delta,
    version=st.integers(10, 99),
    since=st.integers(0, 9),
    hosts=st.dictionaries(NAMES, st.none() | HOSTS, max_size=3),
    targets=st.dictionaries(NAMES, st.none() | TARGETS, max_size=3),
    endpoints=st.dictionaries(NAMES, ENDPOINTS, max_size=3),
    certificates=st.dictionaries(NAMES, st.none() | CERTIFICATES, max_size=2),
)


@given(DELTAS)
def test_a_delta_survives_its_way_over_the_wire(delta):
    assert read_delta(json.loads(json.dumps(document(delta)))) == delta


def test_what_stands_at_its_default_is_not_written():
    assert document(Target(concurrency=1, hold=True)) == {"concurrency": 1, "hold": True}


def test_fields_of_a_newer_controller_are_skipped():
    assert read_delta({"version": 2, "mirror": {"to": "x"}}) == Delta(version=2)


def test_all_problems_are_named_at_once():
    wrong = {
        "version": 0,
        "targets": {"ns/a": {"concurrency": -1, "hold": "yes", "protocol": "h3"}},
        "endpoints": {"ns/a": [{"address": "10.0.0.1", "port": 70000}]},
        "hosts": {"a.example": {"ingress": "ns/a", "paths": [{"splits": [{"percent": 101}]}]}},
    }
    with pytest.raises(DocumentError) as caught:
        read_delta(wrong)
    assert caught.value.problems == (
        'version: "0" is no whole number from 1 to 9007199254740991',
        'hosts["a.example"].hash: is missing',
        'hosts["a.example"].paths[0].splits[0].target: is missing',
        'hosts["a.example"].paths[0].splits[0].percent: "101" is no whole number from 0 to 100',
        'targets["ns/a"].concurrency: "-1" is no whole number from 0 to 1000000',
        'targets["ns/a"].hold: "yes" is neither true nor false',
        'targets["ns/a"].protocol: "h3" is none of http1, h2c, follow',
        'endpoints["ns/a"][0].port: "70000" is no whole number from 1 to 65535',
    )


@pytest.mark.parametrize(
    ("delta", "problem"),
    [
        ({"version": 3, "since": 3}, "since: 3 is not before version 3"),
        (
            {"version": 1, "hosts": {"a": {"ingress": "n/a", "hash": "0", "paths": [{"splits": []}]}}},
            'hosts["a"].paths[0].splits: percents sum up to 0, and must to 100',
        ),
        ([], 'delta: "[]" is no object'),
    ],
    ids=["version that does not grow", "shares that do not sum up", "no object"],
)
def test_contradictions_are_named(delta, problem):
    with pytest.raises(DocumentError) as caught:
        read_delta(delta)
    assert caught.value.problems == (problem,)
