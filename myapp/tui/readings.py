"""What the tiles of the overview show: a value, a few words, and the bars' number."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from myapp.queue.records import JobStatus
from myapp.tui.rates import Rates
from myapp.tui.survey import Survey
from myapp.tui.views.crons import is_late
from myapp.tui.views.jobs import short
from myapp.tui.views.workers import slots
from myapp.tui.wording import ago, brief, count, span

# Where a value becomes a warning; docs/observability.md has the alerts.
ERROR_SHARE = 0.01
SLOW_SECONDS = 1.0
LATENCY_SECONDS = 60.0
LAG_SECONDS = 30.0

WARNING, TROUBLE, MUTED = "yellow", "red", "dim"


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What is known now.

    A number of None leaves a gap among the bars; `most` is what a bar of full height stands for,
    if that is known. A gauge without bars has `lines` in their place.
    """

    text: str = "unknown"
    note: str = ""
    number: float | None = None
    most: float = 0.0
    lines: Sequence[str] = ()
    style: str = ""


UNKNOWN = Reading(style=MUTED)


@dataclass(frozen=True, kw_only=True)
class Gauge:
    """A tile: its name, how it is read, and the view that it leads to, with a filter.

    Without a view it leads to something that the overview shows itself.
    """

    name: str
    title: str
    read: Callable[[Survey, Rates, datetime], Reading]
    view: str | None = None
    filter: str = ""
    has_bars: bool = True


def requests(survey: Survey, rates: Rates, _: datetime) -> Reading:
    if why := silence_of_api(survey, rates):
        return why
    rate = rates.total("requests") or 0.0
    serving = sum(process.requests is not None for process in survey.processes or ())
    return Reading(
        text=f"{number(rate)}/s",
        note=count(serving, "API process", "API processes"),
        number=rate,
    )


def errors(survey: Survey, rates: Rates, _: datetime) -> Reading:
    if why := silence_of_api(survey, rates):
        return why
    share = rates.share("errors", of="requests")
    if share is None:
        return Reading(text="-", note="no requests", style=MUTED)
    style = TROUBLE if share > ERROR_SHARE else WARNING if share else ""
    rate = rates.total("errors") or 0.0
    return Reading(
        text=f"{share:.1%}", note=f"{number(rate)}/s with 5xx", number=share, style=style
    )


def latency(survey: Survey, rates: Rates, _: datetime) -> Reading:
    if why := silence_of_api(survey, rates):
        return why
    most, half = rates.quantile(0.95), rates.quantile(0.5)
    if most is None or half is None:
        return Reading(text="-", note="no requests", style=MUTED)
    style = WARNING if most > SLOW_SECONDS else ""
    return Reading(text=brief(most), note=f"p95; half in {brief(half)}", number=most, style=style)


def silence_of_api(survey: Survey, rates: Rates) -> Reading | None:
    """Why nothing is known of requests; None where something is."""
    if survey.processes is None:
        return UNKNOWN
    if all(process.requests is None for process in survey.processes):
        return Reading(text="none", note="no API process", style=MUTED)
    if rates.total("requests") is None:
        return Reading(text="…", note="measuring", style=MUTED)
    return None


def streams(survey: Survey, _: Rates, __: datetime) -> Reading:
    if survey.streams is None:
        return UNKNOWN
    return Reading(text=f"{survey.streams:,}", note="open now", number=survey.streams)


def waiting(survey: Survey, _: Rates, __: datetime) -> Reading:
    if survey.queues is None:
        return UNKNOWN
    queued, later = jobs_of(survey, JobStatus.QUEUED), jobs_of(survey, JobStatus.SCHEDULED)
    return Reading(text=f"{queued:,}", note=f"{short(later)} later", number=queued)


def queue_latency(survey: Survey, _: Rates, __: datetime) -> Reading:
    if survey.queues is None:
        return UNKNOWN
    slowest = max(survey.queues, key=lambda queue: queue.latency_seconds)
    seconds = slowest.latency_seconds
    paused = [queue.name for queue in survey.queues if queue.paused]
    return Reading(
        text=span(seconds),
        note=f"paused: {', '.join(paused)}" if paused else f"in {slowest.name}" * (seconds > 0),
        number=seconds,
        style=WARNING if paused or seconds > LATENCY_SECONDS else "",
    )


