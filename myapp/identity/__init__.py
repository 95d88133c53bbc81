"""Who somebody is: identity providers, and what a process remembers of their answers."""
