"""`squall serve` and `squall token`: the reference endpoint alone, and a token for it."""

from harness.endpoint.command import serve, token

from .registry import register

register(serve)
register(token)
