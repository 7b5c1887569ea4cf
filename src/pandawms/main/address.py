"""The address of the API: what it listens on, what others call it, and what this machine's own parts use."""

import ipaddress
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509

from pandawms.domain.errors import Invalid

ANY = ("", "0.0.0.0", "::")
"""Hosts that stand for all addresses of this machine, and are the address of none."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def check(public_url: str, certificate: str, key: str) -> None:
    """Raises Invalid for a public address that is none, and for a certificate without its key or the reverse."""
    for have, lack in (("certificate", "key"), ("key", "certificate")):
        value, other = (certificate, key) if have == "certificate" else (key, certificate)
        if value and not other:
            raise Invalid(
                f"server.tls_{have} is given, and server.tls_{lack} is not", code="settings.value", field=f"server.tls_{lack}", value=other,
                allowed="a path: both of them, or neither", hint=f"set server.tls_{lack}, or leave out server.tls_{have}",
            )  # fmt: skip
    if public_url and not _is_address(public_url):
        raise Invalid(
            f"server.public_url is {public_url}", code="settings.value", field="server.public_url", value=public_url,
            allowed="https://host or https://host:port; http:// on loopback only", hint="write for example https://panda.example.org:8443",
        )  # fmt: skip


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    is_bare = parts.path in ("", "/") and not parts.query and not parts.fragment and "@" not in parts.netloc and not any(map(str.isspace, url))
    return is_bare and bool(host) and host not in ANY and (parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK))


def public(public_url: str, host: str, port: int, certificate: str) -> str:
    """Returns the address by which commands and pilots know the API: the one that is set, else made of host and port.

    A host that stands for all addresses is none to connect to: with TLS the first name in the certificate takes its place, else the loopback address.
    """
    if public_url:
        return public_url.rstrip("/")
    return _url(bool(certificate), (certificate and named(Path(certificate)) if host in ANY else host) or _own(host), port)


def own(host: str, port: int, *, is_tls: bool) -> str:
    """Returns an address of the API on this machine, whatever its certificate is for."""
    return _url(is_tls, _own(host), port)


def own_trust(certificate: str) -> ssl.SSLContext:
    """Returns the trust with which this machine's own parts look whether the API answers: in exactly this certificate, under any name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a certificate that somebody else signed is trusted by itself
    context.load_verify_locations(cafile=certificate)
    return context


def check_reach(listens_at: str, certificate: str) -> None:
    """Raises Invalid when others than this machine can reach a listening address and there is no TLS."""
    if listens_at not in LOOPBACK and not certificate:
        raise Invalid(
            f"{listens_at} can be reached from outside, and there is no TLS", code="server.tls", field="server.tls_certificate",
            value=certificate, allowed="paths of a certificate and its key",
            hint="set server.tls_certificate and server.tls_key, or listen on 127.0.0.1",
        )  # fmt: skip


def check_files(certificate: str, key: str) -> None:
    """Raises Invalid when certificate and key cannot be read or do not belong together."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except OSError as error:  # an ssl.SSLError is one
        field = "server.tls_key" if Path(certificate).is_file() else "server.tls_certificate"
        raise Invalid(
            f"the certificate {certificate} and its key {key} cannot be used: {error.strerror or error}", code="server.tls", field=field,
            value=key if field.endswith("key") else certificate, allowed="PEM files that this account may read, the key without a password",
            hint="check both paths, and that the key is of this certificate",
        ) from error  # fmt: skip


def named(certificate: Path) -> str | None:
    """Returns the first name (without a wildcard) that a certificate is for, else the first IP address; None when it has neither or cannot be read."""
    try:
        found = x509.load_pem_x509_certificates(certificate.read_bytes())[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return None
    names = [name for name in found.get_values_for_type(x509.DNSName) if "*" not in name]
    addresses = [str(address) for address in found.get_values_for_type(x509.IPAddress)]
    return next(iter([*names, *addresses]), None)


def _own(host: str) -> str:
    return {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


def _url(is_tls: bool, host: str, port: int) -> str:
    return f"{'https' if is_tls else 'http'}://{f'[{host}]' if is_ipv6(host) else host}:{port}"


def is_ipv6(host: str) -> bool:
    """Whether a host is written as an IPv6 address."""
    try:
        return ipaddress.ip_address(host).version == 6
    except ValueError:
        return False
