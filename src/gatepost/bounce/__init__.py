"""Tell the sender what became of the message (RFC 3464, RFC 6522, RFC 6533)."""
