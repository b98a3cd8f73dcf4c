"""Names, certificates and broken connections: what the network says, in words of our own."""
