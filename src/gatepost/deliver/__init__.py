"""One attempt at one destination: whatever happens ends in a value, never in an exception."""
