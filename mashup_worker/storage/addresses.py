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
        "2001::/23",  # IPv4 in IPv6, as in 2002::
        "2002::/16",
        "3fff::/20",
    )
)
"""What Python's `is_global` lets through, or may in some version."""

_UNICAST = ipaddress.ip_network("2000::/3")
"""All of IPv6 that was ever given out to the public.

What lies outside leads to neighbours, to IPv4 by another name (`::ffff:0:0`, `64:ff9b::`), or into
networks that chose their addresses themselves.
"""


def is_public(address: str) -> bool:
    """Whether an address, in figures, is one that everybody may reach."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if any(parsed in network for network in _DENIED if network.version == parsed.version):
        return False
    if parsed.version == 6 and parsed not in _UNICAST:
        return False
    return parsed.is_global
