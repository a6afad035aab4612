"""The clock: order of callbacks, waiting, pacing to the wall."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim_backend.clock import Clock, WallClock

TIMES = st.lists(st.floats(0, 100), max_size=20)


@given(TIMES)
def test_callbacks_run_in_order_of_time_with_now_at_their_time(times: list[float]) -> None:
    clock = Clock()
    seen: list[tuple[float, float]] = []
    for when in times:
        clock.call_at(when, lambda when=when: seen.append((when, clock.now)))  # type: ignore[misc]
    clock.sleep(200.0)
    assert [when for when, _ in seen] == sorted(times)
    assert all(when == now for when, now in seen)
    assert clock.now == 200.0


def test_ties_run_in_the_order_they_were_scheduled() -> None:
    clock = Clock()
    seen: list[int] = []
    for k in range(5):
        clock.call_at(1.0, lambda k=k: seen.append(k))  # type: ignore[misc]
    clock.sleep(1.0)
    assert seen == [0, 1, 2, 3, 4]


def test_a_callback_may_schedule_more_within_the_same_sleep() -> None:
    clock = Clock()
    seen: list[float] = []

    def tick() -> None:
        seen.append(clock.now)
        if len(seen) < 3:
            clock.call_at(clock.now + 1.0, tick)

    clock.call_at(1.0, tick)
    clock.sleep(10.0)
    assert seen == [1.0, 2.0, 3.0]


def test_a_callback_must_not_sleep_and_the_clock_survives_the_attempt() -> None:
    clock = Clock()
    clock.call_at(1.0, lambda: clock.sleep(1.0))
    with pytest.raises(RuntimeError, match="call_at"):
        clock.sleep(5.0)
    clock.sleep(1.0)
    assert clock.now == 2.0


def test_a_cancelled_callback_does_not_run() -> None:
    clock = Clock()
    seen: list[int] = []
    clock.cancel(clock.call_at(1.0, lambda: seen.append(1)))
    clock.sleep(2.0)
    assert seen == []


def test_waiting_ends_with_the_event_that_fulfils_it_or_with_the_timeout() -> None:
    clock = Clock()
    arrived: list[int] = []
    clock.call_at(1.5, lambda: arrived.append(1))
    assert not clock.wait_for(lambda: bool(arrived), 1.0)
    assert clock.now == 1.0
    assert clock.wait_for(lambda: bool(arrived), 1.0)
    assert clock.now == 1.5


def test_waiting_forever_for_nothing_returns() -> None:
    assert not Clock().wait_for(lambda: False, float("inf"))


def test_a_time_past_does_not_turn_the_clock_back() -> None:
    clock = Clock()
    clock.sleep(5.0)
    clock.sleep(-1.0)
    clock.advance_to(1.0)
    assert clock.now == 5.0


def test_wall_mode_waits_for_real_time_and_catches_up_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = [100.0]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        real[0] += seconds

    monkeypatch.setattr("time.monotonic", lambda: real[0])
    monkeypatch.setattr("time.sleep", sleep)
    clock = WallClock(speed=10.0)
    clock.sleep(20.0)
    assert sum(slept) == pytest.approx(2.0)
    real[0] += 1.0  # the program slept by itself
    ran: list[float] = []
    clock.call_at(25.0, lambda: ran.append(clock.now))
    clock.sync()
    assert ran == [25.0]
    assert clock.now == pytest.approx(30.0)
    assert sum(slept) == pytest.approx(2.0)
