"""Every Redis key of the queue, in one place.

The Lua scripts are given the same names, as locals. Jobs have one name space over all queues,
so a key alone finds its job. Times are milliseconds since 1970 by the clock of Redis.
"""

from enum import StrEnum


class Key(StrEnum):
    """Templates: `Key.JOB % "abc"` is the name of one key."""

    # HASH: one job, by its key; records.py reads it.
    JOB = "myapp:job:%s"
    # STRING with a lifetime: this job's key may not be queued again although the job has ended.
    ONCE = "myapp:once:%s"
    # LIST: jobs ready to run, the next one first. May hold jobs that are no longer queued.
    WAITING = "myapp:queue:%s:waiting"
    # ZSET by time due: jobs to be run later.
    DUE = "myapp:queue:%s:due"
    # ZSET by time of entry: a queue's jobs of one status (queue, status).
    BY_STATUS = "myapp:queue:%s:status:%s"
    # ZSET by time of entry: the same for one task alone (queue, status, task).
    BY_TASK = "myapp:queue:%s:status:%s:task:%s"
    # ZSET of "<request id> <job key>", all of score 0: a request's jobs, by prefix.
    REQUESTS = "myapp:queue:%s:requests"
    # ZSET by time of expiry: ended jobs, until they are forgotten.
    EXPIRY = "myapp:queue:%s:expiry"
    # SET: names of paused queues.
    PAUSED = "myapp:queues:paused"
    # SET: ids of the workers that may hold jobs.
    WORKERS = "myapp:workers"
    # HASH: one worker: `beat` (a count), `queues`, `seen_at`, `record` (JSON for operators).
    WORKER = "myapp:worker:%s"
    # SET: the jobs that a worker holds from one queue (worker, queue).
    HELD = "myapp:worker:%s:%s"
    # HASH: one cron: `schedule`, `next`, `paused`, `last_run_at`, `last_key`, `last_status`.
    CRON = "myapp:cron:%s"
