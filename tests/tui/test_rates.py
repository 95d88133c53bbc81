"""What the numbers of processes add up to."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from myapp.processes import ProcessState
from myapp.tui.rates import Rates, estimate

START = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)


def state(name: str, second: float, **numbers: Any) -> ProcessState:
    known: dict[str, Any] = dict.fromkeys(
        ("requests", "errors", "requests_within", "streams", "jobs_done", "jobs_failed")
    )
    return ProcessState(
        id=name,
        role="all",
        roles=["api"],
        host="here",
        pid=1,
        version="0.1.0",
        started_at=START,
        measured_at=START + timedelta(seconds=second),
        memory_mb=1.0,
        cpu_seconds=second / 4,
        **{**known, **numbers},
    )


class TestRates:
    def test_are_unknown_until_there_are_two_looks(self) -> None:
        rates = Rates()
        for _ in range(2):  # the same twice is one
            rates.observe([state("a", 0, requests=100)])
        assert rates.total("requests") is None
        rates.observe([state("a", 2, requests=110)])
        assert rates.total("requests") == 5

    def test_add_up_over_those_processes_that_have_the_number(self) -> None:
        rates = Rates()
        for second in (0, 2):
            rates.observe(
                [
                    state("a", second, requests=10 * second, errors=second),
                    state("b", second + 0.5, requests=2 * second, errors=0),
                    state("worker", second, jobs_done=second),
                ]
            )
        assert rates.total("requests") == 12
        assert rates.total("jobs_done") == 1
        assert rates.total("streams") is None
        assert rates.of("a", "cpu_seconds") == 0.25
        assert rates.share("errors", of="requests") == pytest.approx(2 / 24)

    def test_look_back_over_the_window_only(self) -> None:
        rates = Rates()
        for second in range(0, 20, 2):
            rates.observe([state("a", second, requests=0 if second < 10 else (second - 10) * 3)])
        assert rates.total("requests") == 3

    def test_of_a_process_that_has_gone_are_forgotten(self) -> None:
        rates = Rates()
        for second in (0, 2):
            rates.observe([state("a", second, requests=second)])
        rates.observe([])
        assert (rates.total("requests"), rates.of("a", "requests")) == (None, None)

    def test_have_no_share_of_nothing(self) -> None:
        rates = Rates()
        for second in (0, 2):
            rates.observe([state("a", second, requests=7, errors=1)])
        assert rates.share("errors", of="requests") is None

    def test_tell_how_fast_most_requests_are_answered(self) -> None:
        rates = Rates()
        rates.observe([state("a", 0, requests_within={"0.1": 5, "1.0": 5, "+Inf": 5})])
        rates.observe([state("a", 2, requests_within={"0.1": 95, "1.0": 105, "+Inf": 105})])
        assert rates.quantile(0.95) == pytest.approx(0.55)

    def test_tell_it_too_of_a_process_that_had_answered_nothing(self) -> None:
        rates = Rates()
        rates.observe([state("a", 0, requests_within={}), state("worker", 0)])
        rates.observe([state("a", 2, requests_within={"1.0": 9, "+Inf": 9}), state("worker", 2)])
        assert rates.quantile(0.5) == pytest.approx(0.5)


class TestEstimate:
    @pytest.mark.parametrize(
        ("within", "share", "seconds"),
        [
            ({}, 0.5, None),
            ({"1.0": 0, "+Inf": 0}, 0.5, None),
            ({"1.0": 10, "+Inf": 10}, 0.5, 0.5),
            ({"1.0": 0, "2.0": 10, "+Inf": 10}, 0.9, 1.9),
            ({"1.0": 1, "+Inf": 10}, 0.9, 1.0),
        ],
    )
    def test_spreads_evenly(
        self, within: dict[str, int], share: float, seconds: float | None
    ) -> None:
        found = estimate(within, share)
        assert found == (None if seconds is None else pytest.approx(seconds))
