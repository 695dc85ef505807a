"""Scenarios: small RealtimeUsers, one file each, loaded by name from the plan."""
