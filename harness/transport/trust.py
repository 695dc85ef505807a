"""What a run trusts and what it shows: one TLS context for all its connections, from files.

OpenSSL asks on the terminal for the password of a key that needs one, so it is always given one, if only an empty one.
"""

import ssl
from pathlib import Path

from ..errors import UsageError


def make_context(
    *, ca_file: str = "", cert_file: str = "", key_file: str = "", key_password: str = "", insecure: bool = False
) -> ssl.SSLContext:
    """A client's context: the system's authorities, or those of `ca_file`; `insecure` verifies nothing.

    Raises:
        UsageError: a file cannot be read or does not hold what it should.
    """
    try:
        context = ssl.create_default_context(cafile=_readable(ca_file, "ca_file"))
    except ssl.SSLError as error:
        raise UsageError(f"endpoint.tls.ca_file: {ca_file} holds no certificate: {_words(error)}") from None
    context.set_alpn_protocols(["http/1.1"])
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if cert_file:
        _readable(cert_file, "cert_file")
        try:
            context.load_cert_chain(cert_file, _readable(key_file, "key_file"), password=lambda: key_password)
        except ssl.SSLError as error:
            raise UsageError(_wrong_pair(cert_file, key_file or cert_file, error)) from None
    return context


def _readable(name: str, key: str) -> str | None:
    """The file's name, once it is known to hold PEM; None for none."""
    if not name:
        return None
    try:
        if "-----BEGIN " in Path(name).read_text(encoding="latin-1"):
            return name
    except OSError as error:
        raise UsageError(f"endpoint.tls.{key}: cannot read {name}: {error.strerror}") from None
    raise UsageError(f"endpoint.tls.{key}: {name} is not PEM (-----BEGIN ...)")


def _wrong_pair(cert_file: str, key_file: str, error: ssl.SSLError) -> str:
    if "ENCRYPTED" in Path(key_file).read_text(encoding="latin-1"):
        return f"endpoint.tls.key_file: {key_file} wants another password than endpoint.tls.key_password_env gives"
    return f"endpoint.tls: {cert_file} and {key_file} are not a certificate and its key: {_words(error)}"


def _words(error: ssl.SSLError) -> str:
    return error.reason.replace("_", " ").lower() if error.reason else "OpenSSL cannot read them"
