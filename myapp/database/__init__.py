"""The database: entities, connections, transactions and migrations."""
