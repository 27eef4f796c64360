"""Valid answers whose content is not the audio that they declare."""

from __future__ import annotations

import gzip

from tests.hostile.cases import OK, whole


def mislabeled(song: bytes, inside: str) -> dict[str, bytes]:
    """Return answers with the media type of a WAV; some refer to a private URL."""
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{inside}\n#EXT-X-ENDLIST\n"
    kind = b"Content-Type: audio/wav"
    packed = gzip.compress(song)
    return {
        "a page": whole(b"<!doctype html><title>Sign in</title>" + b"<p>no</p>" * 99, kind),
        "a playlist": whole(playlist.encode(), kind),
        "a list of files": whole(f"ffconcat version 1.0\nfile '{inside}'\n".encode(), kind),
        "a picture that loads others": whole(
            f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{inside}"/></svg>'.encode(), kind
        ),
        "an empty body": whole(b"", kind),
        "gzip without Content-Encoding": whole(packed, kind),
        "more bytes than Content-Length": OK + b"Content-Length: 20\r\n\r\n" + song,
        "the rest of a range": whole(song[5_000:], kind, b"Content-Range: bytes 5000-9999/*"),
    }
