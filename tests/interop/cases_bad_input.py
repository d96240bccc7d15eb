"""Every request asked badly: without fields, with fields that are none, about topics and groups that are not there. Each is answered with a code and a remark that says
what is wrong, and nothing has changed."""

import rawmq
from interop import proofs
from interop.harness import beside, check, test

# Those that need no field: about the server itself.
ABOUT_THE_SERVER = {
    'GET_ALL_TOPIC_CONFIG', 'GET_ALL_SUBSCRIPTIONGROUP_CONFIG', 'GET_SYSTEM_TOPIC_LIST_FROM_BROKER', 'CLEAN_EXPIRED_CONSUMEQUEUE', 'CLEAN_UNUSED_TOPIC',
    'DELETE_EXPIRED_COMMITLOG', 'GET_ALL_PRODUCER_INFO', 'GET_BROKER_RUNTIME_INFO', 'GET_BROKER_CONFIG', 'GET_BROKER_HA_STATUS', 'AUTH_LIST_USER', 'AUTH_LIST_ACL',
    'GET_ALL_MESSAGE_REQUEST_MODE', 'GET_ALL_CONSUMER_OFFSET', 'CHECK_CLIENT_CONFIG', 'UPDATE_BROKER_CONFIG',
    'GET_BROKER_CLUSTER_INFO', 'GET_ALL_TOPIC_LIST_FROM_NAMESERVER', 'GET_SYSTEM_TOPIC_LIST_FROM_NS', 'GET_UNIT_TOPIC_LIST', 'GET_HAS_UNIT_SUB_TOPIC_LIST',
    'GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST', 'GET_NAMESRV_CONFIG', 'UPDATE_NAMESRV_CONFIG'}
# And those that are done when there is nothing to do, as with RocketMQ.
NOTHING_TO_DO = {'AUTH_DELETE_USER', 'DELETE_TOPIC_IN_BROKER', 'DELETE_SUBSCRIPTIONGROUP', 'UNREGISTER_CLIENT', 'UNLOCK_BATCH_MQ', 'LOCK_BATCH_MQ', 'UPDATE_AND_CREATE_TOPIC_LIST',
                 'UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST', 'DELETE_TOPIC_IN_NAMESRV', 'DELETE_KV_CONFIG'}
NUMBERS = ('queueId', 'e', 'queueOffset', 'offset', 'commitOffset', 'maxMsgNums', 'sysFlag', 'f', 'suspendTimeoutMillis', 'timestamp', 'h', 'd', 'g', 'bornTimestamp', 'popTime',
           'invisibleTime', 'pollTime', 'tranStateTableOffset', 'commitLogOffset', 'commitOrRollback', 'delayLevel', 'maxNum', 'beginTimestamp', 'endTimestamp', 'index', 'count',
           'readQueueNums', 'writeQueueNums', 'perm', 'initMode', 'brokerId', 'subVersion', 'commitOffset', 'reconsumeTimes', 'defaultTopicQueueNums', 'flag')
NAMES = {'topic': 'Nowhere', 'b': 'Nowhere', 'defaultTopic': 'NoTemplate', 'c': 'NoTemplate', 'a': 'nobody', 'group': 'nobody', 'consumerGroup': 'nobody', 'groupName': 'nobody',
         'producerGroup': 'nobody', 'srcGroup': 'nobody', 'destGroup': 'nobody-either', 'compareGroup': 'nobody', 'clientID': 'c', 'clientId': 'c', 'consumerId': 'c',
         'brokerName': 'no-broker', 'clusterName': 'NoCluster', 'cluster': 'NoCluster', 'brokerAddr': '127.0.0.1:1', 'haServerAddr': '', 'username': 'nobody', 'subject': 'User:nobody',
         'namespace': 'NS', 'key': 'k', 'msgId': '7F0000010000000000000000000000FF', 'extraInfo': '0 0 0 0 0 b 0 0', 'statsName': 'NO_STATS', 'statsKey': 'x', 'transactionId': 'x',
         'recallHandle': 'x', 'topicFilterType': 'SINGLE_TAG', 'order': 'false', 'isForce': 'false', 'unitMode': 'false', 'k': 'false', 'properties': '', 'i': ''}


