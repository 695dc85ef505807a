"""Faults: what happens to a client or its network on purpose, and the conductor that applies them."""
