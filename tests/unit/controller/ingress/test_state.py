"""The state of the gateways: every way to the newest version leads to the same state."""

from hypothesis import given
from hypothesis import strategies as st

from controller.ingress.state import GateState
from dataplane.contract.routes import Endpoint, Host, Path, Split, Target


def host(ingress, *targets):
    share = 100 // len(targets)
    return Host(ingress=ingress, hash="0", paths=(Path(splits=tuple(Split(target=t, percent=share) for t in targets)),))


class Mirror:
    """A gateway that applies deltas."""

    def __init__(self):
        self.version = 0
        self.parts = {"hosts": {}, "targets": {}, "endpoints": {}}

    def take(self, delta):
        assert delta.since in (0, self.version)
        if delta.since == 0:
            self.parts = {name: {} for name in self.parts}
        for name, held in self.parts.items():
            for key, value in getattr(delta, name).items():
                if value is None:
                    held.pop(key, None)
                else:
                    held[key] = value
        for key, target in delta.targets.items():
            if target is None:
                self.parts["endpoints"].pop(key, None)
        self.version = delta.version


NAMES = st.sampled_from(["a", "b", "c"])
CHANGES = st.one_of(
    st.tuples(st.just("hosts"), NAMES, st.none() | NAMES.map(lambda name: host(f"ns/{name}", name))),
    st.tuples(st.just("targets"), NAMES, st.none() | st.integers(0, 3).map(lambda n: Target(concurrency=n))),
    st.tuples(
        st.just("endpoints"), NAMES, st.integers(1, 3).map(lambda n: (Endpoint(address=f"10.0.0.{n}", port=8012),))
    ),
)


@given(st.lists(st.tuples(CHANGES, st.booleans()), max_size=40))
def test_a_gateway_that_looks_now_and_then_ends_where_a_new_one_begins(steps):
    state, seen = GateState(), Mirror()
    for (part, name, value), looks in steps:
        state.change(**{part: {name: value}})
        if looks:
            for delta in state.since(seen.version):
                seen.take(delta)
    for delta in state.since(seen.version):
        seen.take(delta)
    fresh = Mirror()
    for delta in state.since(0):
        fresh.take(delta)
    assert (seen.version, seen.parts) == (fresh.version, fresh.parts)


def test_what_changes_nothing_is_no_version():
    state = GateState()
    assert state.change(targets={"ns/a": Target()}) is not None
    before = state.version
    assert state.change(targets={"ns/a": Target()}, hosts={"gone": None}) is None
    assert state.version == before


def test_targets_that_no_split_names_are_unused():
    state = GateState()
    state.change(targets={"ns/a": Target(), "ns/b": Target()}, hosts={"x": host("ns/x", "ns/a", "ns/b")})
    assert state.unused() == set()
    state.change(hosts={"x": host("ns/x", "ns/b")})
    assert state.unused() == {"ns/a"}
    state.change(targets={"ns/a": None}, hosts={"x": None})
    assert state.unused() == {"ns/b"}
    assert state.hosts_from("ns/x") == set()


def test_a_gateway_from_before_a_restart_gets_everything():
    state = GateState()
    state.change(targets={"ns/a": Target()})
    (delta,) = state.since(5)
    assert delta.since == 0
    assert delta.version == state.version
