"""What the first hour of a RocketMQ user looks like, with both client versions."""
import statistics
import time

import rawmq
from interop.harness import VERSIONS, beside, check, test, test_all_clients, test_all_clients_in_time


def name_of(text, version):
    return f'{text}-{version.replace(".", "_")}'


@test_all_clients
def quickstart(context, version):
    """RocketMQ's example: the topic is created by the first send, then everything sent is consumed."""
    clients, topic = context.clients(version), 'Topic1'
    producer, consumer = name_of('quick-p', version), name_of('quick-c', version)
    context.stopping(clients, producer, consumer)
    clients.do('producer', name=producer, group='ProducerGroupName')
    ids = clients.send(producer, topic, 'quick' + version[0], 20, tags='Tag', key='Key')
    clients.do('consumer', name=consumer, group=name_of('CID_JODIE', version), topic=topic, expression='*')
    clients.wait_for_ids(ids, 20)
    wanted = set(ids)
    for event in clients.deliveries[consumer]:
        if event['id'] not in wanted:
            continue  # the other version's, in the same topic
        ack = clients.acks[event['id']]
        check((event['q'], event['o'], event['b']) == (ack['q'], ack['o'], ack['b']), 'sent', ack, 'received', event)
        check(event['m'] == ack['m'], 'msgId of', event, 'is not that of', ack)
        check((event['tag'], event['keys'], event['r']) == ('Tag', 'Key', 0), event)
        check(len(ack['om']) == 32, 'offsetMsgId', ack)
    check(all(clients.seen[i] == 1 for i in ids), 'delivered more than once')
    with rawmq.Connection(context.server.address) as raw:  # the id that the client was given finds the message
        ack = clients.acks[ids[-1]]
        answer = raw.must(rawmq.VIEW_MESSAGE_BY_ID, {'topic': topic, 'offset': int(ack['om'][16:], 16)})
        record, = rawmq.decode_records(answer.body)
        check(record.offset_msg_id == ack['om'] and record.properties['KEYS'] == 'Key', record)


@test_all_clients
def large_and_odd_messages(context, version):
    """Bodies from a few bytes to just under 4 MiB; the client compresses the larger ones."""
    clients = context.clients(version)
    topic = context.topic(name_of('Sizes', version))
    producer, consumer = name_of('size-p', version), name_of('size-c', version)
    context.stopping(clients, producer, consumer)
    clients.do('producer', name=producer, group='size-producers', timeout=10000)
    clients.do('consumer', name=consumer, group=name_of('size-group', version), topic=topic)
    ids = []
    for number, size in enumerate((0, 1, 4095, 4096, 100_000, 1_000_000, 4 * 1024 * 1024 - 200)):
        ids += clients.send(producer, topic, 'size', 2, from_=2 * number, size=size)
    clients.wait_for_ids(ids, 30)
    check(not any(e['id'] == 'damaged' for e in clients.messages), 'a body arrived damaged')


@test_all_clients
def broadcasting(context, version):
    """Each member of a broadcasting group receives everything."""
    clients = context.clients(version)
    topic = context.topic(name_of('Broadcast', version))
    producer = name_of('broadcast-p', version)
    consumers = [name_of(f'broadcast-c{i}', version) for i in range(3)]
    context.stopping(clients, producer, *consumers)
    for consumer in consumers:
        clients.do('consumer', name=consumer, group=name_of('broadcast-group', version), topic=topic,
                   model='BROADCASTING')
    clients.do('producer', name=producer, group='broadcast-producers')
    ids = clients.send(producer, topic, 'all', 200)
    for consumer in consumers:
        clients.wait_for_ids(ids, 20, [consumer])
    time.sleep(0.3)
    for consumer in consumers:
        got = [e['id'] for e in clients.deliveries[consumer]]
        check(len(got) == len(set(got)) == 200, consumer, 'received', len(got), 'of 200')


@test_all_clients
def tag_filter(context, version):
    """'A || B' receives A and B, another group C, a third everything; untagged messages match no tag."""
    clients = context.clients(version)
    topic = context.topic(name_of('Tags', version))
    producer = name_of('tag-p', version)
    expressions = {'A || B': {'A', 'B'}, 'C': {'C'}, '*': {'A', 'B', 'C', 'null'}}
    consumers = {name_of(f'tag-c{i}', version): e for i, e in enumerate(expressions)}
    context.stopping(clients, producer, *consumers)
    clients.do('producer', name=producer, group='tag-producers')
    first = clients.send(producer, topic, 'tag', 200, tags='A,B,,C')
    for consumer, expression in consumers.items():
        clients.do('consumer', name=consumer, group=consumer, topic=topic, expression=expression)
    second = clients.send(producer, topic, 'tag', 200, from_=200, tags='A,B,,C')  # filtered while pulls are held
    tag_of = {i: ('A', 'B', 'null', 'C')[int(i.rsplit('.', 1)[1]) % 4] for i in first + second}
    for consumer, expression in consumers.items():
        clients.wait_for_ids([i for i in tag_of if tag_of[i] in expressions[expression]], 20, [consumer])
    time.sleep(0.5)
    for consumer, expression in consumers.items():
        for event in clients.deliveries[consumer]:
            check(event['tag'] == tag_of[event['id']], 'the tag changed', event)
            check(event['tag'] in expressions[expression], consumer, 'with', expression, 'received', event)
        check(len(clients.deliveries[consumer]) == 100 * len(expressions[expression]), consumer, 'received',
              len(clients.deliveries[consumer]))


