"""What servers say when they refuse, and which cause that speaks for (data)."""

from typing import NamedTuple


class Saying(NamedTuple):
    """Words of a server that speak for a cause."""

    name: str
    failure_class: str
    cause: str
    factor: float
    words: tuple[str, ...]


SAYINGS: tuple[Saying, ...] = (
    Saying("says_left", "recipient_unknown", "left", 4.0,
           ("no longer", "has left", "left the", "deleted", "removed", "expired")),
    Saying("says_suspended", "mailbox_disabled", "suspended", 3.0,
           ("suspended", "disabled", "inactive", "not active", "deactivated", "locked", "closed")),
    Saying("says_being_moved", "mailbox_disabled", "broken_mailbox", 5.0,
           ("migrat", "being moved", "corrupt", "maintenance", "temporarily")),
    Saying("says_quota", "mailbox_full", "quota", 2.0, ("quota", "full", "storage", "limit", "space")),
    Saying("says_syntax", "bad_address", "typing_mistake", 2.5,
           ("syntax", "malformed", "character", "format")),
    Saying("says_login_first", "recipient_restricted", "not_authenticated", 5.0,
           ("authenticat", "anonymous", "external")),
    Saying("says_members_only", "recipient_restricted", "closed_group", 3.0,
           ("member", "permission", "allowed sender", "subscriber", "moderat", "restricted")),
    Saying("says_network", "ip_blocked", "bad_neighbours", 6.0,
           ("network", "range", "netblock", "subnet", "dynamic", "residential", "dial", "pbl")),
    Saying("says_spam_came", "ip_blocked", "spam_sent", 2.0, ("spam", "abuse", "complaint", "malicious")),
    Saying("says_no_reputation", "ip_blocked", "no_reputation", 4.0,
           ("reputation", "warm", "unknown sender", "new ip")),
    Saying("says_strict", "spam_content", "strict_filter", 1.8, ("score", "bulk", "policy")),
    Saying("says_rule", "policy_reject", "transport_rule", 2.0,
           ("rule", "dlp", "data protection", "content", "organization")),
    Saying("says_not_allowed", "policy_reject", "not_allowed", 2.5,
           ("not allowed", "denied", "not permitted", "unauthorized", "not authorized")),
    Saying("says_not_registered", "policy_reject", "unregistered", 6.0,
           ("register", "verified domain", "tenant", "not configured")),
    Saying("says_spf", "sender_auth_failed", "spf_missing", 4.0, ("spf", "sender policy")),
    Saying("says_dkim", "sender_auth_failed", "dkim_broken", 5.0, ("dkim", "signature")),
    Saying("says_no_domain", "sender_rejected", "no_such_domain", 4.0,
           ("domain not found", "not exist", "no mx", "resolve", "dns")),
    Saying("says_banned", "sender_rejected", "banned", 5.0,
           ("banned", "blocked", "blacklist", "suspended", "denied")),
    Saying("says_no_ptr", "rdns_helo", "no_ptr", 3.0, ("ptr", "reverse", "rdns")),
    Saying("says_mismatch", "rdns_helo", "mismatch", 6.0, ("helo", "ehlo", "match", "forged", "fully")),
    Saying("says_virus", "content_virus", "virus", 3.0, ("virus", "malware", "infected", "trojan", "worm")),
    Saying("says_file_type", "content_virus", "file_type", 5.0,
           ("attachment", "extension", "file type", "executable", "filename")),
    Saying("says_too_much", "rate_limited", "burst", 2.0,
           ("too many", "too much", "rate", "exceeded", "limit")),
    Saying("says_greylisted", "greylisted", "first_contact", 2.0,
           ("greylist", "graylist", "grey", "try again", "later")),
    Saying("says_not_relayed", "relay_denied", "not_allowed", 1.5,
           ("client", "your ip", "host", "authenticat")),
    Saying("says_not_ours", "relay_denied", "domain_missing", 3.0,
           ("not hosted", "not local", "not a domain", "unknown domain", "does not serve", "not accept mail for")),
    Saying("says_locked", "auth_failed", "login_off", 3.0,
           ("locked", "disabled", "expired", "suspended", "not enabled")),
    Saying("says_wrong_password", "auth_failed", "wrong_password", 2.0,
           ("password", "credential", "invalid user", "username")),
    Saying("says_disk", "system_full", "disk_full", 3.0, ("disk", "storage", "space")),
    Saying("says_short", "system_full", "back_pressure", 4.0,
           ("memory", "resources", "load", "pressure", "insufficient system resources")),
    Saying("says_setting", "system_error", "wrong_setting", 3.0, ("config", "setting", "misconfigured")),
    Saying("says_part", "system_error", "failed_part", 4.0,
           ("database", "queue file", "internal", "filter", "milter", "lookup", "directory", "unavailable")),
    Saying("says_busy", "server_temp_error", "busy", 2.5,
           ("busy", "unavailable", "maintenance", "not available", "overload")),
    Saying("says_hops", "mail_loop", "both_forward", 5.0, ("hop", "received", "too many")),
    Saying("says_forwarding", "mail_loop", "forwarding", 5.0, ("forward", "redirect", "delivered-to")),
    Saying("says_no_extension", "protocol_error", "missing_extension", 4.0,
           ("smtputf8", "8bitmime", "not supported", "not implemented", "unrecognized parameter")),
    Saying("says_odd_message", "protocol_error", "odd_message", 4.0,
           ("header", "line", "bare", "message format", "rfc 5322")),
    Saying("says_tlsa", "dane_mtasts", "key_rollover", 4.0, ("tlsa", "dane")),
    Saying("says_mta_sts", "dane_mtasts", "policy_old", 6.0, ("sts",)),
    Saying("says_dnssec", "dane_mtasts", "dnssec_broken", 8.0, ("dnssec",)),
)  # fmt: skip
