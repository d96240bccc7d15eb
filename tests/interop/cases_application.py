"""What applications build on: requests with replies, namespaces, and groups that go on when a member or the broker dies."""
import time

import rawmq
from interop.cases_basic import name_of
from interop.harness import Admin, Clients, beside, check, test, test_each_client, test_the_oldest_and_in_time_java, test_with, wait_until


@test_with('4.9.7', '5.5.0')  # in 5.3.3 a producer that asks gives up as soon as its request was taken
def request_and_reply(context, version):
    """A producer asks, a consumer answers through the broker; a request that nobody answers ends with the producer's own time-out."""
    clients, topic = context.clients(version), context.topic(name_of('Requests', version))
    producer, replier = name_of('ask-p', version), name_of('ask-r', version)
    context.stopping(clients, producer, replier)
    clients.do('replier', name=replier, group=name_of('ask-group', version), topic=topic)
    clients.do('producer', name=producer, group='ask-producers')
    for number in range(20):
        clients.do('request', name=producer, topic=topic, id=f'ask{version}.{number}', body=f'question {number}', wait=50_000 if number == 0 else 3000)  # a client may share out queues only every 20 s at first
    replies = [clients.acks.get(f'ask{version}.{number}') for number in range(20)]
    for number, reply in enumerate(replies):
        check(reply and reply['reply'] == f'reply to question {number}', number, reply, clients.fails.get(f'ask{version}.{number}'))
    clients.do('request', name=producer, topic=topic, id=f'ask{version}.none', body='nothing', wait=500)
    failure = clients.fails.get(f'ask{version}.none')
    check(failure and 'RequestTimeoutException' in failure['error'], 'nobody has answered, and the producer was told', failure)
    times = sorted(reply['us'] for reply in replies[1:])
    return f'there and back in {times[len(times) // 2] / 1000:.1f} ms in the middle case'


@test
def replies_in_the_old_form(context):
    """A client that is told to send no short headers (sendSmartMsg=false) answers as well as others."""
    clients = context.own.enter_context(Clients('4.9.7', context.fresh_folder('old-form'), context.server.namesrv,
                                                ['-Dorg.apache.rocketmq.client.sendSmartMsg=false']))
    topic = context.topic('OldFormRequests')
    clients.do('replier', name='old-r', group='old-form-group', topic=topic)
    clients.do('producer', name='old-p', group='old-form-producers')
    for number in range(5):
        clients.do('request', name='old-p', topic=topic, id=f'old.{number}', body=f'question {number}', wait=50_000 if number == 0 else 3000)
        reply = clients.acks.get(f'old.{number}')
        check(reply and reply['reply'] == f'reply to question {number}', number, reply, clients.fails.get(f'old.{number}'))


@test_the_oldest_and_in_time_java
@beside
def unit_mode(context, version):
    """Clients of a unit: the topic that a send makes, and the retry topic of a group, say so, and nameservers list them."""
    clients, server = context.clients(version), context.standalone(name_of('unit', version))
    topic, group = name_of('UnitTopic', version), name_of('unit-group', version)
    producer, consumer = name_of('unit-p', version), name_of('unit-c', version)
    context.stopping(clients, producer, consumer)
    clients.do('producer', name=producer, group='unit-producers', namesrv=server.namesrv, unit=1)
    ids = clients.send(producer, topic, name_of('unit', version), 5)
    clients.do('consumer', name=consumer, group=group, topic=topic, namesrv=server.namesrv, unit=1, failures=1, retry_level=1)
    clients.wait(lambda: all(clients.seen.get(i, 0) == 2 for i in ids), 60, 'each message, and again when it failed')
    rawmq.wait_for_route(server.namesrv, f'%RETRY%{group}')
    with context.own.enter_context(Admin('5.3.3', context.fresh_folder('mqadmin'), server.namesrv)) as admin:
        lists = {name: [line for line in admin.run(f'call:{name}').splitlines() if '|-' not in line] for name in
                 ('getUnitTopicList', 'getHasUnitSubTopicList', 'getHasUnitSubUnUnitTopicList')}
    check(topic in lists['getUnitTopicList'] and f'%RETRY%{group}' not in lists['getUnitTopicList'], lists)
    check(f'%RETRY%{group}' in lists['getHasUnitSubTopicList'] and f'%RETRY%{group}' in lists['getHasUnitSubUnUnitTopicList'], lists)
    check(topic not in lists['getHasUnitSubUnUnitTopicList'], lists)


