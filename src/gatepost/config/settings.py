# ruff: noqa: RUF009 - setting() and section() return dataclass fields, which every instance may share
"""The settings of one process: what can be set, with type, default and documentation; how they are loaded.

Rule: every problem of a file and of the environment is reported at once, each with what to do.
Rule: a relative path in a file starts at the folder of that file.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gatepost.config import kinds
from gatepost.config.access import Admin, admin_problems, tls_problems
from gatepost.config.minimal import Minimal, find_file, minimal, read_table
from gatepost.config.problems import BadSettings, Problem, did_you_mean
from gatepost.config.schema import Override, read, section, setting, variable, walk
from gatepost.config.values import Endpoint, Threshold, endpoint
from gatepost.model.objects import SmartHost

__all__ = ["BadSettings", "Minimal", "Problem", "Settings", "load", "minimal", "missing_files"]

# variables that the command line reads itself, so that they are no misspelt settings
NOT_SETTINGS = frozenset({"GATEPOST_URL", "GATEPOST_TOKEN", "GATEPOST_CONFIG", "GATEPOST_LANG"})


@dataclass(frozen=True, slots=True)
class Store:
    """Where the queue, its history and the objects are kept."""

    url: str = setting(
        kinds.STORE,
        "sqlite:",
        "`sqlite:` (`gatepost.db` in `data_dir`), `sqlite:PATH` (that file, the spool beside it), or `postgresql://user@host/database`.",
        restart=True,
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client, one session and all of them together may ask for."""

    connections: int = setting(kinds.whole(1, 100_000), 1000, "Open connections of all clients together.")
    connections_per_address: int = setting(
        kinds.whole(1, 100_000), 100, "Open connections of one client address that is no source."
    )
    reserved: float = setting(
        kinds.SHARE,
        "20%",
        "Share of the connections that is kept for sources, and for clients that have delivered mail before.",
    )
    recipients: int = setting(
        kinds.whole(100, 100_000), 1000, "Recipients of one message (RFC 5321 wants 100 or more)."
    )
    messages_per_connection: int = setting(
        kinds.whole(0, 1_000_000), 0, "Messages of one connection; 0: any number."
    )
    messages_per_minute: int = setting(
        kinds.whole(0, 1_000_000),
        0,
        "Messages that a client address that is no source may send in a minute; 0: any number.",
    )
    commands: int = setting(
        kinds.whole(10, 100_000),
        100,
        "Commands of a session without a message between them.",
    )
    errors: int = setting(kinds.whole(1, 10_000), 20, "Refused commands before the connection is closed.")
    unknown_commands: int = setting(
        kinds.whole(1, 10_000), 20, "Unknown commands before the connection is closed."
    )
    auth_failures: int = setting(
        kinds.whole(1, 100),
        5,
        "Failed logins before the connection is closed; as many of an account or an address before it has to wait.",
    )


@dataclass(frozen=True, slots=True)
class ReceiveTimeouts:
    """How long a client may take for each step (RFC 5321 section 4.5.3.2.7)."""

    handshake: float = setting(kinds.TIMEOUT, "30s", "The TLS handshake.")
    banner: float = setting(
        kinds.TIMEOUT_OR_OFF,
        "off",
        "How long a client that is no source waits for the greeting; who talks meanwhile is turned away (554).",
    )
    command: float = setting(
        kinds.TIMEOUT, "5m", "A whole command line, from its first octet or the last answer."
    )
    data: float = setting(kinds.TIMEOUT, "3m", "Silence while the content is being sent.")
    session: float = setting(kinds.TIMEOUT, "30m", "The connection, counted from its last message.")
    shutdown: float = setting(
        kinds.TIMEOUT,
        "30s",
        "How long open sessions, and deliveries under way, may go on when the gateway is stopped.",
    )


