"""Any interleaving keeps the promises in the limiter's header."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ext.testing.admission import Limiter

WORKERS = 3
PARKED = "parked"


class Interleaving(RuleBasedStateMachine):
    """Workers that admit, end, leave and answer their knocks late and in any order."""

    @initialize(capacity=st.integers(0, 3), waiting_max=st.integers(1, 5))
    def begin(self, capacity, waiting_max):
        self.waiting_max = waiting_max
        self.highest_capacity = capacity
        self.limiter = Limiter(capacity, waiting_max, WORKERS)
        self.lines = [[] for _ in range(WORKERS)]  # who waits, as the test believes
        self.running = []
        self.parked_times = {}  # name -> times that it was parked and not granted since
        self.told = 0
        self.count = 0

    def catch_up(self):
        """Moves who was granted since the last look; each must be the first of its line."""
        for name in self.limiter.granted[self.told :]:
            worker = name[0]
            ticket = self.lines[worker].pop(0)
            assert ticket.name == name
            assert ticket.state == "admitted"
            self.parked_times[name] -= 1
            assert self.parked_times[name] == 0, "granted twice"
            self.running.append(ticket)
        self.told = len(self.limiter.granted)

    @rule(worker=st.integers(0, WORKERS - 1))
    def admit(self, worker):
        ticket = self.limiter.ticket((worker, self.count))
        self.count += 1
        capacity, running, waiting = self.limiter.counts()
        outcome = self.limiter.admit(worker, ticket)
        if outcome == "admitted":
            assert running < capacity
            assert waiting <= 0
            assert not self.lines[worker]
            self.running.append(ticket)
        elif outcome == PARKED:
            assert waiting < self.waiting_max
            self.lines[worker].append(ticket)
            self.parked_times[ticket.name] = 1
        else:
            assert waiting >= self.waiting_max
        self.catch_up()

    @rule(worker=st.integers(0, WORKERS - 1))
    def reserve(self, worker):
        ticket = self.limiter.ticket((worker, self.count))
        self.count += 1
        capacity, running, waiting = self.limiter.counts()
        outcome = self.limiter.reserve(worker, ticket)
        assert (outcome == "admitted") == (running < capacity and waiting <= 0)
        if outcome == "admitted":
            self.running.append(ticket)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def release(self, data):
        ticket = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        assert self.limiter.release(ticket)
        self.catch_up()

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def send_back(self, data):
        """To the front: before all of its line who came later."""
        ticket = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        line = self.lines[ticket.name[0]]
        line.insert(sum(other.seq <= ticket.seq for other in line), ticket)
        self.parked_times[ticket.name] = 1
        assert self.limiter.send_back(ticket)
        self.catch_up()

    @precondition(lambda self: self.running and self.limiter.counts()[0])
    @rule(data=st.data())
    def release_last(self, data):
        """The slot goes with whom it belonged to."""
        ticket = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        capacity, _, _ = self.limiter.counts()
        assert self.limiter.release_last(ticket)
        assert self.limiter.counts()[0] == capacity - 1
        self.catch_up()

    @precondition(lambda self: any(self.lines))
    @rule(data=st.data())
    def cancel(self, data):
        line = data.draw(st.sampled_from([line for line in self.lines if line]))
        ticket = line.pop(data.draw(st.integers(0, len(line) - 1)))
        assert self.limiter.cancel(ticket)
        assert ticket.state == "idle"
        self.catch_up()

    @rule(capacity=st.integers(0, 4), worker=st.integers(-1, WORKERS - 1))
    def resize(self, capacity, worker):
        self.highest_capacity = max(self.highest_capacity, capacity)
        assert self.limiter.resize(capacity, worker)
        self.catch_up()

    @precondition(lambda self: self.limiter.knocks)
    @rule(data=st.data())
    def answer(self, data):
        self.limiter.collect(data.draw(st.sampled_from(self.limiter.knocks)))
        self.catch_up()

    @invariant()
    def counts_agree(self):
        if self.count == 0:
            return
        capacity, running, waiting = self.limiter.counts()
        on_their_way = sum(owed for _, owed in self.limiter.lanes())
        parked = [len(line) for line in self.lines]
        assert [count for count, _ in self.limiter.lanes()] == parked
        assert sum(parked) == waiting + on_their_way
        assert running == len(self.running) + on_their_way
        assert running <= self.highest_capacity
        assert running + waiting <= self.highest_capacity + self.waiting_max
        assert len(set(self.limiter.knocks)) == len(self.limiter.knocks)
        if not self.limiter.knocks:
            assert on_their_way == 0
            assert running >= capacity or not any(parked), "somebody waits beside a free slot"

    def teardown(self):
        if not hasattr(self, "limiter"):
            return
        while self.limiter.knocks or self.running or any(self.lines):
            if self.limiter.knocks:
                self.limiter.collect(self.limiter.knocks[0])
            elif self.running:
                self.limiter.release(self.running.pop())
            else:
                self.limiter.cancel(next(line for line in self.lines if line).pop())
            self.catch_up()
        assert self.limiter.counts()[1:] == (0, 0)
        self.limiter.close()
        assert self.limiter.is_freed


Interleaving.TestCase.settings = settings(max_examples=300, stateful_step_count=60, deadline=None)
TestInterleaving = Interleaving.TestCase
