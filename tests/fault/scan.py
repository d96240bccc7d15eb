"""Reading back all that a broker holds, and the first sign of life after a start."""
import time

import rawmq
from fault.load import id_of_record, message
from fault.verdict import Ack, Open, QueueScan, Stored
from interop.harness import Failure, check
from peers.process import StartError

SCAN_GROUP = 'fault-scan'
GAP_CODES = (rawmq.PULL_RETRY_IMMEDIATELY, rawmq.PULL_OFFSET_MOVED)


def scan_queue(connection, topic, queue, first=0):
    """Everything from the lowest offset, or from `first`, to the highest; what the broker skips is a gap."""
    begin, end = max(first, connection.min_offset(topic, queue)), connection.max_offset(topic, queue)
    records, gaps, at = [], [], begin
    while at < end:
        answer, found = connection.pull(topic, queue, at, 512, SCAN_GROUP)
        following = int(answer.ext.get('nextBeginOffset', at))
        if answer.code != rawmq.SUCCESS and (answer.code not in GAP_CODES or following <= at):
            raise Failure(f'STUCK: {topic}/{queue}: pull at {at} of [{begin}, {end}) says code {answer.code} '
                          f'{answer.remark!r}, next {following}')
        for record in found:
            if record.queue_offset < at or record.queue_id != queue or record.topic != topic:
                raise Failure(f'CORRUPT: {topic}/{queue}: a pull at {at} gave {record}')
            if record.queue_offset > at:
                gaps.append((at, record.queue_offset))
            records.append(Stored(record.queue_offset, id_of_record(record)))
            at = record.queue_offset + 1
        if following > at:
            gaps.append((at, following))
            at = following
    merged = []
    for gap in gaps:
        if merged and merged[-1][1] == gap[0]:
            merged[-1] = (merged[-1][0], gap[1])
        else:
            merged.append(gap)
    return QueueScan(begin, end, records, merged)


def scan_topic(address, topic, queues, first=None):
    """queue number -> QueueScan; `first`: queue number -> the offset to begin at."""
    with rawmq.Connection(address, timeout=30) as connection:
        return {queue: scan_queue(connection, topic, queue, (first or {}).get(queue, 0)) for queue in range(queues)}


def read_bodies_once(address, topic, queues):
    """Body -> store time of all messages; Failure for one that is there twice, or for an offset without one."""
    found = {}
    with rawmq.Connection(address, timeout=30) as connection:
        for queue in range(queues):
            for record in connection.read_queue(topic, queue, 0, connection.max_offset(topic, queue)):
                body = record.body.decode()
                check(body not in found, body, 'is there twice, the second time at', record.queue_offset, 'of queue', queue)
                found[body] = record.store_ms
    return found


def start(server, topic, queue, name, timeout=60.0):
    """Starts `server` and sends until one message is acknowledged. (that Ack, seconds from the start of the process
    to it, the attempts that had no answer)."""
    daemon, maybe = server.daemon, []
    begin = time.monotonic()
    daemon.spawn()
    for attempt in range(1_000_000):
        if not daemon.running:
            raise StartError(f'{daemon.name} ended with code {daemon.process.returncode}', daemon.output(),
                             daemon.process.returncode)
        if time.monotonic() - begin > timeout:
            server.kill()
            raise StartError(f'{daemon.name} acknowledged nothing in {timeout:.0f} s', daemon.output())
        sent, this = time.monotonic(), f'{name}.{attempt}'
        try:
            with rawmq.Connection(server.address, timeout=10) as connection:
                maybe.append(Open(this, sent))
                code, header, body = message(this, 100, topic, queue)
                answer = connection.call(code, header, body)
        except (OSError, rawmq.ConnectionClosed):
            time.sleep(0.003)
            continue
        if answer.code == rawmq.SUCCESS:
            now = time.monotonic()
            maybe.pop()
            return (Ack(this, int(answer.ext['queueId']), int(answer.ext['queueOffset']), sent, now), now - begin, maybe)
        time.sleep(0.02)
    raise AssertionError('not reached')
