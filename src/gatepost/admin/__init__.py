"""How people and programs look in: every use case once, and the surfaces that call it."""