@dataclass(frozen=True, slots=True)
class Smtp:
    """How mail comes in."""

    listen: tuple[Endpoint, ...] = setting(
        kinds.LISTEN_LIST, ["127.0.0.1:2525"], "Where mail is accepted.", restart=True
    )
    tls_certificate: Path | None = setting(
        kinds.OPTIONAL_PATH, "", "PEM file: our certificate, then its issuers."
    )
    tls_key: Path | None = setting(kinds.OPTIONAL_PATH, "", "PEM file: the key of that certificate.")
    tls_client_ca: Path | None = setting(
        kinds.OPTIONAL_PATH,
        "",
        "PEM file: the issuers that clients' certificates must come from (the system's if unset).",
    )
    max_message_size: int = setting(kinds.SIZE, "150MB", "Largest message; announced as SIZE (RFC 1870).")
    inline_limit: int = setting(
        kinds.SIZE, "128KB", "Larger messages go to a spool file instead of the store's own."
    )
    max_hops: int = setting(
        kinds.whole(5, 100), 30, "Received headers above which a message is taken for a loop."
    )
    max_line_length: int = setting(
        kinds.whole(0, 1_000_000), 998, "Octets of a line of content (RFC 5322 section 2.1.1); 0: any length."
    )
    eight_bit_headers: str = setting(
        kinds.one_of("accept", "refuse"),
        "accept",
        "What becomes of a header that is not ASCII and came without SMTPUTF8 (RFC 6531): many programs send such.",
    )
    min_data_rate: int = setting(
        kinds.SIZE, "500B", "Octets a second below which a sender of content is cut off."
    )
    min_free_disk: Threshold = setting(
        kinds.THRESHOLD, "5%", "Free disk below which no mail is accepted (452 4.3.1)."
    )
    max_queue_messages: int = setting(
        kinds.whole(0, 1_000_000_000), 0, "Queued messages above which no mail is accepted; 0: any number."
    )
    max_memory: int = setting(kinds.SIZE, "1GB", "Memory above which no mail is accepted; 0: any amount.")
    limits: Limits = section(Limits, "Floods and abuse.")
    timeouts: ReceiveTimeouts = section(ReceiveTimeouts, "Slow and silent clients.")


@dataclass(frozen=True, slots=True)
class Dns:
    """How names are looked up."""

    servers: tuple[Endpoint, ...] = setting(
        kinds.DNS_SERVERS, [], "The resolvers to ask; empty: the system's.", restart=True
    )
    timeout: float = setting(kinds.TIMEOUT, "5s", "How long one server may take to answer.", restart=True)
    max_ttl: int = setting(
        kinds.duration("0s", "7d"), "1h", "Longest time that an answer is believed.", restart=True
    )


@dataclass(frozen=True, slots=True)
class Mailboxes:
    """Our own mailbox store, where mail for known recipients goes."""

    deliver: str = setting(
        kinds.MAILBOXES,
        "maildir:",
        "`maildir:PATH` (empty path: `mail` in `data_dir`) or `lmtp://host:port`.",
        restart=True,
    )

    @property
    def lmtp(self) -> Endpoint | None:
        """Return the LMTP server, None where mail goes into a Maildir tree."""
        return endpoint(self.deliver[len("lmtp://") :]) if self.deliver.startswith("lmtp:") else None

    @property
    def maildir(self) -> Path | None:
        """Return the root of the Maildir tree, None where mail goes to an LMTP server."""
        return Path(self.deliver[len("maildir:") :]) if self.deliver.startswith("maildir:") else None


