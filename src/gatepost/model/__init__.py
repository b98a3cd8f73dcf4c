"""The nouns of the gateway: immutable values that every other part shares."""
