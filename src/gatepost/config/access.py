# ruff: noqa: RUF009 - setting() and section() return dataclass fields, which every instance may share
"""The settings of the admin centre: where it listens, and who is let in.

Rule: what can be reached from other machines speaks TLS, or says that a proxy in front does.
"""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from gatepost.config import kinds
from gatepost.config.problems import Problem
from gatepost.config.schema import section, setting
from gatepost.config.values import Endpoint


@dataclass(frozen=True, slots=True)
class Oidc:
    """Signing in by OpenID Connect; needs the extra `gatepost[oidc]`."""

    issuer: str = setting(kinds.WEB_ADDRESS, "", "The provider, `https://login.example/realm`; empty: none.")
    client_id: str = setting(kinds.TEXT, "", "The name that the provider gave this gateway.")
    client_secret: str = setting(kinds.TEXT, "", "The secret that goes with it; better in the environment.")
    name_claim: str = setting(kinds.TEXT, "email", "The claim that is the name of the user here.")
    role_claim: str = setting(kinds.TEXT, "groups", "The claim that says what they may do.")
    roles: tuple[tuple[str, str], ...] = setting(
        kinds.ROLES, {}, 'The role by a value of that claim, `{ "mail-team" = "operator" }`.'
    )
    default_role: str = setting(
        kinds.one_of("", "viewer", "operator", "administrator"),
        "",
        "The role of everybody else whom the provider knows; empty: they are not let in.",
    )


@dataclass(frozen=True, slots=True)
class Admin:
    """The admin centre and the API."""

    listen: Endpoint = setting(
        kinds.LISTEN, "127.0.0.1:8025", "Where the admin centre and the API listen.", restart=True
    )
    url: str = setting(
        kinds.WEB_ADDRESS,
        "",
        "How people reach it, for the links in alerts; empty: `http://` or `https://` and `listen`.",
    )
    tls_certificate: Path | None = setting(
        kinds.OPTIONAL_PATH,
        "",
        "PEM file: the certificate of the admin centre, then its issuers; with it, it speaks TLS.",
        restart=True,
    )
    tls_key: Path | None = setting(
        kinds.OPTIONAL_PATH, "", "PEM file: the key of that certificate.", restart=True
    )
    plain_http: bool = setting(
        kinds.BOOLEAN,
        default=False,
        doc="Whether it may be reached from other machines without TLS: only where a proxy in front speaks TLS.",
        restart=True,
    )
    session_expiry: int = setting(
        kinds.duration("1m", "30d"), "12h", "How long a login lasts without being used."
    )
    probe_networks: tuple[str, ...] = setting(
        kinds.NETWORKS,
        [],
        "Internal networks whose hosts an operator may check; administrators may check every host.",
    )
    oidc: Oidc = section(Oidc, "Signing in by a provider of one's own organisation (OpenID Connect).")


def tls_problems(section_name: str, certificate: Path | None, key: Path | None) -> list[Problem]:
    """Return what is missing of a certificate and its key, where a section has one of them."""
    problems: list[Problem] = []
    if certificate and not key:
        problems.append(
            Problem(
                f"{section_name}.tls_key",
                "missing",
                f"{section_name}.tls_certificate needs the key that belongs to it",
            )
        )
    if key and not certificate:
        problems.append(
            Problem(
                f"{section_name}.tls_certificate",
                "missing",
                f"{section_name}.tls_key needs the certificate that belongs to it",
            )
        )
    return problems


def admin_problems(admin: Admin) -> list[Problem]:
    """Return what is wrong between settings of the admin centre that are each right alone."""
    problems = tls_problems("admin", admin.tls_certificate, admin.tls_key)
    if not (_only_here(admin.listen) or admin.tls_certificate or admin.plain_http):
        problems.append(
            Problem(
                "admin.listen",
                f"{admin.listen} can be reached from other machines, and passwords would cross the network unencrypted",
                "set admin.tls_certificate and admin.tls_key; "
                "or admin.plain_http = true where a proxy in front speaks TLS",
            )
        )
    if admin.oidc.issuer and not admin.oidc.client_id:
        problems.append(
            Problem("admin.oidc.client_id", "missing", "the provider gives one to each application")
        )
    return problems


def _only_here(listen: Endpoint) -> bool:
    """Tell whether only this machine can reach an address."""
    return ipaddress.ip_address(listen.host).is_loopback
