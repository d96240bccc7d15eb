"""Offsets of groups moved by the real mqadmin 5.3.3, with the group's real consumers running, waiting or away."""
import re
import time

import rawmq
from interop.cases_admin import VERSION, table
from interop.cases_basic import name_of
from interop.harness import Admin, Skip, beside, check, test, test_each_client, wait_until


def offsets(context, group, topic, queues):
    """What the group has committed of each queue; None where nothing."""
    with rawmq.Connection(context.server.address) as raw:
        answers = [raw.call(rawmq.QUERY_CONSUMER_OFFSET, {'consumerGroup': group, 'topic': topic, 'queueId': q,
                                                          'setZeroIfNotFound': 'false'}) for q in range(queues)]
    return [int(a.ext['offset']) if a.code == 0 else None for a in answers]


@test_each_client
@beside
def reset_offset_by_time(context, version):
    """resetOffsetByTime: a running consumer that has consumed everything and waits for more gets what was stored from then on once
    more, and nothing older; skipAccumulatedMessage lets one that comes back begin behind what has piled up."""
    clients, queues = context.clients(version), 4
    topic = context.topic(name_of('Reset', version), queues)
    group = name_of('reset-group', version)
    producer, consumer = name_of('reset-p', version), name_of('reset-c', version)
    context.stopping(clients, producer, consumer)
    admin = context.own.enter_context(Admin(VERSION, context.fresh_folder('mqadmin'), context.server.namesrv))
    clients.do('producer', name=producer, group='reset-producers')
    clients.do('consumer', name=consumer, group=group, topic=topic)
    early = clients.send(producer, topic, 'early', 40)
    time.sleep(1)
    between = int(time.time() * 1000)
    time.sleep(1)
    late = clients.send(producer, topic, 'late', 40)
    clients.wait_for_ids(early + late, 20)
    time.sleep(1)  # everything is pulled: its next pulls are held

    rows = table(admin.run('resetOffsetByTime', '-g', group, '-t', topic, '-s', str(between)))
    check(sorted(int(r[1]) for r in rows) == list(range(queues)), 'resetOffsetByTime:', rows)
    check(sum(int(r[2]) for r in rows) == 40, 'resetOffsetByTime:', rows)
    begin = time.monotonic()
    clients.wait(lambda: all(clients.seen[i] == 2 for i in late), 40, 'the later messages to come again')
    took = time.monotonic() - begin
    check(all(clients.seen[i] == 1 for i in early), 'older messages came again as well')
    wait_until(lambda: sum(o or 0 for o in offsets(context, group, topic, queues)) == 80, 20, 'the consumer to commit the end')

    clients.do('stop', name=consumer)
    piled = clients.send(producer, topic, 'piled', 40)
    rows = table(admin.run('skipAccumulatedMessage', '-g', group, '-t', topic))
    check(sum(int(r[2]) for r in rows) == 120, 'skipAccumulatedMessage:', rows)
    check(sum(offsets(context, group, topic, queues)) == 120, 'offsets are', offsets(context, group, topic, queues))
    clients.do('consumer', name=consumer, group=group, topic=topic)
    fresh = clients.send(producer, topic, 'fresh', 8)
    clients.wait_for_ids(fresh, 30)
    time.sleep(0.5)
    check(not any(i in clients.seen for i in piled), 'what was to be skipped came')
    return f'{took:.1f} s from the reset of a running consumer to its last message'


@test
@beside
def reset_offset_of_a_queue(context):
    """resetOffsetByTime -b -q -o: one queue to a given offset, the others stay; what is out of range or unknown is refused."""
    server, clients, topic, group = context.server, context.clients(VERSION), context.topic('ResetQueue', 2), 'reset-queue-group'
    producer, consumer = 'reset-queue-p', 'reset-queue-c'
    context.stopping(clients, producer, consumer)
    admin = context.own.enter_context(Admin(VERSION, context.fresh_folder('mqadmin'), server.namesrv))
    clients.do('producer', name=producer, group='reset-producers')
    clients.do('consumer', name=consumer, group=group, topic=topic)
    ids = clients.send(producer, topic, 'queue', 40)
    clients.wait_for_ids(ids, 20)
    where = {i: (clients.acks[i]['q'], clients.acks[i]['o']) for i in ids}
    text = admin.run('resetOffsetByTime', '-g', group, '-t', topic, '-s', '0', '-b', server.address, '-q', '1', '-o', '5')
    check('reset consumer offset to 5' in text, text)
    again = [i for i in ids if where[i][0] == 1 and where[i][1] >= 5]
    check(len(again) == 15, 'messages lie at', where)
    clients.wait(lambda: all(clients.seen[i] == 2 for i in again), 40, 'the messages from offset 5 on to come again')
    check(all(clients.seen[i] == 1 for i in ids if i not in again), 'others came again as well')

    raw = context.raw(server.address)
    for header, code in (({'offset': '22'}, 1), ({'offset': '-2'}, 1), ({'topic': 'NoSuchTopic'}, 17), ({'group': 'no-such-group'}, 26)):
        answer = raw.call(222, {'group': group, 'topic': topic, 'timestamp': '0', 'isForce': 'true', 'queueId': '1', **header})
        check(answer.code == code and answer.remark, 'a reset with', header, 'says', answer)
    if context.kind == 'ringmq':  # the real one takes it for 0
        answer = raw.call(222, {'group': group, 'topic': topic, 'timestamp': 'yesterday', 'isForce': 'true'})
        check(answer.code == 1 and 'timestamp' in answer.remark, 'a time that is no number:', answer)


