"""Defects of limits: none, too low or high, not shared, or enforced without an error."""

import time
from random import Random
from typing import TYPE_CHECKING

from ..buckets import Leased
from ..connection import Connection
from ..policies import Policies
from ..throttle import Bucket, Limit
from .registry import defect

if TYPE_CHECKING:
    from ..hub import Hub


class Bottomless(Bucket):
    """A bucket that is never empty."""

    def take(self, now_s: float) -> bool:
        """Always True: the bucket is never empty."""
        return True


@defect("throttle-off", "accepts any number of messages")
def throttle_off(policies: Policies, _value: float, _chance: Random) -> Policies:
    """No limit."""
    return policies._replace(bucket=lambda now_s: Bottomless(1.0, 1, now_s))


@defect("throttle-low", "throttles at this share of the promised rate and burst size", default=0.2, limits=(0.01, 0.99))
def throttle_low(policies: Policies, share: float, _chance: Random) -> Policies:
    """A smaller bucket than promised."""

    def bucket(now_s: float) -> Bucket:
        promised = policies.bucket(now_s)
        return Bucket(promised.per_s * share, max(1, int(promised.burst * share)), now_s)

    return policies._replace(bucket=bucket)


@defect("throttle-fast", "refills a bucket at this multiple of the promised rate", default=1.2, limits=(1.01, 100.0))
def throttle_fast(policies: Policies, factor: float, _chance: Random) -> Policies:
    """A bucket of the promised size whose rate is too high."""
    return _refilled_at(policies, factor)


@defect("throttle-slow", "refills a bucket at this share of the promised rate", default=0.5, limits=(0.01, 0.99))
def throttle_slow(policies: Policies, share: float, _chance: Random) -> Policies:
    """A bucket of the promised size whose rate is too low."""
    return _refilled_at(policies, share)


def _refilled_at(policies: Policies, factor: float) -> Policies:
    """Only the rate is wrong."""

    def bucket(now_s: float) -> Bucket:
        promised = policies.bucket(now_s)
        return Bucket(promised.per_s * factor, int(promised.burst), now_s)

    return policies._replace(bucket=bucket)


@defect("throttle-per-process", "gives each of several processes the whole limit of a tenant")
def throttle_per_process(policies: Policies, _value: float, _chance: Random) -> Policies:
    """Let each process count for itself."""

    def tenant_bucket(hub: "Hub", tenant: str) -> Limit:
        limit = policies.tenant_bucket(hub, tenant)
        return Bucket(limit.per_s, limit.burst, time.monotonic()) if isinstance(limit, Leased) else limit

    return policies._replace(tenant_bucket=tenant_bucket)


@defect("throttle-silent", "cuts a client that exceeds its limit, without an error or a close frame")
def throttle_silent(policies: Policies, _value: float, _chance: Random) -> Policies:
    """Cut instead of answering 429."""

    def throttled(connection: Connection, _payload: bytes) -> None:
        connection.cut("over the limit")

    return policies._replace(throttled=throttled)
