"""HTTP: the pages, REST, and the handshake of a WebSocket, on one port. ``site`` puts it together.

``door`` lets connections in, ``guard`` decides what each request may do; ``controls``, ``peers``, ``pairing`` and
``reload`` are the REST; ``websocket`` and ``wsframes`` carry what ``bridge.ws`` says to browsers.
"""
