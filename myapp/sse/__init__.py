"""Live events on their way to clients: the history in Redis, and the streams of this process."""
