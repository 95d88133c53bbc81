"""Several processes of the `api` role on one port: who keeps them running, and what they share."""
