"""kill -9 of the broker at random moments under load, over and over on the same data folder.

After every restart: each acknowledged message is in its queue at the offset that was acknowledged, with its body intact;
each queue is dense from its first offset to its last; nothing is stored that was not sent, and nothing twice, because
these producers never send twice. Java clients run along and must carry on by themselves.
"""
import collections
import random
import time

import rawmq
from fault.load import Producers, id_of
from interop.harness import check

QUEUES, PRODUCERS = 8, 2
TOPIC, JAVA_TOPIC = 'FaultTopic', 'FaultJava'


class Ledger:
    """What the producers know, against what the broker holds."""

    def __init__(self):
        self.acknowledged = [dict() for _ in range(QUEUES)]  # offset -> id
        self.open = set()  # sent, never answered
        self.stored = [dict() for _ in range(QUEUES)]  # offset -> id, as of the last check
        self.everything = collections.Counter()  # id -> number of places that hold it

    def add(self, acknowledged, open_ids):
        for message_id, queue, offset in acknowledged:
            other = self.acknowledged[queue].setdefault(offset, message_id)
            check(other == message_id, f'queue {queue} offset {offset} was acknowledged for {other} and {message_id}')
        self.open.update(open_ids)

    def verify(self, address, whole):
        """Reads the queues (from where the last check ended unless `whole`) and compares; returns the stored total."""
        known = {i for queue in self.acknowledged for i in queue.values()} | self.open
        with rawmq.Connection(address, timeout=30) as connection:
            for queue in range(QUEUES):
                begin, end = connection.min_offset(TOPIC, queue), connection.max_offset(TOPIC, queue)
                check(begin == 0, f'queue {queue} begins at {begin}')
                acknowledged, stored = self.acknowledged[queue], self.stored[queue]
                last = max(acknowledged, default=-1)
                check(end > last, f'queue {queue} ends at {end}, but offset {last} was acknowledged: '
                                  f'{sum(1 for o in acknowledged if o >= end)} acknowledged messages are lost')
                check(end >= len(stored), f'queue {queue} ends at {end} and held {len(stored)} after the last crash')
                start = 0 if whole else max(0, len(stored) - 50)
                for record in connection.read_queue(TOPIC, queue, start, end):  # refuses holes
                    message_id = id_of(record.body)
                    check(message_id is not None, f'queue {queue} offset {record.queue_offset}: the body is damaged')
                    at = record.queue_offset
                    if at in stored:
                        check(stored[at] == message_id, f'queue {queue} offset {at} held {stored[at]}, now {message_id}')
                        continue
                    check(message_id in known, f'queue {queue} offset {at} holds {message_id}, which nobody sent')
                    check(message_id not in self.everything, f'{message_id} is stored twice, again at {queue}/{at}')
                    self.everything[message_id] += 1
                    stored[at] = message_id
                for offset, message_id in acknowledged.items():
                    check(stored.get(offset) == message_id, f'queue {queue} offset {offset} was acknowledged for '
                                                            f'{message_id} and holds {stored.get(offset)}')
        return sum(len(s) for s in self.stored)


