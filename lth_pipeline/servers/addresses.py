"""Addresses: which are this machine's alone, and what a browser calls the server that it asks."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network

EVERY = ("0.0.0.0", "::")  # addresses to listen on that stand for all of the machine's


def is_loopback(host: str) -> bool:
    """127.0.0.0/8, ::1 and localhost; any other name is not, whatever it resolves to."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def host_name(header: str) -> str:
    """The name or address in a Host header, without port and brackets; "" for what is no Host header."""
    match = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([\w.-]+))(?::\d{1,5})?", header, re.ASCII)
    return (match[1] or match[2]) if match else ""


def address(scheme: str, host: str, port: int) -> str:
    """http or https, host and port as a browser takes them."""
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def whose(client: str) -> str:
    """The client that a wrong password is put down to: its address, or the /64 that one holder of IPv6 has."""
    try:
        given = ip_address(client)
    except ValueError:
        return client
    given = getattr(given, "ipv4_mapped", None) or given
    return str(given if given.version == 4 else ip_network((int(given), 64), strict=False))
