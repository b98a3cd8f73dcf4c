"""What is remembered beside mail and objects: insights, hosts, probes, alerts, fixes, answers of the DNS."""

from collections.abc import Mapping
from typing import NamedTuple


class Document(NamedTuple):
    """One thing remembered under a kind and a key; a later one replaces it, `data` None forgets it.

    `at` (ms since 1970) is what lists are sorted by and what is forgotten first; `data` is JSON-able.
    """

    kind: str
    key: str
    at: int
    data: Mapping[str, object] | None
