"""The guard around an application that answers with what reaches it: passwords, pages, names, odd headers."""

import asyncio
import base64
import hashlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lth_pipeline.servers import guard as guard_module
from lth_pipeline.servers.guard import WRONG_PASSWORDS, guarded, unframed

PAIR = b"ada:correct horse battery"
LOGIN = frozenset([hashlib.sha256(PAIR).digest()])
RIGHT = ("authorization", "Basic " + base64.b64encode(PAIR).decode())
WRONG = ("authorization", "Basic " + base64.b64encode(b"ada:wrong horse battery").decode())


def wrong(number: int) -> tuple[str, str]:
    """Another wrong password for each number."""
    return "authorization", "Basic " + base64.b64encode(b"ada:wrong horse battery %d" % number).decode()


LOCAL = ("host", "127.0.0.1:3000")
FAR = ("host", "gpu.lab:3000")


async def app(scope, receive, send):
    kind = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
    await send({"type": f"{kind}.start", "status": 200, "headers": scope["headers"]})
    await send({"type": f"{kind}.body", "body": b"in"})


def ask(guard, *headers, method="GET", path="/", kind="http", scheme=None, client="10.0.0.9", extensions=True):
    """(status, headers that came back); a websocket that is closed has status None."""
    scope = {
        "type": kind,
        "method": method,
        "path": path,
        "scheme": scheme or {"http": "http", "websocket": "ws"}[kind],
        "headers": [(n.encode("latin-1"), v.encode("latin-1") if isinstance(v, str) else v) for n, v in headers],
        "client": (client, 4711),
        "extensions": {"websocket.http.response": {}} if extensions else {},
    }
    if kind == "websocket":
        del scope["method"]
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(guard(scope, None, send))
    return sent[0].get("status"), dict(sent[0].get("headers", []))


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_with_a_login_the_right_password_comes_in_and_no_other(kind):
    guard = guarded(app, LOGIN)
    status, passed = ask(guard, FAR, RIGHT, kind=kind)
    assert status == 200 and b"authorization" not in passed, "the application need not see the password"
    for headers in (
        [FAR],
        [FAR, WRONG],
        [FAR, RIGHT, RIGHT],
        [FAR, ("authorization", "Basic")],
        [FAR, ("cookie", "a=b")],
    ):
        status, answered = ask(guard, *headers, kind=kind)
        assert status == 401 and answered[b"www-authenticate"].startswith(b"Basic realm=")
    assert ask(guard, FAR, kind=kind, path="/health", method="OPTIONS")[0] == 401


def test_a_server_without_refusals_of_websockets_closes_them():
    assert ask(guarded(app, LOGIN), FAR, kind="websocket", extensions=False)[0] is None


def test_after_many_wrong_passwords_a_client_waits_for_the_minute_to_end():
    now = [0.0]
    guard = guarded(app, LOGIN, clock=lambda: now[0])
    for number in range(WRONG_PASSWORDS):
        assert ask(guard, FAR, wrong(number))[0] == 401
    assert ask(guard, FAR, RIGHT)[0] == 429, "the right one would tell itself apart"
    assert ask(guard, FAR, RIGHT, client="10.0.0.10")[0] == 200, "others are not kept out"
    now[0] = 60.0
    assert ask(guard, FAR, RIGHT)[0] == 200
    for number in range(WRONG_PASSWORDS):  # one holder of IPv6 has 2^64 addresses
        assert ask(guard, FAR, wrong(number), client=f"2001:db8::{number:x}")[0] == 401
    assert ask(guard, FAR, RIGHT, client="2001:db8::ffff:1")[0] == 429
    assert ask(guard, FAR, client="2001:db8::1")[0] == 401, "a browser that has not asked for the password yet may"


def test_the_same_wrong_password_again_and_again_locks_nobody_out():
    """A page left open, or a script, from before the password was changed, at the address of others who know it."""
    guard = guarded(app, LOGIN, clock=lambda: 0.0)
    for _ in range(3 * WRONG_PASSWORDS):
        assert ask(guard, FAR, WRONG)[0] == 401
    assert ask(guard, FAR, RIGHT)[0] == 200
    for number in range(WRONG_PASSWORDS - 1):  # it is one of those that may be wrong
        assert ask(guard, FAR, wrong(number))[0] == 401
    assert ask(guard, FAR, wrong(WRONG_PASSWORDS))[0] == 429
    two = guarded(app, LOGIN, clock=lambda: 0.0)
    statuses = [ask(two, FAR, wrong(number), RIGHT)[0] for number in range(WRONG_PASSWORDS + 1)]
    assert statuses == [401] * WRONG_PASSWORDS + [429], "two headers at once are no way around"


