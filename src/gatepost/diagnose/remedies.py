"""Whose a cause is, which fixes it asks for, and what would decide where evidence does not (data)."""

from collections.abc import Mapping

from gatepost.i18n import tr

# who can mend a cause; what is not here is for whoever runs the destination
_CAUSES: Mapping[str, str] = {
    "us": (
        "own_network own_resolver wrong_name wrong_address wrong_port too_strict connector_off no_match "
        "own_limit short_expiry stale_answer shut_down spam_sent no_reputation compromised unregistered "
        "spf_missing dkim_broken device mismatch virus burst changing_address wrong_server no_login "
        "wrong_password points_back both_forward forwarding own_part long_outage"
    ),
    "network": (
        "firewall_drops firewall_rejects no_route inspection network_trouble packet_size no_ipv6 "
        "bad_neighbours no_ptr"
    ),
    "dns-host": ("dns_outage stale_records domain_expired no_such_domain"),
    "sender": (
        "typing_mistake left old_list new_address old_entry looks_alike banned file_type attachments "
        "odd_message no_mail"
    ),
}
OWNERS: Mapping[str, str] = {cause: owner for owner, causes in _CAUSES.items() for cause in causes.split()}

NEXT_CHECKS: Mapping[str, str] = {
    "connection_timeout": tr("Look whether the server runs, and try to reach its port from another network."),
    "connection_refused": tr(
        "Look whether the mail service runs, and whether a firewall there refuses our address."
    ),
    "host_unreachable": tr("Test the route to the server from the machine of this gateway."),
    "dns_query_failed": tr(
        "Ask the name servers of the domain themselves, and compare with what our resolver says."
    ),
    "connection_dropped": tr("Send a small and a large message, and compare where they break off."),
    "session_timeout": tr("Send a small and a large message, and compare where they break off."),
    "cert_invalid": tr("Compare the certificate with the name that the connector expects."),
    "tls_not_offered": tr(
        "Connect to the server from another network, and see whether it offers STARTTLS there."
    ),
    "recipient_unknown": tr("Ask the recipient, or whoever runs the server, whether the mailbox exists."),
    "ip_blocked": tr("Look our address up in the block list that the reply names."),
    "relay_denied": tr("Ask whoever runs the server whether the domain and our address are known there."),
    "policy_reject": tr("Ask whoever runs the server which rule the reply means."),
    "sender_auth_failed": tr(
        "Compare the SPF record of the sender's domain with the address that we send from."
    ),
    "rdns_helo": tr(
        "Look up the PTR record of the address that we send from, and compare it with our host name."
    ),
    "tls_handshake_failed": tr(
        "Try the handshake with other versions and ciphers: gatepost check shows each address."
    ),
}


ASK_THEIR_LOG = tr("Look at the server's own log at the time of the attempt.")

OTHERWISE = ("retry",)  # where no fix of ours helps, others mend it, and then it goes
# which fixes a cause asks for, in order; `fix.offers` leaves out what does not fit
ACTIONS: Mapping[str, tuple[str, ...]] = {
    "own_network": ("extend_expiry", "retry"),
    "own_resolver": ("flush_dns", "use_last_addresses", "extend_expiry"),
    "one_host": ("set_smart_hosts", "retry"),
    "stale_answer": ("flush_dns", "set_smart_hosts", "extend_expiry"),
    "wrong_address": ("set_smart_hosts", "use_last_addresses", "retry"),
    "address_changed": ("use_last_addresses", "set_smart_hosts", "flush_dns"),
    "wrong_port": ("set_smart_hosts", "retry"),
    "wrong_name": ("set_smart_hosts", "use_last_addresses", "flush_dns"),
    "dns_outage": ("use_last_addresses", "flush_dns", "extend_expiry"),
    "domain_expired": ("use_last_addresses", "extend_expiry", "flush_dns"),
    "stale_records": ("flush_dns", "use_last_addresses"),
    "server_down": ("retry", "reroute", "extend_expiry"),
    "service_stopped": ("retry", "reroute", "extend_expiry"),
    "shut_down": ("fix_now", "return_now"),
    "firewall_rejects": ("retry", "extend_expiry"),
    "firewall_drops": ("retry", "extend_expiry"),
    "no_route": ("retry", "reroute", "extend_expiry"),
    "overloaded": ("set_quirks", "suspend", "retry"),
    "not_for_us": ("reroute", "set_smart_hosts", "retry"),
    "inspection": ("set_quirks", "relax_tls", "retry"),
    "packet_size": ("set_quirks", "retry"),
    "server_trouble": ("retry", "set_quirks"),
    "network_trouble": ("retry", "extend_expiry"),
    "too_strict": ("relax_tls",),
    "no_certificate": ("relax_tls", "extend_expiry"),
    "old_version": ("relax_tls", "set_quirks"),
    "expired": ("pin_certificate", "relax_tls"),
    "name_mismatch": ("set_tls_domain", "pin_certificate", "relax_tls"),
    "untrusted": ("trust_issuer", "pin_certificate", "relax_tls"),
    "burst": ("set_quirks", "suspend"),
    "low_limit": ("set_quirks", "extend_expiry"),
    "compromised": ("suspend",),
    "first_contact": ("retry",),
    "changing_address": ("extend_expiry", "retry"),
    "disk_full": ("retry", "extend_expiry"),
    "back_pressure": ("set_quirks", "extend_expiry"),
    "busy": ("retry", "extend_expiry"),
    "hidden_limit": ("set_quirks", "retry"),
    "own_part": ("retry", "extend_expiry"),
    # what a server refuses for good is returned at once: held back, the rest of the mail is not
    "not_synchronised": ("suspend", "retry"),
    "spam_sent": ("suspend", "reroute"),
    "bad_neighbours": ("reroute", "suspend"),
    "no_reputation": ("set_quirks", "reroute"),
    "not_allowed": ("suspend", "reroute"),
    "unregistered": ("suspend", "reroute"),
    "spf_missing": ("suspend",),
    "dkim_broken": ("suspend",),
    "no_ptr": ("suspend", "reroute"),
    "mismatch": ("suspend", "reroute"),
    "wrong_server": ("set_smart_hosts", "suspend"),
    "domain_missing": ("suspend", "reroute"),
    "no_login": ("suspend", "set_smart_hosts"),
    "points_back": ("set_smart_hosts", "suspend"),
    "both_forward": ("suspend", "reroute"),
    "forwarding": ("suspend",),
    "wrong_password": ("extend_expiry", "retry"),
    "login_off": ("extend_expiry", "retry"),
    "quota": ("retry", "extend_expiry"),
    "odd_server": ("set_quirks", "retry"),
    "missing_extension": ("reroute", "retry"),
    "key_rollover": ("relax_tls", "extend_expiry"),
}
