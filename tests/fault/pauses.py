"""Time that misbehaves: the process is stopped for a while (C2), the wall clock jumps (C1)."""
import pathlib
import random
import signal
import time

import rawmq
from fault.device import server_on
from fault.ledger import Ledger
from fault.load import Producers
from interop.harness import Failure, Skip, check

TOPIC, QUEUES, PRODUCERS = 'Pauses', 4, 2
HOUR, YEAR = 3600, 365 * 24 * 3600
# From the true time. The largest one forwards comes when whole segments have been filled, which could be deleted.
JUMPS = (HOUR, -HOUR, -90, -10 * YEAR, 90, 10 * YEAR)
GO_ON_SECONDS_MAX = 1.0
EXPIRY_SECONDS = 11  # in which the broker looks for what has expired (store/retention.cc)


def _prepared(context, seed, **properties):
    server = server_on(context, context.fresh_folder('store'), mappedFileSizeCommitLog=8 << 20, **properties)
    producers = Producers(PRODUCERS, TOPIC, QUEUES, seed)
    context.own.callback(producers.close)
    return server, producers, Ledger(TOPIC, QUEUES, 'ASYNC_FLUSH')


def stopped_process(context, rounds, seed):
    """SIGSTOP under load, SIGCONT, and every third time kill -9 instead of it: nothing is lost, and it goes on at
    once."""
    server, producers, ledger = _prepared(context, seed)
    rng = random.Random(seed)
    server.start()
    with rawmq.Connection(server.address, timeout=30) as connection:
        connection.create_topic(TOPIC, QUEUES)
    slowest = 0.0
    for number in range(rounds):
        pause = rng.choice((0.2, 0.5, 1.0)) if rounds <= 20 else rng.choice((0.2, 1, 5, 20))
        try:
            producers.go(server.address, pause + 0.5)
            time.sleep(0.15)
            server.daemon.process.send_signal(signal.SIGSTOP)
            ledger.happened('pause')
            time.sleep(pause)
            resumed = time.monotonic()
            if number % 3 == 2:
                server.kill()
                ledger.happened('kill')
            else:
                server.daemon.process.send_signal(signal.SIGCONT)
            results = producers.results(40)
            ledger.add(*results)
            if number % 3 == 2:
                time.sleep(0.05)
                server.start()
            else:
                after = [a.acked - resumed for a in results[0] if a.acked > resumed]
                check(after and min(after) < GO_ON_SECONDS_MAX, 'it does not go on:', min(after, default=None))
                slowest = max(slowest, min(after))
                check(context.kind != 'ringmq' or not results[2], 'refused:', results[2][:1])
            ledger.verify(server.address)
        except Exception as error:
            raise Failure(f'round {number}: {type(error).__name__}: {error}') from error
    return f'{rounds} pauses, {ledger.acknowledged} acknowledged, going on within {slowest:.2f} s; seed {seed}'


def fake_clock(context):
    """The environment of a process whose wall clock follows a file, and that file."""
    found = sorted(pathlib.Path('/usr/lib').glob('*/faketime/libfaketime.so.1'))
    if not found:
        raise Skip('needs the Debian package libfaketime')
    file = context.fresh_folder('clock') / 'offset'
    file.write_text('+0\n', encoding='ascii')
    return {'LD_PRELOAD': str(found[0]), 'FAKETIME_TIMESTAMP_FILE': str(file), 'FAKETIME_DONT_FAKE_MONOTONIC': '1',
            'FAKETIME_NO_CACHE': '1'}, file


def clock_steps(context, rounds, seed):
    """The wall clock jumps under load, by minutes, hours, years, and back. Nothing is lost, order is that of the log, and
    nothing is deleted early, whatever hour the clock shows then. Every second time the broker is killed and starts at the
    new time. Each time it is asked to delete what has expired; where the clock is years ahead of the other times, it is let look by itself before."""
    if context.kind != 'ringmq':
        raise Skip('the clock of a JVM is its own')
    server, producers, ledger = _prepared(context, seed, deleteWhen=';'.join(f'{hour:02}' for hour in range(24)))
    environment, file = fake_clock(context)
    server.daemon.env.update(environment)
    server.daemon.command.append(f'confinementReadable={file.parent}')
    rng = random.Random(seed)
    server.start()
    with rawmq.Connection(server.address, timeout=30) as connection:
        connection.create_topic(TOPIC, QUEUES)
    for number in range(rounds):
        jump = JUMPS[number % len(JUMPS)]
        killed = number % 4 in (1, 2)  # after jumps forwards as well as backwards
        try:
            producers.go(server.address, 0.5)
            time.sleep(rng.uniform(0.1, 0.2))
            file.write_text(f'{jump:+d}\n', encoding='ascii')
            ledger.happened('clock')
            if killed:
                time.sleep(0.1)
                server.kill()
                ledger.happened('kill')
            results = producers.results(40)
            check(not results[2], 'refused:', results[2][:1])
            ledger.add(*results)
            if killed:
                time.sleep(0.05)
                server.start()
            elif jump == 10 * YEAR:
                time.sleep(EXPIRY_SECONDS)
            with rawmq.Connection(server.address, timeout=30) as connection:
                connection.must(rawmq.DELETE_EXPIRED_COMMITLOG)
            ledger.verify(server.address)
            check(not any(ledger.begins.values()), 'messages were deleted, the queues begin at', ledger.begins)
        except Exception as error:
            raise Failure(f'round {number}, the clock {jump:+d} s: {type(error).__name__}: {error}') from error
    return f'{rounds} jumps of the clock, {ledger.acknowledged} acknowledged, 0 deleted; seed {seed}'

