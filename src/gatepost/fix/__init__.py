"""Changes that help: offered, previewed, applied, verified, undone."""
