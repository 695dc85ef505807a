"""Sockets under gevent: the transports of sessions."""
