"""TLS for gRPC, from files in PEM format."""

import ssl
from pathlib import Path

from myapp.config import ConfigError


def open_tls(cert: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """The server's side of TLS, or None when no files are named.

    Raises ConfigError with the variable to change.
    """
    if cert is None and key is None:
        return None
    if cert is None or key is None:
        missing = "GRPC_TLS_KEY" if cert else "GRPC_TLS_CERT"
        raise ConfigError(f"{missing} is missing: TLS takes a certificate and its key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])  # gRPC clients insist
    try:
        context.load_cert_chain(cert, key)
    except OSError as error:  # SSLError is one
        reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
        reason = reason or "no certificate chain and its key, in PEM"
        raise ConfigError(f"GRPC_TLS_CERT and GRPC_TLS_KEY cannot be loaded: {reason}") from None
    return context
