"""Damage to the files of a store: bits that turn, files that are cut, emptied, gone, swapped or old.

A store is filled once, with segments that are full and some that are not, and kept in two states: after a stop in
order and after kill -9. Each round copies one of them, damages one file, and starts a broker on it. It needs no
special rights.

A start may be refused only for what nothing can replace, by the name of the file; missing may be only what lay in the batches that were damaged,
and the broker says where they are.
"""
import os
import random
import re
import shutil
import subprocess
import time

import rawmq
from fault.device import server_on
from fault.ledger import Ledger
from fault.load import Producers, message
from fault.scan import scan_topic
from fault.verdict import Ack, Open, missing
from interop.harness import Failure, Skip, check, wait_until
from peers.process import StartError, is_free

TOPIC, QUEUES = 'Damage', 4
GROUP = 'damage-group'
BLOCK = 4096
SIZES = (200, 4000, 30_000)
BATCH_MAGIC = b'RNGB'  # a batch begins with it, at a block (store/batch.h)
POSITION_BITS = 48  # of a message's place in the log; above them is the number of the log
IRREPLACEABLE = ('manifest', 'meta.log')
MAY_HOLD_THE_LAST = ('N.log', 'append')  # messages that nothing else tells of


class Template:
    """The filled store; `acks` is what it holds."""

    def __init__(self, context, seed):
        self.folder = context.fresh_folder('template')
        producers = Producers(1, TOPIC, QUEUES, seed)
        context.own.callback(producers.close)
        live = self.folder / 'live'
        live.mkdir()
        self.segment = {'mappedFileSizeCommitLog': (8 if context.kind == 'ringmq' else 2) << 20,
                        'flushConsumerOffsetInterval': 500}
        server = server_on(context, live, **self.segment)
        server.start()
        with rawmq.Connection(server.address, timeout=30) as connection:
            connection.create_topic(TOPIC, QUEUES)
            connection.pull(TOPIC, 0, 0, group=GROUP)  # makes the group
        self.acks, self.maybe = [], []
        for state in ('early', 'killed', 'stopped'):
            producers.go(server.address, 0.3, sizes=SIZES, in_flight=4)
            acks, maybe, refused = producers.results(40)
            # RocketMQ drops what waited 200 ms.
            check(context.kind != 'ringmq' or not refused and not maybe, 'the template was refused a message:', refused[:1])
            self.acks += acks
            self.maybe += [Open(i, r.sent) for r in refused for i in r.ids] + maybe
            with rawmq.Connection(server.address, timeout=30) as connection:
                for queue in range(QUEUES):
                    connection.must(rawmq.UPDATE_CONSUMER_OFFSET, {
                        'consumerGroup': GROUP, 'topic': TOPIC, 'queueId': queue, 'commitOffset': self.ends()[queue]})
            time.sleep(0.8)  # consumer offsets are stored now
            if state == 'stopped' and context.kind == 'ringmq':
                self.places = self._places(server)
            server.stop() if state == 'stopped' else server.kill()
            shutil.copytree(live, self.folder / state)
            setattr(self, state, list(self.acks))
            if state != 'stopped':
                server.start()

    def _places(self, server):
        """[(log, position in it, queue, offset)] of all messages."""
        places = []
        with rawmq.Connection(server.address, timeout=30) as connection:
            for queue in range(QUEUES):
                for record in connection.read_queue(TOPIC, queue, 0, self.ends()[queue]):
                    log, position = divmod(record.physical_offset, 1 << POSITION_BITS)
                    places.append((log, position, queue, record.queue_offset))
        return places

    def ends(self):
        """queue -> the offset behind its last acknowledged message."""
        ends = dict.fromkeys(range(QUEUES), 0)
        for ack in self.acks:
            ends[ack.queue] = max(ends[ack.queue], ack.offset + 1)
        return ends


