"""Whole logs: blocks of lines in, deliveries joined by queue id, insights out; memory is bounded."""
