"""Explain anything: errors, bounces and logs of any mail system, judged as the gateway judges its own attempts."""