def test_clients_beyond_those_that_are_told_apart_are_counted_as_one(monkeypatch):
    monkeypatch.setattr(guard_module, "CLIENTS", 3)
    guard = guarded(app, LOGIN, clock=lambda: 0.0)
    for number in range(3 + WRONG_PASSWORDS):
        assert ask(guard, FAR, wrong(number), client=f"10.0.0.{number}")[0] == 401
    assert ask(guard, FAR, wrong(99), client="10.0.1.1")[0] == 429
    assert ask(guard, FAR, wrong(99), client="10.0.0.2")[0] == 401, "known before, and counted for itself"


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_a_page_of_another_origin_is_refused(kind, method):
    for login, host, extra in ((LOGIN, "gpu.lab:3000", [RIGHT]), (None, "localhost:3000", [])):
        guard = guarded(app, login)

        def status(*origins, scheme=None, guard=guard, host=host, extra=extra):
            headers = [("host", host), *(("origin", origin) for origin in origins), *extra]
            return ask(guard, *headers, kind=kind, method=method, scheme=scheme)[0]

        assert status() == status(f"http://{host}") == status(f"HTTPS://{host.upper()}") == 200
        foreign = ["null", "", "http://evil.com", f"http://{host}.evil.com", f"http://{host}0", f"http://x@{host}"]
        foreign += [host, f"ftp://{host}", f"http://{host}/", "http://localhost:5000", f"http://{host} http://evil.com"]
        assert {status(origin) for origin in foreign} == {403}
        assert status(f"http://{host}", f"http://{host}") == 403
        secure = "https" if kind == "http" else "wss"
        assert status(f"http://{host}", scheme=secure) == 403 and status(f"https://{host}", scheme=secure) == 200


def test_the_application_does_not_see_the_origin():
    _, passed = ask(guarded(app, None), LOCAL, ("origin", "http://127.0.0.1:3000"), ("x-other", "1"), method="POST")
    assert passed == {b"host": b"127.0.0.1:3000", b"x-other": b"1"}


@pytest.mark.parametrize("name", ["127.0.0.1", "127.8.9.1:80", "localhost", "LocalHost:8000", "[::1]", "[::1]:3000"])
def test_without_a_login_loopback_names_come_in(name):
    assert ask(guarded(app, None), ("host", name))[0] == 200
    assert ask(guarded(app, None), ("host", name), kind="websocket")[0] == 200


@pytest.mark.parametrize(
    "name",
    [
        *("evil.com", "evil.com:3000", "localhost.evil.com", "127.0.0.1.evil.com", "10.0.0.1", "0.0.0.0", "[::]"),
        *(
            "",
            ":",
            "localhost:",
            "localhost:x",
            "a@localhost",
            "localhost/",
            "[localhost]",
            "[::1",
            "localhost, evil.com",
        ),
    ],
)
def test_without_a_login_no_other_name_does(name):
    """A web page that points its own name at 127.0.0.1 asks under that name."""
    for kind in ("http", "websocket"):
        assert ask(guarded(app, None), ("host", name), kind=kind)[0] in (400, 403)


def test_one_host_is_needed():
    for login, extra in ((None, []), (LOGIN, [RIGHT])):
        assert ask(guarded(app, login), *extra)[0] == 400
        assert ask(guarded(app, login), LOCAL, LOCAL, *extra)[0] == 400


@pytest.mark.parametrize("path", ["/graphql", "/graphql/", "/prefix/graphql"])
def test_graphql_is_not_run_by_an_address_alone(path):
    """`<img src="http://127.0.0.1:3000/graphql?query=mutation…">` on any page has no Origin; Dagster would run it."""
    guard = guarded(app, None)
    for accept in ([], [("accept", "image/png,*/*")], [("accept", "image/png"), ("accept", "text/html")]):
        assert (
            ask(guard, LOCAL, *accept, path=path)[0] == ask(guard, LOCAL, *accept, path=path, method="HEAD")[0] == 405
        )
    assert ask(guard, LOCAL, path=path, method="POST")[0] == 200
    assert ask(guard, LOCAL, ("accept", "text/html,*/*"), path=path)[0] == 200, "the editor"
    assert ask(guard, LOCAL, path=path, kind="websocket")[0] == 200


def test_pages_cannot_be_framed():
    assert ask(unframed(app))[1][b"x-frame-options"] == b"SAMEORIGIN"


NAMES = st.sampled_from(["host", "origin", "authorization", "accept", "cookie", "x-forwarded-for", "forwarded", "Host"])
VALUES = st.one_of(
    st.binary(max_size=40),
    st.text(string.printable, max_size=40),
    st.sampled_from(
        ["127.0.0.1:3000", "gpu.lab", "null", "http://gpu.lab", "Basic", "Basic Og==", "Basic ====", "basic "]
    ),
)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=6), st.sampled_from(["http", "websocket"]), st.text(max_size=20))
def test_no_headers_let_in_or_raise(headers, kind, path):
    assert ask(guarded(app, LOGIN), *headers, kind=kind, path=path)[0] in (400, 401, 403, 405)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=6), st.sampled_from(["http", "websocket"]))
def test_no_header_takes_the_place_of_a_loopback_name(headers, kind):
    others = [(name, value) for name, value in headers if name.lower() != "host"]
    assert ask(guarded(app, None), ("host", "evil.com"), *others, kind=kind)[0] == 403
