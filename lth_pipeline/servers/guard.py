"""The guard in front of a server: who asks, from which page, under which name.

One ASGI application around another; plain ASGI, so that websockets, static files and streams pass it alike.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

from lth_pipeline.servers.addresses import host_name, is_loopback, whose
from lth_pipeline.servers.login import Login, knows

#: different ones from one client within a minute; then none of its passwords is looked at until the minute is over
WRONG_PASSWORDS = 10
#: that are told apart within a minute; those that come after them are counted as one, so that memory has a bound
CLIENTS = 1_000
CHALLENGE = (b"www-authenticate", b'Basic realm="lth", charset="UTF-8"')


def guarded(app: Callable, login: Login | None, clock: Callable[[], float] = time.monotonic) -> Callable:
    """`app`, asked only by those who may.

    - With a login every request and every websocket needs it (HTTP Basic). Wrong passwords are counted, not requests:
      a page left open since before the password was changed asks with the old one again and again.
    - Without one, the Host must be loopback's: a web page that points a name of its own at 127.0.0.1 (DNS rebinding)
      is refused. With a login any name will do, for a browser sends no password under a name that it was not given for.
    - A page of another origin is refused (Origin), whatever it asks: browsers add the password by themselves.
    - /graphql is not run by GET, which a picture's address on any page could do, and Dagster would change things by it.
    """
    minute = 0
    wrong: dict[str, set[bytes]] = {}  # client -> SHA-256 of what it gave

    async def guard(scope: dict, receive: Callable, send: Callable) -> None:
        nonlocal minute, wrong
        if scope["type"] == "lifespan":
            return await app(scope, receive, send)
        refusal = _refused(scope, login is not None)
        if refusal is None and login is not None:
            if (now := int(clock() // 60)) != minute:
                minute, wrong = now, {}
            client = whose((scope.get("client") or ("",))[0])
            client = client if client in wrong or len(wrong) < CLIENTS else "others"
            given = _values(scope, b"authorization")
            if not given:
                refusal = 401, "a user and a password are needed"
            elif len(wrong.get(client, ())) >= WRONG_PASSWORDS:
                refusal = 429, "too many wrong passwords; wait a minute"
            elif len(given) > 1 or not knows(login, given[0]):
                wrong.setdefault(client, set()).add(hashlib.sha256("\n".join(given).encode("latin-1")).digest())
                refusal = 401, "wrong user or password"
        if refusal:
            return await _refuse(scope, send, *refusal)
        # The app behind need not see a password, and would judge the origin, its own, again by names that it knows.
        headers = [pair for pair in scope["headers"] if pair[0].lower() not in (b"origin", b"authorization")]
        await app({**scope, "headers": headers}, receive, send)

    return guard


def unframed(app: Callable) -> Callable:
    """`app`, whose pages no foreign page can show in a frame of its own and have clicked."""

    async def outer(scope: dict, receive: Callable, send: Callable) -> None:
        async def answer(message: dict) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), (b"x-frame-options", b"SAMEORIGIN")]}
            await send(message)

        await app(scope, receive, answer)

    return outer


def _refused(scope: dict, any_name: bool) -> tuple[int, str] | None:
    """Status and reason, where not even a password would help."""
    hosts, origins = _values(scope, b"host"), _values(scope, b"origin")
    name = host_name(hosts[0]) if len(hosts) == 1 else ""
    if not name:
        return 400, "one Host header is needed"
    if not any_name and not is_loopback(name):
        return 403, f"{name} is not this server's name: it is asked as localhost or 127.0.0.1"
    secure = scope.get("scheme") in ("https", "wss")
    own = [f"{scheme}://{hosts[0].lower()}" for scheme in (("https",) if secure else ("http", "https"))]
    if len(origins) > 1 or any(origin.lower() not in own for origin in origins):
        return 403, "a page of another server asks"
    reads = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
    kinds = _values(scope, b"accept")
    editor = kinds and all("text/html" in kind for kind in kinds)  # then Dagster shows a page, and runs nothing
    if reads and scope["path"].rstrip("/").endswith("/graphql") and not editor:
        return 405, "GraphQL is asked by POST"
    return None


def _values(scope: dict, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]


async def _refuse(scope: dict, send: Callable, status: int, reason: str) -> None:
    kind = "http.response"
    if scope["type"] == "websocket":
        kind = "websocket.http.response"
        if kind not in scope.get("extensions", {}):
            return await send({"type": "websocket.close", "code": 1008})
    body = f"{reason}\n".encode("latin-1")
    headers = [(b"content-type", b"text/plain; charset=iso-8859-1"), (b"cache-control", b"no-store")]
    headers += [(b"content-length", str(len(body)).encode()), *([CHALLENGE] if status == 401 else [])]
    await send({"type": f"{kind}.start", "status": status, "headers": headers})
    await send({"type": f"{kind}.body", "body": body})
