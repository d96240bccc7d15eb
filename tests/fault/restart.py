"""Starts with much in the log, or with very many queues: how long they take, and whether every queue can be read."""
import json
import random
import subprocess

from interop.harness import check
import rawmq
from peers import ringmq

TOPIC, QUEUES, BODY = 'RestartTopic', 8, 1024
READY_SECONDS_MAX = 2.0  # with 10 GiB; less must not take longer
# O6, with 10 M messages; fewer must not take longer
TOPICS, QUEUES_OF_EACH, SMALL_BODY = 10, 1000, 100
READY_AFTER_STOP_SECONDS_MAX, READY_AFTER_KILL_SECONDS_MAX = 2.0, 5.0
QUEUE_BYTES_MAX = 4096


def fill(server, topic, queues, body, messages):
    """Sends so many messages, fast and from several connections; returns how many were acknowledged."""
    run = subprocess.run([ringmq.binary, 'bench', 'produce', '-b', server.address, '-t', topic, '-q', str(queues), '-s', str(body),
                          '-c', '4', '-i', '64', '-m', str(messages), '--json', '--quiet'], capture_output=True, text=True, timeout=1200)
    check(run.returncode == 0, 'the load generator failed:', run.stderr)
    sent = json.loads(run.stdout)
    check(sent['errors'] == 0, 'sends failed:', sent)
    return sent['messages']


def with_backlog(context, gibibytes, seed):
    """`gibibytes` of log in segments of the default size, the newest ones not sealed yet, then kill -9."""
    rng = random.Random(seed)
    server = context.standalone('backlog', mappedFileSizeCommitLog=256 << 20)
    messages = gibibytes * (1 << 30) // (BODY + 130)
    # Not always at the same place of the newest segment.
    messages -= rng.randrange(messages // 20)
    sent = fill(server, TOPIC, QUEUES, BODY, messages)
    server.kill()
    seconds = server.start()
    check(seconds < READY_SECONDS_MAX, f'{gibibytes} GiB: ready after {seconds:.2f} s')
    stored = 0
    with rawmq.Connection(server.address, timeout=30) as connection:
        for queue in range(QUEUES):
            first, end = connection.min_offset(TOPIC, queue), connection.max_offset(TOPIC, queue)
            stored += end - first
            for offset in {first, end - 1, *(rng.randrange(first, end) for _ in range(20))}:
                found = connection.read_queue(TOPIC, queue, offset, min(offset + 32, end))
                check(all(len(record.body) == BODY for record in found), 'queue', queue, 'offset', offset, ': a body is not as it was sent')
    # What was under way when the load generator had enough may be there as well.
    check(sent <= stored, stored, 'messages are there of', sent, f'acknowledged')
    return f'{gibibytes} GiB, {stored} messages: ready {seconds:.2f} s after kill -9; seed {seed}'


def with_many_queues(context, thousands, seed):
    """O6: 10,000 queues and `thousands` of messages in them. What a queue costs in memory, and starts after a stop in order and after
    kill -9."""
    rng = random.Random(seed)
    server = context.standalone('many-queues')
    server.stop()
    server.start()
    empty = server.daemon.resident_bytes()
    topics = [f'Many{i}' for i in range(TOPICS)]
    sent = sum(fill(server, topic, QUEUES_OF_EACH, SMALL_BODY, thousands * 1000 // TOPICS) for topic in topics)
    starts, resident = {}, {}
    for how, end, most in (('stop', server.stop, READY_AFTER_STOP_SECONDS_MAX), ('kill -9', server.kill, READY_AFTER_KILL_SECONDS_MAX)):
        end()
        starts[how] = server.start()
        resident[how] = server.daemon.resident_bytes()
        check(starts[how] <= most, f'{sent} messages: ready {starts[how]:.2f} s after {how}')
        stored = 0
        with rawmq.Connection(server.address, timeout=30) as connection:
            for topic in topics:
                for queue in range(QUEUES_OF_EACH):
                    stored += connection.max_offset(topic, queue)
                for queue in rng.sample(range(QUEUES_OF_EACH), 20):
                    end_offset = connection.max_offset(topic, queue)
                    if end_offset == 0:  # fewer messages than queues were asked for
                        continue
                    for offset in {0, end_offset - 1, rng.randrange(end_offset)}:
                        found = connection.read_queue(topic, queue, offset, min(offset + 8, end_offset))
                        check(found and all(len(record.body) == SMALL_BODY for record in found), topic, 'queue', queue, 'offset', offset,
                              ': a body is not as it was sent')
        check(sent <= stored, stored, 'messages are there of', sent, f'acknowledged')
        if how == 'stop':  # something for the next start to recover
            sent += fill(server, topics[0], QUEUES_OF_EACH, SMALL_BODY, thousands * 1000 // TOPICS)
    queue_bytes = (resident['stop'] - empty) / (TOPICS * QUEUES_OF_EACH)
    check(queue_bytes <= QUEUE_BYTES_MAX, f'a queue costs {queue_bytes:.0f} bytes of memory')
    return (f'{TOPICS * QUEUES_OF_EACH} queues, {sent} messages: ready {starts["stop"]:.2f} s after a stop, {starts["kill -9"]:.2f} s after kill -9; '
            f'{queue_bytes:.0f} bytes of memory a queue; seed {seed}')
