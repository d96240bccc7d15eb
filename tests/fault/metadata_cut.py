"""D6: the power goes in the middle of one operation, at each flush that it makes, one after the other.

Operations: a topic and a group are made, a topic is changed and deleted, consumer offsets are stored, the log goes on
to a new file. Whatever was answered with SUCCESS is there afterwards; what was not is there or is not, whole; the rest
of the store is as it was. That old files go is left to the simulation (StoreCrashTest): they take an hour to become old.
"""
import json
import random
import time

import rawmq
from fault.device import Device, server_on
from fault.ledger import Ledger
from fault.load import Producers, message
from fault.scan import start
from fault.verdict import Ack, Open
from interop.harness import Failure, Skip, check
from peers.process import StartError

TOPIC, QUEUES = 'Witness', 4
ALIVE = 'Alive'
GROUP = 'witness-group'
FLUSHES_MAX = 40  # an operation that makes more is not what we think it is


class Operation:
    """One kind: `begin(number)` prepares before the power is in danger, `run(connection, number)` does it,
    `verify(connection, number, done)` looks afterwards; `done`: it was answered with SUCCESS."""
    name = ''
    settings = {}

    def __init__(self, bench):
        self.bench = bench

    def begin(self, connection, number):
        pass

    def flushes(self, rounds, rng):
        """At which flushes the power goes, in this order, until the operation ends before it does."""
        del rounds, rng
        return range(1, FLUSHES_MAX + 1)


def config_of(connection, topic):
    """The configuration of a topic, or None."""
    answer = connection.call(rawmq.GET_TOPIC_CONFIG, {'topic': topic})
    if answer.code == rawmq.TOPIC_NOT_EXIST:
        return None
    if answer.code != rawmq.SUCCESS:
        raise rawmq.ResponseError(answer)
    return json.loads(answer.body)


class TopicMade(Operation):
    name = 'topic made'

    def run(self, connection, number):
        connection.create_topic(f'Made{number}', 3)

    def verify(self, connection, number, done):
        config = config_of(connection, f'Made{number}')
        check(config or not done, 'the topic is gone')
        check(not config or config['writeQueueNums'] == 3, 'half a topic:', config)


class TopicChanged(Operation):
    name = 'topic changed'

    def begin(self, connection, number):
        connection.create_topic(f'Changed{number}', 2)

    def run(self, connection, number):
        connection.create_topic(f'Changed{number}', 5)

    def verify(self, connection, number, done):
        config = config_of(connection, f'Changed{number}')
        check(config, 'the topic is gone, old and new')
        queues = config['readQueueNums'], config['writeQueueNums']
        check(queues in (((5, 5),) if done else ((2, 2), (5, 5))), 'the topic has', queues)


class TopicDeleted(Operation):
    name = 'topic deleted'

    def begin(self, connection, number):
        connection.create_topic(f'Deleted{number}', 2)
        connection.send(f'Deleted{number}', 0, b'goes')

    def run(self, connection, number):
        connection.must(rawmq.DELETE_TOPIC_IN_BROKER, {'topic': f'Deleted{number}'})

    def verify(self, connection, number, done):
        topic = f'Deleted{number}'
        config = config_of(connection, topic)
        check(not (done and config), 'the deleted topic is back')
        if config:
            check(connection.max_offset(topic, 0) == 1, 'the topic is there and its message is not')
            return
        connection.create_topic(topic, 2)  # a new topic of this name does not begin with the old messages
        begin, end = connection.min_offset(topic, 0), connection.max_offset(topic, 0)
        check(begin == end, f'messages of the deleted topic are back: [{begin}, {end})')


class GroupMade(Operation):
    name = 'group made'

    def run(self, connection, number):
        connection.must(rawmq.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, body=json.dumps(
            {'groupName': f'made-{number}', 'consumeEnable': True, 'retryMaxTimes': 7}).encode())

    def verify(self, connection, number, done):
        groups = rawmq.parse_fastjson(connection.must(rawmq.GET_ALL_SUBSCRIPTIONGROUP_CONFIG).body)
        group = groups['subscriptionGroupTable'].get(f'made-{number}')
        check(group or not done, 'the group is gone')
        check(not group or group['retryMaxTimes'] == 7, 'half a group:', group)


class OffsetsStored(Operation):
    """Offsets are stored every interval, not with each answer: a cut costs at most what came since."""
    name = 'offsets stored'
    settings = {'flushConsumerOffsetInterval': 200}

    def begin(self, connection, number):
        self.commit(connection, 2 * number)
        time.sleep(1.0)  # several intervals

    def commit(self, connection, offset):
        for queue in range(QUEUES):
            connection.must(rawmq.UPDATE_CONSUMER_OFFSET, {
                'consumerGroup': GROUP, 'topic': TOPIC, 'queueId': queue, 'commitOffset': offset})

    def run(self, connection, number):
        self.commit(connection, 2 * number + 1)
        time.sleep(1.0)  # several intervals

    def verify(self, connection, number, done):
        stored = [int(connection.must(rawmq.QUERY_CONSUMER_OFFSET, {
            'consumerGroup': GROUP, 'topic': TOPIC, 'queueId': queue}).ext['offset']) for queue in range(QUEUES)]
        may = {2 * number + 1} if done else {2 * number, 2 * number + 1}
        check(set(stored) <= may, 'offsets', stored, 'where', may, 'may be')