def kill_under_load(context, version, flush, kills, seed):
    """One data folder, `kills` crashes. Returns a line for the report."""
    rng = random.Random(seed)
    server = context.standalone(f'kill-{flush.lower()}', flushDiskType=flush)
    context.topic(TOPIC, QUEUES, server)
    context.topic(JAVA_TOPIC, 4, server)
    producers = Producers(PRODUCERS, TOPIC, QUEUES, seed)
    context.own.callback(producers.close)
    ledger, java = Ledger(), JavaSide(context, version, server, flush)
    started, slowest = time.monotonic(), 0.0
    for kill in range(kills):
        moment = rng.uniform(0.05, 1.0)
        producers.go(server.address, 30)
        time.sleep(moment)
        server.kill()
        acknowledged, open_ids, refused = producers.results(20)
        # RocketMQ drops what waited 200 ms (SYSTEM_BUSY, not stored or not known to be); RingMQ makes senders wait.
        if context.kind == 'rocketmq':
            open_ids += [i for ids, code, _ in refused if code == rawmq.SYSTEM_BUSY for i in ids]
            refused = [r for r in refused if r[1] != rawmq.SYSTEM_BUSY]
        check(not refused, 'crash', kill, ': sends were refused, such as', refused[:2])
        check(acknowledged or moment < 0.3, 'crash', kill, ': nothing was acknowledged in', round(moment, 2), 's')
        ledger.add(acknowledged, open_ids)
        slowest = max(slowest, server.start())
        try:
            stored = ledger.verify(server.address, whole=kill % 5 == 4 or kill == kills - 1)
        except Exception as error:
            raise type(error)(f'crash {kill} after {moment:.3f} s, seed {seed}: {error}') from error
        java.must_carry_on(kill)
    java.finish()
    total = sum(len(a) for a in ledger.acknowledged)
    return (f'{kills} crashes in {time.monotonic() - started:.0f} s, {total} acknowledged, {stored} stored, '
            f'slowest start {slowest:.2f} s, {java.report()}, seed {seed}')


class JavaSide:
    """A Java producer and push consumer that know nothing of the crashes."""

    def __init__(self, context, version, server, flush):
        self.clients, self.server = context.clients(version), server
        self.producer, self.consumer = f'fault-p-{flush}-{version}', f'fault-c-{flush}-{version}'
        context.stopping(self.clients, self.producer, self.consumer)
        self.clients.do('producer', name=self.producer, group='fault-java', namesrv=server.namesrv, timeout=1000)
        self.clients.do('consumer', name=self.consumer, group=self.consumer.replace('.', '_'), topic=JAVA_TOPIC,
                        namesrv=server.namesrv)
        self.run = f'fault{flush}{version.replace(".", "_")}'
        self.call = self.clients.start('send', name=self.producer, topic=JAVA_TOPIC, run=self.run,
                                       worker=self.producer.replace('.', '_'), mode='sync', count=10_000_000,
                                       pause_us=5_000)
        self.slowest = 0.0

    def _acknowledged(self):
        return [i for i in self.clients.acks if i.startswith(self.run + '.')]

    def must_carry_on(self, kill):
        """The producer sends something new, and the consumer receives it.

        A 4.9.7 client does not notice that its connection ended unless the end was a reset: its pulls wait for their own
        timeout of 30 s then, whatever broker it is. So it is not waited for after every crash, and longer.
        """
        old_client = self.clients.version.startswith('4.')
        begin, sent = time.monotonic(), len(self.clients.acks)
        self.clients.wait(lambda: len(self.clients.acks) > sent, 30, f'the Java producer to go on after crash {kill}')
        if old_client and kill % 5 != 4:
            return
        newest = next(reversed(self.clients.acks))
        self.clients.wait(lambda: newest in self.clients.seen, 50 if old_client else 30,
                          f'the Java consumer to go on after crash {kill}')
        self.slowest = max(self.slowest, time.monotonic() - begin)

    def finish(self):
        """Everything that the Java producer was told is stored reached the consumer, from where it was stored."""
        self.clients.do('pause', name=self.producer)
        self.clients.finish(self.call, 30)
        ids = self._acknowledged()
        self.clients.wait_for_ids(ids, 60)
        places = {}
        for event in self.clients.deliveries[self.consumer]:
            places.setdefault(event['id'], set()).add((event['q'], event['o']))
        for i in ids:
            ack = self.clients.acks[i]
            check((ack['q'], ack['o']) in places[i], 'acknowledged as', ack, 'received from', places[i])

    def report(self):
        failed = sum(1 for i in self.clients.fails if i.startswith(self.run + '.'))
        return (f'Java {self.clients.version}: {len(self._acknowledged())} acknowledged, {failed} failed, '
                f'slowest to go on {self.slowest:.1f} s')
