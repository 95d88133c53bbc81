"""The metrics of several processes, told by any of them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families

from myapp.metrics import render
from myapp.supervision import metrics
from myapp.supervision.metrics import SharedRegistry


class Process:
    """What one process measures."""

    def __init__(self, folder: Path, number: int) -> None:
        self.registry = SharedRegistry(folder, number=number)
        labels = ["status"]
        self.requests = Counter("requests_total", "Requests", labels, registry=self.registry)
        self.seconds = Histogram("seconds", "Time", buckets=[0.1, 1], registry=self.registry)
        self.streams = Gauge("streams", "Streams", registry=self.registry)


@pytest.fixture
def begin(tmp_path: Path) -> Callable[[int], Process]:
    def make(number: int) -> Process:
        return Process(tmp_path, number)

    return make


def samples(registry: CollectorRegistry) -> dict[tuple[str, str], float]:
    """Values by a sample's name and its only label's value."""
    return {
        (sample.name, "".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(render(registry).decode())
        for sample in family.samples
    }


Begin = Callable[[int], Process]


class TestCollect:
    def test_what_adds_up_is_summed_and_what_does_not_has_its_process(self, begin: Begin) -> None:
        one, two = begin(1), begin(2)
        one.requests.labels("200").inc(3)
        two.requests.labels("200").inc(4)
        two.requests.labels("500").inc()
        one.seconds.observe(0.05)
        two.seconds.observe(0.5)
        one.streams.set(7)
        two.registry.write()
        found = samples(one.registry)
        assert found["requests_total", "200"] == 7
        assert found["requests_total", "500"] == 1
        assert found["seconds_bucket", "0.1"] == 1
        assert (found["seconds_count", ""], found["seconds_sum", ""]) == (2, 0.55)
        assert (found["streams", "1"], found["streams", "2"]) == (7, 0)

    def test_the_time_of_a_counter_is_that_of_its_first(self, begin: Begin) -> None:
        one, two = begin(1), begin(2)
        one.requests.labels("200").inc()
        two.requests.labels("200").inc()
        first = samples(one.registry)["requests_created", "200"]
        two.registry.write()
        assert samples(one.registry)["requests_created", "200"] == first

    def test_whatever_was_told_is_never_taken_back(self, begin: Begin) -> None:
        """Also not when the one that told it was killed at once."""
        one, two = begin(1), begin(2)
        one.registry.write()
        two.requests.labels("200").inc(5)
        assert samples(two.registry)["requests_total", "200"] == 5
        del two
        assert samples(one.registry)["requests_total", "200"] == 5

    def test_a_process_goes_on_from_where_the_former_of_its_number_was(self, begin: Begin) -> None:
        for round_ in (1, 2, 3):
            process = begin(1)
            process.requests.labels("200").inc()
            process.streams.set(round_)
            found = samples(process.registry)
            assert (found["requests_total", "200"], found["streams", "1"]) == (round_, round_)

    def test_the_state_of_one_that_is_silent_is_left_out(
        self, begin: Begin, tmp_path: Path
    ) -> None:
        one, two = begin(1), begin(2)
        two.requests.labels("200").inc()
        two.registry.write()
        file = tmp_path / "2.json"
        content = json.loads(file.read_text())
        content["at"] -= metrics.FRESH_SECONDS
        file.write_text(json.dumps(content))
        found = samples(one.registry)
        assert found["requests_total", "200"] == 1
        assert ("streams", "1") in found
        assert ("streams", "2") not in found

    def test_a_restricted_registry_is_of_one_process(self, begin: Begin) -> None:
        """As each says of itself what it has done."""
        one, two = begin(1), begin(2)
        two.requests.labels("200").inc()
        two.registry.write()
        one.requests.labels("200").inc(2)
        (family,) = one.registry.restricted_registry(["requests_total"]).collect()
        assert [sample.value for sample in family.samples] == [2]


class TestWrite:
    def test_without_a_folder_it_goes_on(self, tmp_path: Path) -> None:
        process = Process(tmp_path / "gone", 1)
        process.requests.labels("200").inc()
        process.registry.write()
        assert samples(process.registry) == {}
