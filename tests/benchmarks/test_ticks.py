"""What the drill takes for a broken promise of the scheduler."""

from benchmarks.drill.ticks import judge

DUE = range(10, 22, 2)
ON_TIME = {tick: [tick + 0.01] for tick in DUE}


def test_ticks_that_all_fired_are_well() -> None:
    found = judge(DUE, ON_TIME, ON_TIME, [])

    assert (found.due, found.passed, found.missing, found.repeated) == (6, 0, [], [])


def test_a_tick_is_missing_although_one_before_it_fired() -> None:
    fired = {tick: times for tick, times in ON_TIME.items() if tick != 14}

    assert judge(DUE, fired, fired, [(13.0, 15.0)]).missing == [14]


def test_one_that_fires_on_return_stands_for_those_that_passed_in_an_outage() -> None:
    fired = ON_TIME | {12: [16.5], 14: [], 16: []}

    found = judge(DUE, fired, {12}, [(11.0, 16.2)])

    assert (found.passed, found.missing) == (2, [])
    assert judge(DUE, fired, {12}, []).missing == [14, 16]  # nothing was away: it was only late


def test_an_outage_does_not_excuse_a_tick_that_fired_and_was_not_done() -> None:
    fired = ON_TIME | {12: [16.5], 14: [], 16: []}

    assert judge(DUE, fired, {12, 14}, [(11.0, 16.2)]).missing == [14]


def test_a_tick_that_was_queued_twice_is_repeated() -> None:
    assert judge(DUE, ON_TIME | {12: [12.01, 12.02]}, ON_TIME, []).repeated == [12]
