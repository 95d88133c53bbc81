"""The routes of queues, jobs, crons and workers."""

from quart import Blueprint

from myapp.binding import tag_routes
from myapp.middleware.auth import Auth
from myapp.modules.job import JobModule
from myapp.modules.job.controllers import CronController, JobController, QueueController


def routes(module: JobModule, auth: Auth) -> Blueprint:
    blueprint = Blueprint("job", __name__, url_prefix="/admin")
    tag_routes(blueprint, "jobs", "For administrators: queues, jobs, crons and workers.")
    jobs = JobController(module.jobs)
    queues = QueueController(module.queues)
    crons = CronController(module.clockwork)

    blueprint.get("/queues")(auth.admin(queues.list_queues))
    blueprint.post("/queues/<queue>/pause")(auth.admin(queues.pause_queue))
    blueprint.post("/queues/<queue>/resume")(auth.admin(queues.resume_queue))
    blueprint.get("/workers")(auth.admin(queues.list_workers))

    # A job's key may have slashes.
    blueprint.get("/jobs")(auth.admin(jobs.list_jobs))
    blueprint.post("/jobs/bulk")(auth.admin(jobs.change_jobs))
    blueprint.get("/jobs/<path:key>")(auth.admin(jobs.get_job))
    blueprint.delete("/jobs/<path:key>")(auth.admin(jobs.delete_job))
    blueprint.post("/jobs/<path:key>/retry")(auth.admin(jobs.retry_job))
    blueprint.post("/jobs/<path:key>/cancel")(auth.admin(jobs.cancel_job))

    blueprint.get("/crons")(auth.admin(crons.list_crons))
    blueprint.post("/crons/<name>/run")(auth.admin(crons.run_cron))
    blueprint.post("/crons/<name>/pause")(auth.admin(crons.pause_cron))
    blueprint.post("/crons/<name>/resume")(auth.admin(crons.resume_cron))
    return blueprint
