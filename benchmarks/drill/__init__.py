"""The drill: see __main__.py."""
