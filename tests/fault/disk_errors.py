"""Disks that say no, have no room, or say nothing."""
import os
import pathlib
import random
import threading
import time

import rawmq
from fault.device import Device, server_on
from fault.ledger import Ledger
from fault.load import Producers
from fault.scan import SCAN_GROUP, scan_queue, start
from fault.verdict import first_refusal_after
from interop.harness import Failure, Skip, check, wait_until

TOPIC, QUEUES, PRODUCERS = 'DiskErrors', 4, 2
ALIVE = 'Alive'
SEGMENT_BYTES = 8 << 20
NOTICE_SECONDS_MAX = 0.05  # half of the rounds; the machine may be busy in others
SLOW_NOTICE_SECONDS_MAX = 0.5
LATE_SECONDS_MAX = 0.01
# Until a producer reads an answer that was given before the failure: half of the rounds, and the others.
READ_SECONDS_MAX, SLOW_READ_SECONDS_MAX = 0.02, 0.1
REFUSALS = (rawmq.FLUSH_DISK_TIMEOUT, rawmq.SERVICE_NOT_AVAILABLE)


def prepared(context, device, flush, **more):
    """A started broker on an empty `device` with the topic."""
    device.format()
    size = {'mappedFileSizeCommitLog': SEGMENT_BYTES if context.kind == 'ringmq' else 16 << 20}
    server = server_on(context, device.folder, flushDiskType=flush, **{**size, **more})
    server.start()
    with rawmq.Connection(server.address, timeout=30) as connection:
        connection.create_topic(TOPIC, QUEUES)
        connection.create_topic(ALIVE, QUEUES)
        connection.pull(TOPIC, 0, 0, group=SCAN_GROUP)  # makes the group that reads: a new one can't be stored later
    return server


def rounds_of(rounds, one_round):
    """Runs `one_round(number)` so often; what fails names its round and how to run it again. Their results."""
    results = []
    for number in range(rounds):
        try:
            results.append(one_round(number))
        except Skip:
            raise
        except Exception as error:
            raise Failure(f'round {number}: {type(error).__name__}: {error}') from error
    return results


FAULTS = ('eio flush 1', 'eio flush 1000000', 'eio write 0 {bytes}', 'full 0')


