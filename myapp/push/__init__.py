"""Pushing to devices: one interface, and the services behind it."""
