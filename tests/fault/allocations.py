"""E5: an allocation that the system refuses, any one of a run, while the server starts or while it works. It ends at once and says why, or did without; the next
start has all that was acknowledged."""
import contextlib
import random
import signal
import struct
import subprocess

import rawmq
from fault.device import built, server_on
from fault.ledger import Ledger, reads_all
from fault.load import Producers
from interop.harness import Failure, Skip, check
from peers.process import StartError

TOPIC, QUEUES, PRODUCERS = 'Refused', 4, 2
LOAD_SECONDS = 0.4
OURS = 'out of memory: the system has refused an allocation'
# What is refused to operator new ends with our own line. Threads, what is there before main begins, and libc's own have others.
CAUSES = ('out of memory', 'Cannot allocate memory', 'Resource temporarily unavailable', 'bad_alloc')


class Hook:
    """rig/refuse_memory.cc in a server's environment."""

    def __init__(self, server, folder):
        self.environment, self.count = server.daemon.env, folder / 'allocations'
        self.environment.update(LD_PRELOAD=str(built('librefuse_memory.so')), REFUSE_COUNT=str(self.count))

    def refuse(self, number):
        """From the next start on; 0: none."""
        self.environment.update(REFUSE_AT=str(number))

    def counted(self):
        return struct.unpack('=Q', self.count.read_bytes())[0]


def refused_allocations(context, rounds, seed):
    if context.kind != 'ringmq':
        raise Skip('a JVM has its own memory')
    rng = random.Random(seed)
    server = server_on(context, context.fresh_folder('refused'), flushDiskType='SYNC_FLUSH', mappedFileSizeCommitLog=8 << 20)
    hook = Hook(server, context.fresh_folder('hook'))
    producers, ledger = Producers(PRODUCERS, TOPIC, QUEUES, seed), Ledger(TOPIC, QUEUES)
    context.own.callback(producers.close)
    hook.refuse(0)
    server.start()
    ready = hook.counted()
    with rawmq.Connection(server.address, timeout=30) as connection:
        connection.create_topic(TOPIC, QUEUES)
    load(server, producers, ledger)
    of_a_load = hook.counted() - ready
    server.kill()
    ledger.happened('kill')
    check(ready > 0 and of_a_load > 0, 'allocations at the start and of a load', ready, of_a_load)
    ends = {'at the start': 0, 'at work': 0, 'went on': 0, 'our line': 0}
    for number in range(rounds):
        at = rng.randrange(1, ready) if number % 4 == 0 else rng.randrange(ready, ready + of_a_load)
        try:
            how, ours = one(server, hook, at, producers, ledger)
            ends[how] += 1
            ends['our line'] += ours
            hook.refuse(0)
            server.start()
            ready = hook.counted()  # the more is stored the more a start asks for
            ledger.verify(server.address, whole=reads_all(number, rounds))
            server.kill()
            ledger.happened('kill')
        except Exception as error:
            raise Failure(f'allocation {at} ({ready} at the start): {type(error).__name__}: {error}') from error
    ended = ends['at the start'] + ends['at work']  # a slow run does not get as far as the allocation that is to be refused
    check(rounds < 8 or (ends['at the start'] and ends['at work'] and 2 * ends['our line'] > ended), 'how they ended', ends)
    return f'{rounds} of some {ready + of_a_load} allocations: {ends}, {ledger.acknowledged} acknowledged, 0 lost; seed {seed}'


def load(server, producers, ledger):
    """A moment of sends, also some that are larger than a receive buffer, and requests that change something."""
    producers.go(server.address, LOAD_SECONDS, sizes=(100, 1000, 100_000))
    try:
        with rawmq.Connection(server.address, timeout=5) as connection:
            for i in range(5):
                connection.create_topic(f'Other{i}', 1)
    except (rawmq.ConnectionClosed, OSError):  # it ended
        pass
    ledger.add(*producers.results(20))


def one(server, hook, at, producers, ledger):
    """A run in which allocation `at` is refused: how it ended, and whether it was with our own line."""
    hook.refuse(at)
    how = 'at work'
    try:
        server.start()
        load(server, producers, ledger)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.daemon.process.wait(0.1)
    except StartError:
        how = 'at the start'
    went_on = server.daemon.running
    server.kill()
    server.daemon.told_to_end = True  # it may have ended by itself
    ledger.happened('kill')
    if went_on:
        return 'went on', False
    output, code = server.daemon.output(), server.daemon.process.returncode
    check(code and any(cause in output for cause in CAUSES), 'it ended with', code, 'and said', output[-500:])
    ours = OURS in output
    check(not ours or code == -signal.SIGABRT, 'after its last words it ended with', code)
    return how, ours
