"""kill -9 of the broker while messages wait for their time, over and over on the same data folder: each that was acknowledged comes, once, not before its
time, and after a start what became due meanwhile comes at once."""
import random
import threading
import time

import rawmq
from interop.harness import check

TOPIC, QUEUES = 'DelayedTopic', 4
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
    except (OSError, rawmq.ConnectionClosed):
        return  # killed


def read_all(address):
    """Body -> store time; Failure for one that is there twice."""
    found = {}
    with rawmq.Connection(address, timeout=30) as connection:
        for queue in range(QUEUES):
            for record in connection.read_queue(TOPIC, queue, 0, connection.max_offset(TOPIC, queue)):
                body = record.body.decode()
                check(body not in found, body, 'came twice, the second time at', record.queue_offset, 'of queue', queue)
                found[body] = record.store_ms
    return found


def kill_while_waiting(context, kills, seed):
    """One data folder, `kills` crashes. Returns a line for the report."""
    rng = random.Random(seed)
    server = context.standalone('delayed', mappedFileSizeCommitLog=8 << 20)
    context.topic(TOPIC, QUEUES, server)
    sent = {}
    for kill in range(kills):
        with rawmq.Connection(server.address) as connection:
            killer = threading.Timer(rng.uniform(0.2, 1.5), server.kill)
            killer.start()
            send_some(connection, rng, kill, sent)
            killer.join()
        time.sleep(rng.choice((0, 0, rng.uniform(0, 1))))
        server.start()
        if kill % 5 == 4:
            read_all(server.address)
    started = time.time() * 1000
    time.sleep(max(0.0, (max(last for _, last in sent.values()) - time.time() * 1000) / 1000) + 1.5)
    found = read_all(server.address)
    missing = [body for body in sent if body not in found]
    check(not missing, len(missing), 'of', len(sent), 'acknowledged messages never came, such as', missing[:3])
    for body, (first, last) in sent.items():
        check(found[body] >= int(first), body, 'came', first - found[body], 'ms before its time')
        if last > started + 1000:
            check(found[body] <= last + LATE_MS_MAX, body, 'came', found[body] - last, 'ms late')
    late = sorted(max(0, found[body] - last) for body, (_, last) in sent.items() if last > started + 1000)
    return f'{kills} crashes, {len(sent)} delayed messages, all there once, the last ones at most {late[-1] if late else 0:.0f} ms late; seed {seed}'
