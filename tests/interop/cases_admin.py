"""The real mqadmin 5.3.3 against the server under test."""
import re

import rawmq
from interop.harness import Admin, beside, check, test

VERSION = '5.3.3'


@test
@beside
def mqadmin(context):
    """updateTopic, topicList, topicRoute, topicStatus, clusterList, brokerStatus, consumerProgress, deleteTopic."""
    server, clients = context.server, context.clients(VERSION)
    topic, group, producer, consumer = 'AdminTopic', 'admin-group', 'admin-p', 'admin-c'
    admin = context.own.enter_context(Admin(VERSION, context.fresh_folder('mqadmin'), server.namesrv))
    context.stopping(clients, producer, consumer)

    text = admin.run('updateTopic', '-c', 'DefaultCluster', '-t', topic, '-r', '4', '-w', '4')
    check(f'create topic to {server.address} success' in text, 'updateTopic:', text)
    check('readQueueNums=4, writeQueueNums=4, perm=RW-' in text, 'updateTopic:', text)
    rawmq.wait_for_route(server.namesrv, topic)
    check(topic in admin.run('topicList').splitlines(), 'topicList does not name the new topic')

    route = rawmq.parse_fastjson(admin.run('topicRoute', '-t', topic))
    check(route['brokerDatas'][0]['brokerAddrs'] == {'0': server.address}, 'topicRoute:', route)
    check(route['queueDatas'][0]['readQueueNums'] == route['queueDatas'][0]['writeQueueNums'] == 4, route)
    check(route['queueDatas'][0]['perm'] == 6, route)

    clients.do('producer', name=producer, group='admin-producers')
    clients.do('consumer', name=consumer, group=group, topic=topic)
    ids = clients.send(producer, topic, 'admin', 40)
    clients.wait_for_ids(ids, 20)

    rows = table(admin.run('topicStatus', '-t', topic))
    check(len(rows) == 4 and sum(int(r[3]) for r in rows) == 40, 'topicStatus:', rows)
    for row in rows:
        check(row[0] == server.name and row[2] == '0' and re.match(r'\d{4}-\d\d-\d\d$', row[4]), 'topicStatus:', row)

    row, = [r for r in table(admin.run('clusterList')) if r[1] == server.name]
    check(row[0] == 'DefaultCluster' and row[2] == '0' and row[3] == server.address, 'clusterList:', row)
    check(re.fullmatch(r'V\d_\d+_\d+', row[4]), 'clusterList prints the version', row)

    text = admin.run('brokerStatus', '-b', server.address)
    status = dict(re.split(r'\s*:\s*', line, maxsplit=1) for line in text.splitlines() if ':' in line)
    for key in ('brokerVersionDesc', 'bootTimestamp', 'msgPutTotalTodayNow', 'putTps', 'getTotalTps', 'runtime',
                'commitLogMaxOffset', 'commitLogDirCapacity'):
        check(status.get(key, '').strip(), 'brokerStatus lacks', key, 'in', text)
    check(int(status['msgPutTotalTodayNow']) >= 40, 'brokerStatus counts', status['msgPutTotalTodayNow'])

    clients.do('stop', name=consumer)  # its offsets are stored now
    clients.do('consumer', name=consumer, group=group, topic=topic)
    text = admin.run('consumerProgress', '-g', group)
    rows = [r for r in table(text) if r[0] == topic]
    check(len(rows) == 4 and sum(int(r[3]) for r in rows) == 40, 'consumerProgress, broker offsets:', text)
    check(sum(int(r[4]) for r in rows) == 40, 'consumerProgress, consumer offsets:', text)
    check('Consume Diff Total: 0' in text, 'consumerProgress:', text)
    text = admin.run('consumerProgress')
    row = next((r for r in table(text) if r[0] == group), None)
    check(row and row[1] == '1' and 'CLUSTERING' in row, 'consumerProgress of all groups:', text)

    clients.do('stop', name=consumer)
    clients.do('stop', name=producer)  # or its next heart-beat might ask for the topic
    text = admin.run('deleteTopic', '-c', 'DefaultCluster', '-t', topic)
    check(f'delete topic [{topic}] from cluster [DefaultCluster] success' in text, 'deleteTopic:', text)
    check(topic not in admin.run('topicList').splitlines(), 'topicList still names the deleted topic')
    answer = context.raw(server.address).call(rawmq.PULL_MESSAGE, rawmq.pull_header('g', topic, 0, 0))
    check(answer.code == rawmq.TOPIC_NOT_EXIST, 'a pull of the deleted topic says', answer)


