"""When a token expires: by its own claim, by the login's answer, or not known."""

import base64
import json
import math
import time

import jwt
import pytest

from harness.auth import Access
from harness.auth.expiry import LATEST_S, claimed_time, jwt_expiry
from harness.plan import build_plan
from harness.units import SECOND


def unsigned(**claims):
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in ({}, claims)]
    return ".".join([*parts, ""])


@pytest.mark.parametrize(
    ("claimed", "expires"),
    [
        (0, 0.0),
        (1, 1.0),
        (1.5, 1.5),
        (LATEST_S, LATEST_S),
        (LATEST_S * 2, math.inf),
        (10**400, math.inf),
        (-1, math.inf),
        (math.nan, math.inf),
        (True, math.inf),
        ("1", math.inf),
        (None, math.inf),
    ],
)
def test_a_claim_that_is_no_time_is_as_none(claimed, expires):
    assert claimed_time(claimed) == expires


@pytest.mark.parametrize("token", ["", "opaque", "a.b.c", "x" * 5000])
def test_what_is_no_jwt_does_not_expire(token):
    assert jwt_expiry(token) == math.inf


def test_a_jwt_says_when_whoever_signed_it():
    assert jwt_expiry(jwt.encode({"exp": 2_000_000_000}, "k" * 32)) == 2_000_000_000
    assert jwt_expiry(jwt.encode({}, "k" * 32)) == math.inf
    assert jwt_expiry(jwt.encode({"exp": 10**30}, "k" * 32)) == math.inf


def access(monkeypatch, **auth):
    monkeypatch.setenv("SQUALL_JWT_SECRET", "s" * 32)
    monkeypatch.setenv("SQUALL_TOKEN", jwt.encode({"exp": int(time.time()) + 100}, "k" * 32))
    return Access(build_plan({"endpoint": {"url": "ws://127.0.0.1:1/", "auth": auth}}).endpoint, "n", 2)


@pytest.mark.parametrize("per", ["connection", "session", "run"])
def test_a_token_of_ours_expires_when_its_claim_says(monkeypatch, per):
    way_in = access(monkeypatch, kind="jwt", ttl_s=60.0, per=per)
    way_in.entry(1, 0)
    left_s = (way_in.expires_ns(1) - time.monotonic_ns()) / SECOND
    assert 55 < left_s <= 60
    assert way_in.is_renewable
    assert way_in.expires_ns(0) == 0  # it has not connected


def test_a_claim_of_the_plan_overrides_the_time_to_live(monkeypatch):
    way_in = access(monkeypatch, kind="jwt", claims={"exp": int(time.time()) + 1000})
    way_in.entry(0, 0)
    assert 990 < (way_in.expires_ns(0) - time.monotonic_ns()) / SECOND <= 1000


def test_a_given_token_cannot_be_renewed(monkeypatch):
    way_in = access(monkeypatch, kind="token")
    way_in.entry(0, 0)
    assert 90 < (way_in.expires_ns(0) - time.monotonic_ns()) / SECOND <= 100
    assert not way_in.is_renewable


def test_no_token_does_not_expire(monkeypatch):
    way_in = access(monkeypatch, kind="none")
    way_in.entry(0, 0)
    assert way_in.expires_ns(0) == 0
