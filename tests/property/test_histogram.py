"""Whatever worker an exchange is counted by, the sum of the workers is the same."""

from hypothesis import given
from hypothesis import strategies as st

from ext.stats.histogram import DURATION_BOUNDS_NS, SIZE_BOUNDS_BYTES
from ext.testing.stats import Series

NEAR_BOUNDS_NS = st.builds(lambda bound, by: bound + by, st.sampled_from(DURATION_BOUNDS_NS), st.integers(-1, 1))
NEAR_BOUNDS_BYTES = st.builds(lambda bound, by: bound + by, st.sampled_from(SIZE_BOUNDS_BYTES), st.integers(0, 1))
OUTCOMES = st.fixed_dictionaries(
    {
        "status": st.sampled_from([200, 404, 503]),
        "host": st.sampled_from([b"", b"a", b"b"]),
        "tag": st.sampled_from([b"t", b"u"]),
        "duration_ns": NEAR_BOUNDS_NS | st.integers(0, 10**12),
        "request_bytes": NEAR_BOUNDS_BYTES,
        "response_bytes": NEAR_BOUNDS_BYTES | st.integers(0, 2**40),
    },
    optional={"client_ns": NEAR_BOUNDS_NS, "invocation_ns": NEAR_BOUNDS_NS},
)


@given(st.lists(st.tuples(st.integers(0, 2), OUTCOMES), max_size=40))
def test_merged_series_of_many_workers_equal_those_of_one(outcomes):
    alone = Series(100, 200)
    workers = [Series(100, 200) for _ in range(3)]
    for worker, outcome in outcomes:
        alone.add(**outcome)
        workers[worker].add(**outcome)
    merged = {}
    for worker in workers:
        worker.read(merged)
    assert merged == alone.read()


@given(st.lists(st.integers(0, 10**12), max_size=50))
def test_every_value_is_counted_once_where_a_plain_search_puts_it(durations_ns):
    series = Series(10, 10)
    for duration_ns in durations_ns:
        series.add(status=200, duration_ns=duration_ns)
    counts = [0] * (len(DURATION_BOUNDS_NS) + 1)
    for duration_ns in durations_ns:
        counts[sum(duration_ns > bound for bound in DURATION_BOUNDS_NS)] += 1
    got = [parts[0] for parts in series.read().values()]
    assert got == ([[counts, sum(durations_ns)]] if durations_ns else [])
