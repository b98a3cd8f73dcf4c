"""The admin centre: pages made on the server, live by events, readable without scripts."""
