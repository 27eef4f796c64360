"""Redirects to forbidden URLs."""

from __future__ import annotations

from mashup_worker.errors import FetchFailed, FetchRefused
from tests.hostile.cases import SECRET, SIGNED, SONG, Case, redirect, whole

_PRIVATE = "its address is not public"
_USERS = "a user name is not allowed"

_TARGETS: dict[str, tuple[str | bytes, str]] = {
    "loopback": ("https://127.0.0.1/", _PRIVATE),
    "metadata": (f"https://169.254.169.254/latest?{SECRET}", _PRIVATE),
    "a decimal address": ("https://2130706433/", _PRIVATE),
    "an IPv4 in IPv6": ("https://[::ffff:10.0.0.1]/", _PRIVATE),
    "full-width digits": ("https://\uff11\uff10.0.0.1/", _PRIVATE),
    "a name inside": (f"https://inside.example/?{SECRET}", _PRIVATE),
    "a name of two addresses": ("https://mixed.example/", _PRIVATE),
    "a private address without scheme": ("//10.0.0.1/song", _PRIVATE),
    "plain HTTP": (f"http://song.example/?{SECRET}", "scheme 'http' is not allowed"),
    "plain HTTP inside": ("http://169.254.169.254/", "scheme 'http' is not allowed"),
    "a file": ("file:///etc/passwd", "scheme 'file' is not allowed"),
    "FTP": ("ftp://song.example/", "scheme 'ftp' is not allowed"),
    "Gopher": ("gopher://127.0.0.1:6379/_FLUSHALL", "scheme 'gopher' is not allowed"),
    "data": (f"data:audio/wav;base64,{SECRET}", "scheme 'data' is not allowed"),
    "our own bucket": (f"s3://songs/{SECRET}", "scheme 's3' is not allowed"),
    "a user": (f"https://{SECRET}@song.example/", _USERS),
    "a user without scheme": (f"//{SECRET}:{SECRET}@song.example/", _USERS),
    "a port": ("https://song.example:8443/", "port 8443"),
    "a port without scheme": ("//song.example:22/", "port 22"),
    "a backslash": ("https://song.example\\@10.0.0.1/", "a user name is not allowed"),
    "an invalid URL": (f"https://[{SECRET}", "URL: invalid"),
    "an invalid IPv6 address": ("//[::g]/", ""),
    "a slash in one letter": ("//song\u2100.example/", "URL: invalid"),
    "a percent-encoded host": ("https://%31%30.0.0.1/", "neither a name nor"),
    "a control character": (b"https://song.example/\x1b[2J", "control characters are not allowed"),
    "a folded line": (b"https://ins\r\n\tide.example/", "control characters are not allowed"),
    "a tab in the host": (b"https://ins\tide.example/", "control characters are not allowed"),
    "a space": ("https://song.example/a b", "spaces and control characters"),
}

_HOPS = {f"/{hop}": redirect(f"/{hop + 1}?{SECRET}") for hop in range(9)} | {
    f"/{hop}?{SECRET}": redirect(f"{hop + 1}?{SECRET}") for hop in range(9)
}

REDIRECTS = (
    *(
        Case(f"to {name}", SONG, FetchRefused, says, {f"/{SIGNED}": redirect(where)}, 1)
        for name, (where, says) in _TARGETS.items()
    ),
    *(
        Case(
            f"by {status}",
            SONG,
            FetchRefused,
            _PRIVATE,
            {f"/{SIGNED}": redirect("https://10.0.0.1/", status)},
            1,
        )
        for status in (301, 303, 307, 308)
    ),
    Case(
        "to itself",
        SONG,
        FetchRefused,
        "redirects more than 3 times",
        {"*": redirect(f"https://song.example/{SIGNED}")},
        4,
    ),
    Case("nine times", "https://song.example/0", FetchRefused, "more than 3 times", _HOPS, 4),
    Case(
        "between two names",
        "https://song.example/",
        FetchRefused,
        "more than 3 times",
        {
            "/": redirect(f"https://six.example/back?{SECRET}"),
            f"/back?{SECRET}": redirect("https://song.example/"),
        },
        4,
    ),
    Case(
        "inside at the last step",
        "https://song.example/1",
        FetchRefused,
        _PRIVATE,
        {"/1": redirect("2"), "/2": redirect("/3"), "/3": redirect("https://10.0.0.1/")},
        3,
    ),
    Case(
        "to a name whose second look-up differs",
        "https://changing.example/",
        FetchRefused,
        _PRIVATE,
        {"/": redirect("/again"), "/again": whole(b"song")},
        1,
    ),
    Case(
        "without a location",
        SONG,
        FetchFailed,
        "redirects without a location",
        {"*": redirect("")},
        1,
    ),
    Case(
        "to an unknown name",
        SONG,
        FetchFailed,
        "not known",
        {"*": redirect("//unknown.example/")},
        1,
    ),
)
