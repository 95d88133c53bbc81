"""Background work: typed tasks, the queue, the worker and the scheduler."""
