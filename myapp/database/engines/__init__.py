"""Tortoise's clients, made dependable. Tortoise loads the module of the dialect in use by name.

What Tortoise 1.1 lacks, and each engine adds through `base`: a bound on the wait for a connection,
transactions that a cancellation cannot leave open or leak, and errors that tell an outage from a
defect.
"""