@dataclass(frozen=True, slots=True)
class Delivery:
    """How mail goes out; connectors may say otherwise for themselves."""

    expiry: int = setting(
        kinds.duration("1m", "30d"), "24h", "How long delivery is tried before the sender gets it back."
    )
    retry: tuple[int, ...] = setting(
        kinds.SCHEDULE,
        ["1m*4", "5m*6", "10m"],
        "Waits between attempts at a destination; the last one repeats.",
    )
    probe_interval: int = setting(
        kinds.duration_or_off("1s", "1h"), "off", "Longest wait for the next attempt, whatever `retry` says."
    )
    probe_failing: bool = setting(
        kinds.BOOLEAN, default=True, doc="Whether a destination that fails is probed between two attempts."
    )
    probe_schedule: int = setting(
        kinds.duration_or_off("1s", "7d"), "1h", "How often a connector that works is probed without mail."
    )
    delay_notice: int = setting(
        kinds.duration_or_off("1m", "30d"), "4h", "When the sender is told that mail waits."
    )
    resolved_notice: bool = setting(
        kinds.BOOLEAN, default=False, doc="Whether a sender who was told of a delay hears of its end."
    )
    concurrency: int = setting(kinds.whole(1, 1000), 20, "Connections to one destination at a time.")
    connections: int = setting(kinds.whole(1, 100_000), 500, "Connections to all destinations at a time.")
    messages_per_connection: int = setting(
        kinds.whole(0, 1_000_000), 1000, "Messages over one connection; 0: any number."
    )
    idle_timeout: float = setting(kinds.TIMEOUT, "10s", "How long an unused connection is kept.")
    helo: str = setting(kinds.OPTIONAL_NAME, "", "The name given in EHLO; empty: `hostname`.")
    connect_timeout: float = setting(kinds.TIMEOUT, "30s", "The TCP connection to one address.")
    banner_timeout: float = setting(kinds.TIMEOUT, "60s", "The server's greeting.")
    ehlo_timeout: float = setting(kinds.TIMEOUT, "60s", "The answer to EHLO.")
    starttls_timeout: float = setting(kinds.TIMEOUT, "60s", "The answer to STARTTLS.")
    tls_timeout: float = setting(kinds.TIMEOUT, "30s", "The TLS handshake.")
    auth_timeout: float = setting(kinds.TIMEOUT, "60s", "The answer to AUTH.")
    mail_timeout: float = setting(kinds.TIMEOUT, "5m", "The answer to MAIL.")
    rcpt_timeout: float = setting(kinds.TIMEOUT, "5m", "The answer to RCPT.")
    data_timeout: float = setting(kinds.TIMEOUT, "2m", "The answer to DATA.")
    block_timeout: float = setting(kinds.TIMEOUT, "3m", "The acceptance of each block of the content.")
    min_data_rate: int = setting(
        kinds.SIZE, "1KB", "Octets a second below which a server that takes content too slowly is given up."
    )
    eod_timeout: float = setting(
        kinds.TIMEOUT, "10m", "The answer to the final dot; a shorter time makes duplicates (RFC 1047)."
    )
    quit_timeout: float = setting(kinds.TIMEOUT, "5s", "The answer to QUIT.")


@dataclass(frozen=True, slots=True)
class Ndr:
    """What senders are told when mail cannot be delivered or waits."""

    language: str = setting(kinds.LANGUAGE, "en", "The language of reports.")
    languages: tuple[tuple[str, str], ...] = setting(
        kinds.LANGUAGES, {}, 'The language by sender domain, `{ "contoso.example" = "zh-CN" }`.'
    )
    postmaster: str = setting(
        kinds.OPTIONAL_ADDRESS,
        "",
        "The postmaster, who sends notices and gets reports that nobody takes; empty: `postmaster@` and `hostname`.",
    )
    max_original_size: int = setting(kinds.SIZE, "50KB", "How much of the original message a report carries.")

    def language_for(self, sender: str) -> str:
        """Return the language of a report to a sender: the nearest domain's, else the default."""
        table = dict(self.languages)
        domain = sender.rpartition("@")[2].lower()
        while domain:
            if domain in table:
                return table[domain]
            domain = domain.partition(".")[2]
        return self.language


@dataclass(frozen=True, slots=True)
class Quota:
    """How many recipients that do not exist are borne; refused here, rejected by destinations and returned alike."""

    window: int = setting(kinds.duration("10m", "7d"), "1h", "The time in which they are counted; it slides.")
    warn: int = setting(
        kinds.whole(0, 1_000_000),
        100,
        "From so many on, a client that is no source, or one sender of a source, is warned about; 0: never.",
    )
    limit: int = setting(
        kinds.whole(0, 1_000_000),
        500,
        "From so many on, mail of that client or sender is answered 450 until it is below again; 0: never.",
    )
    total_warn: int = setting(
        kinds.whole(0, 100_000_000),
        1000,
        "From so many on, a source, domain, connector, or the organisation is warned about; 0: never.",
    )
    source_limit: int = setting(
        kinds.whole(0, 100_000_000),
        0,
        "From so many on, all mail of a source is answered 450: one bad sender stops the others; 0: never.",
    )
    harvest: int = setting(
        kinds.whole(0, 1000),
        50,
        "A client that names so many different addresses, of which hardly any exists, tries which do; 0: never.",
    )


