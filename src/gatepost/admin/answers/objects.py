"""Answers about connectors, accepted domains, sources, policies and channels, and about changes of them."""

from typing import Annotated, Any, NotRequired

from typing_extensions import TypedDict

from gatepost.admin.answers.fields import DryRun, at, says
from gatepost.admin.answers.fixes import DiffJson, EffectJson
from gatepost.config.alerting import KINDS as CHANNEL_KINDS
from gatepost.i18n import LANGUAGES
from gatepost.model.alert import CONDITIONS, SEVERITIES
from gatepost.model.objects import QUIRKS, TlsMode

Secret = Annotated[str, says("`********` where one is set; else empty.")]
Comment = Annotated[str, says("Whatever you like.")]
Span = Annotated[str, says("A duration: 30s, 5m, 4h, 2d; `off` where it is not asked.")]


class ConnectorJson(TypedDict):
    """How mail for certain recipient domains leaves."""

    name: str
    to: Annotated[str, says("Whose servers it leads to.", ("on-premises", "partner"))]
    domains: Annotated[
        list[str], says("Recipient domains; `*.contoso.example` is a wildcard, `*` every one.")
    ]
    all_accepted_domains: bool
    smart_hosts: Annotated[list[str], says("Hosts in their order, `mail.example` or `[2001:db8::7]:25`.")]
    use_mx: Annotated[bool, says("Whether the MX of the recipient's domain is used instead.")]
    port: Annotated[int, says("TCP port of the MX, and of hosts without one.", minimum=1, maximum=65535)]
    tls: Annotated[str, says("What is demanded of TLS.", tuple(TlsMode))]
    tls_domain: Annotated[str, says("Name that the certificate must carry; empty: the host's.")]
    tls_ca: Annotated[str, says("Certificates (PEM) that are trusted instead of the system's; may be empty.")]
    expiry: Annotated[str | None, says("How long mail is kept, a duration; null: the setting.")]
    retry: Annotated[
        list[str] | None, says("When failed mail is tried again, `1m*4`, `10m`; null: the setting.")
    ]
    concurrency: Annotated[int | None, says("Connections at a time, at most; null: the setting.")]
    username: str
    password: Secret
    quirks: Annotated[list[str], says(f"What its servers do not bear: {', '.join(QUIRKS)}.")]
    source_addresses: Annotated[
        list[str], says("Addresses of ours that it connects from, one of a family at most; empty: any.")
    ]
    enabled: bool
    comment: Comment


class DomainJson(TypedDict):
    """A domain of ours."""

    name: str
    type: Annotated[str, says("Whether we know every recipient.", ("authoritative", "internal-relay"))]
    match_subdomains: bool
    recipients: Annotated[list[str], says("Addresses that our mailbox store knows.")]
    comment: Comment


class SourceJson(TypedDict):
    """Who may hand mail to the gateway."""

    name: str
    networks: Annotated[list[str], says("Networks, `192.0.2.0/24`.")]
    certificate_names: Annotated[list[str], says("Names that a client's certificate may carry.")]
    logins: Annotated[dict[str, str], says("User names, each with `********`.")]
    may_relay: Annotated[bool, says("Whether it may send to domains that are not ours.")]
    require_tls: bool
    allow_bare_newlines: bool
    enabled: bool
    comment: Comment


class PolicyJson(TypedDict):
    """When an alert is raised, and who hears of it; all that is asked must hold."""

    name: str
    on: Annotated[str, says("What it looks at.", CONDITIONS)]
    classes: Annotated[list[str], says("Failure classes, or kinds of forecasts; empty: all.")]
    least_severity: Annotated[str, says("This one or worse.", SEVERITIES)]
    connectors: Annotated[list[str], says("Names, `*` matches anything; empty: all.")]
    to: Annotated[
        str, says("Whose servers the connector leads to; empty: any.", ("", "on-premises", "partner"))
    ]
    messages: Annotated[int, says("So many wait; 0: not asked.", minimum=0)]
    older_than: Span
    share: Annotated[str, says("Share of all that waits, `20%`.")]
    expires_within: Span
    pending: Span
    keep_firing: Span
    severity: Annotated[
        str, says("Severity of the alert; empty: that of what it is about.", ("", *SEVERITIES))
    ]
    channels: Annotated[list[str], says("Channels that are told; empty: all.")]
    daily_limit: Annotated[int, says("Notices a day, at most; 0: any number.", minimum=0)]
    quiet: Annotated[
        str, says("`22:00-07:00 Asia/Shanghai`: only critical ones are told then; may be empty.")
    ]
    enabled: bool
    comment: Comment


class ChannelJson(TypedDict):
    """Where notices go."""

    name: str
    kind: Annotated[str, says("How they are told.", CHANNEL_KINDS)]
    to: Annotated[list[str], says("Addresses of an email channel.")]
    url: Annotated[str, says("Address of a webhook; `********` for Apprise, whose addresses are secrets.")]
    password: Secret
    language: Annotated[str, says("Language of the notices.", tuple(LANGUAGES))]
    resolved: Annotated[bool, says("Whether it hears that something is over.")]
    enabled: bool
    comment: Comment


class ObjectsJson(TypedDict):
    """All objects."""

    revision: Annotated[int, says("Counts the changes.", minimum=0)]
    connector: list[ConnectorJson]
    accepted_domain: list[DomainJson]
    source: list[SourceJson]
    alert_policy: list[PolicyJson]
    notification_channel: list[ChannelJson]


class ChangeCounts(TypedDict):
    """How many objects a change concerns."""

    add: int
    change: int
    remove: int


class ChangesJson(TypedDict):
    """The difference that a change makes, or would make."""

    dry_run: DryRun
    revision: Annotated[int, says("Revision of the objects afterwards.")]
    counts: ChangeCounts
    changes: list[DiffJson]
    effect: NotRequired[EffectJson]


class HistoryJson(TypedDict):
    """Who changed which object, when, and how."""

    revision: int
    at: Annotated[str, at("When.")]
    who: str
    what: Annotated[str, says("What was done, in a word.")]
    kind: str
    name: str
    before: Annotated[dict[str, Any] | None, says("The object before; null where it was new.")]
    after: Annotated[dict[str, Any] | None, says("The object after; null where it is gone.")]
