"""Moving a store between RingMQ and the real RocketMQ, with the real broker on both sides."""
import json
import os
import pathlib
import subprocess

import rawmq
from interop.harness import Failure, check, heavy, test, wait_until
from peers import ringmq, rocketmq

VERSION = '5.3.3'
QUEUES = 4
BODY_BYTES = 40_000  # compressed by the client to some 23,000
FILE_BYTES = 4 * 1024 * 1024  # of the commit log: several files
SEGMENT_BYTES = 8 * 1024 * 1024


def store_tool(*arguments, expect=0):
    """Runs `ringmq store ...`; what it printed."""
    done = subprocess.run([str(a) for a in (ringmq.binary, 'store', *arguments)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=300, check=False)
    check(done.returncode == expect, 'ringmq store', *arguments, 'ended with', done.returncode, '\n', done.stdout)
    return done.stdout


def contents(server, topics):
    """What consumers can see: {(topic, queue): [(offset, body, properties, born, stored), ...]}."""
    seen = {}
    with rawmq.Connection(server.address, timeout=30) as raw:
        for topic, queues in topics.items():
            for queue in range(queues):
                begin, end = raw.min_offset(topic, queue), raw.max_offset(topic, queue)
                seen[topic, queue] = [(r.queue_offset, r.body, r.properties, r.born_ms, r.store_ms)
                                      for r in raw.read_queue(topic, queue, begin, end)]
    return seen


def wait_for_contents(server, topics, expected):
    """The server shows just that; RocketMQ takes a moment to build its queues from the commit log."""
    def ends():
        with rawmq.Connection(server.address) as raw:
            return {key: raw.max_offset(*key) for key in expected}
    wanted = {key: records[-1][0] + 1 if records else 0 for key, records in expected.items()}
    wait_until(lambda: ends() == wanted, 30, f'queues end at {wanted}')
    found = contents(server, topics)
    for key, records in expected.items():
        offsets, due = [[r[0] for r in some] for some in (found[key], records)]
        check(offsets == due, key, 'has offsets', offsets[:3], '...', len(offsets), 'and not', due[:3], '...', len(due))
        for was, now in zip(records, found[key]):
            check(was == now, key, 'offset', was[0], 'was', was[2:], 'and is', now[2:])


def use(context, clients, server, topic, group, prefix):
    """A producer, and a group that has consumed the first 800 messages and not the last 300, whose ids are returned."""
    producer, consumer = f'{prefix}-p', f'{prefix}-c'
    context.stopping(clients, producer, consumer)
    clients.do('producer', name=producer, group='store-producers', namesrv=server.namesrv,
               timeout=30_000)
    clients.do('consumer', name=consumer, group=group, topic=topic, namesrv=server.namesrv)
    first = clients.send(producer, topic, f'{prefix}-first', 800, size=BODY_BYTES, tags='A,B', key='Key')
    clients.wait_for_ids(first, 60, [consumer])
    with rawmq.Connection(server.address) as raw:
        def caught_up():
            for queue in range(QUEUES):
                answer = raw.call(rawmq.QUERY_CONSUMER_OFFSET,
                                  {'consumerGroup': group, 'topic': topic, 'queueId': queue})
                if answer.code != rawmq.SUCCESS or int(answer.ext['offset']) != raw.max_offset(topic, queue):
                    return False
            return True
        wait_until(caught_up, 30, 'the group commits what it has consumed')
    clients.do('stop', name=consumer)
    left = clients.send(producer, topic, f'{prefix}-left', 300, size=BODY_BYTES, tags='A,B', key='Key')
    clients.do('stop', name=producer)
    return left


def resume(context, clients, server, topic, group, left, prefix):
    """The group goes on where it was: it receives just what is left, and what comes next."""
    producer, consumer = f'{prefix}-p2', f'{prefix}-c2'
    context.stopping(clients, producer, consumer)
    clients.do('producer', name=producer, group='store-producers', namesrv=server.namesrv,
               timeout=30_000)
    clients.do('consumer', name=consumer, group=group, topic=topic, namesrv=server.namesrv)
    clients.wait_for_ids(left, 60, [consumer])
    more = clients.send(producer, topic, f'{prefix}-more', 40, size=BODY_BYTES)
    clients.wait_for_ids(more, 60, [consumer])
    wanted = set(left) | set(more)
    others = [e for e in clients.deliveries[consumer] if e['id'] not in wanted]
    check(not others, len(others), 'messages were consumed twice, such as', others[:2])
    clients.do('stop', name=consumer)
    clients.do('stop', name=producer)


def drop_oldest_segments(data):
    """What retention does: the queues begin behind 0 then. Returns how many segments went."""
    dropped = 0
    for log in sorted(pathlib.Path(data).glob('log-*')):
        segments = sorted(log.glob('*.log'))
        if len(segments) < 2 or not segments[0].with_suffix('.idx').exists():
            continue
        os.remove(segments[0])
        os.remove(segments[0].with_suffix('.idx'))
        dropped += 1
    return dropped


@test
@heavy
def store_export_to_rocketmq(context):
    """What a RingMQ broker stored, the real RocketMQ serves: offsets, bodies, properties, times, groups' progress; also
    when queues begin behind 0, and after its next start."""
    folder = context.fresh_folder('export-ringmq')
    data = folder / 'data'
    topics = {'ExportA': QUEUES, 'ExportB': 2}
    source = context.run(ringmq.Standalone(folder, mappedFileSizeCommitLog=SEGMENT_BYTES))
    for topic, queues in topics.items():
        context.topic(topic, queues, source)
    clients = context.clients(VERSION)
    left = use(context, clients, source, 'ExportA', 'export-group', 'export')
    with rawmq.Connection(source.address) as raw:
        raw.send('ExportB', 1, b'x')
        raw.send('ExportB', 1, b'b' * 100_000, KEYS='k1 k2', TAGS='T')
    running = json.loads(store_tool('verify', '--json', data))  # while the broker runs
    check(running['intact'] and running['messages'] >= 1102, running)
    source.stop()
    check(drop_oldest_segments(data) > 0, 'too few segments')
    again = context.run(ringmq.Standalone(folder, source.namesrv_port, source.port,
                                          mappedFileSizeCommitLog=SEGMENT_BYTES))
    expected = contents(again, topics)
    again.stop()
    check(any(records and records[0][0] > 0 for records in expected.values()), 'no queue begins behind 0')
    store_tool('verify', data)
    total = sum(len(records) for records in expected.values())
    lines = [json.loads(line) for line in store_tool('dump', data).splitlines()]
    check(len([l for l in lines if l['topic'] in topics]) == total, len(lines), 'lines for', total, 'messages')
    begin = expected['ExportA', 1][0][0] + 10
    some = [json.loads(line) for line in
            store_tool('dump', data, '--topic', 'ExportA', '--queue', 1, '--from', begin, '--count', 3).splitlines()]
    check([l['offset'] for l in some] == [begin, begin + 1, begin + 2] and all(l['keys'] == 'Key' for l in some), some)

    target = context.fresh_folder('export-rocketmq')
    store_tool('export', data, target / 'store', '--file-bytes', FILE_BYTES)
    check('not empty' in store_tool('export', data, target / 'store', expect=2), 'a full folder is not refused')
    real = context.run(rocketmq.Standalone(target, version=VERSION, mappedFileSizeCommitLog=FILE_BYTES))
    wait_for_contents(real, topics, expected)
    resume(context, clients, real, 'ExportA', 'export-group', left, 'exported')
    expected = contents(real, topics)
    real.stop()
    real = context.run(rocketmq.Standalone(target, real.nameserver.port, real.broker.port, version=VERSION,
                                           mappedFileSizeCommitLog=FILE_BYTES))
    wait_for_contents(real, topics, expected)
    return f'{total} messages'


@test
@heavy
def store_import_from_rocketmq(context):
    """What the real RocketMQ stored, RingMQ serves with another number of shards; a deleted topic stays deleted, one
    made anew begins at 0."""
    folder = context.fresh_folder('import-rocketmq')
    topics = {'ImportA': QUEUES, 'ImportB': 2, 'Remade': 1}
    real = context.run(rocketmq.Standalone(folder, version=VERSION, mappedFileSizeCommitLog=FILE_BYTES))
    for topic, queues in {**topics, 'Gone': 1}.items():
        context.topic(topic, queues, real)
    clients = context.clients(VERSION)
    left = use(context, clients, real, 'ImportA', 'import-group', 'import')
    with rawmq.Connection(real.address) as raw:
        raw.send('ImportB', 1, b'x')
        raw.send('ImportB', 1, b'b' * 100_000, KEYS='k1 k2', TAGS='T')
        for number in range(5):
            raw.send('Gone', 0, b'gone')
            raw.send('Remade', 0, b'before %d' % number)
        for topic in ('Gone', 'Remade'):
            wait_until(lambda name=topic: raw.max_offset(name, 0) == 5, 10, 'the queue has what was sent')
            raw.must(rawmq.DELETE_TOPIC_IN_BROKER, {'topic': topic})
        raw.create_topic('Remade', 1)
        for number in range(3):
            raw.send('Remade', 0, b'after %d' % number)
        wait_until(lambda: raw.max_offset('Remade', 0) == 3, 10, 'the new topic begins at 0')
    expected = contents(real, topics)
    real.stop()

    target = context.fresh_folder('import-ringmq')
    data = target / 'data'
    store_tool('import', folder / 'store', data, '--logs', 3, '--segment-bytes', SEGMENT_BYTES)
    check('not empty' in store_tool('import', folder / 'store', data, expect=2), 'a full folder is not refused')
    report = json.loads(store_tool('verify', '--json', data))
    check(report['intact'] and report['findings'] == [] and report['logs'] == 3, report)
    server = context.run(ringmq.Standalone(target, data=data, shards=3))
    wait_for_contents(server, topics, expected)
    with rawmq.Connection(server.address) as raw:
        check(raw.max_offset('Gone', 0) == 0, 'the deleted topic has messages')
    check(server_route_has(server, 'ImportA', QUEUES), 'the topic is not routed as it was')
    resume(context, clients, server, 'ImportA', 'import-group', left, 'imported')
    server.stop()
    store_tool('verify', data)
    overview = json.loads(store_tool('inspect', '--json', data))
    check({'ImportA', 'ImportB', 'Remade'} <= set(overview['topics']), list(overview['topics']))
    check('import-group' in overview['groups'], list(overview['groups']))
    ends = {(q['topic'], q['queueId']): q['max'] for q in overview['queues']}
    offsets = {(o['topic'], o['queueId']): o['offset'] for o in overview['offsets'] if o['group'] == 'import-group'}
    for queue in range(QUEUES):
        check(offsets['ImportA', queue] == ends['ImportA', queue] > 200, offsets, ends)
    return f'{report["messages"]} messages'


def server_route_has(server, topic, queues):
    """The route of `topic` as the nameserver tells it."""
    with rawmq.Connection(server.namesrv) as nameserver:
        route = nameserver.route(topic)
    if route is None:
        raise Failure(f'no route to {topic}')
    return route['queueDatas'][0]['readQueueNums'] == queues
