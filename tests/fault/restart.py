"""Start after kill -9 with much in the log: how long it takes, and whether every queue can be read."""
import json
import random
import subprocess

from interop.harness import check
import rawmq
from peers import ringmq

TOPIC, QUEUES, BODY = 'RestartTopic', 8, 1024
READY_SECONDS_MAX = 2.0  # with 10 GiB; less must not take longer


def with_backlog(context, gibibytes, seed, command):
    """`gibibytes` of log in segments of the default size, the newest ones not sealed yet, then kill -9."""
    rng = random.Random(seed)
    server = context.standalone('backlog', mappedFileSizeCommitLog=256 << 20)
    messages = gibibytes * (1 << 30) // (BODY + 130)
    # Not always at the same place of the newest segment.
    messages -= rng.randrange(messages // 20)
    # Fills fast, and several shards at a time.
    run = subprocess.run([ringmq.binary, 'bench', 'produce', '-b', server.address, '-t', TOPIC, '-q', str(QUEUES), '-s', str(BODY),
                          '-c', '4', '-i', '64', '-m', str(messages), '--json', '--quiet'], capture_output=True, text=True, timeout=1200)
    check(run.returncode == 0, 'the load generator failed:', run.stderr)
    sent = json.loads(run.stdout)
    check(sent['errors'] == 0, 'sends failed:', sent)
    server.kill()
    seconds = server.start()
    check(seconds < READY_SECONDS_MAX, f'{gibibytes} GiB: ready after {seconds:.2f} s\nagain: {command}')
    stored = 0
    with rawmq.Connection(server.address, timeout=30) as connection:
        for queue in range(QUEUES):
            first, end = connection.min_offset(TOPIC, queue), connection.max_offset(TOPIC, queue)
            stored += end - first
            for offset in {first, end - 1, *(rng.randrange(first, end) for _ in range(20))}:
                found = connection.read_queue(TOPIC, queue, offset, min(offset + 32, end))
                check(all(len(record.body) == BODY for record in found), 'queue', queue, 'offset', offset, ': a body is not as it was sent')
    # What was under way when the load generator had enough may be there as well.
    check(sent['messages'] <= stored, stored, 'messages are there of', sent['messages'], f'acknowledged\nagain: {command}')
    return f'{gibibytes} GiB, {stored} messages: ready {seconds:.2f} s after kill -9; seed {seed}'
