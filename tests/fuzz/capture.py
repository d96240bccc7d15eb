#!/usr/bin/env python3
"""Records what real clients, tools and servers say to each other, as inputs for the fuzz targets.

  capture.py OUT -- COMMAND...      e.g. capture.py /tmp/seen -- python3 tests/interop/run.py --only mqadmin

Runs COMMAND, listens meanwhile on the loopback device (needs root), puts the TCP streams together and writes each kind of thing once, under the
hash of its bytes: OUT/frame (one frame, in front of it the 0 that says "uncut"), OUT/body (the body of a request or an answer) and OUT/server (what
one client said on a connection, its first frames). What of it teaches the fuzzer something new
`./dev fuzz --merge TARGET OUT/KIND` finds out. Linux only.
"""
import argparse
import collections
import hashlib
import pathlib
import socket
import struct
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import rawmq  # noqa: E402

BODY_BYTES_MAX = 8 << 10  # a longer one teaches nothing that a shorter one does not
TALK_FRAMES_MAX, TALK_BYTES_MAX = 24, 12 << 10
STREAM_BYTES_MAX = 4 << 20
EACH_KIND_MAX = 6  # of one code, direction, encoding and set of fields


class Streams:
    """The bytes of each direction of each TCP connection, in order as far as they were seen."""

    def __init__(self):
        self.bytes = {}  # (from, to) -> bytearray
        self.next = {}  # (from, to) -> sequence number that continues it
        self.ahead = collections.defaultdict(dict)

    def take(self, packet):
        if len(packet) < 34 or packet[12:14] != b'\x08\x00' or packet[23] != socket.IPPROTO_TCP:
            return
        ip_bytes, total = (packet[14] & 15) * 4, struct.unpack_from('>H', packet, 16)[0]
        tcp = packet[14 + ip_bytes:14 + total]
        if len(tcp) < 20:
            return
        source, target, sequence, _, offset, flags = struct.unpack_from('>HHIIBB', tcp)
        key = (source, target)
        if flags & 2:  # SYN: a connection begins, perhaps with the ports of an earlier one
            self.bytes.setdefault(key, bytearray())
            self.next[key] = (sequence + 1) & 0xFFFFFFFF
            return
        payload = tcp[(offset >> 4) * 4:]
        if not payload or key not in self.next:
            return
        self.ahead[key][sequence] = payload
        while self.next[key] in self.ahead[key] and len(self.bytes[key]) < STREAM_BYTES_MAX:
            piece = self.ahead[key].pop(self.next[key])
            self.bytes[key] += piece
            self.next[key] = (self.next[key] + len(piece)) & 0xFFFFFFFF


def frames_of(stream):
    """The frames at the beginning of `stream`, each without its length; none when it is of another protocol."""
    at, frames = 0, []
    while at + 8 <= len(stream):
        size, = struct.unpack_from('>I', stream, at)
        if size < 4 or size > rawmq.FRAME_BYTES_MAX or at + 4 + size > len(stream):
            break
        frame = bytes(stream[at + 4:at + 4 + size])
        try:
            frames.append((frame, rawmq.decode(frame)))
        except (rawmq.ProtocolError, struct.error, UnicodeDecodeError, KeyError, ValueError):
            break
        at += 4 + size
    return frames


class Output:
    def __init__(self, folder):
        self.folder, self.seen = folder, collections.Counter()

    def add(self, kind, what, data):
        self.seen[kind, what] += 1
        if self.seen[kind, what] > EACH_KIND_MAX:
            return
        folder = self.folder / kind
        folder.mkdir(parents=True, exist_ok=True)
        (folder / hashlib.sha1(data).hexdigest()[:16]).write_bytes(data)


def with_length(frame):
    return struct.pack('>I', len(frame)) + frame


def write(streams, output):
    asked = {}  # (client port, opaque) -> code, for the bodies of answers
    talks = {key: frames_of(stream) for key, stream in streams.bytes.items()}
    for (source, _), frames in talks.items():
        for _, command in frames:
            if not command.is_response:
                asked[source, command.opaque] = command.code
    for (source, target), frames in talks.items():
        talk = b''
        for number, (frame, command) in enumerate(frames):
            code = asked.get((target, command.opaque), 0) if command.is_response else command.code
            kind = (code, command.is_response, command.code if command.is_response else 0, command.encoding, frozenset(command.ext))
            if len(frame) <= BODY_BYTES_MAX:
                output.add('frame', kind, b'\0' + with_length(frame))
                if number < TALK_FRAMES_MAX and len(talk) + len(frame) <= TALK_BYTES_MAX and not command.is_response:
                    talk += with_length(frame)
            if command.body and len(command.body) <= BODY_BYTES_MAX:
                output.add('body', kind, command.body)
        if talk:
            output.add('server', frozenset(c.code for _, c in frames), talk)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out', type=pathlib.Path)
    parser.add_argument('command', nargs='+')
    options = parser.parse_args()
    listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    listener.setsockopt(socket.SOL_SOCKET, 33, 256 << 20)  # SO_RCVBUFFORCE: load comes in bursts
    listener.bind(('lo', 0))
    listener.settimeout(0.5)
    streams, over = Streams(), threading.Event()

    def listen():
        while not over.is_set():
            try:
                packet, where = listener.recvfrom(1 << 17)
            except TimeoutError:
                continue
            if where[2] == socket.PACKET_OUTGOING:  # each packet passes the loopback device twice
                streams.take(packet)

    thread = threading.Thread(target=listen)
    thread.start()
    done = subprocess.run(options.command, check=False)
    over.set()
    thread.join()
    output = Output(options.out)
    write(streams, output)
    print(f'{len(streams.bytes)} streams: ' + ', '.join(f'{len(list(p.iterdir()))} in {p.name}/' for p in sorted(options.out.iterdir())))
    return done.returncode


if __name__ == '__main__':
    sys.exit(main())