class Case:
    """One copy of the template with a broker on it."""

    def __init__(self, context, template, state, number):
        self.context, self.template, self.state, self.number = context, template, state, number
        self.acks = list(getattr(template, state))
        self.ledger = Ledger(TOPIC, QUEUES, 'ASYNC_FLUSH')
        self.ledger.add(self.acks, template.maybe)
        self.place = template.folder / f'case-{number}'
        subprocess.run(['cp', '-a', '--sparse=always', template.folder / state, self.place], check=True)
        self.server = server_on(context, self.place, **template.segment)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.kill()
        shutil.rmtree(self.place)

    def files(self):
        """The files that have content, by their path in the store."""
        return sorted(p for p in self.place.rglob('*') if p.is_file() and p.stat().st_size and p.name != 'lock')

    def batches(self, harmed):
        """[(log, first byte in it, beyond the last)] of the batches that these harms met: path -> (begin, end) in the file."""
        found = []
        for path, (begin, end) in harmed.items():
            if path.suffix == '.log':
                log, base = int(path.parent.name.removeprefix('log-')), int(path.stem)
                whole = (self.template.folder / self.state / path.relative_to(self.place)).read_bytes()
                starts = [at for at in range(0, len(whole), BLOCK) if whole[at:at + len(BATCH_MAGIC)] == BATCH_MAGIC] + [len(whole)]
                found += [(log, base + a, base + b) for a, b in zip(starts, starts[1:]) if a < end and b > begin]
        return found

    def starts(self, harmed, irreplaceable=IRREPLACEABLE):
        """Starts the broker. False when it refuses, which it may for want of what is irreplaceable, if it ends in order and names one of the files."""
        try:
            self.server.start()
        except StartError as error:
            check(error.code == 1, 'it neither started nor refused to:', error)
            self.server.daemon.told_to_end = True
            if self.context.kind == 'ringmq':
                check(any(kind_of(path) in irreplaceable for path in harmed), 'it need not refuse to start:', error)
                # Of a log's newest file that is gone nobody knows more than where the log went on to.
                gone = r'(was flushed up to position \d+|held a log up to position \d+|has logs but its manifest is gone)'
                check(any(re.search(rf'{re.escape(str(path))}(?![\w.])|{re.escape(str(path.parent))} {gone}', error.output) for path in harmed),
                      'it does not name the file:', error)
            return False
        return True

    def verify(self, harmed):
        """The broker holds what it must: all but what lay in the batches that were harmed, and of these it says where. How many messages are missing."""
        scan = scan_topic(self.server.address, TOPIC, QUEUES)
        self.ledger.judge(scan)
        lost = missing(self.acks, {queue: what._replace(begin=0) for queue, what in scan.items()})  # nothing expires here
        if lost and self.context.kind == 'ringmq':
            batches = self.batches(harmed)
            covered = {(queue, offset) for log, position, queue, offset in self.template.places
                       if any(log == number and begin <= position < end for number, begin, end in batches)}
            beside = [a for a in lost if (a.queue, a.offset) not in covered]
            check(not beside, len(beside), 'messages are missing that did not lie in what was damaged, such as', beside[:3])
            said = self.server.daemon.output()
            positions = [int(n) for line in said.splitlines() if re.search('damage|hole|not served', line)
                         for n in re.findall(r'(?:at|from|to|position) (\d+)', line)]
            check(any(begin <= n <= end for n in positions for _, begin, end in batches), len(lost), 'messages are missing from', batches[:3],
                  'and the broker does not say so:', said[-900:])
        return len(lost)

    def send_to_each_queue(self):
        """No offset is given out a second time."""
        ends = dict.fromkeys(range(QUEUES), 0)
        for ack in self.acks:
            ends[ack.queue] = max(ends[ack.queue], ack.offset + 1)
        with rawmq.Connection(self.server.address, timeout=30) as connection:
            for queue in range(QUEUES):
                code, header, body = message(f'after.{queue}', 100, TOPIC, queue)
                sent = time.monotonic()
                offset = int(connection.must(code, header, body).ext['queueOffset'])
                self.acks.append(Ack(f'after.{queue}', queue, offset, sent, time.monotonic()))
                self.ledger.add(self.acks[-1:])
                check(offset >= ends[queue], f'OFFSET REUSED: queue {queue} gives offset {offset}, {ends[queue]} messages were '
                                             'acknowledged before')


def kind_of(path):
    """What the file is in a store: a name without numbers."""
    return re.sub(r'\d+', 'N', path.name)


def turn_bit(path, rng):
    """Flips one bit, anywhere or near an edge of a block, where headers and tables are. (byte, bit)."""
    size = path.stat().st_size
    with open(path, 'r+b', buffering=0) as file:
        at = rng.randrange(size)
        where = rng.choice(('anywhere', 'block begin', 'block end', 'file begin'))
        block = at // BLOCK * BLOCK
        if where == 'block begin':
            at = min(size - 1, block + rng.randrange(200))
        elif where == 'block end':
            at = max(0, min(size, block + BLOCK) - 1 - rng.randrange(200))
        elif where == 'file begin':
            at = rng.randrange(min(size, 128))
        file.seek(at)
        byte = file.read(1)[0]
        bit = rng.randrange(8)
        file.seek(at)
        file.write(bytes([byte ^ 1 << bit]))
        os.fsync(file.fileno())
    return at, bit


