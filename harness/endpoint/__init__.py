"""The reference endpoint: a small real-time application to practise on, in a process of its own.

It shares only `harness.errors` with the rest of the harness: no locust, no gevent, no `harness.wire`.
"""
