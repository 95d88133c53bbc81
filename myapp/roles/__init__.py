"""The roles: each serves until it is told to stop, and returns once it has drained."""