def world(connection, namesrv):
    """What must be the same before and after: topics, groups, offsets, settings, routes."""
    bodies = [connection.must(code).body for code in (21, 201, 43, 26)]
    with rawmq.Connection(namesrv) as nameserver:
        bodies += [nameserver.must(code).body for code in (206, 106, 319)]
    return [body.decode() for body in bodies]


def asked_badly(context, server, address, role):
    """All requests of one server in all bad ways; returns what was wrong with the answers."""
    numbers = {**{name: 0 for name in NUMBERS}, 'commitOrRollback': 8}  # what is neither commit nor rollback has no answer, as with RocketMQ
    bodies = {'no body': b'', 'a body that is no JSON': b'{"topic"', 'a body of nothing': b'{}', 'a body of another kind': b'[1,2]'}
    wrong, asked = [], 0
    before = world(context.raw(server.address), server.namesrv)
    for code, name in proofs.codes_of(role):
        if name == 'UPDATE_AND_CREATE_TOPIC':
            ways = {'no field': {}}  # with a name it makes one, as it should
        elif name in ('REGISTER_BROKER', 'REGISTER_TOPIC_IN_NAMESRV', 'PUT_KV_CONFIG', 'UNREGISTER_BROKER', 'QUERY_DATA_VERSION', 'BROKER_HEARTBEAT'):
            ways = {'no field': {}}  # whoever names a broker registers it
        else:
            ways = {'no field': {}, 'names that are not there': {**numbers, **NAMES},
                    **{f'{number} that is none': {**numbers, **NAMES, number: 'x1'} for number in NUMBERS},
                    **{f'{number} beyond 64 bit': {**numbers, **NAMES, number: '9' * 30} for number in ('queueId', 'e', 'queueOffset', 'offset', 'timestamp')},
                    'names of blanks': {**numbers, **{key: ' ' for key in NAMES}}, 'names with a path': {**numbers, **{key: '../../x' for key in NAMES}}}
        connection = context.raw(address)
        for how, fields in ways.items():
            for which, body in bodies.items():
                if which != 'no body' and how not in ('no field', 'names that are not there'):
                    continue
                asked += 1
                try:
                    answer = connection.call(code, fields, body, 5)
                except (TimeoutError, rawmq.ConnectionClosed) as error:
                    wrong.append(f'{name} with {how} and {which}: {error}')
                    connection = context.raw(address)
                    continue
                if answer.code != 0 and not answer.remark:
                    wrong.append(f'{name} with {how} and {which}: code {answer.code} without a remark')
                if how == 'no field' and answer.code == 0 and name not in ABOUT_THE_SERVER | NOTHING_TO_DO:
                    wrong.append(f'{name} with {how} and {which}: done')
        connection.close()
    after = world(context.raw(server.address), server.namesrv)
    wrong += [f'changed: {b[:300]} -> {a[:300]}' for b, a in zip(before, after) if b != a]
    return asked, wrong


@test
@beside
def every_request_asked_badly(context):
    """No request of a broker or a nameserver is answered with silence, without a reason, or by a change that nobody has asked for."""
    if context.kind != 'ringmq':
        return None
    server = context.standalone('asked-badly', autoCreateTopicEnable='false', autoCreateSubscriptionGroup='false')
    context.topic('There', 1, server=server)
    raw = context.raw(server.address)
    raw.create_group('there')
    raw.send('There', 0, b'stays')
    total, bad = 0, []
    for address, role in ((server.address, 'kBroker'), (server.namesrv, 'kNameserver')):
        asked, wrong = asked_badly(context, server, address, role)
        total, bad = total + asked, bad + wrong
    check(not bad, '\n'.join(bad[:40]), len(bad))
    check([r.body for r in raw.read_queue('There', 0, 0, 1, group='there')] == [b'stays'], 'the message that was there')
    return f'{total} requests'