class LogRolled(Operation):
    """More than a file of messages: new files are made and full ones get their index."""
    name = 'log goes on to a new file'

    def run(self, connection, number):
        self.bench.send_files(connection, f'roll{number}')

    def verify(self, connection, number, done):
        pass  # the witness has them

    def flushes(self, rounds, rng):
        every = range(1, FLUSHES_MAX + 1)  # most of its flushes are those of messages
        return every if rounds > 1 else sorted(rng.sample(every, 5))


OPERATIONS = (TopicMade, TopicChanged, TopicDeleted, GroupMade, OffsetsStored, LogRolled)


class Bench:
    """A store with witnesses that no operation may touch."""

    def __init__(self, context, device, settings, seed):
        device.format()
        self.context, self.device = context, device
        self.server = server_on(context, device.folder, flushDiskType='SYNC_FLUSH', mappedFileSizeCommitLog=8 << 20, **settings)
        self.server.start()
        self.ledger, self.alive = Ledger(TOPIC, QUEUES, expires=True), Ledger(ALIVE, 1, expires=True)
        with rawmq.Connection(self.server.address, timeout=30) as connection:
            connection.create_topic(TOPIC, QUEUES)
            connection.create_topic(ALIVE, 1)
            connection.pull(TOPIC, 0, 0, group=GROUP)
        producers = Producers(1, TOPIC, QUEUES, f'{seed}/{time.monotonic()}')
        producers.go(self.server.address, 0.05)
        self.ledger.add(*producers.results(30))
        producers.close()

    def send_files(self, connection, name):
        """More than a file of messages for each log; a ResponseError unless all are stored."""
        opaques = {}
        for i in range(200):
            code, header, body = message(f'{name}.{i}', 100_000, TOPIC, i % QUEUES)
            opaques[connection.submit(code, header, body)] = f'{name}.{i}', time.monotonic()
        refused, unanswered = None, dict(opaques)
        try:
            for opaque, (message_id, sent) in opaques.items():
                answer = connection.wait(opaque)
                if answer.code != rawmq.SUCCESS:
                    refused = answer
                    continue
                del unanswered[opaque]
                self.ledger.add([Ack(message_id, int(answer.ext['queueId']), int(answer.ext['queueOffset']), sent, time.monotonic())])
        finally:
            self.ledger.add([], [Open(message_id, sent) for message_id, sent in unanswered.values()])
        if refused is not None:
            raise rawmq.ResponseError(refused)

    def attempt(self, operation, number, flush, how):
        """The operation with the power going at its flush `flush`. Whether the cut came before its end."""
        with rawmq.Connection(self.server.address, timeout=10) as connection:
            operation.begin(connection, number)
            self.device.tell(f'cutflush {flush} {how}')
            try:
                operation.run(connection, number)
                done = True
            except (rawmq.ResponseError, rawmq.ConnectionClosed, TimeoutError):
                done = False
        cut = self.device.event is not None
        check(done or cut, 'the operation failed and the power was there')
        if not cut:
            self.device.cut(how)
        self.ledger.happened('cut')
        self.server.kill()
        self.device.power_up()
        ack, _, maybe = start(self.server, ALIVE, 0, f'alive.{operation.name}.{number}')
        with rawmq.Connection(self.server.address, timeout=10) as connection:
            operation.verify(connection, number, done and (not cut or operation.name != OffsetsStored.name))
        self.ledger.verify(self.server.address)
        self.alive.add([ack], maybe)
        self.alive.verify(self.server.address)
        return cut


def at_each_flush(context, rounds, seed):
    """Each operation with a cut at its first flush, at its second, and so on to the end of it; `rounds` times with
    other sectors."""
    if context.kind != 'ringmq':
        raise Skip('its questions are about how RingMQ stores')
    device = Device(context)
    rng = random.Random(seed)
    counts = []
    for kind in OPERATIONS:
        states, number = 0, 0
        bench = Bench(context, device, kind.settings, seed)
        operation = kind(bench)
        for turn in range(rounds):
            for flush in operation.flushes(rounds, rng):
                number += 1
                how = 'all' if turn == 0 else f'rand {rng.randrange(1 << 30)}'
                try:
                    if device.used > 0.6:
                        bench.server.kill()
                        bench = Bench(context, device, kind.settings, seed)
                        operation = kind(bench)
                    cut = bench.attempt(operation, number, flush, how)
                except (Failure, StartError, rawmq.ProtocolError, rawmq.ResponseError, OSError) as error:
                    raise Failure(f'{kind.name}, cut {how} at flush {flush}: {type(error).__name__}: {error}') from error
                states += 1
                if not cut:
                    break
            else:
                if kind is not LogRolled:
                    raise Failure(f'{kind.name}: more than {FLUSHES_MAX} flushes')
        counts.append(f'{kind.name} {states}')
        bench.server.kill()
    return f'states after a cut: {", ".join(counts)}; seed {seed}'
