"""Objects of a small site, as `apply` takes them: its office, and a partner; the ports are to be filled in."""

OFFICE = """
[[accepted_domain]]
name = "contoso.example"
type = "internal-relay"
recipients = ["ann@contoso.example"]

[[connector]]
name = "to-office"
domains = ["contoso.example"]
smart_hosts = ["127.0.0.1:{closed}"]
"""
PARTNER = """
[[connector]]
name = "to-partner"
to = "partner"
domains = ["partner.example"]
smart_hosts = ["127.0.0.1:{partner}"]
"""
