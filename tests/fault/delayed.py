"""kill -9 of the broker while messages wait for their time, over and over on the same data folder: each that was acknowledged comes, once, not before its
time, and after a start what became due meanwhile comes at once. The index of what waits is written as files when the log has grown by 64 MiB and at a stop in order, so
bulk goes to another topic meanwhile, and every third death is a stop."""
import http.client
import random
import re
import threading
import time
import urllib.request

import rawmq
from fault.scan import read_bodies_once
from interop.harness import Failure, check
from peers.process import free_port

TOPIC, QUEUES = 'DelayedTopic', 4
BULK_TOPIC, BULK_BYTES, BULK_MESSAGES = 'BulkTopic', 1 << 20, 100  # of one life
# Of what comes while the broker runs and has nothing else to do. The broker itself keeps 50 ms; the rest is for a machine that tests at the same time.
LATE_MS_MAX = 1000


def send_some(connection, rng, kill, sent):
    """Messages for the next seconds, a few for after the last kill, until the connection breaks."""
    try:
        for number in range(100_000):
            kind = rng.random()
            delay = rng.randint(1, 100) if kind < 0.5 else rng.randint(100, 3000) if kind < 0.95 else 20_000 + rng.randint(0, 5000)
            body = f'{kill}.{number}'
            before = time.time() * 1000
            connection.send(TOPIC, rng.randrange(QUEUES), body.encode(), TIMER_DELAY_MS=str(delay))
            sent[body] = (before + delay, time.time() * 1000 + delay)  # its time lies between the two
            time.sleep(0.001)
    except (OSError, rawmq.ConnectionClosed, rawmq.ResponseError):
        return  # killed, or on its way to a stop


def send_bulk(address):
    """What makes the log grow, until it is enough or the connection breaks."""
    try:
        with rawmq.Connection(address) as connection:
            for number in range(BULK_MESSAGES):
                connection.send(BULK_TOPIC, number % QUEUES, b'.' * BULK_BYTES)
    except (OSError, rawmq.ConnectionClosed, rawmq.ResponseError):
        return  # killed, or on its way to a stop


class Watch:
    """How many files the index of what waits has, looked at ten times a second."""

    def __init__(self, port):
        self.port, self.most, self.done = port, 0, threading.Event()
        self.thread = threading.Thread(target=self.look)
        self.thread.start()

    def files(self):
        with urllib.request.urlopen(f'http://127.0.0.1:{self.port}/metrics', timeout=10) as answer:
            found = re.findall(r'^ringmq_delayed_index_files\{[^}]*\} (\S+)$', answer.read().decode(), re.MULTILINE)
        check(found, 'no metric of the files')
        return int(sum(float(value) for value in found))

    def look(self):
        while not self.done.wait(0.1):
            try:
                self.most = max(self.most, self.files())
            except (OSError, http.client.HTTPException, Failure):
                continue  # no server at this moment

    def end(self):
        self.done.set()
        self.thread.join()


def kill_while_waiting(context, kills, seed):
    """One data folder, `kills` crashes. Returns a line for the report."""
    rng = random.Random(seed)
    ours = context.kind == 'ringmq'
    metrics = {'metricsListen': f'127.0.0.1:{free_port()}'} if ours else {}
    server = context.standalone('delayed', mappedFileSizeCommitLog=8 << 20, **metrics)
    context.topic(TOPIC, QUEUES, server)
    context.topic(BULK_TOPIC, QUEUES, server)
    sent = {}
    watch = Watch(metrics['metricsListen'].split(':')[1]) if ours else None
    files_at_starts = 0
    try:
        for kill in range(kills):
            bulk = threading.Thread(target=send_bulk, args=(server.address,))
            bulk.start()
            with rawmq.Connection(server.address) as connection:
                killer = threading.Timer(rng.uniform(0.2, 1.5), server.stop if kill % 3 == 2 else server.kill)
                killer.start()
                send_some(connection, rng, kill, sent)
                killer.join()
            bulk.join()
            time.sleep(rng.choice((0, 0, rng.uniform(0, 1))))
            server.start()
            if ours:
                files_at_starts = max(files_at_starts, watch.files())
            if kill % 5 == 4:
                read_bodies_once(server.address, TOPIC, QUEUES)
        started = time.time() * 1000
        time.sleep(max(0.0, (max(last for _, last in sent.values()) - time.time() * 1000) / 1000) + 1.5)
        found = read_bodies_once(server.address, TOPIC, QUEUES)
        missing = [body for body in sent if body not in found]
        check(not missing, len(missing), 'of', len(sent), 'acknowledged messages never came, such as', missing[:3])
        for body, (first, last) in sent.items():
            check(found[body] >= int(first), body, 'came', first - found[body], 'ms before its time')
            if last > started + 1000:
                check(found[body] <= last + LATE_MS_MAX, body, 'came', found[body] - last, 'ms late')
        if ours:
            check(watch.most > 0 and (files_at_starts > 0 or kills < 3), 'the index of what waits never had files, or no start found any:',
                  watch.most, files_at_starts)
    finally:
        if ours:
            watch.end()
    late = sorted(max(0, found[body] - last) for body, (_, last) in sent.items() if last > started + 1000)
    index = f'; the index of what waits had up to {watch.most} files, after a start up to {files_at_starts}' if ours else ''
    return f'{kills} ends, {len(sent)} delayed messages, all there once, the last ones at most {late[-1] if late else 0:.0f} ms late{index}; seed {seed}'