def jobs_done(survey: Survey, _: Rates, __: datetime) -> Reading:
    if survey.queues is None:
        return UNKNOWN
    done = sum(queue.processed_per_minute for queue in survey.queues)
    active = jobs_of(survey, JobStatus.ACTIVE)
    return Reading(text=f"{done:,}/min", note=f"{active:,} run now", number=done)


def failures(survey: Survey, _: Rates, __: datetime) -> Reading:
    if survey.queues is None:
        return UNKNOWN
    failed = sum(queue.failed_per_minute for queue in survey.queues)
    kept = jobs_of(survey, JobStatus.FAILED)
    return Reading(
        text=f"{failed:,}/min",
        note=f"{short(kept)} in a week",
        number=failed,
        style=TROUBLE if failed else "",
    )


def jobs_of(survey: Survey, status: JobStatus) -> int:
    return sum(queue.counts[status] for queue in survey.queues or ())


def outbox(survey: Survey, _: Rates, now: datetime) -> Reading:
    if survey.outbox is None:
        return UNKNOWN
    oldest, aside = survey.outbox.oldest, survey.outbox.set_aside
    lag = max((now - oldest).total_seconds(), 0.0) if oldest else 0.0
    return Reading(
        text=span(lag),
        note=f"{short(survey.outbox.waiting)} wait, {short(aside)} stuck",
        number=lag,
        style=TROUBLE if aside else WARNING if lag > LAG_SECONDS else "",
    )


def users(survey: Survey, _: Rates, __: datetime) -> Reading:
    if survey.users is None:
        return UNKNOWN
    return Reading(
        text=f"{survey.users.active:,}",
        note=f"{short(survey.users.suspended)} suspended",
        lines=(
            f"{short(survey.users.deleted)} deleted",
            count(survey.users.administrators, "administrator", "administrators"),
        ),
    )


def workers(survey: Survey, _: Rates, __: datetime) -> Reading:
    if survey.workers is None:
        return UNKNOWN
    if not survey.workers:
        return Reading(text="none", note="nothing is done", number=0, style=TROUBLE)
    busy, most = (
        sum(len(worker.running) for worker in survey.workers),
        sum(map(slots, survey.workers)),
    )
    return Reading(
        text=f"{busy}/{most} busy",
        note=count(len(survey.workers), "worker", "workers"),
        number=busy,
        most=most,
    )


def crons(survey: Survey, _: Rates, now: datetime) -> Reading:
    """Those that are due next, and what is wrong with any."""
    if survey.crons is None:
        return UNKNOWN
    late = sum(is_late(cron, now) for cron in survey.crons)
    failed = sum(cron.last_status == JobStatus.FAILED for cron in survey.crons)
    coming = [(cron.next_run_at, cron.name) for cron in survey.crons if not cron.paused]
    due = sorted((at, name) for at, name in coming if at is not None)
    lines = tuple(f"{ago(max(at, now), now)} {name}" for at, name in due)
    if late:
        return Reading(text=f"{late} late", note="no scheduler?", lines=lines, style=TROUBLE)
    return Reading(
        text=f"{failed} failed" if failed else "well" if due else "-",
        note=f"{len(due)} of {len(survey.crons)} due" if due else "none is due",
        lines=lines,
        style=WARNING if failed else "" if due else MUTED,
    )


GAUGES: Sequence[Gauge] = (
    Gauge(name="requests", title="Requests", read=requests),
    Gauge(name="errors", title="Errors", read=errors),
    Gauge(name="latency", title="Latency", read=latency),
    Gauge(name="streams", title="Streams", read=streams, view="events"),
    Gauge(name="waiting", title="Waiting", read=waiting, view="jobs", filter="status:queued"),
    Gauge(
        name="queue-latency",
        title="Queue wait",
        read=queue_latency,
        view="jobs",
        filter="status:queued",
    ),
    Gauge(name="done", title="Jobs", read=jobs_done, view="jobs"),
    Gauge(name="failures", title="Failures", read=failures, view="jobs", filter="status:failed"),
    Gauge(name="outbox", title="Outbox lag", read=outbox),
    Gauge(name="users", title="Users", read=users, view="users", has_bars=False),
    Gauge(name="workers", title="Workers", read=workers, view="workers"),
    Gauge(name="crons", title="Crons", read=crons, view="crons", has_bars=False),
)


def number(value: float) -> str:
    """`0`, `<0.1`, `3.4`, `1,234`."""
    if 0 < value < 0.05:
        return "<0.1"
    return f"{value:.1f}" if 0 < value < 10 else f"{value:,.0f}"
