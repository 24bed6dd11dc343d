"""A TLS client's first words, said by hand."""

import contextlib
import ssl


def client_hello(curve: str = "prime256v1") -> bytes:
    """They cost the client nothing; the curve is what the server must reckon with."""
    context, said = ssl._create_unverified_context(), ssl.MemoryBIO()
    context.set_ecdh_curve(curve)
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), said, server_hostname="localhost").do_handshake()
    return said.read()
