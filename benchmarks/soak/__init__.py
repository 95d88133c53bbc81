"""The soak: see __main__.py."""
