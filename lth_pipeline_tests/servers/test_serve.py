"""A server of its own process: over TLS, behind the guard, and gone with whoever started it."""

import base64
import datetime
import http.client
import socket
import ssl
import subprocess
import sys
import time

import pytest

from lth_pipeline.servers.guard import WRONG_PASSWORDS
from lth_pipeline_tests.places import PROJECT

SERVER = """
from lth_pipeline.servers.serve import end_when_left, options, serve

async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"in"})

end_when_left()
serve(app, options("test"), "warning")
"""


@pytest.fixture
def certificate(tmp_path):
    """Paths of a certificate for localhost, signed by itself, and of its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    (tmp_path / "it.crt").write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    (tmp_path / "it.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return tmp_path / "it.crt", tmp_path / "it.key"


def _encoded(password: str) -> str:
    return base64.b64encode(f"ada:{password}".encode()).decode()


def test_a_server_speaks_tls_asks_for_the_password_and_ends_when_it_is_left(tmp_path, certificate):
    people = tmp_path / "people"
    people.write_text("ada:correct horse battery\n")
    people.chmod(0o600)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    files = ["--login", people, "--certificate", certificate[0], "--key", certificate[1]]
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, "--host", "127.0.0.1", "--port", str(port), *files],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    trusted = ssl.create_default_context(cafile=certificate[0])
    password = _encoded("correct horse battery")

    def status(**headers):
        connection = http.client.HTTPSConnection("localhost", port, context=trusted, timeout=30)
        connection.request("GET", "/", headers=headers)
        return connection.getresponse().status

    until = time.monotonic() + 60
    while True:
        try:
            assert status() == 401
            break
        except ConnectionError:
            assert process.poll() is None and time.monotonic() < until, process.stderr.read()
            time.sleep(0.1)
    assert status(Authorization=f"Basic {password}") == 200
    assert status(Authorization=f"Basic {password}", Origin=f"http://localhost:{port}") == 403
    told = [{"X-Forwarded-For": f"203.0.113.{number}"} for number in range(WRONG_PASSWORDS)]
    for number, header in enumerate(told):  # of whoever they say they are, for anyone can write that
        assert status(Authorization=f"Basic {_encoded(f'wrong password {number}')}", **header) == 401
    assert status(Authorization=f"Basic {password}", **{"X-Forwarded-For": "198.51.100.1"}) == 429
    process.stdin.close()  # as the kernel does when `lth ui` is killed
    process.wait(60)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port))