def flipped_bits(context, rounds, seed):
    """D8: one bit of one file turns, before the start or while the broker runs. At most one message is missing, the
    broker says so, and no offset is given out twice."""
    rng = random.Random(seed)
    template = Template(context, seed)
    counts, anomalies = {'missing': 0, 'refused': 0}, []
    measured = context.kind != 'ringmq'

    def one(number):
        state = rng.choice(('killed', 'stopped'))
        with Case(context, template, state, number) as case:
            by_kind = {}
            for path in case.files():
                by_kind.setdefault(kind_of(path), []).append(path)
            path = rng.choice(by_kind[rng.choice(sorted(by_kind))])
            running = number % 3 == 2 and not measured
            if running:
                case.server.start()
            at, bit = turn_bit(path, rng)
            harmed = {path: (at, at + 1)}
            case.ledger.happened('damage' if measured else 'flip')
            try:
                if not running and not case.starts(harmed):
                    counts['refused'] += 1
                    return
                cost = case.verify(harmed)
                if not measured:
                    case.send_to_each_queue()
                if running:
                    case.server.kill()
                    wait_until(lambda: is_free(case.server.port), 5, 'the port of the killed broker')
                    if case.starts(harmed):
                        cost = max(cost, case.verify(harmed))
                    else:
                        counts['refused'] += 1
            except Exception as error:
                if measured:  # the verdict, and go on
                    anomalies.append(str(error).split(maxsplit=1)[0].rstrip(':'))
                    return
                raise Failure(f'{state} store, {path.parent.name}/{path.name} byte {at} bit {bit}{", while it ran" if running else ""}: {error}') from error
            counts['missing'] += cost
    _rounds(rounds, one)
    return (f'{rounds} bits in a store of {len(template.acks)} messages, {counts["missing"]} messages missing in all, '
            f'{counts["refused"]} starts refused{f", {anomalies}" if anomalies else ""}; seed {seed}')


def _rounds(rounds, one):
    for number in range(rounds):
        try:
            one(number)
        except Skip:
            raise
        except Exception as error:
            raise Failure(f'round {number}: {type(error).__name__}: {error}') from error


# Each of these harms a file and says what it took: path -> (begin, end).

def cut_short(path, case, rng):
    del case
    size = path.stat().st_size
    at = rng.randrange(size)
    with open(path, 'r+b') as file:
        file.truncate(at)
    return {path: (at, size)}


def zeroed(path, case, rng):
    del case
    size = path.stat().st_size
    begin = rng.randrange(size) // BLOCK * BLOCK
    length = min(size - begin, rng.choice((BLOCK, 16 * BLOCK, size)))
    with open(path, 'r+b') as file:
        file.seek(begin)
        file.write(bytes(length))
    return {path: (begin, begin + length)}


def deleted(path, case, rng):
    del case, rng
    size = path.stat().st_size
    path.unlink()
    return {path: (0, size)}


def swapped(path, case, rng):
    others = [p for p in case.files() if kind_of(p) == kind_of(path) and p != path]
    if not others:
        return deleted(path, case, rng)
    other = rng.choice(others)
    aside = path.with_name('aside')
    path.rename(aside)
    other.rename(path)
    aside.rename(other)
    return {p: (0, p.stat().st_size) for p in (path, other)}


def old_copy(path, case, rng):
    old = case.template.folder / 'early' / path.relative_to(case.place)
    if not old.exists():
        return deleted(path, case, rng)
    now, then = path.read_bytes(), old.read_bytes()
    shutil.copyfile(old, path)
    end = max(len(now), len(then))
    now, then = now.ljust(end, b'\0'), then.ljust(end, b'\0')
    changed = [at for at in range(0, end, BLOCK) if now[at:at + BLOCK] != then[at:at + BLOCK]]
    return {path: (changed[0], changed[-1] + BLOCK) if changed else (0, 0)}


def damaged_files(context, rounds, seed):
    """D9: a file is cut short, zeroed, deleted, swapped with one of its kind or replaced by an older copy. The broker
    refuses to start and names it, or says what is missing, no more than what lay there, and serves the rest."""
    rng = random.Random(seed)
    template = Template(context, seed)
    harms = (cut_short, zeroed, deleted, swapped, old_copy)
    counts = {'missing': 0, 'refused': 0, 'whole': 0}

    def one(number):
        state = rng.choice(('killed', 'stopped'))
        harm = harms[number % len(harms)]
        with Case(context, template, state, number) as case:
            by_kind = {}
            for path in case.files():
                by_kind.setdefault(kind_of(path), []).append(path)
            path = rng.choice(by_kind[rng.choice(sorted(by_kind))])
            harmed = harm(path, case, rng)
            case.ledger.happened('damage')
            try:
                # A whole file that is another's: somebody has mixed up folders, who should know.
                if not case.starts(harmed, [kind_of(path)] if harm is swapped else (*IRREPLACEABLE, *MAY_HOLD_THE_LAST)):
                    counts['refused'] += 1
                    return
                cost = case.verify(harmed)
                counts['missing' if cost else 'whole'] += 1
                case.send_to_each_queue()
            except Exception as error:
                raise Failure(f'{state} store, {path.parent.name}/{path.name} {harm.__name__}: {error}') from error
    _rounds(rounds, one)
    return (f'{rounds} files, {counts["refused"]} starts refused, {counts["missing"]} started and said what is missing, '
            f'{counts["whole"]} lost nothing; seed {seed}')
