"""What people call the names that programs use: fields of objects, parameters of fixes, kinds, stages, choices.

Rule: a name that is not here is shown as it is; that of a field or a kind without its underscores.
"""

from gatepost.i18n import tr

# kinds of objects
KINDS = {
    "connector": tr("connector"), "accepted_domain": tr("accepted domain"), "source": tr("source"),
    "alert_policy": tr("alert policy"), "notification_channel": tr("notification channel"), "user": tr("user"),
    "token": tr("token"), "override": tr("exception for a time"),
}  # fmt: skip
# fields of objects, and parameters of fixes
FIELDS = {
    "to": tr("Connection to"), "domains": tr("Recipient domains"), "domain": tr("Domain"),
    "all_accepted_domains": tr("For every domain of ours"), "smart_hosts": tr("Smart hosts, in order"),
    "use_mx": tr("Find the servers by MX instead"), "port": tr("Port"), "tls": "TLS",
    "tls_domain": tr("Name that the certificate must have"), "tls_ca": tr("Trusted CA"), "expiry": tr("Try for (24h)"),
    "retry": tr("Waits between attempts"), "concurrency": tr("Connections at a time"), "username": tr("Log in as"),
    "password": tr("Password"), "quirks": tr("Leave out what the servers do not bear"), "enabled": tr("In use"),
    "source_addresses": tr("Connect from our address"),
    "comment": tr("Note"), "name": tr("Name"), "type": tr("Type"), "match_subdomains": tr("Also its subdomains"),
    "recipients": tr("Known recipients"), "networks": tr("Networks"), "certificate_names": tr("Client certificates"),
    "logins": tr("Logins"), "may_relay": tr("May send to domains that are not ours"), "require_tls": tr("Must use TLS"),
    "allow_bare_newlines": tr("May send lines that end in LF alone"), "on": tr("Looks at"),
    "classes": tr("Failure classes"), "least_severity": tr("Least severity"), "connectors": tr("Connectors"),
    "messages": tr("Messages that wait"), "older_than": tr("Older than"), "share": tr("Share of all that waits"),
    "expires_within": tr("The first expires within"), "pending": tr("Must hold for"), "keep_firing": tr("Over after"),
    "severity": tr("Severity of the alert"), "channels": tr("Channels"), "daily_limit": tr("Notices a day"),
    "quiet": tr("Quiet hours"), "kind": tr("Kind"), "url": tr("Web address"), "language": tr("Language"),
    "resolved": tr("Hears that something is over"), "role": tr("Role"), "scope": tr("Scope"),
    "delete": tr("Delete the connector instead of disabling it (yes or no)"), "host": tr("Host"),
    "addresses": tr("Addresses"), "hours": tr("For how many hours"), "certificate": tr("Certificate (PEM)"),
    "fingerprint": tr("Fingerprint (SHA-256)"), "by": tr("By connector"), "until": tr("Until"),
    "destination": tr("Destination"), "destination_id": tr("Number of the destination"), "class": tr("Class"),
    "connector": tr("Connector"), "what": tr("What"), "value": tr("Value"), "who": tr("By"), "reason": tr("Reason"),
    "address": tr("Address"), "helo": "EHLO", "login": tr("Login"),
}  # fmt: skip
# stages of a check and phases of an attempt
STAGES = {
    "route": tr("Route"), "dns": "DNS", "resolve": tr("Look up"), "connect": tr("Connect"), "banner": tr("Greeting"),
    "ehlo": "EHLO", "starttls": "STARTTLS", "tls": "TLS", "certificate": tr("Certificate"), "auth": tr("Log in"),
    "mail": "MAIL", "rcpt": "RCPT", "data": "DATA", "eod": tr("End of content"), "check": tr("Check"),
    "message": tr("Test message"),
}  # fmt: skip
# choices in forms
CHOICES = {
    "on-premises": tr("Our own servers"), "partner": tr("A partner"), "opportunistic": tr("TLS where it is offered"),
    "encryption-only": tr("Always encrypted"), "certificate-validation": tr("Certificate of a trusted CA"),
    "domain-validation": tr("Trusted CA and right name"), "authoritative": tr("Authoritative"),
    "internal-relay": tr("Internal relay"), "insight": tr("Insights"), "queue": tr("Queues"),
    "foresight": tr("Forecasts"), "email": tr("Mail"), "webhook": tr("Webhook"), "apprise": "Apprise", "en": "English",
    "zh-CN": "中文", "low": tr("low"), "medium": tr("medium"), "high": tr("high"), "critical": tr("critical"),
}  # fmt: skip
# reports to senders, and what is wrong with a certificate
REPORTS = {
    "failure": tr("Returned"), "delay": tr("Delayed"), "relayed": tr("Relayed"), "over": tr("Delivered after a delay"),
}  # fmt: skip
VERDICTS = {
    "CertificateExpired": tr("expired"), "CertificateNotYetValid": tr("not valid yet"),
    "SubjectMismatch": tr("another name"), "UntrustedRoot": tr("unknown issuer"), "SelfSigned": tr("self-signed"),
    "Revoked": tr("revoked"), "WeakKey": tr("weak key"),
}  # fmt: skip
ALL = {
    "kind": KINDS,
    "field": FIELDS,
    "stage": STAGES,
    "choice": CHOICES,
    "report": REPORTS,
    "verdict": VERDICTS,
}
NAMES = ("kind", "field")  # of these nobody chose the words
