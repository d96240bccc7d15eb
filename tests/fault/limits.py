"""E5: less memory than everybody wants. The broker runs in a control group with a hard limit; senders and readers that
never read offer more than fits. It stays under the limit, is not killed, and loses nothing."""
import os
import pathlib
import random
import subprocess
import time

import rawmq
from fault.device import server_on
from fault.ledger import Ledger
from fault.load import Producers
from interop.harness import Failure, Skip, check

TOPIC, QUEUES = 'Limits', 4
LIMIT_MIB = 256


class MemoryGroup:
    """A control group of its own with a memory limit, version 1 or 2."""

    def __init__(self, context, mebibytes):
        if os.geteuid() != 0:
            raise Skip('a control group needs root')
        name = f'ringmq-fault-{os.getpid()}'
        first, second = pathlib.Path('/sys/fs/cgroup/memory'), pathlib.Path('/sys/fs/cgroup')
        version_1 = (first / 'memory.limit_in_bytes').exists()
        self.folder = (first if version_1 else second) / name
        limit = 'memory.limit_in_bytes' if version_1 else 'memory.max'
        try:
            self.folder.mkdir()
            (self.folder / limit).write_text(str(mebibytes << 20), encoding='ascii')
        except OSError as error:
            if self.folder.exists():
                self.folder.rmdir()
            raise Skip(f'no control group with a memory limit can be made here: {error}') from error
        self.events = self.folder / ('memory.oom_control' if version_1 else 'memory.events')
        context.own.callback(self.close)

    def enter(self):
        """For the child between fork and exec."""
        (self.folder / 'cgroup.procs').write_text(str(os.getpid()), encoding='ascii')

    def kills(self):
        for line in self.events.read_text(encoding='ascii').splitlines():
            name, value = line.split()
            if name == 'oom_kill':
                return int(value)
        raise Skip(f'{self.events} does not count kills')

    def close(self):
        for _ in range(100):
            try:
                self.folder.rmdir()
                return
            except OSError:  # the last process is on its way out
                time.sleep(0.05)


def memory_limit(context, rounds, seed):
    """The flood under the limit, `rounds` times on the same store."""
    if context.kind != 'ringmq':
        raise Skip('a JVM has its own limits')
    rng = random.Random(seed)
    group = MemoryGroup(context, LIMIT_MIB)
    server = server_on(context, context.fresh_folder('limited'), mappedFileSizeCommitLog=8 << 20)
    plain = subprocess.Popen

    def limited(*arguments, **more):
        return plain(*arguments, preexec_fn=group.enter, **more)  # noqa: PLW1509  no threads here
    producers = Producers(4, TOPIC, QUEUES, seed)
    context.own.callback(producers.close)
    ledger, top = Ledger(TOPIC, QUEUES, 'ASYNC_FLUSH'), 0
    for number in range(rounds):
        try:
            subprocess.Popen = limited
            try:
                server.start()
            finally:
                subprocess.Popen = plain
            with rawmq.Connection(server.address, timeout=30) as connection:
                connection.create_topic(TOPIC, QUEUES)
            producers.go(server.address, 3, sizes=(1000, 100_000, 1_000_000))
            deaf = [rawmq.Connection(server.address) for _ in range(40)]
            time.sleep(0.5)
            for one in deaf:  # ask for much and read nothing
                for _ in range(8):
                    one.submit(rawmq.PULL_MESSAGE, rawmq.pull_header('deaf', TOPIC, rng.randrange(QUEUES), 0, 512))
            for _ in range(20):
                time.sleep(0.1)
                top = max(top, server.daemon.resident_bytes())
            for one in deaf:
                one.close()
            results = producers.results(60)
            check(results[0], 'nothing was acknowledged')
            check(group.kills() == 0, 'the kernel has killed for want of memory')
            check(top >> 20 <= LIMIT_MIB * 3 // 4, 'the next flood may be one too many: MiB resident', top >> 20)
            check(server.daemon.running, 'the broker ended')
            ledger.add(*results)
            ledger.verify(server.address)
            server.kill()
            ledger.happened('kill')
        except Skip:
            raise
        except Exception as error:
            raise Failure(f'round {number}: {type(error).__name__}: {error}') from error
    return f'{ledger.acknowledged} acknowledged under {LIMIT_MIB} MiB, at most {top >> 20} MiB resident, 0 kills; seed {seed}'
