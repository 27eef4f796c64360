"""Which addresses of the Internet belong to the public."""

from __future__ import annotations

import ipaddress

_DENIED = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",
        "100.64.0.0/10",
        "168.63.129.16/32",  # a cloud's own services
        "192.0.0.0/24",
        "192.88.99.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/96",  # IPv4 in IPv6, as in the next four and in 2001:: and 2002::
        "::ffff:0:0/96",
        "::ffff:0:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "100::/32",
        "2001::/23",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
)
"""What Python's `is_global` lets through, or may in some version."""


def is_public(address: str) -> bool:
    """Whether an address, in figures, is one that everybody may reach."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if any(parsed in network for network in _DENIED if network.version == parsed.version):
        return False
    return parsed.is_global
