"""What waits at each destination, by age, counted as it happens: nothing scans the queue to answer a question.

A message's id carries the time of its birth, so its age costs nothing to know: it falls into a bucket of five minutes.
"""

from gatepost.model.waiting import BUCKET_MS

IDS_OF_A_BUCKET = BUCKET_MS << 21  # see `model.ids`

Place = tuple[int, int]  # destination, bucket
Totals = tuple[int, int, int]  # messages, recipients, octets
Ages = tuple[tuple[int, int], ...]  # (start of the bucket in ms since 1970, messages), oldest first
_NOTHING = (0, 0, 0)


class Counters:
    """Messages, recipients and octets by destination; messages by age too. Changed by the writer's thread only."""

    def __init__(self, start: dict[Place, Totals]) -> None:
        self._by_destination: dict[int, Totals] = {}
        self._ages: dict[int, dict[int, int]] = {}  # replaced, never changed: other threads read it
        self._shown: dict[int, tuple[dict[int, int], Ages]] = {}
        self.add({place: list(totals) for place, totals in start.items()})

    def get(self, destination_id: int) -> Totals:
        """Return messages, recipients and octets of a destination."""
        return self._by_destination.get(destination_id, _NOTHING)

    def known(self) -> list[int]:
        """Return the destinations where something waits."""
        return [key for key, value in list(self._by_destination.items()) if value[1]]

    def ages(self, destination_id: int) -> Ages:
        """Return the messages of a destination by age; made once for each state of it."""
        ages = self._ages.get(destination_id)
        if ages is None:
            return ()
        shown = self._shown.get(destination_id)
        if shown is None or shown[0] is not ages:
            found = tuple((bucket * BUCKET_MS, count) for bucket, count in sorted(ages.items()))
            shown = self._shown[destination_id] = (ages, found)
        return shown[1]

    def places(self) -> dict[Place, int]:
        """Return the messages of every destination and bucket, for comparing."""
        ages = list(self._ages.items())
        return {(key, bucket): count for key, own in ages for bucket, count in own.items()}

    def add(self, changes: dict[Place, list[int]]) -> None:
        """Apply what a committed batch changed."""
        ages: dict[int, dict[int, int]] = {}
        for (key, bucket), (messages, recipients, octets) in changes.items():
            old = self.get(key)
            new = (old[0] + messages, old[1] + recipients, old[2] + octets)
            if new == _NOTHING:
                self._by_destination.pop(key, None)
            else:
                self._by_destination[key] = new
            if messages:
                own = ages.get(key)
                if own is None:
                    own = ages[key] = dict(self._ages.get(key, ()))
                own[bucket] = own.get(bucket, 0) + messages
                if not own[bucket]:
                    del own[bucket]
        self._replace(ages)

    def _replace(self, ages: dict[int, dict[int, int]]) -> None:
        for key, own in ages.items():
            if own:
                self._ages[key] = own
            else:
                self._ages.pop(key, None)
                self._shown.pop(key, None)
