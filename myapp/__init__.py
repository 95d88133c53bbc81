"""A production backend in one package: HTTP, live events, workers, scheduler and gRPC."""

__version__ = "0.1.0"
