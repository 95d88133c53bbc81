"""The parts of the data folder, by the names that they have there and in an archive."""

from myapp.embedded.server import HOME

DATABASE = "app.db"
QUEUE = HOME
FILES = "files"
KEYS = ("secret.key", "identity.key")
SCRATCH = ".backup"
PARTS = (QUEUE, FILES, *KEYS, DATABASE)
