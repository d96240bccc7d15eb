"""A pipelining producer in a process of its own, which survives the death of its broker.

It sends until its connection breaks or its time is over, then reports what was acknowledged (with the queue and the
offset that the broker gave), what was refused and what was in flight, whose fate is open. It never sends a message twice.
"""
import collections
import hashlib
import multiprocessing
import random
import select
import struct
import time
import zlib
from typing import NamedTuple

import rawmq
from fault.verdict import Ack, Open

IN_FLIGHT = 64
SIZES = (10, 100, 1000, 1000, 4000)


class Refusal(NamedTuple):
    """A send that was answered with an error; times as in Ack."""
    ids: list
    code: int
    remark: str
    sent: float
    at: float


def body_of(message_id, size):
    """The body of a message: its id, and bytes that follow from it."""
    head = message_id.encode() + b'|'
    seed = hashlib.blake2b(head, digest_size=32).digest()
    return head + (seed * (size // 32 + 1))[:size]


def id_of(body):
    """The id of an intact body, or None."""
    head, found, rest = body.partition(b'|')
    if not found:
        return None
    message_id = head.decode(errors='replace')
    return message_id if body_of(message_id, len(rest)) == body else None


def _fields_of(message_id):
    """What else a message carries that follows from its id: flag, time of birth, properties."""
    mark = zlib.crc32(message_id.encode())
    return mark & 0x7FFFFFFF, 1_600_000_000_000 + mark, {'KEYS': message_id, 'mark': f'{mark:08x}'}


def id_of_record(record):
    """The id of a stored message that is what its sender made, in every part; else None. Messages of a batch request
    share flag and birth with the whole request, so theirs are not looked at."""
    message_id = id_of(record.body)
    if message_id is None:
        return None
    flag, born, properties = _fields_of(message_id)
    if any(record.properties.get(k) != v for k, v in properties.items()) or record.reconsume_times:
        return None
    if not message_id.endswith('b') and (record.flag != flag or record.born_ms != born):
        return None
    return message_id


def message(message_id, size, topic, queue):
    """Code, header and body of the request that sends it."""
    flag, born, properties = _fields_of(message_id)
    header = rawmq.send_header('fault-producers', topic, queue, rawmq.encode_properties(properties), g=born, h=flag)
    return rawmq.SEND_MESSAGE_V2, header, body_of(message_id, size)


def batch(ids, sizes, topic, queue):
    """The same for several messages in one request."""
    parts = [(body_of(i, size), _fields_of(i)[2]) for i, size in zip(ids, sizes)]
    return (rawmq.SEND_BATCH_MESSAGE, rawmq.send_header('fault-producers', topic, queue, batch=True),
            rawmq.encode_batch(parts))


class Load(NamedTuple):
    """One order to a producer."""
    address: str
    seconds: float
    topic: str
    queues: int
    in_flight: int = IN_FLIGHT
    sizes: tuple = SIZES
    pause: float = 0.0  # seconds between two rounds of requests


def _run(load, name, rng, number, results):
    """Sends until the connection breaks or the time is over; fills `results`, returns the next free number."""
    acks, maybe, refusals = results
    flying = collections.OrderedDict()  # opaque -> (ids, when it was sent)
    deadline = time.monotonic() + load.seconds
    try:
        with rawmq.Connection(load.address, timeout=10) as connection:
            connection.socket.setblocking(True)
            while True:
                frames = bytearray()
                while len(flying) < load.in_flight and time.monotonic() < deadline:
                    count = rng.choice((1, 1, 1, 8))  # every fourth request is a batch
                    ids = [f'{name}.{number + i}' + ('b' if count > 1 else '') for i in range(count)]
                    number += count
                    sizes, queue = [rng.choice(load.sizes) for _ in ids], rng.randrange(load.queues)
                    code, header, body = (message(ids[0], sizes[0], load.topic, queue) if count == 1 else
                                          batch(ids, sizes, load.topic, queue))
                    opaque = next(connection.opaques)
                    flying[opaque] = ids, time.monotonic()
                    frames += rawmq.encode(rawmq.Command(code, header, body, opaque))
                    if len(frames) > 1 << 20:
                        break
                if frames:
                    connection.write(frames)
                if not flying:
                    return number
                while flying:
                    answer = connection.read_command(30)
                    ids, sent = flying.pop(answer.opaque)
                    now = time.monotonic()
                    if answer.code == rawmq.SUCCESS:
                        queue, offset = int(answer.ext['queueId']), int(answer.ext['queueOffset'])
                        places = [int(i[-16:], 16) for i in answer.ext['msgId'].split(',')]
                        acks += [Ack(i, queue, offset + n, sent, now, place) for n, (i, place) in enumerate(zip(ids, places, strict=True))]
                    else:
                        refusals.append(Refusal(ids, answer.code, answer.remark, sent, now))
                    whole = len(connection.buffer) >= 4 and len(connection.buffer) >= 4 + \
                        struct.unpack_from('>I', connection.buffer)[0]
                    if not whole and not select.select([connection.socket], [], [], 0)[0]:
                        break
                if load.pause:
                    time.sleep(load.pause)
    except (rawmq.ConnectionClosed, OSError):  # a TimeoutError is one
        pass
    for ids, sent in flying.values():
        maybe += [Open(i, sent) for i in ids]
    return number


def _produce(pipe, name, seed):
    rng, number = random.Random(f'{seed}/{name}'), 0
    while True:
        load = pipe.recv()
        if load is None:
            return
        results = [], [], []
        number = _run(load, name, rng, number, results)
        pipe.send(results)


class Producers:
    """`count` such processes, driven together."""

    def __init__(self, count, topic, queues, seed):
        self.pipes, self.processes = [], []
        self.topic, self.queues = topic, queues
        for number in range(count):
            ours, theirs = multiprocessing.Pipe()
            process = multiprocessing.Process(target=_produce, args=(theirs, f'w{number}', seed), daemon=True)
            process.start()
            theirs.close()
            self.pipes.append(ours)
            self.processes.append(process)

    def go(self, address, seconds_max, **how):
        """All send to `address` until their connection breaks, at most `seconds_max`. `how`: fields of Load."""
        load = Load(address, seconds_max, **{'topic': self.topic, 'queues': self.queues, **how})
        for pipe in self.pipes:
            pipe.send(load)

    def results(self, timeout):
        """(Acks, Opens, Refusals) of all, once each has noticed the end."""
        acknowledged, unanswered, refused = [], [], []
        for pipe in self.pipes:
            if not pipe.poll(timeout):
                raise TimeoutError('a producer does not come back')
            result = pipe.recv()
            acknowledged += result[0]
            unanswered += result[1]
            refused += result[2]
        return acknowledged, unanswered, refused

    def close(self):
        for pipe in self.pipes:
            pipe.send(None)
        for process in self.processes:
            process.join(5)
            if process.is_alive():
                process.kill()