@test_each_client
@beside
def tools_ask_members(context, version):
    """Request 223 (no mqadmin command sends it): each member tells its offsets; queryMsgById -g -d: the member named consumes that
    message once more."""
    server, clients, queues = context.server, context.clients(version), 2
    topic = context.topic(name_of('AskMembers', version), queues)
    group = name_of('ask-members', version)
    producer, consumer = name_of('ask-p', version), name_of('ask-c', version)
    context.stopping(clients, producer, consumer)
    admin = context.own.enter_context(Admin(VERSION, context.fresh_folder('mqadmin'), server.namesrv))
    raw = context.raw(server.address)
    answer = raw.call(223, {'group': group, 'topic': topic})
    check(answer.code == 1, 'nobody is online:', answer)
    clients.do('producer', name=producer, group='ask-producers')
    clients.do('consumer', name=consumer, group=group, topic=topic)
    ids = clients.send(producer, topic, 'ask', 10)
    clients.wait_for_ids(ids, 20)
    client_id = next(r[0] for r in table(admin.run('consumerConnection', '-g', group)) if consumer in r[0])

    def status(**more):
        text = raw.must(223, {'group': group, 'topic': topic, **more}).body.decode()
        check(client_id in text, text)
        return {int(q): int(o) for broker, q, o in
                re.findall(r'\{"brokerName":"([^"]+)","queueId":(\d+),"topic":"[^"]+"\}:(\d+)', text) if broker == server.name}
    wait_until(lambda: status() == {0: 5, 1: 5}, 10, 'the member to tell its offsets')
    check(status(clientAddr=client_id) == {0: 5, 1: 5}, 'of one member')

    one = clients.acks[ids[3]]
    text = admin.run('queryMsgById', '-t', topic, '-i', one['om'], '-g', group, '-d', client_id)
    check('CR_SUCCESS' in text, 'queryMsgById -d:', text)
    clients.wait(lambda: clients.seen[ids[3]] == 2, 10, 'the message to be consumed again')
    check(all(clients.seen[i] == 1 for i in ids if i != ids[3]), 'others came again as well')
    check(sum(o or 0 for o in offsets(context, group, topic, queues)) <= 10, 'an offset has moved')
    for header in ({'clientId': 'nobody@nowhere'}, {'msgId': one['om'][:-1] + 'F'}, {'msgId': 'nonsense'}):
        if context.kind != 'ringmq' and 'msgId' in header:
            continue  # the real one throws
        answer = raw.call(309, {'consumerGroup': group, 'clientId': client_id, 'msgId': one['om'], 'topic': topic, **header})
        check(answer.code == 1 and answer.remark, '309 with', header, 'says', answer)


