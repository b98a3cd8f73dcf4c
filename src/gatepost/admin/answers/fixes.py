"""Answers about fixes: offered, previewed, applied, undone; and about domains before they are changed."""

from typing import Annotated, Any, NotRequired

from typing_extensions import TypedDict

from gatepost.admin.answers.checks import ProbeJson
from gatepost.admin.answers.fields import (
    ConnectorName,
    DestinationId,
    DestinationName,
    DryRun,
    Parameters,
    at,
    says,
)

Undo = Annotated[str, says("Whether it can be undone.", ("full", "partly", "none"))]
VIAS = ("socket", "api", "page")
FIX_STATES = ("applied", "verified", "failing", "undone")


class OfferJson(TypedDict):
    """A fix that fits."""

    action: Annotated[str, says("Name of the fix.")]
    title: Annotated[str, says("What it is called, in the caller's language.")]
    does: Annotated[str, says("What it does, in the caller's language.")]
    parameters: Parameters
    needs: Annotated[list[str], says("Parameters that somebody has to give.")]
    because: Annotated[list[str], says("Why it is offered at this place, a sentence each.")]
    warnings: Annotated[list[str], says("What speaks against it.")]
    destructive: Annotated[bool, says("Whether mail or objects are gone afterwards.")]
    undo: Undo
    command: Annotated[str, says("The command line that applies it.")]


_PlanClass = TypedDict("_PlanClass", {"class": Annotated[str, says("Class of the failure; may be empty.")]})


class PlanJson(_PlanClass):
    """Which fixes fit, the likeliest to help first."""

    target: Annotated[str, says("What was asked about: an insight, a connector or a destination.")]
    connector: ConnectorName
    destination: DestinationName
    messages: Annotated[int, says("Messages that wait there.", minimum=0)]
    offers: list[OfferJson]


class BeforeAfter(TypedDict):
    """A field of an object that changes; null before it exists and after it is gone."""

    before: Any
    after: Any


class DiffJson(TypedDict):
    """An object that changes."""

    kind: str
    name: str
    action: Annotated[str, says("What becomes of it.", ("add", "change", "remove"))]
    fields: Annotated[dict[str, BeforeAfter], says("The fields that change, by name.")]


class EffectJson(TypedDict):
    """What would become of queued mail: recipients by fate."""

    messages: Annotated[int, says("Messages that are concerned.", minimum=0)]
    delivered: Annotated[int, says("Recipients delivered into our own mailbox store.", minimum=0)]
    retried: Annotated[int, says("Recipients tried again at once.", minimum=0)]
    rerouted: Annotated[int, says("Recipients that take another way.", minimum=0)]
    returned: Annotated[int, says("Recipients whose mail goes back to the sender.", minimum=0)]
    held: Annotated[int, says("Recipients that are held back.", minimum=0)]
    deleted: Annotated[int, says("Recipients that end without a report.", minimum=0)]
    unchanged: Annotated[int, says("Recipients that wait as before.", minimum=0)]
    known: Annotated[int, says("Recipients that our mailbox store knows.", minimum=0)]
    unknown: Annotated[int, says("Recipients that it does not know.", minimum=0)]
    samples: Annotated[dict[str, list[str]], says("Some addresses of each fate.")]


class PreviewJson(TypedDict):
    """What a fix does, exactly."""

    action: str
    title: str
    does: str
    parameters: Parameters
    revision: Annotated[int, says("Revision of the objects that it was made from.")]
    objects: list[DiffJson]
    effect: EffectJson
    warnings: list[str]
    undo: Undo
    not_undone: Annotated[list[str], says("What undo will not bring back.")]


class FixJson(TypedDict):
    """A fix that was applied."""

    id: Annotated[str, says("Id of the change.")]
    action: str
    title: str
    connector: ConnectorName
    destination_id: DestinationId
    insight: Annotated[str, says("Fingerprint of the insight that it was for; may be empty.")]
    parameters: Parameters
    who: str
    via: Annotated[str, says("From where it was asked for.", VIAS)]
    reason: str
    at: Annotated[str | None, at("When it was applied.")]
    state: Annotated[str, says("What became of it.", FIX_STATES)]
    revision: Annotated[int, says("Revision of the objects afterwards.")]
    verified_at: Annotated[str | None, at("When it was last looked whether the error is gone.")]
    undone_at: Annotated[str | None, at("When it was undone; null where it was not.")]
    undone_by: str
    undo: Undo
    messages: Annotated[int, says("Messages that it concerned.", minimum=0)]


class FixDetail(FixJson):
    """A fix that was applied, with what it changed."""

    preview: PreviewJson


class AppliedJson(TypedDict):
    """What a fix did, or would do."""

    dry_run: DryRun
    preview: PreviewJson
    fix: NotRequired[FixJson]
    probe: NotRequired[
        Annotated[ProbeJson | None, says("With `probe`: what a probe sees as the fix would have it.")]
    ]


class FixAnswer(TypedDict):
    """A fix after it was undone or verified."""

    fix: FixJson


class SeenJson(TypedDict):
    """What became of mail for one address lately."""

    address: str
    delivered: int
    refused: int
    last_at: Annotated[str | None, at("When mail for it last came or ended.")]
    known: Annotated[bool, says("Whether our mailbox store knows it.")]
    good: Annotated[bool, says("Whether mail for it was delivered.")]
    would_be_refused: bool


class DomainDryRun(TypedDict):
    """What would be refused if a domain were authoritative."""

    domain: str
    type: Annotated[str, says("What it is now.", ("authoritative", "internal-relay"))]
    would_be: str
    known_recipients: int
    effect: EffectJson
    since: Annotated[str | None, at("From when on messages were looked at.")]
    messages_looked_at: int
    complete: Annotated[bool, says("Whether all messages of that time were looked at.")]
    addresses: Annotated[int, says("Addresses in them.")]
    would_be_refused: Annotated[int, says("Addresses of them that would be refused.")]
    good_but_unknown: Annotated[int, says("Addresses that get mail and are not known.")]
    recent: list[SeenJson]
    importable: Annotated[list[str], says("The good ones, to be added.")]