@dataclass(frozen=True, slots=True)
class Alerts:
    """How administrators are told of trouble; policies and channels are objects, not settings."""

    sender: str = setting(kinds.OPTIONAL_ADDRESS, "", "Who notices come from; empty: who signs reports.")
    smart_host: SmartHost | None = setting(
        kinds.OPTIONAL_SMART_HOST, "", "A server that takes notices first, whatever is broken; empty: none."
    )
    group_wait: float = setting(
        kinds.TIMEOUT, "3s", "How long a first notice waits for others of the same moment."
    )
    internal_webhooks: bool = setting(
        kinds.BOOLEAN, default=False, doc="Whether webhooks may go to internal addresses."
    )


@dataclass(frozen=True, slots=True)
class Retention:
    """How long things are remembered."""

    history: int = setting(
        kinds.duration("1h", "3650d"), "30d", "Messages that have left the queue, and their attempts."
    )
    insights: int = setting(kinds.duration("1h", "3650d"), "90d", "Insights and alerts that are over.")
    audit: int = setting(kinds.duration("1d", "3650d"), "365d", "Who changed what, when.")


@dataclass(frozen=True, slots=True)
class Log:
    """What the process says of itself."""

    level: str = setting(
        kinds.one_of("debug", "info", "warning", "error"), "info", "The least important line that is kept."
    )
    file: Path | None = setting(
        kinds.OPTIONAL_PATH, "", "Where lines go, one JSON object each; empty: standard error.", restart=True
    )


@dataclass(frozen=True, slots=True)
class Clock:
    """The guard that keeps a clock that jumps from expiring mail."""

    tolerance: float = setting(
        kinds.TIMEOUT, "60s", "A step of the wall clock above this is a jump.", restart=True
    )
    settle: float = setting(
        kinds.TIMEOUT, "15m", "After this time without another jump the new time is believed.", restart=True
    )


