"""Forward-only migrations: numbered SQL files, each recorded with its checksum."""