@test
def offsets_for_tools(context):
    """cloneGroupOffset and request 314: another group begins where one is; queryCq; 308 and 43 tell the same offsets."""
    server, clients, topic = context.server, context.clients(VERSION), context.topic('ToolOffsets', 2)
    source, group = 'tool-source', 'tool-target'
    producer, consumer = 'tool-p', 'tool-c'
    context.stopping(clients, producer, consumer)
    admin = context.own.enter_context(Admin(VERSION, context.fresh_folder('mqadmin'), server.namesrv))
    raw = context.raw(server.address)
    clients.do('producer', name=producer, group='tool-producers')
    clients.do('consumer', name=consumer, group=source, topic=topic)
    ids = clients.send(producer, topic, 'tool', 10, tags='A')
    clients.wait_for_ids(ids, 20)
    text = admin.run('queryCq', '-t', topic, '-q', '1', '-i', '3', '-c', '1', '-b', server.address, '-g', source)
    ack = next(a for a in (clients.acks[i] for i in ids) if (a['q'], a['o']) == (1, 3))
    check('max: 5, min: 0' in text and f'physicOffset={int(ack["om"][16:], 16)}' in text and 'tagsCode=65' in text, 'queryCq:', text)
    check(text.count('idx:') == 1, 'queryCq:', text)
    check('eval=true' in text or context.kind != 'ringmq', 'the real one judges only what has an extension:', text)
    clients.do('stop', name=consumer)
    wait_until(lambda: offsets(context, source, topic, 2) == [5, 5], 10, 'the consumer to commit')

    admin.run('updateSubGroup', '-b', server.address, '-g', group)
    raw.must(314, {'srcGroup': source, 'destGroup': group, 'topic': topic, 'offline': 'true'})
    check(offsets(context, group, topic, 2) == [5, 5], '314:', offsets(context, group, topic, 2))
    text = admin.run('cloneGroupOffset', '-s', source, '-d', group, '-t', topic)
    check('clone group offset success' in text, text)
    table_of_all = rawmq.parse_fastjson(raw.must(43, {}).body.decode())['offsetTable']
    for name in (source, group):
        check(table_of_all[f'{topic}@{name}'] in ({'0': 5, '1': 5}, {0: 5, 1: 5}), '43:', table_of_all)
    lowest = rawmq.parse_fastjson(raw.must(308, {'topic': topic, 'compareGroup': source}).body.decode())['correctionOffsets']
    check(lowest in ({'0': 5, '1': 5}, {0: 5, 1: 5}), '308:', lowest)
    piled = clients.send(producer, topic, 'after', 4)
    clients.do('consumer', name=consumer, group=group, topic=topic)
    clients.wait_for_ids(piled, 20)
    check(all(clients.seen[i] == 1 for i in ids), 'the clone began before its source')


@test_each_client
def forbidden_topic(context, version):
    """Request 353 (no mqadmin command sends it): a running consumer gets nothing of a topic that its group may not read, and everything
    once it may again."""
    clients = context.clients(version)
    topic = context.topic(name_of('Forbidden', version), 2)
    group = name_of('forbidden-group', version)
    producer, consumer = name_of('forbidden-p', version), name_of('forbidden-c', version)
    context.stopping(clients, producer, consumer)
    raw = context.raw(context.server.address)

    def forbid(readable):
        answer = raw.must(353, {'group': group, 'topic': topic, 'readable': readable})
        check(f'"readable":{readable}' in answer.body.decode(), '353:', answer)
    clients.do('producer', name=producer, group='forbidden-producers')
    clients.do('consumer', name=consumer, group=group, topic=topic)
    clients.wait_for_ids(clients.send(producer, topic, 'before', 4), 20)
    time.sleep(0.5)  # its pulls are held
    forbid('false')
    during = clients.send(producer, topic, 'during', 4)
    time.sleep(2)
    check(not any(i in clients.seen for i in during), 'what is forbidden came')
    forbid('true')
    clients.wait_for_ids(during, 20)


@test
def unequal_subscriptions(context):
    """Two members of one group with different tags: within a second consumerConnection tells it, and consumerStatus as well; each
    member gets only what it asked for."""
    if context.kind != 'ringmq':
        raise Skip('beyond RocketMQ')
    server = context.standalone('unequal')
    clients = context.clients(VERSION)
    topic, group = context.topic('Unequal', 4, server), 'unequal-group'
    consumers = {'unequal-a': 'A', 'unequal-b': 'B'}
    context.stopping(clients, 'unequal-p', *consumers)
    admin = context.own.enter_context(Admin(VERSION, context.fresh_folder('mqadmin'), server.namesrv))
    for consumer, tag in consumers.items():
        clients.do('consumer', name=consumer, group=group, topic=topic, expression=tag, namesrv=server.namesrv)
    begin = time.monotonic()
    text = admin.run('consumerConnection', '-g', group)
    while 'MEMBERS DIFFER' not in text and time.monotonic() < begin + 1:
        text = admin.run('consumerConnection', '-g', group)
    check('1 wants [A]: ' in text and '1 wants [B]: ' in text, 'consumerConnection:', text)
    ids = [r[0] for r in table(text) if r[0].split('@')[-1] in consumers]
    text = admin.run('consumerStatus', '-g', group, '-i', ids[0])
    check('SUBSCRIPTIONS_DIFFER' in text and '1 wants [B]: ' in text, 'consumerStatus:', text)

    clients.do('producer', name='unequal-p', group='unequal-producers', namesrv=server.namesrv)
    clients.send('unequal-p', topic, 'unequal', 40, tags='A,B')
    wait_until(lambda: all(clients.deliveries.get(c) for c in consumers), 20, 'both to get something')
    for consumer, tag in consumers.items():
        check({e['tag'] for e in clients.deliveries[consumer]} == {tag}, consumer, 'got another tag')
    clients.do('stop', name='unequal-b')
    wait_until(lambda: 'MEMBERS DIFFER' not in admin.run('consumerConnection', '-g', group), 2, 'the end of it to be seen')