@test_each_client
def namespaces(context, version):
    """Clients with a namespace do not see it, and another one's messages neither."""
    clients, server = context.clients(version), context.server
    topic = name_of('Spaced', version)
    spaces = ('first', 'second')
    for space in spaces:
        context.topic(f'{space}%{topic}')
    producers = {space: name_of(f'ns-p-{space}', version) for space in spaces}
    consumers = {space: name_of(f'ns-c-{space}', version) for space in spaces}
    context.stopping(clients, *producers.values(), *consumers.values())
    sent = {}
    for space in spaces:
        clients.do('producer', name=producers[space], group='ns-producers', namespace=space)
        clients.do('consumer', name=consumers[space], group=name_of('ns-group', version), topic=topic, namespace=space)
    for space in spaces:
        sent[space] = clients.send(producers[space], topic, f'ns-{space}', 20)
    for space in spaces:
        clients.wait_for_ids(sent[space], 30, [consumers[space]])
        got = clients.deliveries[consumers[space]]
        check({e['id'] for e in got} == set(sent[space]), space, 'received what is not its own')
        check(all(e['t'] == topic for e in got), 'the application sees', got[0]['t'])
    with_groups = {f'{space}%{name_of("ns-group", version)}' for space in spaces}
    for group in with_groups:  # as the broker knows them
        context.raw(server.address).must(rawmq.GET_CONSUMER_LIST_BY_GROUP, {'consumerGroup': group})


def gap_of_queues(events, queues, begin):
    """The longest time, in ms, that a message sent after `begin` waited for its listener, over all queues; each queue must have had some."""
    waits = {}
    for event in events:
        if event['born'] >= begin:
            waits[event['q']] = max(waits.get(event['q'], 0), event['now'] - event['born'])
    check(len(waits) == queues, 'only the queues', sorted(waits), 'have a consumer')
    return max(waits.values())


def take_over(context, listener, limit_ms):
    """kill -9 of one of two consumers while a message a queue is sent every few ms: how long the messages waited that were sent from then on."""
    queues, name = 8, f'takeover-{listener}'
    topic = context.topic(name, queues)
    sender = context.clients('5.3.3')
    context.stopping(sender, f'{name}-p')
    sender.do('producer', name=f'{name}-p', group='takeover-producers')
    members = [context.own.enter_context(Clients('5.3.3', context.fresh_folder(f'{name}-{number}'), context.server.namesrv, ['-Dpeer.flushEach=true']))
               for number in range(2)]
    for number, member in enumerate(members):
        member.do('consumer', name=f'{name}-c{number}', group=name, topic=topic, listener=listener)
    call = sender.start('send', name=f'{name}-p', topic=topic, run=name, worker=name, mode='sync', count=1_000_000, keys=queues, pause_us=2000)
    wait_until(lambda: all(len({e['q'] for e in list(m.messages)[-200:]}) == queues // 2 for m in members), 60, 'each member has half of the queues')
    begin = int(time.time() * 1000)
    members[1].process.kill()
    members[1].process.wait()
    time.sleep(4)
    sender.do('pause', name=f'{name}-p')
    sender.finish(call, 30)
    ids = [i for i in sender.acks if i.startswith(f'{name}.') and sender.acks[i]['at'] > begin + 100]
    members[0].wait_for_ids(ids, 30)
    waited = gap_of_queues(list(members[0].messages), queues, begin)
    # The original keeps the locks of an ordered consumer for a minute.
    check(waited <= limit_ms or context.kind != 'ringmq', 'messages of the dead member waited', waited, 'ms for the other one, and may', limit_ms)
    return f'messages waited for at most {waited} ms'


@test
def member_killed(context):
    """Within a second the other one has all queues."""
    return take_over(context, 'concurrent', 1000)


@test
def member_killed_ordered(context):
    """Within two, where queues are locked."""
    return take_over(context, 'orderly', 2000)


@test
def broker_killed(context):
    """Once the broker is back no queue is without its consumer for more than 5 s, with the intervals that clients have by themselves."""
    queues = 8
    server = context.standalone('broker-killed')
    topic = context.topic('BrokerKilled', queues, server)
    clients = context.clients('5.3.3')
    context.stopping(clients, 'bk-p', 'bk-c0', 'bk-c1')
    for number in range(2):
        clients.do('consumer', name=f'bk-c{number}', group='bk-group', topic=topic, namesrv=server.namesrv, heartbeat=30_000, poll=30_000)
    clients.do('producer', name='bk-p', group='bk-producers', namesrv=server.namesrv)
    ids = clients.send('bk-p', topic, 'before', 80, keys=queues)
    clients.wait_for_ids(ids, 60)
    server.kill()
    server.start()
    begin = int(time.time() * 1000)
    with rawmq.Connection(server.address) as raw:
        for queue in range(queues):
            raw.send(topic, queue, b'after|' + str(queue).encode())
    clients.wait(lambda: len(after(clients, begin)) == queues, 60, 'a message of each queue')
    waited = max(e['now'] - begin for e in after(clients, begin).values())
    check(waited <= 5000 or context.kind != 'ringmq', 'the last queue had its consumer again after', waited, 'ms')
    return f'the last queue had its consumer again after {waited} ms'


def after(clients, begin):
    """queue -> the first message that came and was sent after `begin`."""
    first = {}
    for event in list(clients.messages):
        if event['c'].startswith('bk-c') and event['store'] >= begin:
            first.setdefault(event['q'], event)
    return first
