"""The program as the drill runs it: myapp's own main, and the drill's feature beside the others."""

from benchmarks.drill import feature
from myapp import registry
from myapp.__main__ import main

if __name__ == "__main__":
    registry.FEATURES = (*registry.FEATURES, feature)  # type: ignore[assignment]  # one more
    main()
