"""A pipelining producer in a process of its own, which survives the death of its broker.

It sends until its connection breaks, then reports what was acknowledged (with the queue and the offset that the broker
gave) and what was in flight, whose fate is open. It never sends a message twice. Asked to, it writes all of it into a
history for the checker (tests/history), a file for each producer.
"""
import collections
import hashlib
import multiprocessing
import random
import select
import struct
import time

import rawmq
from history import writer

IN_FLIGHT = 64


def body_of(message_id, size):
    """The body of a message: its id, and bytes that follow from it."""
    head = message_id.encode() + b'|'
    seed = hashlib.blake2b(head, digest_size=32).digest()
    return head + (seed * (size // 32 + 1))[:size]


def id_of(body):
    """The id that a body begins with, or None; the history's hash tells whether the rest is what was sent."""
    head, found, _ = body.partition(b'|')
    return head.decode(errors='replace') if found else None


class _Notes:
    """What one producer writes into its history. `store` is the flush mode; the codes of `doubted` prove nothing there."""

    def __init__(self, path, name, topic, store, doubted):
        self.history = writer.History(path)
        self.worker = self.history.worker(name)
        self.topic, self.store, self.doubted = topic, store, doubted
        self.ops = {}  # opaque -> operations, one for each message of a batch

    def sending(self, opaque, queue, ids, bodies):
        self.ops[opaque] = [
            self.worker.invoke('send', k=f'{self.topic}/{queue}', v=i, h=writer.hash_of(body), store=self.store)
            for i, body in zip(ids, bodies)]

    def answered(self, answer):
        phase = 'info' if answer.code in self.doubted else writer.phase_of(answer.code)
        places = answer.ext['msgId'].split(',') if phase == 'ok' else []
        for n, op in enumerate(self.ops.pop(answer.opaque)):
            place = {}
            if phase == 'ok':
                place['off'] = int(answer.ext['queueOffset']) + n
                if n < len(places) and len(places[n]) == 32:  # IPv4: address, port, physical offset
                    place['phy'] = int(places[n][16:], 16)
            self.worker.complete(op, phase, code=answer.code, **place)

    def broken(self):
        for ops in self.ops.values():
            for op in ops:
                self.worker.complete(op, 'info')
        self.ops.clear()
        self.history.flush()


def _produce(pipe, name, topic, queues, seed, notes):
    rng, number = random.Random(f'{seed}/{name}'), 0
    notes = notes and _Notes(notes['folder'] / f'{name}.jsonl', name, topic, notes['store'], notes['doubted'])
    while True:
        order = pipe.recv()
        if order is None:
            return
        address, seconds_max = order
        acknowledged, open_ids, refused = [], [], []
        in_flight = collections.OrderedDict()  # opaque -> [(id), ...] of one request
        deadline = time.monotonic() + seconds_max
        try:
            with rawmq.Connection(address, timeout=10) as connection:
                connection.socket.setblocking(True)
                while time.monotonic() < deadline:
                    frames = bytearray()
                    while len(in_flight) < IN_FLIGHT:
                        count = rng.choice((1, 1, 1, 8))  # every fourth request is a batch
                        ids = [f'{name}.{number + i}' for i in range(count)]
                        number += count
                        bodies = [body_of(i, rng.choice((10, 100, 1000, 1000, 4000))) for i in ids]
                        opaque = next(connection.opaques)
                        queue = rng.randrange(queues)
                        header = rawmq.send_header('fault-producers', topic, queue, batch=count > 1)
                        body = bodies[0] if count == 1 else rawmq.encode_batch([(b, {}) for b in bodies])
                        code = rawmq.SEND_MESSAGE_V2 if count == 1 else rawmq.SEND_BATCH_MESSAGE
                        frames += rawmq.encode(rawmq.Command(code, header, body, opaque))
                        in_flight[opaque] = ids
                        if notes:
                            notes.sending(opaque, queue, ids, bodies)
                    if frames:
                        connection.write(frames)
                    while True:
                        answer = connection.read_command()
                        ids = in_flight.pop(answer.opaque)
                        if notes:
                            notes.answered(answer)
                        if answer.code == rawmq.SUCCESS:
                            queue, offset = int(answer.ext['queueId']), int(answer.ext['queueOffset'])
                            acknowledged += [(i, queue, offset + n) for n, i in enumerate(ids)]
                        else:
                            refused.append((ids, answer.code, answer.remark))
                        if not (len(connection.buffer) >= 4 and len(connection.buffer) >= 4 +
                                struct.unpack_from('>I', connection.buffer)[0]) and \
                                not select.select([connection.socket], [], [], 0)[0]:
                            break
                        if not in_flight:
                            break
        except (rawmq.ConnectionClosed, OSError):
            pass
        for ids in in_flight.values():
            open_ids += ids
        if notes:
            notes.broken()
        pipe.send((acknowledged, open_ids, refused))


class Producers:
    """`count` such processes, driven together. `notes`, where histories are wanted: {'folder', 'store', 'doubted'}."""

    def __init__(self, count, topic, queues, seed, notes=None):
        self.pipes, self.processes = [], []
        for number in range(count):
            ours, theirs = multiprocessing.Pipe()
            process = multiprocessing.Process(target=_produce, args=(theirs, f'w{number}', topic, queues, seed, notes),
                                              daemon=True)
            process.start()
            theirs.close()
            self.pipes.append(ours)
            self.processes.append(process)

    def go(self, address, seconds_max):
        """All send to `address` until their connection breaks, at most `seconds_max`."""
        for pipe in self.pipes:
            pipe.send((address, seconds_max))

    def results(self, timeout):
        """(acknowledged, open ids, refused) of all, once each has noticed the end."""
        acknowledged, open_ids, refused = [], [], []
        for pipe in self.pipes:
            if not pipe.poll(timeout):
                raise TimeoutError('a producer does not come back')
            result = pipe.recv()
            acknowledged += result[0]
            open_ids += result[1]
            refused += result[2]
        return acknowledged, open_ids, refused

    def close(self):
        for pipe in self.pipes:
            pipe.send(None)
        for process in self.processes:
            process.join(5)
            if process.is_alive():
                process.kill()
