"""Who may include whom: the table of docs/architecture.md, checked against every #include."""
import os

import csource

GROUND = ["lib/base"]
# part: the parts that it may include, besides itself
MAY_INCLUDE = {
    "lib/base": [],
    "lib/crypto": GROUND,
    "lib/net": GROUND,
    "lib/http": ["lib/net"] + GROUND,
    "lib/rtsp": ["lib/crypto"] + GROUND,
    "lib/rtmp": ["lib/crypto"] + GROUND,
    "media": ["lib/rtmp"] + GROUND,
    "agent-proto": ["media"] + GROUND,
    "agent": ["agent-proto", "lib/net", "lib/rtsp", "lib/crypto", "media"] + GROUND,
    "db": GROUND,
    "auth": ["db", "lib/net", "lib/crypto"] + GROUND,
    "egress": ["media", "lib/rtsp", "lib/http", "lib/net"] + GROUND,
    "egress/*": ["egress", "media", "lib/rtsp", "lib/rtmp", "lib/http", "lib/net",
                 "lib/crypto"] + GROUND,
    "server": ["egress", "egress/*", "auth", "db", "agent-proto", "media", "lib/http", "lib/net",
               "lib/rtsp", "lib/crypto"] + GROUND,
}

# The one list of protocols names each folder; nothing else in egress/ may.
LISTS_PROTOCOLS = "egress/all.c"

# start of a third-party header's name: where it may be included
THIRD_PARTY = {
    "ev.h": ["lib/base/loop.c"],
    "sqlite3.h": ["db/"],
    "libavformat/": ["media/format/", "media/audio"],
    "libavcodec/": ["media/format/", "media/audio"],
    "libavutil/": ["media/format/", "media/audio"],
    "libswscale/": ["media/format/"],
    "libswresample/": ["media/format/", "media/audio"],
    "nghttp2/": ["lib/http/"],
    "http_parser.h": ["lib/http/"],
    "zlib.h": ["lib/http/"],
    "wslay/": ["lib/net/websocket_wire.c"],
    "jansson.h": ["server/", "agent/status", "lib/http/respond.c"],  # that one: problem+json
    "openssl/": ["lib/net/", "lib/crypto/", "auth/", "egress/webrtc/dtls.c", "egress/webrtc/gcm_key"],
    "protobuf-c/": ["agent-proto/"],
    "srtp2/": ["egress/webrtc/srtp.c"],
    "usrsctp.h": ["egress/webrtc/sctp.c"],
    "srt/": ["egress/srt/"],
    "argon2.h": ["auth/"],
    "oath.h": ["auth/"],
    "gst/": ["tests/camera/"],
    "glib": ["tests/camera/"],
    "cmocka.h": ["tests/"],
}


def part_of(path):
    """The row of the table that a file falls under; None where anything goes (tests/)."""
    pieces = path.split("/")
    if pieces[0] == "lib":
        return "/".join(pieces[:2])
    if pieces[0] == "egress" and len(pieces) > 2:
        return "egress/" + pieces[1]
    return None if pieces[0] == "tests" else pieces[0]


def row_of(part):
    return "egress/*" if part.startswith("egress/") else part


def resolve(path, included, files):
    """The file in the tree that "included" means, as the compiler would look for it."""
    beside = os.path.normpath(os.path.join(os.path.dirname(path), included))
    for candidate in (beside, included, "lib/" + included):
        if candidate in files:
            return candidate
    return None


def may_include(path, target):
    part, other = part_of(path), part_of(target)
    if part is None or part == other:
        return True
    if path == LISTS_PROTOCOLS and other is not None and other.startswith("egress/"):
        return True
    if other is None or row_of(part) not in MAY_INCLUDE:
        return False
    allowed = MAY_INCLUDE[row_of(part)]
    return other in allowed or row_of(other) in allowed


def check_third_party(path, included):
    for start, places in THIRD_PARTY.items():
        if included.startswith(start) and not any(path.startswith(place) for place in places):
            if not path.startswith("tests/"):
                return f"<{included}> belongs to {' and '.join(places)}"
    return None


def check(files, read):
    """Complaints, one a line."""
    for path in files:
        if not path.endswith((".c", ".h")):
            continue
        part = part_of(path)
        if part is not None and row_of(part) not in MAY_INCLUDE:
            yield f"{path}: {part}/ is not in the table of tests/lint/layers.py"
        for line, is_system, included in csource.includes(read(path)):
            complaint = check_third_party(path, included)
            if complaint:
                yield f"{path}:{line}: {complaint}"
            target = None if is_system else resolve(path, included, files)
            if target and not may_include(path, target):
                yield f"{path}:{line}: {part} may not include {target}"
