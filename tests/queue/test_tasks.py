"""Task definitions, payloads and the registry."""

import subprocess
import sys
from datetime import timedelta

import pytest

from myapp.backoff import Backoff
from myapp.errors import Invalid, NotFound
from myapp.queue.schedule import check_schedule, next_tick
from myapp.queue.tasks import Cron, JobContext, Nothing, Payload, Task, build_registry


class Greet(Payload):
    name: str
    times: int = 1


GREET = Task("person:greet", Greet, queue="low")


async def greet(context: JobContext, payload: Greet) -> str:
    return f"{payload.name}{context.attempt}"


class TestParse:
    def test_a_payload_comes_from_json(self) -> None:
        assert GREET.parse('{"name": "Ada"}') == Greet(name="Ada", times=1)

    @pytest.mark.parametrize(
        ("text", "field"),
        [
            ("{}", "name"),
            ('{"name": 1}', "name"),
            ('{"name": "Ada", "times": "2"}', "times"),
            ('{"name": "Ada", "other": 1}', "other"),
            ("[]", "payload"),
            ("{", "payload"),
        ],
    )
    def test_a_fault_is_named_by_its_field(self, text: str, field: str) -> None:
        with pytest.raises(Invalid) as caught:
            GREET.parse(text)
        assert [each.field for each in caught.value.details] == [field]


class TestDefinitions:
    @pytest.mark.parametrize("name", ["greet", "person:", "Person:greet", "a:b:c", "a b:c", ""])
    def test_a_name_is_noun_and_verb(self, name: str) -> None:
        with pytest.raises(ValueError, match="no task name"):
            Task(name, Greet)

    def test_ended_jobs_are_kept_a_day_and_failed_ones_a_week(self) -> None:
        assert (GREET.keep, GREET.keep_failed) == (timedelta(days=1), timedelta(days=7))

    def test_backoff_doubles_up_to_its_cap_with_jitter(self) -> None:
        backoff = Backoff(base=1, cap=60)
        for failures, longest in [(1, 1), (2, 2), (5, 16), (9, 60), (5000, 60)]:
            assert backoff.bounds(failures) == (longest / 2, longest)
            delays = {backoff.delay(failures) for _ in range(50)}
            assert longest / 2 <= min(delays) < max(delays) <= longest

    def test_a_definition_loads_neither_the_worker_nor_any_handler(self) -> None:
        check = "import sys, myapp.queue.tasks as t; print('saq' in sys.modules, t.Task)"
        command = [sys.executable, "-c", check]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert output.startswith("False")


class TestSchedules:
    @pytest.mark.parametrize(
        "schedule", ["", "* * * *", "61 * * * *", "@daily", "* * * * * * *", "0 0 30 2 *"]
    )
    def test_what_never_comes_is_refused(self, schedule: str) -> None:
        with pytest.raises(ValueError, match=r".+"):
            check_schedule(schedule)

    @pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/New_York"])
    def test_ticks_are_in_utc_wherever_the_process_lives(self, zone: str) -> None:
        code = "from myapp.queue.schedule import next_tick; print(next_tick('0 3 * * *', 86400))"
        command = [sys.executable, "-c", code]
        answer = subprocess.run(command, env={"TZ": zone}, capture_output=True, check=True).stdout
        assert int(answer) == 86400 + 3 * 3600

    def test_a_tick_is_later_than_its_question(self) -> None:
        assert next_tick("* * * * * *", 100.0) == 101
        assert next_tick("* * * * * *", 100.9) == 101


class TestRegistry:
    def test_a_name_is_found_with_its_handler(self) -> None:
        assert build_registry([(GREET, greet)]).find("person:greet") == (GREET, greet)

    def test_a_name_and_json_become_a_task_and_its_payload(self) -> None:
        registry = build_registry([(GREET, greet)])
        assert registry.parse("person:greet", '{"name": "Ada"}') == (GREET, Greet(name="Ada"))

    def test_an_unknown_name_is_not_found(self) -> None:
        with pytest.raises(NotFound, match="person:shout"):
            build_registry([(GREET, greet)]).parse("person:shout", "{}")

    def test_a_name_that_is_there_twice_stops_the_start(self) -> None:
        with pytest.raises(ValueError, match="two tasks are named 'person:greet'"):
            build_registry([(GREET, greet), (Task("person:greet", Nothing), greet)])

    def test_a_cron_that_is_there_twice_stops_the_start(self) -> None:
        cron = Cron("hourly", GREET, "0 * * * *", Greet(name="Ada"))
        with pytest.raises(ValueError, match="two crons are named 'hourly'"):
            build_registry([(GREET, greet)], [cron, cron])

    def test_a_cron_whose_task_nobody_handles_stops_the_start(self) -> None:
        cron = Cron("hourly", GREET, "0 * * * *", Greet(name="Ada"))
        with pytest.raises(ValueError, match="without a handler"):
            build_registry([], [cron])

    def test_several_crons_may_use_one_task(self) -> None:
        crons = [Cron(name, GREET, "0 * * * *", Greet(name=name)) for name in ("one", "two")]
        assert set(build_registry([(GREET, greet)], crons).crons) == {"one", "two"}
