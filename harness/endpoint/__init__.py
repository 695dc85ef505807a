"""The reference endpoint: a small real-time application to practise on, in a process of its own.

It must not know the harness: no locust, no gevent, no `harness.wire`; of ours it imports only `harness.errors`.
"""
