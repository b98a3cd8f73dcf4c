"""What the process says of itself: the log and the metrics."""
