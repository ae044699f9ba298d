"""The limiter, one call at a time, with workers that only pretend."""

import pytest

from ext.testing.admission import LIMITS, Limiter


@pytest.fixture
def limiter():
    """A maker of limiters; each must be empty and freed at the end of its test."""
    made = []

    def make(capacity, waiting_max=10, workers=1):
        made.append(Limiter(capacity, waiting_max, workers))
        return made[-1]

    yield make
    for one in made:
        while one.knocks:
            one.collect(one.knocks[0])
        assert one.counts()[1:] == (0, 0)
        one.close()
        assert one.is_freed


def tickets(limiter, count):
    return [limiter.ticket(f"t{number}") for number in range(count)]


def end(limiter, held):
    """Every ticket gives back what it has; the later ones first, so that nobody is granted on the way."""
    for ticket in reversed(held):
        limiter.cancel(ticket)


@pytest.mark.spec("DP-084")
def test_one_slot_runs_one_of_fifty(limiter):
    one = limiter(1, 49)
    held = tickets(one, 50)
    assert [one.admit(0, ticket) for ticket in held] == ["admitted"] + ["parked"] * 49
    for number in range(49):
        assert one.counts() == (1, 1, 49 - number)
        one.release(held[number])
        assert one.granted[-1] == f"t{number + 1}"
    one.release(held[49])


@pytest.mark.spec("DP-086", "DP-088")
def test_the_twelfth_is_refused_and_a_place_is_free_when_one_has_ended(limiter):
    one = limiter(1, 10)
    held = tickets(one, 13)
    assert [one.admit(0, ticket) for ticket in held[:12]] == ["admitted"] + ["parked"] * 10 + ["full"]
    assert one.pending() == 11
    one.release(held[0])
    assert one.admit(0, held[11]) == "parked"
    assert one.admit(0, held[12]) == "full"
    end(one, held)


@pytest.mark.spec("DP-089")
def test_ten_slots_hold_one_hundred_and_ten(limiter):
    one = limiter(10, 100, 3)
    held = tickets(one, 111)
    outcomes = [one.admit(number % 3, ticket) for number, ticket in enumerate(held)]
    assert (outcomes.count("admitted"), outcomes.count("parked"), outcomes.count("full")) == (10, 100, 1)
    end(one, held)


@pytest.mark.spec("DP-090")
def test_a_waiter_that_leaves_frees_its_place_at_once(limiter):
    one = limiter(1, 1)
    first, second, third = tickets(one, 3)
    one.admit(0, first)
    one.admit(0, second)
    assert one.admit(0, third) == "full"
    assert one.cancel(second)
    assert one.counts() == (1, 1, 0)
    assert one.lanes() == [(0, 0)]
    assert one.admit(0, third) == "parked"
    end(one, [first, second, third])


@pytest.mark.spec("DP-095")
def test_no_capacity_blocks_until_it_is_raised(limiter):
    one = limiter(0)
    held = tickets(one, 2)
    assert [one.admit(0, ticket) for ticket in held] == ["parked", "parked"]
    one.resize(1, worker=0)
    assert one.granted == ["t0"]
    assert one.counts() == (1, 1, 1)
    end(one, held)


@pytest.mark.spec("DP-095")
def test_a_lower_capacity_interrupts_nobody_and_holds_for_the_next(limiter):
    one = limiter(3)
    held = tickets(one, 4)
    for ticket in held:
        one.admit(0, ticket)
    one.resize(1)
    assert one.counts() == (1, 3, 1)
    one.release(held[0])
    one.release(held[1])
    assert one.granted == []
    one.release(held[2])
    assert one.granted == ["t3"]
    one.release(held[3])


