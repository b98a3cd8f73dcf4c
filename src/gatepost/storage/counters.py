"""What waits at each destination, counted as it happens: nothing scans the queue to answer a question."""


class Counters:
    """Messages, recipients and octets by destination; changed by the writer's thread only."""

    def __init__(self, start: dict[int, tuple[int, int, int]]) -> None:
        self._by_destination = dict(start)

    def get(self, destination_id: int) -> tuple[int, int, int]:
        """Return messages, recipients and octets of a destination."""
        return self._by_destination.get(destination_id, (0, 0, 0))

    def known(self) -> list[int]:
        """Return the destinations where something waits."""
        return [key for key, value in list(self._by_destination.items()) if value[1]]

    def add(self, changes: dict[int, list[int]]) -> None:
        """Apply what a committed batch changed."""
        for key, (messages, recipients, octets) in changes.items():
            old = self.get(key)
            new = (old[0] + messages, old[1] + recipients, old[2] + octets)
            if new == (0, 0, 0):
                self._by_destination.pop(key, None)
            else:
                self._by_destination[key] = new
