"""The route table against a model: any hosts and paths, any change, any request."""

import re

from hypothesis import given
from hypothesis import strategies as st

from dataplane.contract.routes import Path, Split
from ext.engine import Engine
from ext.hosts import HostRoutes
from ext.plan import Plan
from ext.testing.lookup import Lookup, sizes
from tests.proxyfixture import BOUNDS

LABELS = st.sampled_from(["a", "b", "ab", "xyz-longer-label"])
DOMAINS = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
NAMES = st.one_of(DOMAINS, DOMAINS.map(lambda domain: f"*.{domain}"), st.just("*"), st.just("[::1]"))
PREFIXES = st.sampled_from(["", "/", "/a", "/ab", "/a/b", "/a?", "*"])
TARGETS = st.sampled_from(
    ["/", "/a", "/ab", "/a/b", "/A", "/a?x", "//", "/abc", "http://a", "http://a?a", "http://a/ab"]
)
FIELD_NAMES = st.sampled_from(["X-A", "x-a", "Cookie", "COOKIE", "X-Rather-Long-Name", "x-rather-long-namE"])
VALUES = st.sampled_from(["", "1", "2", "1,2"])
MATCHES = st.dictionaries(FIELD_NAMES, VALUES, max_size=2)


@st.composite
def paths(draw):
    redirect = draw(st.booleans())
    splits = () if redirect and draw(st.booleans()) else (Split(target="t"),)
    return Path(
        prefix=draw(PREFIXES), headers=draw(MATCHES), splits=splits, redirect=redirect, local=draw(st.booleans())
    )


class Host:
    """Routes as the model sees them, and as the engine does."""

    def __init__(self, paths, hash):
        self.paths = paths
        self.hash = hash
        self.local = bool(paths) and all(path.local for path in paths)
        self.made = HostRoutes(paths, hash)


HOSTS = st.builds(Host, st.lists(paths(), max_size=3), st.text("0123456789abcdef", max_size=3))
CHANGES = st.lists(st.dictionaries(NAMES, st.one_of(st.none(), HOSTS), min_size=1, max_size=6), min_size=1, max_size=3)


@st.composite
def requests(draw):
    host = draw(st.one_of(DOMAINS, st.sampled_from(["[::1]", ".a", "", "*.a", "*"])))
    host = draw(st.sampled_from([host, host.upper()])) + (draw(st.sampled_from(["", ":80", ":"])) if host else "")
    fields = draw(st.lists(st.tuples(FIELD_NAMES, VALUES), max_size=3))
    return draw(st.sampled_from(["GET", "OPTIONS"])), host, draw(TARGETS), fields


def chosen_host(hosts, host, private):
    """The model: exact, the longest wildcard, the star."""
    name = re.sub(r":\d*$", "", host).lower()
    dots = [i for i, c in enumerate(name) if c == "." and i > 0]
    exact = [] if name.startswith("*.") else [name]  # who asks for the star itself is one of those that it stands for
    for wanted in [*exact, *[f"*{name[i:]}" for i in dots], "*"]:
        if wanted in hosts and (private or not hosts[wanted].local):
            return hosts[wanted]
    return None


def fits(path, target, fields):
    here = {}
    for name, value in fields:
        here[name.lower()] = f"{here[name.lower()]},{value}" if name.lower() in here else value
    wanted = {name.lower(): value for name, value in path.headers.items()}
    return target.startswith(path.prefix) and all(
        name in here and value in ("", here[name]) for name, value in wanted.items()
    )


def expected(hosts, request, private, secure):
    method, host, target, fields = request
    if target.startswith("http://"):
        host = "a"
        target = target.removeprefix("http://a")
        if not target and method == "OPTIONS":
            target = "*"
        elif not target.startswith(("/", "*")):
            target = f"/{target}"
    found = chosen_host(hosts, host, private)
    for i, path in enumerate(found.paths if found else ()):
        if fits(path, target, fields) and (path.splits or not secure) and (private or not path.local):
            return found.hash, i
    return None


def head_of(method, host, target, fields):
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *[f"{name}: {value}" for name, value in fields]]
    return Lookup("\r\n".join([*lines, "", ""]).encode())


LIVE = Engine(1, BOUNDS).live


def plan_after(previous, hosts):
    return Plan(LIVE, version=1, targets={}, services={}, previous=previous, hosts=hosts)


@given(CHANGES, st.lists(requests(), min_size=1, max_size=8))
def test_every_request_falls_where_the_model_says_after_any_changes(changes, asked):
    plan = None
    now = {}
    made = []
    for change in changes:
        plan = plan_after(plan, {name: host and host.made for name, host in change.items()})
        now = {name: host for name, host in {**now, **change}.items() if host is not None}
        made.append((plan, now))
    del plan
    for plan, hosts in made:
        assert sizes(plan)[:2] == (len(hosts), sum(name.startswith("*.") for name in hosts))
        for request in asked:
            lookup = head_of(*request)
            for private in (False, True):
                for secure in (False, True):
                    assert lookup.path(plan, private, secure) == expected(hosts, request, private, secure)


def test_many_hosts_come_change_and_go():
    names = [f"host-{i}.example" for i in range(3000)]
    plan = plan_after(None, {name: HostRoutes([Path(splits=(Split(target=name),))], name) for name in names})
    plan = plan_after(plan, dict.fromkeys(names[::2]))
    plan = plan_after(plan, {names[1]: HostRoutes([Path(splits=(Split(target="new"),))], "new")})
    assert sizes(plan)[0] == 1500
    for i, name in enumerate(names):
        found = head_of("GET", name, "/", ()).path(plan, False, False)
        assert found == (None if i % 2 == 0 else ("new" if i == 1 else name, 0))
    plan = plan_after(plan, dict.fromkeys(names))
    assert sizes(plan)[0] == 0


def test_texts_that_nobody_has_any_more_are_let_go():
    plan = None
    for i in range(20_000):
        plan = plan_after(plan, {"a.example": HostRoutes([Path(splits=(Split(target=f"target-{i}"),))], f"hash-{i}")})
    assert sizes(plan)[2] < 10_000


@given(st.lists(st.integers(0, 100), min_size=1, max_size=5).filter(any), st.integers(0, 2**32 - 1))
def test_a_split_is_chosen_in_proportion(percents, high):
    splits = tuple(Split(target=str(i), percent=percent) for i, percent in enumerate(percents))
    plan = plan_after(None, {"a.example": HostRoutes([Path(splits=splits)])})
    ball = high * sum(percents) >> 32
    until = [sum(percents[: i + 1]) for i in range(len(percents))]
    wanted = next(i for i, end in enumerate(until) if ball < end)
    found, _ = head_of("GET", "a.example", "/", ()).split(plan, high << 32 | 1)
    assert found == (str(wanted) if len(percents) > 1 else "0")
    assert percents[int(found)] > 0


def test_the_path_wins_over_the_split_whatever_the_case():
    split = Split(target="t", set_headers={"X-One": "split", "x-two": "split"})
    path = Path(splits=(split,), set_headers={"X-Two": "path", "X-Three": "path"})
    plan = plan_after(None, {"a.example": HostRoutes([path])})
    _, sets = head_of("GET", "a.example", "/", ()).split(plan, 1)
    assert sets == {"X-One": "split", "X-Two": "path", "X-Three": "path"}
