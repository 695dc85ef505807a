"""Connection options: from the plan's `[endpoint]` to what the transport needs, once for a run.

Addresses are resolved here, before the run, and passed to each process, so that all of them spread a name with
several answers in the same way.
"""

import errno
import socket
from dataclasses import replace
from ipaddress import ip_network

from websockets.extensions import ClientExtensionFactory
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.headers import build_host

from ..auth.proxy import Proxy, proxy_of
from ..auth.redaction import Redaction
from ..auth.templates import environment
from ..errors import UsageError
from ..plan import Deflate, Endpoint, Tls
from ..units import SECOND
from .options import UNLIMITED, Address, Options, Route
from .sockets import bind, explain, resolve
from .tls import TlsRecords
from .trust import make_context

MEMORY_LEVEL = 5
"""What zlib spends on the compressor's state: 8 KiB a session instead of 128 at the default of 8."""
PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
FAMILIES = {4: int(socket.AF_INET), 6: int(socket.AF_INET6)}


def find_addresses(endpoint: Endpoint, port: int, host: str = "") -> tuple[Address, ...]:
    """Every address to call: those of the proxy, where there is one.

    Args:
        endpoint: the plan's.
        port: where the host listens.
        host: "": the endpoint's own.

    Raises:
        RunFailed: there is none.
    """
    if (proxy := proxy_of(endpoint)) is not None:
        return resolve(proxy.host, proxy.port, "endpoint.proxy")
    return resolve(host or endpoint.host, port)


def make_options(endpoint: Endpoint, port: int, addresses: tuple[Address, ...], redaction: Redaction) -> Options:
    """How all connections of a run are opened and kept.

    Raises:
        UsageError: a file, an environment variable or a source address that the plan names cannot be used.
    """
    tls = (endpoint.tls or Tls()) if endpoint.is_secure else None
    ping_every_s = endpoint.ping_every_s or 0.0
    return Options(
        route=find_route(endpoint, endpoint.host, port, tls, redaction, addresses),
        open_timeout_ns=round(endpoint.open_timeout_s * SECOND),
        max_message_bytes=endpoint.max_message_bytes,
        max_frame_bytes=endpoint.max_frame_bytes or UNLIMITED,
        extensions=(_offer(endpoint.deflate),) if endpoint.deflate is not None else (),
        ping_every_ns=round(ping_every_s * SECOND),
        ping_timeout_ns=round(endpoint.ping_within_s * SECOND),
    )


def _offer(deflate: Deflate) -> ClientExtensionFactory:
    return ClientPerMessageDeflateFactory(
        server_no_context_takeover=not deflate.server_context_takeover,
        client_no_context_takeover=not deflate.client_context_takeover,
        server_max_window_bits=deflate.server_window_bits,
        client_max_window_bits=deflate.client_window_bits,
        compress_settings={"memLevel": MEMORY_LEVEL},
    )


def find_route(
    endpoint: Endpoint, host: str, port: int, tls: Tls | None, redaction: Redaction,
    addresses: tuple[Address, ...] | None = None,
) -> Route:  # fmt: skip
    """The way to a host through the endpoint's proxy, from its source addresses.

    Args:
        endpoint: whose proxy and source addresses count.
        host: a name or an address.
        port: where the host listens.
        tls: what is trusted and shown there; None: no TLS.
        redaction: learns the secrets that the plan names.
        addresses: as `find_addresses` found them; None: find them now.

    Raises:
        RunFailed: there is no address to call.
        UsageError: a file, an environment variable or a source address that the plan names cannot be used.
    """
    if addresses is None:
        addresses = find_addresses(endpoint, port, host)
    route = make_route(host, port, tls, redaction, addresses, proxy_of(endpoint, redaction))
    return replace(route, sources=_sources(endpoint, addresses))


def make_route(
    host: str, port: int, tls: Tls | None, redaction: Redaction, addresses: tuple[Address, ...] = (),
    proxy: Proxy | None = None,
) -> Route:  # fmt: skip
    """The way to a host, from any address of ours.

    Args:
        host: a name or an address.
        port: where the host listens.
        tls: what is trusted and shown there; None: no TLS.
        redaction: learns the secrets that `tls` names.
        addresses: those of the proxy, where there is one.
        proxy: None: call the host itself.

    Raises:
        UsageError: a file or an environment variable that `tls` names cannot be used.
    """
    context, server_name = None, ""
    if tls is not None:
        server_name = tls.server_name or host
        context = make_context(
            ca_file=tls.ca_file, cert_file=tls.cert_file, key_file=tls.key_file, insecure=tls.insecure,
            key_password=environment(tls.key_password_env, "endpoint.tls", redaction) if tls.key_password_env else "",
        )  # fmt: skip
        try:
            TlsRecords(context, server_name)
        except ValueError as error:
            raise UsageError(f'endpoint.tls.server_name: "{server_name}": {error}') from None
    return Route(
        addresses=addresses,
        proxy_request=_connect_request(host, port, proxy, tls is not None) if proxy is not None else b"",
        tls=context,
        server_name=server_name,
    )


# -- proxy ----------------------------------------------------------------------------------------------------------


def _connect_request(host: str, port: int, proxy: Proxy, secure: bool) -> bytes:
    """The CONNECT for this host (RFC 9110 9.3.6; credentials by RFC 7617)."""
    target = build_host(host, port, secure, always_include_port=True)
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if proxy.user:
        lines.append(f"Proxy-Authorization: Basic {proxy.basic}")
    return "\r\n".join([*lines, "", ""]).encode()


# -- source addresses -----------------------------------------------------------------------------------------------


def _sources(endpoint: Endpoint, addresses: tuple[Address, ...]) -> dict[int, tuple[str, ...]]:
    """Our addresses to call from, by family, each tried.

    Raises:
        UsageError: one is not ours, or is of a family that no address to call is of.
    """
    found: dict[int, list[str]] = {}
    for text in endpoint.source_addresses:
        network = ip_network(text)
        family = FAMILIES[network.version]
        if family not in {each for each, _ in addresses}:
            raise UsageError(f"endpoint.source_addresses: {text} is IPv{network.version}, and the endpoint is not")
        hosts = [str(host) for host in network.hosts()]
        for host in hosts:
            _must_be_ours(family, host, text)
        found.setdefault(family, []).extend(hosts)
    return {family: tuple(dict.fromkeys(hosts)) for family, hosts in found.items()}


def _must_be_ours(family: int, host: str, text: str) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        try:
            bind(sock, host)
        except OSError as error:
            why = (
                "is not an address of this machine" if error.errno == errno.EADDRNOTAVAIL else explain(error.errno or 0)
            )
            within = "" if host == text else f" (of {text})"
            raise UsageError(
                f"endpoint.source_addresses: {host}{within} {why}; ip address add {host} dev ... makes it one"
            ) from None