@test
def mqadmin_configuration(context):
    """getBrokerConfig, updateBrokerConfig: a setting of the allow-list changes at once, everything else is refused by its name and
    changes nothing; a path is neither shown nor taken (CVE-2023-33246)."""
    server = context.server
    admin = context.own.enter_context(Admin(VERSION, context.fresh_folder('mqadmin'), server.namesrv))

    def settings():
        return settings_of(admin, server)
    before = settings()
    check(before['shortPollingTimeMills'] == '1000', 'getBrokerConfig:', before)
    check(context.kind != 'ringmq' or 'storePathRootDir' not in before, 'getBrokerConfig shows a path:', before)
    text = admin.run('updateBrokerConfig', '-b', server.address, '-k', 'shortPollingTimeMills', '-v', '900')
    check('success' in text, 'updateBrokerConfig:', text)
    check(settings()['shortPollingTimeMills'] == '900', 'the setting is as before')
    admin.run('updateBrokerConfig', '-b', server.address, '-k', 'shortPollingTimeMills', '-v', '1000')
    if context.kind != 'ringmq':
        return
    with rawmq.Connection(server.address) as raw:
        for key, value in (('rocketmqHome', '/tmp/$(touch x)'), ('storePathRootDir', '/tmp'), ('flushDiskType', 'SYNC_FLUSH'),
                           ('namesrvAddr', '10.0.0.1:1'), ('confinement', 'off'), ('brokerRole', 'SLAVE'), ('nonsense', '1')):
            answer = raw.call(25, {}, f'shortPollingTimeMills=5\n{key}={value}\n'.encode())
            check(answer.code == 16 and key in answer.remark, 'update of', key, answer)
        for value in ('0', '3600001', 'x', '', '7\\n8', '1000\nshortPollingTimeMills=5'):
            answer = raw.call(25, {}, f'traceOn=false\nshortPollingTimeMills={value}\n'.encode())
            check(answer.code != 0 and 'shortPollingTimeMills' in answer.remark, 'the value', value, answer)
    check(settings() == before, 'something of what was refused has changed')


@test
def mqadmin_configuration_lasts(context):
    """What updateBrokerConfig has changed is still so after a restart, and what it has not is as it was."""
    server = context.standalone('kept')
    admin = context.own.enter_context(Admin(VERSION, context.fresh_folder('mqadmin'), server.namesrv))
    text = admin.run('updateBrokerConfig', '-b', server.address, '-k', 'shortPollingTimeMills', '-v', '900')
    check('success' in text, 'updateBrokerConfig:', text)
    before = settings_of(admin, server)
    server.stop()
    server.start()
    after = settings_of(admin, server)
    check(after['shortPollingTimeMills'] == '900', 'after the restart it is', after['shortPollingTimeMills'])
    differs = {key for key in before if before[key] != after.get(key)}
    check(not differs - {'startAcceptSendRequestTimeStamp'}, 'the restart has changed', differs)


def settings_of(admin, server):
    """What getBrokerConfig prints, by key."""
    text = admin.run('getBrokerConfig', '-b', server.address)
    return dict(re.split(r'\s*=\s*', line.strip(), maxsplit=1) for line in text.splitlines() if '=' in line)


def table(text):
    """The rows of an mqadmin table, split at blanks; its heading begins with '#'."""
    lines = text.splitlines()
    head = next((i for i, line in enumerate(lines) if line.startswith('#')), None)
    check(head is not None, 'no table in', text)
    rows = []
    for line in lines[head + 1:]:
        if not line.strip():
            break
        rows.append(line.split())
    return rows