@dataclass(frozen=True, slots=True)
class Process:
    """What the process may use."""

    memory: int = setting(
        kinds.SIZE,
        "4GB",
        "Private memory that the process never exceeds, far above `smtp.max_memory`; 0: any amount.",
        restart=True,
    )
    loop: str = setting(
        kinds.one_of("auto", "uvloop", "asyncio"),
        "auto",
        "The event loop: uvloop (`pip install 'gatepost[fast]'`) or Python's own; auto: uvloop where it is installed.",
        restart=True,
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one process."""

    hostname: str = setting(
        kinds.OPTIONAL_NAME, "", "The name of this gateway in SMTP and in reports; empty: the machine's name."
    )
    data_dir: Path = setting(
        kinds.PATH, "gatepost-data", "Where everything that must survive is kept.", restart=True
    )
    user: str = setting(
        kinds.TEXT,
        "",
        "Who a process started as root becomes once its ports are open; empty: nobody else.",
        restart=True,
    )
    node: int = setting(
        kinds.whole(0, 63), 0, "The number of this process where several share one store.", restart=True
    )
    store: Store = section(Store, "Where the queue, its history and the objects are kept.")
    smtp: Smtp = section(Smtp, "How mail comes in.")
    admin: Admin = section(Admin, "The admin centre and the API.")
    dns: Dns = section(Dns, "How names are looked up.")
    mailboxes: Mailboxes = section(Mailboxes, "Our own mailbox store, where mail for known recipients goes.")
    delivery: Delivery = section(Delivery, "How mail goes out; connectors may say otherwise for themselves.")
    ndr: Ndr = section(Ndr, "What senders are told when mail cannot be delivered or waits.")
    quota: Quota = section(
        Quota, "Recipients that do not exist: who names how many, and from when on that has a price."
    )
    alerts: Alerts = section(
        Alerts, "How administrators are told of trouble; policies and channels are objects, not settings."
    )
    retention: Retention = section(Retention, "How long things are remembered.")
    log: Log = section(Log, "What the process says of itself.")
    process: Process = section(Process, "What the process may use.")
    clock: Clock = section(Clock, "The guard that keeps a clock that jumps from expiring mail.")

    @property
    def postmaster(self) -> str:
        """Return the address that signs reports."""
        return self.ndr.postmaster or f"postmaster@{self.hostname}"

    @property
    def admin_url(self) -> str:
        """Return where people reach the admin centre."""
        scheme = "https" if self.admin.tls_certificate else "http"
        return self.admin.url or f"{scheme}://{self.admin.listen}"

    @property
    def sqlite_path(self) -> Path | None:
        """Return the file of the embedded store, None where the store is a server."""
        if not self.store.url.startswith("sqlite:"):
            return None
        return Path(self.store.url[len("sqlite:") :])


def load(path: str | Path | None, environ: Mapping[str, str]) -> Settings:
    """Return the settings of a file (None: `./gatepost.toml`) and the environment; or `BadSettings`."""
    file = find_file(path)
    table = read_table(file)
    base = (file.parent if file else Path()).absolute()
    problems: list[Problem] = []
    overrides = _overrides(environ, problems)
    settings = _completed(read(Settings, table, "", base, overrides, problems), base)
    problems += _contradictions(settings)
    if problems:
        raise BadSettings(problems)
    return settings


def _overrides(environ: Mapping[str, str], problems: list[Problem]) -> dict[str, Override]:
    """Return the settings that the environment gives; a variable that looks like a misspelt one is a problem.

    Others are left alone: container platforms set GATEPOST_PORT and its like for a service of this name.
    """
    names = {variable(name): name for name, _ in walk(Settings)}
    found: dict[str, Override] = {}
    for key, value in environ.items():
        if not key.startswith("GATEPOST_") or key in NOT_SETTINGS:
            continue
        if key in names:
            found[names[key]] = Override(key, value)
            continue
        hint = did_you_mean(key, names, 0.88)
        if hint.startswith("did you mean"):
            problems.append(Problem(key, "no setting has this environment variable", hint))
    return found


def _completed(settings: Settings, base: Path) -> Settings:
    """Return the settings with what depends on the machine or on another setting filled in."""
    url, deliver = settings.store.url, settings.mailboxes.deliver
    if url.startswith("sqlite:"):
        url = f"sqlite:{base / url[7:] if url[7:] else settings.data_dir / 'gatepost.db'}"
    if deliver.startswith("maildir:"):
        deliver = f"maildir:{base / deliver[8:] if deliver[8:] else settings.data_dir / 'mail'}"
    return replace(
        settings,
        hostname=settings.hostname or socket.gethostname().lower() or "localhost",
        store=replace(settings.store, url=url),
        mailboxes=replace(settings.mailboxes, deliver=deliver),
    )


def _contradictions(settings: Settings) -> list[Problem]:
    """Return what is wrong between settings that are each right alone."""
    smtp = settings.smtp
    problems = tls_problems("smtp", smtp.tls_certificate, smtp.tls_key)
    if smtp.tls_client_ca and not smtp.tls_certificate:
        problems.append(
            Problem(
                "smtp.tls_client_ca",
                "no client certificate can be seen without TLS",
                "set smtp.tls_certificate",
            )
        )
    problems += admin_problems(settings.admin)
    if settings.process.memory and settings.process.memory <= smtp.max_memory:
        problems.append(
            Problem(
                "process.memory",
                "is not above smtp.max_memory",
                "mail is refused at smtp.max_memory, so that the limit of the process is never met",
            )
        )
    if not smtp.listen:
        problems.append(
            Problem("smtp.listen", "no address is left to listen on", 'the default is ["127.0.0.1:2525"]')
        )
    seen = {settings.admin.listen}
    for address in smtp.listen:
        if address.port and address in seen:
            problems.append(
                Problem("smtp.listen", f"{address} is used twice", "each listener needs a port of its own")
            )
        seen.add(address)
    return problems


def missing_files(settings: Settings) -> list[Problem]:
    """Return the named files that cannot be read; asked by who needs them, not at every start."""
    smtp, admin = settings.smtp, settings.admin
    named = {
        "smtp.tls_certificate": smtp.tls_certificate,
        "smtp.tls_key": smtp.tls_key,
        "smtp.tls_client_ca": smtp.tls_client_ca,
        "admin.tls_certificate": admin.tls_certificate,
        "admin.tls_key": admin.tls_key,
    }
    problems: list[Problem] = []
    for name, path in named.items():
        if path is None:
            continue
        try:
            with path.open("rb"):
                pass
        except OSError as problem:
            problems.append(Problem(name, f"{path} cannot be read: {problem.strerror}"))
    return problems
