"""Faults: what happens to a client or its network on purpose; one file each.

    fault.py      what a fault is: the base class, which does nothing, and the decorator that registers
    schedule.py   which sessions a plan affects, and when
    injector.py   injects on time, records, and lifts
    payloads.py   malformed payloads

Every other module is one fault: `half_open.py`, `burst.py`, ... docs/faults.md shows how one is added.
"""
