"""Make what a gateway needs to start: a settings file, an example of objects, the data folder."""

import os
from pathlib import Path

from gatepost.cli.frame import DONE, USAGE, Refusal, State, argument, dry_run, flag, option, tr, verb
from gatepost.cli.output import line, print_json

SETTINGS = """# The settings of this gateway; every setting is described in docs/settings.md.
hostname = "{hostname}"
data_dir = "gatepost-data"

[smtp]
listen = ["127.0.0.1:2525"]
# tls_certificate = "certificate.pem"
# tls_key = "key.pem"

[admin]
listen = "127.0.0.1:8025"

[mailboxes]
deliver = "maildir:"        # or "lmtp://127.0.0.1:24"

[delivery]
expiry = "24h"
retry = ["1m*4", "5m*6", "10m"]
"""
OBJECTS = """# Connectors, accepted domains and sources. Look first, then make it true:
#   gatepost apply objects.toml --dry-run
#   gatepost apply objects.toml

[[accepted_domain]]
name = "contoso.example"
type = "internal-relay"      # or "authoritative": unknown recipients are refused at once
recipients = ["ann@contoso.example"]

[[connector]]
name = "to-office"
to = "on-premises"           # or "partner"
domains = ["contoso.example"]
smart_hosts = ["mail.contoso.example"]
tls = "opportunistic"

[[source]]
name = "this-machine"
networks = ["127.0.0.0/8", "::1/128"]
may_relay = true             # may send to domains that are not ours
"""


@verb(
    None,
    "init",
    tr("Write a settings file, an example of objects, and the data folder."),
    "gatepost init\ngatepost init /srv/gatepost --hostname gw1.contoso.example",
    params=[
        argument("folder", required=False, default="."),
        option("--hostname", metavar="NAME", default="", text=tr("The name of this gateway in SMTP.")),
        flag("--force", text=tr("Overwrite files that exist.")),
        dry_run(),
    ],
)
def init(state: State, folder: str, hostname: str, force: bool, dry_run: bool) -> int:
    """Write the files."""
    settings = Path(state.config) if state.config else Path(folder) / "gatepost.toml"
    files = {
        settings: SETTINGS.format(hostname=_hostname(hostname)),
        settings.parent / "objects.toml": OBJECTS,
    }
    exists = [path for path in files if path.exists()]
    if exists and not force:
        raise Refusal(tr("{path} exists already: use --force to overwrite it."), USAGE, path=exists[0])
    data_dir = settings.parent / "gatepost-data"
    if not dry_run:
        try:
            _write(files, data_dir)
        except OSError as problem:
            sentence = tr("{path} cannot be written: {why}.")
            raise Refusal(sentence, USAGE, path=problem.filename, why=problem.strerror) from None
    written = [str(path) for path in (*files, data_dir)]
    if state.as_json:
        print_json({"dry_run": dry_run, "written": written})
        return DONE
    sentence = tr("Would write {path}") if dry_run else tr("Wrote {path}")
    for path in written:
        line(state.say(sentence).format(path=path))
    line(state.say(tr("Next: gatepost serve, and in another terminal gatepost apply objects.toml.")))
    return DONE


def _write(files: dict[Path, str], data_dir: Path) -> None:
    data_dir.mkdir(parents=True, exist_ok=True)
    data_dir.chmod(0o700)
    for path, text in files.items():
        path.write_text(text, "utf-8")


def _hostname(given: str) -> str:
    import socket  # noqa: PLC0415 - slow to import

    name = given or socket.gethostname() or os.uname().nodename
    return "".join(c for c in name.lower() if c.isalnum() or c in ".-") or "localhost"
