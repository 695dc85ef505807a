"""One session: its life, its requests and receipts, reconnecting, and the ways of talking to an endpoint."""
