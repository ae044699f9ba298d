"""Members come, go and refuse in any interleaving; the promises in the roster's header hold."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ext.testing.admission import LIMITS
from ext.testing.upstream import Roster

WORKERS = 4


class Coming(RuleBasedStateMachine):
    """Pretend workers with requests, and a control thread whose steps may be far apart."""

    @initialize(unlimited=st.booleans(), waiting_max=st.sampled_from([3, 100]))
    def begin(self, unlimited, waiting_max):
        self.unlimited = unlimited
        self.roster = Roster(WORKERS, waiting_max, unlimited)
        self.alive = []
        self.to_adopt = None  # workers that have not adopted the set that is on its way
        self.most = {}  # serial -> capacity, of the newest set
        self.count = 0

    def living(self, state):
        return [q for q in self.alive if q.state == state]

    @rule(worker=st.integers(0, WORKERS - 1))
    def arrive(self, worker):
        self.count += 1
        request = self.roster.request(worker, self.count)
        if self.roster.arrive(request) != "full":
            self.alive.append(request)

    @precondition(lambda self: self.living("running"))
    @rule(data=st.data())
    def end(self, data):
        request = data.draw(st.sampled_from(self.living("running")))
        self.alive.remove(request)
        self.roster.end(request)

    @precondition(lambda self: self.living("parked"))
    @rule(data=st.data())
    def leave(self, data):
        request = data.draw(st.sampled_from(self.living("parked")))
        self.alive.remove(request)
        self.roster.end(request)

    @precondition(lambda self: self.living("running"))
    @rule(data=st.data())
    def refuse(self, data):
        request = data.draw(st.sampled_from(self.living("running")))
        was = request.member
        self.roster.fail(request)
        assert request.member != was or request.member is None

    @precondition(lambda self: self.roster.knocks)
    @rule(data=st.data())
    def answer(self, data):
        self.roster.collect(data.draw(st.sampled_from(self.roster.knocks)))

    @precondition(lambda self: self.to_adopt is None)
    @rule(data=st.data(), come=st.lists(st.integers(1, 5), max_size=3))
    def change(self, data, come):
        stay = data.draw(st.sets(st.sampled_from(sorted(self.most)))) if self.most else set()
        capacities = {serial: self.most[serial] for serial in stay}
        serials = self.roster.prepare(capacities, come)
        self.most = dict(zip(serials, [*capacities.values(), *come], strict=True))
        self.to_adopt = list(range(WORKERS))

    @precondition(lambda self: self.to_adopt)
    @rule(data=st.data())
    def adopt(self, data):
        worker = data.draw(st.sampled_from(self.to_adopt))
        self.to_adopt.remove(worker)
        self.roster.adopt(worker)

    @precondition(lambda self: self.to_adopt == [])
    @rule()
    def finish(self):
        self.to_adopt = None
        self.roster.finish()

    @rule()
    def read_events(self):
        self.roster.events()

    @invariant()
    def sums_agree(self):
        if not hasattr(self, "roster"):
            return
        capacity, running, waiting = self.roster.gate()
        assert not self.living("lost"), "a ticket holds a slot of the gate and none of a member"
        held = self.living("running")
        if self.roster.knocks:
            return
        assert running == len(held)
        assert waiting == len(self.living("parked"))
        members = self.roster.members()
        is_in = {serial: row for serial, row in members.items() if row[0]}
        for serial, (_, most, there) in members.items():
            assert there == sum(q.member == serial for q in held)
            assert there <= most
        assert self.roster.usable() == len(is_in)
        if self.unlimited:
            assert capacity == (LIMITS["capacity_max"] if is_in else 0)
            assert not (waiting and is_in), "somebody waits beside an open member"
            return
        leaving = sum(q.member not in is_in for q in held)
        assert capacity == sum(most for _, most, _ in is_in.values()) + leaving
        free = sum(most - there for _, most, there in is_in.values())
        assert not (waiting and free), "somebody waits beside a free slot"

    def teardown(self):
        if not hasattr(self, "roster"):
            return
        if self.to_adopt is not None:
            for worker in self.to_adopt:
                self.roster.adopt(worker)
            self.roster.finish()
        while self.roster.knocks or self.alive:
            if self.roster.knocks:
                self.roster.collect(self.roster.knocks[0])
            else:
                self.roster.end(self.alive.pop())
        assert self.roster.gate()[1:] == (0, 0)
        self.roster.close()


Coming.TestCase.settings = settings(max_examples=300, stateful_step_count=60, deadline=None)
TestComing = Coming.TestCase
