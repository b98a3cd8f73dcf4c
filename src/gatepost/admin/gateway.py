"""What the administration needs of a running gateway; `app` provides it, tests replace it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from gatepost.config.changes import ObjectChange
from gatepost.config.settings import Settings
from gatepost.fix.edit import Target
from gatepost.fix.offers import Situation
from gatepost.flow.alert_facts import AlertFacts
from gatepost.flow.alerting import Alerting
from gatepost.flow.checking import Checking
from gatepost.flow.fixing import Fixing
from gatepost.flow.foreign import Foreign
from gatepost.flow.foresight import Foresight
from gatepost.flow.insights import Insights
from gatepost.flow.jobs import Jobs
from gatepost.flow.quota import Quota
from gatepost.flow.validating import Validating
from gatepost.model.document import Document
from gatepost.model.evidence import Because, Ranking
from gatepost.model.node import Node
from gatepost.model.objects import Objects
from gatepost.model.route import Route
from gatepost.storage.interface import Change, DestinationState, Store
from gatepost.telemetry.flows import FlowCounts
from gatepost.telemetry.metrics import Metrics


class Gateway(Protocol):
    """A running gateway. Called on its loop; ids are integers, times milliseconds since 1970."""

    @property
    def settings(self) -> Settings:
        """Return the settings in force."""

    @property
    def store(self) -> Store:
        """Return the store, for reading only."""

    @property
    def metrics(self) -> Metrics:
        """Return the metrics."""

    @property
    def objects(self) -> Objects:
        """Return the objects in force, with their revision."""

    @property
    def foreign(self) -> Foreign:
        """Return the foreign mail systems whose logs are sent here."""

    @property
    def flows(self) -> FlowCounts:
        """Return which way mail goes, as counted."""

    def now(self) -> int:
        """Return the wall clock."""

    def node(self) -> Node:
        """Return this process as it is now."""

    def live(self) -> Mapping[int, DestinationState]:
        """Return the destinations that this process works at, by id; state may be `active` here."""

    def expiry_of(self, state: DestinationState) -> int:
        """Return how long mail for a destination is kept by default, in milliseconds."""

    def route(self, address: str) -> Route:
        """Return where an address goes, with every candidate."""

    def retry(self, destination_id: int) -> bool:
        """Try a destination now, once; False where there is nothing to try (unknown, or suspended)."""

    def suspend(self, destination_id: int, who: str, reason: str, until: int) -> bool:
        """Take no more connections to a destination; `until` 0 means until somebody resumes it."""

    def resume(self, destination_id: int, who: str) -> bool:
        """End a suspension."""

    async def send_test(self, recipient: str, subject: str, text: str) -> int:
        """Send a message of our own to an address by the ordinary route; return its id."""

    async def cancel(
        self, destination_id: int, message_id: int, recipients: Sequence[int], who: str, *, ndr: bool
    ) -> int:
        """End recipients of a message for good; return how many were not under way and ended.

        The sender is told with `ndr`.
        """

    async def save_objects(
        self,
        objects: Objects,
        changes: Sequence[ObjectChange],
        who: str,
        documents: Sequence[Document] = (),
    ) -> int:
        """Make the objects true in the store and in force; return the new revision.

        The documents are written with them or not at all.

        `objects.revision` is the one that they were made from; raises `storage.interface.RevisionConflict`.
        Secrets in `objects` are in clear text: they are encrypted here, never before.
        """

    @property
    def insights(self) -> Insights:
        """Return what is broken, and what is known of each host."""

    async def ranking(self, fingerprint: str) -> Ranking | None:
        """Return the causes of an insight, ranked by evidence; None where nothing can be said."""

    async def mx_of(self, domain: str) -> tuple[Sequence[str], Sequence[str]]:
        """Return the mail servers that a domain had before, and has now, as far as is remembered."""

    async def latest_probe(self, fingerprint: str) -> Mapping[str, object] | None:
        """Return what the latest probe of an insight's destination saw; None where there was none."""

    @property
    def quota(self) -> Quota:
        """Return the counters of recipients that do not exist."""

    @property
    def foresight(self) -> Foresight:
        """Return what will stop mail."""

    @property
    def fixing(self) -> Fixing:
        """Return what previews, applies and undoes fixes."""

    @property
    def jobs(self) -> Jobs:
        """Return what carries actions out on any set of queued mail."""

    @property
    def checking(self) -> Checking:
        """Return what checks destinations."""

    @property
    def validating(self) -> Validating:
        """Return what validates connectors."""

    @property
    def alerting(self) -> Alerting:
        """Return the alerts, silences and notices."""

    @property
    def alert_facts(self) -> AlertFacts:
        """Return what puts alerts into words."""

    def fix_target(self, text: str) -> Target | None:
        """Return what an insight is about, None where the text names none."""

    async def fix_situation(
        self, target: Target
    ) -> tuple[Situation, Sequence[tuple[str, tuple[Because, ...]]]]:
        """Return what is known of a destination, and the fixes that its ranked causes ask for, in order."""

    async def tokens(self) -> Mapping[str, Mapping[str, object]]:
        """Return the API tokens by name, as `put_token` got them."""

    async def put_token(self, name: str, data: Mapping[str, object] | None, who: str) -> None:
        """Keep a token (without its secret), or delete it (None)."""

    async def stored(self, kind: str) -> Mapping[str, Mapping[str, object]]:
        """Return what is kept under a kind of its own beside the objects (users), by name."""

    async def put_stored(self, kind: str, name: str, data: Mapping[str, object] | None, who: str) -> None:
        """Keep one, or delete it (None); recorded with who."""

    def guessed(self, user: str, client: str, *, waited: bool) -> None:
        """Count a failed sign-in; `waited`: it was refused since too many had failed before."""

    def say(self, event: str, **fields: object) -> None:
        """Write a line into the log."""

    def write(self, change: Change) -> None:
        """Write something down that belongs to the administration itself (sessions)."""

    def seal(self, secret: str) -> str:
        """Return a secret in the form that may be stored."""

    def unseal(self, stored: str) -> str:
        """Return the secret of a stored form."""

    def hash_password(self, password: str) -> str:
        """Return the argon2 hash of a login's password."""

    def pressure(self) -> Mapping[str, str]:
        """Return what is short now, each with its reason; empty while mail is accepted."""

    def ready(self) -> str:
        """Return "" while mail is accepted and delivered, else why not."""

    async def reload(self) -> None:
        """Read the settings again; raises `BadSettings` and keeps the old ones where they are bad."""
