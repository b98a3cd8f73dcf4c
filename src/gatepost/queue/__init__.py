"""Keep mail safe until someone takes it: the schedule (pure) and the lanes that drive deliveries."""