@pytest.mark.spec("DP-096")
@pytest.mark.parametrize(
    ("capacity", "waiting_max", "workers"),
    [
        pytest.param(-1, 1, 1, id="capacity-below-zero"),
        pytest.param(LIMITS["capacity_max"] + 1, 1, 1, id="capacity-too-large"),
        pytest.param(1, 0, 1, id="no-waiting-room"),
        pytest.param(1, LIMITS["waiting_max"] + 1, 1, id="waiting-room-too-large"),
        pytest.param(1, 1, 0, id="no-worker"),
        pytest.param(1, 1, 65, id="too-many-workers"),
    ],
)
def test_a_number_out_of_range_makes_no_limiter(capacity, waiting_max, workers):
    with pytest.raises(ValueError, match="out of range"):
        Limiter(capacity, waiting_max, workers)


@pytest.mark.spec("DP-096")
def test_a_release_without_a_slot_changes_nothing(limiter):
    one = limiter(1)
    first, second = tickets(one, 2)
    assert not one.release(first)
    one.admit(0, first)
    one.admit(0, second)
    assert not one.release(second)
    assert one.release(first)
    assert not one.release(first)
    assert one.counts() == (1, 1, 0)
    assert one.release(second)


@pytest.mark.spec("DP-096")
@pytest.mark.parametrize("capacity", [-1, LIMITS["capacity_max"] + 1])
def test_a_capacity_out_of_range_changes_nothing(limiter, capacity):
    one = limiter(2)
    assert not one.resize(capacity)
    assert one.capacity() == 2


@pytest.mark.spec("DP-097")
def test_reserve_takes_a_free_slot_and_never_a_place(limiter):
    one = limiter(1)
    first, second = tickets(one, 2)
    assert one.reserve(0, first) == "admitted"
    assert one.reserve(0, second) == "full"
    assert one.counts() == (1, 1, 0)
    assert one.release(first)
    assert one.reserve(0, second) == "admitted"
    assert one.release(second)


@pytest.mark.spec("DP-136")
def test_pending_counts_who_runs_and_who_waits(limiter):
    one = limiter(2)
    held = tickets(one, 3)
    seen = []
    for ticket in held:
        one.admit(0, ticket)
        seen.append(one.pending())
    assert seen == [1, 2, 3]
    end(one, held)
    assert one.pending() == 0


def test_the_largest_numbers_do_not_touch_their_neighbours(limiter):
    one = limiter(LIMITS["capacity_max"], LIMITS["waiting_max"])
    first, second = tickets(one, 2)
    one.admit(0, first)
    one.resize(1)
    one.admit(0, second)
    assert one.counts() == (1, 1, 1)
    one.resize(LIMITS["capacity_max"])
    assert one.knocks == [0]
    one.collect(0)
    assert one.granted == ["t1"]
    assert one.counts() == (LIMITS["capacity_max"], 2, 0)
    end(one, [first, second])


def test_a_newcomer_does_not_overtake(limiter):
    one = limiter(1, workers=2)
    first, second, third = tickets(one, 3)
    one.admit(0, first)
    one.admit(1, second)
    one.release(first)
    assert one.admit(0, third) == "parked"
    one.collect(1)
    assert one.granted == ["t1"]
    one.release(second)
    one.collect(0)
    assert one.granted == ["t1", "t2"]
    one.release(third)


def test_who_came_first_is_served_first_on_whatever_worker(limiter):
    one = limiter(1, workers=3)
    held = tickets(one, 6)
    for worker, ticket in zip([0, 2, 1, 0, 1, 2], held, strict=True):
        one.admit(worker, ticket)
    for ticket in held:
        one.release(ticket)
        if one.knocks:
            one.collect(one.knocks[0])
    assert one.granted == ["t1", "t2", "t3", "t4", "t5"]


def test_two_free_slots_go_to_two_lanes(limiter):
    one = limiter(2, workers=3)
    held = tickets(one, 4)
    for worker, ticket in zip([0, 0, 1, 2], held, strict=True):
        one.admit(worker, ticket)
    one.release(held[0])
    one.release(held[1])
    assert sorted(one.knocks) == [1, 2]
    end(one, held)


