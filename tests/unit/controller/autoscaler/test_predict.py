"""Our own decisions: what a burst, a step and silence ask for."""

from dataclasses import replace

import pytest

from controller.autoscaler.predict import Aim, Need, Trail, predict
from controller.autoscaler.target import Target

ONE = Aim(target=Target(1.0, 0.7), limit=1)
HUNDRED = Aim(target=Target(100.0, 70.0))
NOTHING = Need(ready=0, stable=0, short=0, recent=0)


def pods(aim, need, trail=None, now_s=100.0):
    return predict(aim, need, trail or Trail(), now_s)[0].pods


@pytest.mark.parametrize(
    ("aim", "waiting", "expected"),
    [(ONE, 1, 1), (ONE, 100, 100), (HUNDRED, 1, 1), (HUNDRED, 250, 3), (replace(ONE, activation_scale=5), 1, 5)],
    ids=["one", "a hundred", "one of a hundred", "more than two pods hold", "activation scale"],
)
def test_from_zero_a_burst_asks_for_as_many_pods_as_hold_it(aim, waiting, expected):
    assert pods(aim, replace(NOTHING, waiting=waiting)) == expected


def test_a_request_too_short_to_count_keeps_its_pod_for_the_window():
    assert pods(ONE, replace(NOTHING, ready=1, idle_s=59.0)) == 1
    assert pods(ONE, replace(NOTHING, ready=1, idle_s=61.0)) == 0


def test_nothing_to_do_needs_no_pod_and_one_request_in_the_window_keeps_one():
    assert pods(ONE, replace(NOTHING, ready=3)) == 0
    assert pods(ONE, Need(ready=3, stable=0.01, short=0, recent=0)) == 1


def test_a_step_beyond_what_runs_is_answered_at_once():
    need = Need(ready=1, stable=5, short=20, recent=250, running=250)
    assert pods(HUNDRED, need) == 4


def test_a_step_within_what_runs_waits_for_the_averages():
    need = Need(ready=4, stable=100, short=120, recent=300, running=300)
    assert pods(HUNDRED, need) == 2


def test_what_was_asked_for_is_kept_until_the_averages_see_it():
    decision, trail = predict(HUNDRED, Need(ready=1, stable=5, short=20, recent=250), Trail(), 100.0)
    assert decision.pods == 4
    later = Need(ready=4, stable=30, short=150, recent=200)
    assert pods(HUNDRED, later, trail, 103.0) == 4
    assert pods(HUNDRED, later, trail, 108.5) == 3


def test_pods_that_nobody_waits_for_are_given_back_before_they_start():
    burst, trail = predict(ONE, replace(NOTHING, waiting=100), Trail(), 100.0)
    assert burst.pods == 100
    half, trail = predict(
        ONE, Need(ready=20, stable=1, short=10, recent=60, running=20, waiting=40, request_s=0.5), trail, 101.0
    )
    assert half.pods <= 86
    done, _ = predict(ONE, Need(ready=30, stable=1, short=10, recent=0, request_s=0.5), trail, 101.5)
    assert done.pods == 30


def test_a_queue_that_the_running_pods_empty_sooner_asks_for_none():
    short = Need(ready=10, stable=5, short=5, recent=8, running=10, waiting=20, request_s=0.02, start_s=0.5)
    assert pods(ONE, short) == 8
    assert pods(ONE, replace(short, request_s=2.0)) == 28


def test_a_queue_that_is_noise_keeps_its_pods_for_a_long_window():
    steady = Need(ready=6, stable=4, short=4, recent=8, running=6, waiting=2)
    noisy, trail = predict(ONE, steady, Trail(pods=6), 100.0)
    assert noisy.pods == 8
    calm = Need(ready=8, stable=4, short=4, recent=4, running=4, request_s=0.5)
    assert pods(ONE, calm, trail, 155.0) == 8
    assert pods(ONE, calm, trail, 161.0) == 6


def test_arrivals_that_go_on_ask_for_the_target_and_those_that_may_be_chance_for_nothing():
    need = Need(ready=29, stable=20, short=22, recent=30, coming=200, arrived=80, request_s=0.5, running=29)
    assert pods(ONE, need, Trail(pods=29)) >= 257
    assert pods(ONE, replace(need, coming=40, arrived=4), Trail(pods=29)) == 29


@pytest.mark.spec("SC-191")
def test_the_activation_scale_is_kept_until_the_averages_know_better():
    aim = replace(HUNDRED, activation_scale=5)
    woken, trail = predict(aim, replace(NOTHING, waiting=1), Trail(), 100.0)
    assert (woken.pods, "activation scale" in woken.reason) == (5, True)
    started = Need(ready=5, stable=1, short=1, recent=1, running=1, request_s=0.5)
    assert pods(aim, started, trail, 104.0) == 5
    assert pods(aim, started, trail, 110.0) == 1


def test_a_request_at_a_pod_keeps_a_pod_whatever_the_averages_say():
    assert pods(ONE, replace(NOTHING, ready=1, running=1), Trail(pods=1)) == 1


def test_an_average_around_a_whole_number_of_pods_does_not_flap():
    trail = Trail(pods=3)
    assert pods(HUNDRED, Need(ready=3, stable=139, short=139, recent=139), trail) == 3
    assert pods(HUNDRED, Need(ready=3, stable=120, short=120, recent=120), trail) == 2


@pytest.mark.parametrize(
    ("need", "word"),
    [
        (replace(NOTHING, waiting=3), "3 waiting"),
        (Need(ready=1, stable=1, short=1, recent=150), "150 at once"),
        (Need(ready=1, stable=80, short=10, recent=80), "80 over the stable window"),
    ],
)
def test_every_decision_says_why(need, word):
    aim = HUNDRED if need.recent else ONE
    assert word in predict(aim, need, Trail(), 0.0)[0].reason
