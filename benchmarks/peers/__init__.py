"""Squall beside its peers: the same work, on the same server, in interleaved rounds."""