def test_a_grant_that_finds_nobody_goes_to_the_next(limiter):
    one = limiter(1, workers=3)
    first, second, third = tickets(one, 3)
    one.admit(0, first)
    one.admit(1, second)
    one.release(first)
    one.cancel(second)
    assert one.counts() == (1, 1, -1)
    assert one.admit(2, third) == "parked"
    one.collect(1)
    assert one.knocks == [2]
    one.collect(2)
    assert one.granted == ["t2"]
    one.release(third)


def test_a_worker_is_knocked_once_for_many_grants(limiter):
    one = limiter(2, workers=2)
    held = tickets(one, 4)
    for worker, ticket in zip([0, 0, 1, 1], held, strict=True):
        one.admit(worker, ticket)
    one.release(held[0])
    one.release(held[1])
    assert one.knocks == [1]
    one.collect(1)
    assert one.granted == ["t2", "t3"]
    end(one, held)


def test_a_limiter_lives_until_its_last_knock_is_answered():
    one = Limiter(1, 10, 2)
    first, second = tickets(one, 2)
    one.admit(0, first)
    one.admit(1, second)
    one.release(first)
    one.cancel(second)
    assert one.counts() == (1, 1, -1)
    one.collect(1)
    assert one.counts() == (1, 0, 0)
    one.close()
    assert one.is_freed


def test_a_callback_may_end_its_own_ticket_and_the_stack_stays_flat(limiter):
    one = limiter(1, 5000)
    depths = []

    def leave(ticket):
        depths.append(len(depths))
        one.release(ticket)

    first = one.ticket("first")
    rest = [one.ticket(number, leave) for number in range(5000)]
    one.admit(0, first)
    for ticket in rest:
        one.admit(0, ticket)
    one.release(first)
    assert one.granted == list(range(5000))
    assert one.counts() == (1, 0, 0)


def test_a_callback_may_cancel_a_ticket_that_was_granted_but_not_yet_told(limiter):
    one = limiter(0)
    second = one.ticket("second")
    first = one.ticket("first", lambda ticket: one.cancel(second))
    one.admit(0, first)
    one.admit(0, second)
    one.resize(2, worker=0)
    assert one.granted == ["first"]
    assert second.state == "idle"
    assert one.counts() == (2, 1, 0)
    one.release(first)


def test_a_callback_may_admit_another(limiter):
    one = limiter(1)
    third = one.ticket("third")
    first, second = one.ticket("first"), one.ticket("second", lambda ticket: one.admit(0, third))
    one.admit(0, first)
    one.admit(0, second)
    one.release(first)
    assert (second.state, third.state) == ("admitted", "parked")
    end(one, [second, third])


def test_a_ticket_remembers_when_it_was_parked(limiter):
    one = limiter(1)
    first, second = tickets(one, 2)
    one.admit(0, first, 5)
    one.admit(0, second, 7)
    assert (first.parked_ns, second.parked_ns) == (0, 7)
    end(one, [first, second])


def test_a_ticket_that_is_sent_back_goes_before_who_came_later(limiter):
    one = limiter(2, workers=2)
    held = tickets(one, 5)
    assert [one.admit(number % 2, ticket) for number, ticket in enumerate(held)] == ["admitted"] * 2 + ["parked"] * 3
    one.resize(0)
    assert one.send_back(held[1])
    assert one.send_back(held[0])
    assert one.counts() == (0, 0, 5)
    for capacity in (1, 2):
        one.resize(capacity)
        one.collect(one.knocks[0])
    assert sorted(one.granted) == ["t0", "t1"]
    assert not one.send_back(held[2]), "it holds no slot"
    one.resize(0)
    end(one, held)


def test_a_slot_that_goes_is_taken_off_the_capacity(limiter):
    one = limiter(2)
    held = tickets(one, 3)
    assert [one.admit(0, ticket) for ticket in held] == ["admitted", "admitted", "parked"]
    assert one.release_last(held[0])
    assert not one.release_last(held[0])
    assert one.counts() == (1, 1, 1)
    one.release(held[1])
    assert one.granted == ["t2"]
    end(one, held)
