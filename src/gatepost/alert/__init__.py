"""Say it once, to the right person: policies, alerts, notices."""
