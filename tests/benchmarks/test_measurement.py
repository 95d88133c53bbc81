"""The arithmetic of the measurements, and what they read and write."""

import json
from pathlib import Path

import pytest

from benchmarks.load import LoadError, make_fresh, make_script, read_load
from benchmarks.measurement import Rounds, measure_in_turns, percentile, spread_of
from benchmarks.report import Report
from benchmarks.summary import BEGIN, END, READMES, insert, lines_of

COUNTED = {"requests": 9000, "microseconds": 3_000_000, "refused": 0, "broken": 0}
TIMES = {"p50": 6500, "p99": 12_250}


def printed_by_wrk(**counted: int) -> str:
    return f"Running 3s test\nmeasured:{json.dumps({**COUNTED, **TIMES, **counted})}\n"


class TestRounds:
    def test_a_spread_is_the_median_between_the_extremes(self) -> None:
        spread = spread_of([5.0, 1.0, 4.0, 2.0])
        assert (spread.median, spread.low, spread.high) == (3.0, 1.0, 5.0)

    def test_a_ratio_is_made_within_each_round(self) -> None:
        rounds = Rounds()
        for ours, theirs in [(20.0, 10.0), (4.0, 2.0), (90.0, 30.0)]:  # the second one was busy
            rounds.add({"ours": {"rate": ours}, "theirs": {"rate": theirs}})
        assert rounds.ratio("ours", "theirs", "rate") == spread_of([2.0, 2.0, 3.0])
        assert rounds.spread("ours", "rate").median == 20.0

    def test_contenders_take_turns_and_none_is_always_first(self) -> None:
        order: list[str] = []

        def contender(name: str) -> dict[str, float]:
            order.append(name)
            return {"turn": float(len(order))}

        rounds = measure_in_turns({"a": lambda: contender("a"), "b": lambda: contender("b")}, 2)
        assert order == ["a", "b", "b", "a"]
        assert rounds.values("a", "turn") == [1.0, 4.0]

    @pytest.mark.parametrize(("share", "value"), [(0.01, 1), (0.5, 50), (0.99, 99), (1.0, 100)])
    def test_a_percentile_is_one_of_the_values(self, share: float, value: int) -> None:
        assert percentile(range(100, 0, -1), share) == value


class TestLoad:
    def test_a_rate_is_by_the_time_that_it_really_took(self) -> None:
        load = read_load(printed_by_wrk(microseconds=2_000_000))
        assert load.quantities == {"requests/s": 4500.0, "p50 ms": 6.5, "p99 ms": 12.25}

    @pytest.mark.parametrize(
        "output",
        [
            printed_by_wrk(refused=1),
            printed_by_wrk(broken=1),
            printed_by_wrk(requests=0),
            "unable to connect to 127.0.0.1:1 Connection refused",
        ],
    )
    def test_what_was_not_answered_well_is_no_measurement(self, output: str) -> None:
        with pytest.raises(LoadError):
            read_load(output)

    def test_a_request_is_written_with_its_quotes(self) -> None:
        script = make_script("POST", {"X-Name": 'a"b'}, '{"n": 1}')
        assert 'wrk.headers = {["X-Name"] = "a\\"b"}' in script
        assert 'wrk.body = "{\\"n\\": 1}"' in script

    def test_no_two_runs_share_the_value_of_a_unique_header(self) -> None:
        scripts = {make_fresh("Idempotency-Key", ['{"n": 1}']) for _ in range(2)}
        assert len(scripts) == 2
        assert all('local bodies = {"{\\"n\\": 1}"}' in script for script in scripts)


class TestReport:
    def test_it_writes_what_was_measured_and_what_was_missed(self, tmp_path: Path) -> None:
        rounds = Rounds()
        rounds.add({"ours": {"rate": 300.0}, "theirs": {"rate": 100.0}})
        report = Report("me", "Who asks")
        report.add_rounds("Rates", rounds, ratio_to="theirs", of="rate")
        report.add_target("times theirs", 3.0, at_least=3)
        report.add_target("p99", 12.5, at_most=10, unit="ms")
        report.finish(tmp_path)

        written = json.loads((tmp_path / "me.json").read_text())
        assert written["measured"] == {
            "Rates": {"ours": {"rate": [300.0]}, "theirs": {"rate": [100.0]}}
        }
        assert [target["met"] for target in written["targets"]] == [True, False]
        text = (tmp_path / "me.md").read_text()
        assert "| ours | 300 (300..300) | 3 (3..3) |" in text
        assert "| p99 | at most 10 | 12.5 ms | **no** |" in text


class TestSummary:
    @pytest.mark.parametrize("path", READMES)
    def test_replaces_what_stands_between_the_marks_of_each_readme(self, path: Path) -> None:
        text = path.read_text()
        written = insert(text, "a table")
        assert insert(written, "a table") == written
        assert written.count("a table") == 1
        assert written.partition(BEGIN)[0] == text.partition(BEGIN)[0]
        assert written.partition(END)[2] == text.partition(END)[2]

    def test_has_a_row_for_each_target(self, tmp_path: Path) -> None:
        report = Report("me", "Who asks")
        report.add_target("times theirs", 2.5, at_least=3)
        report.finish(tmp_path)
        *_, row, _, machine = lines_of([json.loads((tmp_path / "me.json").read_text())])
        assert row.startswith("| times theirs | at least 3 | 2.5 | **no** | `python -m benchmarks.")
        assert report.machine.processor in machine
