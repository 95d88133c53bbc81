"""What reflection looks symbols up in."""

from typing import Any

from google.protobuf import descriptor_pool


class Symbols:
    """Protobuf's pool of this process, which also finds a method by its name.

    The pool itself knows methods only through their service, so that `grpcurl describe` with a
    method would find nothing.
    """

    def __init__(self) -> None:
        self._pool = descriptor_pool.Default()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)

    def FindFileContainingSymbol(self, symbol: str) -> Any:  # noqa: N802  # the pool's own name
        """Raises KeyError where there is none."""
        try:
            return self._pool.FindFileContainingSymbol(symbol)
        except KeyError:
            service_name, _, method = symbol.rpartition(".")
            service = self._pool.FindServiceByName(service_name)
            return service.methods_by_name[method].containing_service.file