def failed_writes(context, rounds, seed):
    """E1, E2: a flush or a write fails under load. Nothing is acknowledged after it; the answers say so within 50 ms;
    the broker stays up and serves what it has; after a power cut and a restart all is there and it takes messages
    again."""
    rng = random.Random(seed)
    device = Device(context, 512)
    producers = Producers(PRODUCERS, TOPIC, QUEUES, seed)
    context.own.callback(producers.close)
    # No segment ends meanwhile: its queues are noted in the metadata then, and one failed flush may be theirs, which is nothing to a log.
    size = {'mappedFileSizeCommitLog': 64 << 20} if context.kind == 'ringmq' else {}

    def one(number):
        flush = 'SYNC_FLUSH' if number // len(FAULTS) % 2 == 0 else 'ASYNC_FLUSH'
        fault = FAULTS[number % len(FAULTS)].format(bytes=device.bytes)
        server = prepared(context, device, flush, shards=1, **size)  # one log: the failure is everybody's
        # What RocketMQ loses after a failed flush is measured, not judged.
        ledger = Ledger(TOPIC, QUEUES, flush if context.kind == 'ringmq' else 'ASYNC_FLUSH')
        producers.go(server.address, 0.7)
        time.sleep(rng.uniform(0.1, 0.4))
        device.tell(fault)
        results = producers.results(40)
        failed_at = device.event
        check(failed_at is not None, fault, ': the disk was never asked')
        ledger.add(*results)
        # SYNC_FLUSH: what is acknowledged after the failure, but for answers that were on their way. ASYNC_FLUSH: what is sent once it must be known.
        synced = flush == 'SYNC_FLUSH'
        late = [a for a in results[0] if a.sent > failed_at + (0 if synced else NOTICE_SECONDS_MAX) or
                (synced and a.acked > failed_at + SLOW_READ_SECONDS_MAX)]
        newest = max((a.acked - failed_at for a in results[0]), default=0.0)
        notice = first_refusal_after(results[2], failed_at)
        if context.kind == 'ringmq':
            check(not late, f'{flush}, {fault}:', len(late), 'acknowledged after the failure, the last',
                  f'{newest * 1000:.0f} ms after it')
            check(notice is not None and notice <= SLOW_NOTICE_SECONDS_MAX, f'{flush}, {fault}: first refused', notice, 's after it')
            codes = {r.code for r in results[2]}
            check(codes <= set(REFUSALS), f'{flush}, {fault}: refused with', codes)
            check(server.daemon.running, f'{flush}, {fault}: the broker ended')
            ledger.look(server.address)
        device.tell('clear')
        cut = device.cut('all')
        ledger.happened('cut', cut)
        # Since the failure nothing is flushed any more. Before it, or before a slow flush had ended the acknowledgements already, 50 ms may be unflushed, and
        # as much as a shard is late on a machine that is busy: it counts the age of what is unflushed from the beginning of its round.
        last = min(failed_at, max((a.acked for a in results[0]), default=failed_at))
        ledger.window = cut - last + 0.05 + LATE_SECONDS_MAX if context.kind == 'ringmq' else 1e6
        server.kill()
        device.power_up()
        start(server, ALIVE, 0, f'alive{number}')
        lost = ledger.verify(server.address).lost
        server.kill()
        lost_late = set(a.id for a in late) & set(a.id for a in lost)
        return len(late), len(lost_late), notice, max(0.0, newest) if synced else None

    results = rounds_of(rounds, one)
    late, lost = sum(r[0] for r in results), sum(r[1] for r in results)
    notices = sorted(r[2] for r in results if r[2] is not None) or [float('inf')]
    usual = notices[len(notices) // 2]
    check(context.kind != 'ringmq' or usual <= NOTICE_SECONDS_MAX, 'the first refusal comes', usual, 's after the failure')
    newest = sorted(r[3] for r in results if r[3] is not None) or [0.0]
    usual_read = newest[len(newest) // 2]
    check(context.kind != 'ringmq' or usual_read <= READ_SECONDS_MAX, 'under SYNC_FLUSH the last acknowledgement is read', usual_read, 's after the failure')
    return (f'{rounds} failures, {late} acknowledged after the failure, {lost} of them lost, first refusal '
            f'{usual * 1000:.0f} ms after it, at most {notices[-1] * 1000:.0f} ms; under SYNC_FLUSH the last acknowledgement read {usual_read * 1000:.0f} ms '
            f'after it, at most {newest[-1] * 1000:.0f} ms; seed {seed}')


def failed_reads(context, rounds, seed):
    """E2: 4 KiB of the disk cannot be read. Only messages that lie there are missing, and nothing once the disk reads
    again."""
    if context.kind != 'ringmq':
        raise Skip('where a message lies is known of RingMQ only')
    rng = random.Random(seed)
    device = Device(context)
    producers = Producers(1, TOPIC, QUEUES, seed)
    context.own.callback(producers.close)
    server = prepared(context, device, 'ASYNC_FLUSH')
    ledger = Ledger(TOPIC, QUEUES)
    producers.go(server.address, 0.8)
    ledger.add(*producers.results(40))
    with rawmq.Connection(server.address, timeout=30) as connection:
        everything = [r for q in range(QUEUES)
                      for r in connection.read_queue(TOPIC, q, 0, connection.max_offset(TOPIC, q))]

    def one(number):
        server.stop()
        place, bad = bad_block(device, rng.choice(everything), everything)
        server.start()
        device.tell(f'eio read {place} {place + 4096}')
        with rawmq.Connection(server.address, timeout=30) as connection:
            scan = {q: scan_queue(connection, TOPIC, q) for q in range(QUEUES)}
        device.tell('clear')
        missing = {(q, o) for q, what in scan.items() for begin, end in what.gaps for o in range(begin, end)}
        beside = missing - bad
        check(not beside, len(beside), 'messages are missing beside the', len(bad), 'in the bad block:', sorted(beside)[:3])
        ledger.verify(server.address)
        return len(missing)
    missing = rounds_of(rounds, one)
    return f'{rounds} bad blocks, {sum(missing)} messages not readable meanwhile, 0 afterwards; seed {seed}'


def bad_block(device, record, everything):
    """The place on the device of the block in which `record` begins, and the (queue, offset) of what lies in it."""
    log, position = record.physical_offset >> 48, record.physical_offset & ((1 << 48) - 1)
    folder = pathlib.Path(device.folder) / 'data' / f'log-{log}'
    name = max(p for p in folder.glob('*.log') if int(p.stem) <= position)
    begin = (position - int(name.stem)) // 4096 * 4096
    place, left = device.place_of(name, begin)
    check(left >= 4096, name, 'is in pieces')
    first = int(name.stem) + begin
    return place, {(r.queue_id, r.queue_offset) for r in everything if r.physical_offset >> 48 == log and
                   (r.physical_offset & ((1 << 48) - 1)) < first + 4096 and
                   (r.physical_offset & ((1 << 48) - 1)) + r.size > first}


def no_space(context, rounds, seed):
    """E4: something else fills the disk. Sends are refused with the cause, reads go on; within 5 s of the space
    coming back messages are taken again, without a restart; nothing was lost."""
    device = Device(context, 512)  # what six rounds store, beside two append buffers of 64 MiB, stays well below the 90 % at which sends are refused
    producers = Producers(PRODUCERS, TOPIC, QUEUES, seed)
    context.own.callback(producers.close)
    state = {}

    def one(number):
        if number % 6 == 0:
            if state:
                state['server'].kill()
            state['server'] = prepared(context, device, 'ASYNC_FLUSH' if number % 12 else 'SYNC_FLUSH')
            state['ledger'] = Ledger(TOPIC, QUEUES)
        server, ledger = state['server'], state['ledger']
        ballast = device.folder / 'ballast'
        fill(ballast)
        producers.go(server.address, 4, sizes=(4000, 20000, 60000), in_flight=16)
        results = producers.results(40)
        ledger.add(*results)
        check(results[2], 'nothing was refused on a full disk,', len(results[0]), 'acknowledged')
        odd = [r for r in results[2] if r.code != rawmq.SERVICE_NOT_AVAILABLE or
               not any(word in r.remark.lower() for word in ('disk', 'space'))]
        check(context.kind != 'ringmq' or not odd, 'refused with', odd[:2])
        ledger.verify(server.address)
        ballast.unlink()
        begin = time.monotonic()
        with rawmq.Connection(server.address, timeout=10) as connection:
            def taken():
                answers = [connection.call(rawmq.SEND_MESSAGE_V2, rawmq.send_header('g', ALIVE, q), b'x') for q in range(QUEUES)]
                return all(a.code == rawmq.SUCCESS for a in answers)  # every log has room again
            wait_until(taken, 5 if context.kind == 'ringmq' else 60, 'messages are taken after the space came back')
        seconds = time.monotonic() - begin
        producers.go(server.address, 0.1)
        results = producers.results(40)
        ledger.add(*results)
        check(context.kind != 'ringmq' or not results[2], 'with space again:', results[2][:1])
        ledger.verify(server.address)
        return seconds
    seconds = rounds_of(rounds, one)
    return f'{rounds} times full, taking messages again after at most {max(seconds):.1f} s; seed {seed}'


def fill(path):
    """A file that takes all the space there is."""
    with open(path, 'wb', buffering=0) as file:
        step = 16 << 20
        while step >= 4096:
            try:
                os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, step)
            except OSError:
                step //= 4


class Watch:
    """Samples the memory of a server, and how long it takes to answer what needs no disk."""

    def __init__(self, server):
        self.server, self.rss, self.slowest = server, 0, 0.0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        with rawmq.Connection(self.server.address, timeout=60) as connection:
            while not self.ended.wait(0.02):
                begin = time.monotonic()
                connection.max_offset(TOPIC, 0)
                connection.max_offset(TOPIC, 1)
                self.slowest = max(self.slowest, time.monotonic() - begin)
                self.rss = max(self.rss, self.server.daemon.resident_bytes())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join(60)


STOPPED_RSS_MAX = 384 << 20  # the budget of a server with two shards, 256 MiB, and half of it for the rest
STOPPED_ANSWER_SECONDS_MAX = 0.5
# (flush, seconds, whether amid a change of the file system)
STOPS = (('ASYNC_FLUSH', 1, False), ('SYNC_FLUSH', 1, False), ('SYNC_FLUSH', 1, True), ('ASYNC_FLUSH', 10, False), ('SYNC_FLUSH', 10, False),
         ('ASYNC_FLUSH', 1, True))


def commit(path):
    """Makes a folder, which may wait for the disk amid a change of the file system, and has the journal committed. No data is written, which would come before."""
    path.mkdir()
    fd = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def stopped_disk(context, rounds, seed):
    """S1: the disk answers nothing for 1 s, then for 10 s, under more load than its memory holds. Senders wait, other
    requests are answered, memory is bounded, and nothing is lost. Once the disk stops amid somebody else's change of the
    file system, for which whatever else goes through its journal waits, and the load comes then."""
    device = Device(context, 4096)  # room for whatever a fast machine sends before and after: a full disk is no_space's
    producers = Producers(4, TOPIC, QUEUES, seed)
    context.own.callback(producers.close)

    def one(number):
        flush, seconds, committing = STOPS[number % len(STOPS)]
        server = prepared(context, device, flush)
        ledger = Ledger(TOPIC, QUEUES)
        with Watch(server) as watch:
            if committing:
                for path in (device.folder / 'data').rglob('*.log'):
                    os.utime(path)  # its inode is in the commit
                device.tell('stop')
                committer = threading.Thread(target=commit, args=[device.folder / 'committed'], daemon=True)
                committer.start()
                time.sleep(0.1)
            producers.go(server.address, seconds + 1.0, sizes=(1000, 60_000, 250_000), in_flight=64)
            time.sleep(0.3)
            if not committing:
                device.tell('stop')
            time.sleep(seconds)
            check(not committing or committer.is_alive(), 'nobody else waited for the disk')
            device.tell('go')
            gone = time.monotonic()
            if committing:
                committer.join(60)
            results = producers.results(90)
        ledger.add(*results)
        after = [a.acked - gone for a in results[0] if a.acked > gone]
        check(after or context.kind != 'ringmq', 'nothing was acknowledged after the disk went on')
        if context.kind == 'ringmq':
            codes = {r.code for r in results[2]}
            # Busy: it waited 5 s for room in the append buffer and was not stored.
            allowed = {rawmq.FLUSH_DISK_TIMEOUT} | ({rawmq.SYSTEM_BUSY} if seconds > 5 else set())
            check(codes <= allowed, f'{flush}, {seconds} s: refused with', codes, results[2][:1])
            check(watch.rss < STOPPED_RSS_MAX, f'{flush}, {seconds} s:', watch.rss >> 20, 'MiB resident')
            check(watch.slowest < STOPPED_ANSWER_SECONDS_MAX,
                  f'{flush}, {seconds} s: a request that needs no disk took {watch.slowest:.2f} s')
        ledger.verify(server.address)
        server.kill()
        return watch.rss, watch.slowest, min(after, default=float('inf'))
    results = rounds_of(rounds, one)
    return (f'{rounds} times, at most {max(r[0] for r in results) >> 20} MiB resident, other requests at most '
            f'{max(r[1] for r in results):.2f} s, first acknowledgement {max(r[2] for r in results):.2f} s after; seed {seed}')
