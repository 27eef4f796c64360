"""Public and private IP addresses."""

from __future__ import annotations

import ipaddress

_DENIED = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",
        "100.64.0.0/10",
        "168.63.129.16/32",  # a cloud provider's internal services
        "192.0.0.0/24",
        "192.88.99.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "2001::/23",  # IPv4 in IPv6, like 2002::
        "2002::/16",
        "3fff::/20",
    )
)
"""Networks that `is_global` accepts in some version of Python."""

_UNICAST = ipaddress.ip_network("2000::/3")
"""All IPv6 addresses ever assigned to the public.

Addresses outside lead to neighbors, to IPv4 (`::ffff:0:0`, `64:ff9b::`), or into networks that
chose their own addresses.
"""


def is_public(address: str) -> bool:
    """Return whether a numeric address is reachable by everyone on the Internet."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if any(parsed in network for network in _DENIED if network.version == parsed.version):
        return False
    if parsed.version == 6 and parsed not in _UNICAST:
        return False
    return parsed.is_global
