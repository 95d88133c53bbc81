"""The outbox: jobs and events that are committed with the change that they belong to.

Committed means handed on, sooner or later and each once; rolled back means never. A package of its
own above both the queue and the hub, since it carries work for the one and events for the other.
"""