@test_all_clients_in_time
@beside
def ordered_by_key(context, version):
    """MessageListenerOrderly: the messages of a key come in the order of sending, and never to two listeners at once,
    while a member joins and one leaves."""
    clients = context.clients(version)
    topic = context.topic(name_of('Ordered', version), queues=8)
    group = name_of('ordered-group', version)
    producers = [name_of(f'ordered-p{i}', version) for i in range(2)]
    consumers = [name_of(f'ordered-c{i}', version) for i in range(3)]
    context.stopping(clients, *producers, *consumers)

    def join(consumer):
        return clients.start('consumer', name=consumer, group=group, topic=topic, listener='orderly', threads=4)
    for call in [join(c) for c in consumers[:2]]:
        clients.finish(call)
    for producer in producers:
        clients.do('producer', name=producer, group='ordered-producers')
    count, keys = 1500, 16
    begin = len(clients.messages)
    calls = [clients.start('send', name=p, topic=topic, run='order', worker=p, mode='sync', count=count, keys=keys,
                           pause_us=500) for p in producers]
    ids = {f'order.{p}.{i}' for p in producers for i in range(count)}
    clients.wait(lambda: sum(1 for e in clients.messages[begin:] if e['id'] in ids) > count // 2, 60, 'the first quarter')
    clients.finish(join(consumers[2]))
    clients.wait(lambda: sum(1 for e in clients.messages[begin:] if e['id'] in ids) > count, 60, 'the first half')
    clients.do('stop', name=consumers[0])
    for call in calls:
        clients.finish(call)
    clients.wait_for_ids(ids, 90)
    next_seq, first_seen = {}, set()
    for event in clients.messages[begin:]:
        if event['id'] not in ids:
            continue
        check(event['x'] == 0, 'two listeners at once in one queue', event)
        if event['id'] in first_seen:
            continue  # at least once: a member that leaves may repeat what it had not yet confirmed
        first_seen.add(event['id'])
        _, producer, seq = event['id'].split('.')
        key = (producer, int(seq) % keys)
        check(int(seq) == next_seq.get(key, key[1]), 'key', key, 'expected', next_seq.get(key, key[1]), 'came', event)
        next_seq[key] = int(seq) + keys
    check(clients.deliveries.get(consumers[2]), 'the third member received nothing')
    return f'{len(clients.messages) - begin - len(first_seen)} repeated'


@test_all_clients
def long_polling(context, version):
    """A consumer that waits at the end of its queues receives a message at once, not at the next poll."""
    clients = context.clients(version)
    topic = context.topic(name_of('Latency', version))
    producer, consumer = name_of('latency-p', version), name_of('latency-c', version)
    context.stopping(clients, producer, consumer)
    clients.do('producer', name=producer, group='latency-producers')
    clients.do('consumer', name=consumer, group=name_of('latency-group', version), topic=topic)
    warm = clients.send(producer, topic, 'warm', 8)
    clients.wait_for_ids(warm, 20)
    time.sleep(1)
    ids = set(clients.send(producer, topic, 'latency', 40, pause_us=50_000))
    clients.wait_for_ids(ids, 20)
    waits = sorted(e['now'] - e['born'] for e in clients.deliveries[consumer] if e['id'] in ids)
    check(statistics.median(waits) <= 100 and waits[-1] <= 2000, 'milliseconds from send to listener:', waits)
    return f'ms from send to listener: median {statistics.median(waits):.0f}, worst {waits[-1]}'


@test
def unknown_topic_without_auto_create(context):
    """autoCreateTopicEnable=false: an unknown topic is refused by name, a known one works."""
    server = context.standalone('no-auto-create', autoCreateTopicEnable='false')
    raw = context.raw(server.address)
    answer = raw.call(rawmq.SEND_MESSAGE_V2, rawmq.send_header('g', 'NoSuchTopic', 0), b'x')
    check(answer.code == rawmq.TOPIC_NOT_EXIST and 'NoSuchTopic' in answer.remark, answer)
    context.topic('KnownTopic', server=server)
    for version in VERSIONS:
        clients, producer = context.clients(version), name_of('unknown-p', version)
        context.stopping(clients, producer)
        clients.do('producer', name=producer, group='unknown-producers', namesrv=server.namesrv)
        clients.send(producer, 'NoSuchTopic', 'unknown', 1, expect_all=False)
        failure = clients.fails.get(f'unknown.{producer}.0')
        check(failure and 'No route info of this topic' in failure['error'], 'the send ended with', failure)
        clients.send(producer, 'KnownTopic', 'known', 3)
    with rawmq.Connection(server.namesrv) as nameserver:
        check(nameserver.route('NoSuchTopic') is None, 'the refused topic got a route')
