"""What both servers have in common: their options, the guard, how they listen and how they end."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from lth_pipeline.servers.guard import guarded
from lth_pipeline.servers.login import LoginError, read_login

TO_END = 20.0  # seconds that a server has to end in an orderly way once it is left alone


def options(program: str) -> argparse.Namespace:
    """host, port; login, certificate and key are paths or None: what is secret is never on a command line."""
    parser = argparse.ArgumentParser(prog=f"python -m lth_pipeline.servers.{program}")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    for name in ("--login", "--certificate", "--key"):
        parser.add_argument(name, type=Path)
    return parser.parse_args()


def serve(app: Callable, chosen: argparse.Namespace, log_level: str) -> None:
    """`app` behind the guard, until SIGTERM or Ctrl-C (KeyboardInterrupt, so that what is open is closed)."""
    import uvicorn

    try:
        login = read_login(chosen.login) if chosen.login else None
    except LoginError as error:
        sys.exit(str(error))
    uvicorn.run(
        guarded(app, login),
        host=chosen.host,
        port=chosen.port,
        log_level=log_level,
        ssl_certfile=chosen.certificate,
        ssl_keyfile=chosen.key,
        proxy_headers=False,  # X-Forwarded-For would say whose wrong password it was: anyone can write one
        timeout_graceful_shutdown=3,  # seconds; an open page keeps its websocket for ever
    )


def end_when_left() -> None:
    """End this process by SIGTERM, as Ctrl-C would, once its standard input ends: whoever held the other side is gone.

    `lth ui` holds it and never writes. However it ends, SIGKILL included, the kernel closes it.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    threading.Thread(target=_wait_and_end, daemon=True).start()


def _wait_and_end() -> None:
    while os.read(0, 1024):  # not sys.stdin: its lock would be held when the interpreter ends
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(TO_END)
    os._exit(1)
