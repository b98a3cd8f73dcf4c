"""Open, migrate, transact: one interface, and what implements it."""
