"""Access control: users, signatures and access control lists, with real clients, tools and proxies."""
import json
import re

import rawmq
from interop import access_commands, proofs
from interop.cases_admin import VERSION
from interop.cases_basic import name_of
from interop.cases_mqadmin import normal
from interop.clients import GRPC, ClientError, Clients
from interop.harness import Admin, Skip, beside, check, test, test_the_oldest_and_in_time_all, test_each_client
from peers import rocketmq
from peers.proxy import Proxy

ROOT = ('root', 'secret-of-root')
ROOT_WORDS = ':'.join(ROOT)
NO_PERMISSION = 16
CONSUMER_SEND_MSG_BACK, END_TRANSACTION = 36, 37
PREPARED = 4  # the flag of a half message
CREATE_USER, UPDATE_USER, DELETE_USER, GET_USER, LIST_USER = range(3001, 3006)
CREATE_ACL, UPDATE_ACL, DELETE_ACL, GET_ACL, LIST_ACL = range(3006, 3011)


def settings(kind, rights=True):
    """How a broker is told that there is access control. RocketMQ's needs to be told where users are kept, too."""
    auth = 'org.apache.rocketmq.auth'
    theirs = {'authenticationMetadataProvider': f'{auth}.authentication.provider.LocalAuthenticationMetadataProvider',
              'authorizationMetadataProvider': f'{auth}.authorization.provider.LocalAuthorizationMetadataProvider'}
    return {'authenticationEnabled': 'true', 'authorizationEnabled': str(rights).lower(),
            'initAuthenticationUser': json.dumps(dict(zip(('username', 'password'), ROOT)), separators=(',', ':')),
            'innerClientAuthenticationCredentials': json.dumps(dict(zip(('accessKey', 'secretKey'), ROOT)), separators=(',', ':')),
            **(theirs if kind == 'rocketmq' else {})}


def guarded(context, name, rights=True, **more):
    """A server with access control, and a connection of its super user."""
    server = context.standalone(name, **settings(context.kind, rights), **more)
    return server, context.own.enter_context(rawmq.Connection(server.address, user=ROOT))


def make_user(root, name, password='some-password', kind='Normal'):
    root.must(CREATE_USER, {'username': name}, json.dumps({'username': name, 'password': password, 'userType': kind}).encode())
    return name, password


def allow(root, user, *entries, decision='Allow', sources=None):
    """`entries`: (resource, actions)."""
    policy = {'policyType': 'Custom', 'entries': [
        {'resource': resource, 'actions': actions.split(','), 'decision': decision, **({'sourceIps': sources} if sources else {})}
        for resource, actions in entries]}
    root.must(CREATE_ACL, {'subject': f'User:{user}'}, json.dumps({'subject': f'User:{user}', 'policies': [policy]}).encode())


def refused(clients, producer, topic, run, **more):
    """Sends one message that must not be taken; what the client was told."""
    sent = clients.send(producer, topic, run, 1, expect_all=False, **more)
    check(not sent, 'was taken', sent)
    return str(clients.fails)


@test_the_oldest_and_in_time_all
@beside
def access_of_clients(context, version):
    """Who has signed may do what his list says, from the next request on and after a crash; who has not, or may not, nothing."""
    clients = context.clients(version)
    server, root = guarded(context, name_of('access', version))
    alice, bob = make_user(root, 'alice'), make_user(root, 'bob', 'täglich ein Paßwort')
    allow(root, 'alice', ('Topic:Orders*', 'Pub'))
    allow(root, 'bob', ('Topic:Orders', 'Sub'), ('Group:billing', 'Sub'))
    for topic in ('Orders', 'OrdersOther', 'Secret'):
        context.topic(topic, server=server, user=ROOT)

    def name(text):
        return name_of(text, version)
    producers = {name('acc-nobody'): '', name('acc-wrong'): 'alice:wrong', name('acc-bob'): ':'.join(bob), name('acc-alice'): ':'.join(alice)}
    consumers = {name('acc-spy'): ('alice', 'spies'), name('acc-c'): ('bob', 'billing')}
    context.stopping(clients, *producers, *consumers)
    for producer, user in producers.items():
        clients.do('producer', name=producer, group='ProducerGroupName', namesrv=server.namesrv, user=user, retries=0)
    for producer in list(producers)[:3]:
        refused(clients, producer, 'Orders', f'{producer}-run')
    for consumer, (user, group) in consumers.items():
        words = ':'.join({'alice': alice, 'bob': bob}[user])
        clients.do('consumer', name=consumer, group=group, topic='Orders', namesrv=server.namesrv, user=words, failures=1, retry_level=1)
    refused(clients, name('acc-alice'), 'Secret', name('secret'))
    ids = clients.send(name('acc-alice'), 'Orders', name('paid'), 20)
    clients.wait(lambda: all(clients.seen.get(i, 0) == 2 for i in ids), 60, 'each message, and again when it failed')
    check(not clients.deliveries.get(name('acc-spy')), 'who may not read was given messages')

    root.must(UPDATE_USER, {'username': 'alice'}, b'{"userStatus":"disable"}')
    refused(clients, name('acc-alice'), 'Orders', name('disabled'))
    root.must(UPDATE_USER, {'username': 'alice'}, b'{"userStatus":"enable"}')
    clients.send(name('acc-alice'), 'Orders', name('enabled'), 1)
    root.must(DELETE_ACL, {'subject': 'User:alice', 'resource': 'Topic:Orders*'})
    if context.kind == 'ringmq':  # RocketMQ keeps what it has found for a minute
        refused(clients, name('acc-alice'), 'Orders', name('deleted'))
    allow(root, 'alice', ('Topic:OrdersOther', 'Pub'))
    server.kill()
    server.start()
    rawmq.wait_for_route(server.namesrv, 'OrdersOther')
    clients.send(name('acc-alice'), 'OrdersOther', name('again'), 1)
    refused(clients, name('acc-alice'), 'Orders', name('still-deleted'))


@test_each_client
@beside
def access_to_transactions(context, version):
    """Who may not send to a topic can't end a transaction of it either, though a 4.9 names no topic; its own producer can."""
    clients = context.clients(version)
    server, root = guarded(context, name_of('access-tx', version))
    alice, mallory = make_user(root, 'alice'), make_user(root, 'mallory')
    allow(root, 'alice', ('Topic:Paid', 'Pub,Sub'), ('Group:tx-readers', 'Sub'))
    allow(root, 'mallory', ('Topic:Other', 'Pub,Sub'), ('Group:tx-readers', 'Sub'))
    for topic in ('Paid', 'Other'):
        context.topic(topic, 1, server=server, user=ROOT)
    producer, consumer = name_of('acctx-p', version), name_of('acctx-c', version)
    context.stopping(clients, producer, consumer)
    clients.do('txproducer', name=producer, group='tx-producers', namesrv=server.namesrv, user=':'.join(alice))
    clients.do('consumer', name=consumer, group='tx-readers', topic='Paid', namesrv=server.namesrv, user=':'.join(alice))
    done = clients.transact(producer, 'Paid', name_of('committed', version), 3, 'COMMIT_MESSAGE')
    clients.wait_for_ids(done, 30, [consumer])

    half = context.own.enter_context(rawmq.Connection(server.address, user=alice))
    properties = rawmq.encode_properties({'TRAN_MSG': 'true', 'PGROUP': 'tx-producers', 'UNIQ_KEY': f'7F{1:030X}'})
    begun = half.must(rawmq.SEND_MESSAGE_V2, rawmq.send_header('tx-producers', 'Paid', 0, properties, f=PREPARED), b'a stranger must not commit it').ext
    position = int(begun['msgId'][16:], 16)
    thief = context.own.enter_context(rawmq.Connection(server.address, user=mallory))
    for topic in ({}, {'topic': 'Other'}, {'topic': 'Paid'}):
        answer = thief.call(END_TRANSACTION, {
            'producerGroup': 'tx-producers', 'tranStateTableOffset': begun['queueOffset'], 'commitLogOffset': position, 'commitOrRollback': 8,
            'fromTransactionCheck': 'false', 'msgId': begun['msgId'], 'transactionId': begun['msgId'], **topic})
        if context.kind == 'ringmq' or topic == {'topic': 'Paid'}:  # RocketMQ looks at the name that it is told, if any
            check(answer.code == NO_PERMISSION, topic, answer)
    if context.kind == 'ringmq':  # what is in a message is nobody's who may not read its topic, by whatever way it comes out
        check(root.max_offset('Paid', 0) == len(done), 'a stranger has committed it')
        stored = rawmq.decode_records(root.must(rawmq.PULL_MESSAGE, rawmq.pull_header('any', 'Paid', 0, 0)).body)[0].physical_offset
        for extra in ({}, {'topic': 'Other'}):
            check(thief.call(rawmq.VIEW_MESSAGE_BY_ID, {'offset': stored, **extra}).code == NO_PERMISSION, 'seen by its offset', extra)
        check(half.call(rawmq.VIEW_MESSAGE_BY_ID, {'offset': stored}).code == 0, 'not seen by who may')
        back = {'group': 'tx-readers', 'offset': stored, 'delayLevel': 1, 'originMsgId': '', 'originTopic': 'Other', 'unitMode': 'false'}
        check(thief.call(CONSUMER_SEND_MSG_BACK, back).code == NO_PERMISSION, "sent back to one's own retry topic")
    half.must(END_TRANSACTION, {'producerGroup': 'tx-producers', 'tranStateTableOffset': begun['queueOffset'], 'commitLogOffset': position,
                                'commitOrRollback': 8, 'fromTransactionCheck': 'false', 'msgId': begun['msgId'], 'transactionId': begun['msgId']})


@test
@beside
def access_cannot_be_passed(context):
    """Every request, unsigned, signed wrongly in each way, and by a user without a right: refused, or nobody's; and nothing has happened."""
    if context.kind != 'ringmq':
        return None
    server, root = guarded(context, 'access-bypass')
    context.topic('Guarded', 1, server=server, user=ROOT)
    root.create_group('g')
    root.send('Guarded', 0, b'the only one')
    mallory = make_user(root, 'mallory')
    anybody = context.raw(server.address)
    names = {**rawmq.send_header('g', 'Guarded', 0), 'topic': 'Guarded', 'group': 'g', 'consumerGroup': 'g', 'groupName': 'g', 'producerGroup': 'g',
             'srcGroup': 'g', 'destGroup': 'g', 'compareGroup': 'g', 'username': 'root', 'subject': 'User:root', 'brokerName': 'broker-a',
             'clusterName': 'DefaultCluster', 'defaultTopic': 'TBW102', 'defaultTopicQueueNums': 4, 'queueId': 0, 'commitOffset': 5, 'offset': 0, 'sysFlag': 0,
             'bornTimestamp': 1, 'flag': 0, 'properties': '', 'reconsumeTimes': 0}
    bodies = [b'', json.dumps({'consumerGroup': 'g', 'group': 'g', 'groupName': 'g', 'clientId': 'c', 'clientID': 'c', 'topic': 'Guarded', 'mqSet': [],
                               'subscriptionData': {'topic': 'Guarded', 'subString': '*'}, 'topicConfigList': [{'topicName': 'Guarded'}],
                               'groupConfigList': [{'groupName': 'g'}], 'acks': [{'c': 'g', 't': 'Guarded', 'r': '0'}],
                               'consumerDataSet': [{'groupName': 'g', 'subscriptionDataSet': [{'topic': 'Guarded', 'subString': '*'}]}]}).encode()]
    other = rawmq.signed({**names, 'extra': '1'}, b'', *mallory)['Signature']
    tried = 0
    for code, name in proofs.codes_of("kBroker"):
        for body in bodies:
            good = rawmq.signed(names, body, *mallory)
            wrong = {
                'unsigned': names,
                'without a signature': {**names, 'AccessKey': 'mallory'},
                'with an empty one': {**good, 'Signature': ''},
                "with another request's": {**good, 'Signature': other},
                'of a user who is not there': rawmq.signed(names, body, 'nobody', 'x'),
                'with another password': rawmq.signed(names, body, 'root', 'guess'),
                'with a field more': {**good, 'zzz': '1'},
                'with names in other letters': {**names, 'accesskey': 'root', 'signature': good['Signature']},
                'as root by mallory': {**good, 'AccessKey': 'root'},
            }
            for how, ext in wrong.items():
                answer = anybody.call(code, ext, body)
                check(answer.code in (NO_PERMISSION, 3), name, how, answer)
                tried += 1
            producer_only = name in ('HEART_BEAT', 'UNREGISTER_CLIENT') and not body
            answer = anybody.call(code, good, body)
            unreadable = name in ('HEART_BEAT', 'CHECK_CLIENT_CONFIG', 'LOCK_BATCH_MQ', 'UNLOCK_BATCH_MQ', 'BATCH_ACK_MESSAGE', 'QUERY_ASSIGNMENT',
                                  'SET_MESSAGE_REQUEST_MODE', 'UPDATE_AND_CREATE_TOPIC_LIST', 'UPDATE_AND_CREATE_SUBSCRIPTIONGROUP',
                                  'UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST') and not body
            by_message = name in ('END_TRANSACTION', 'VIEW_MESSAGE_BY_ID')
            check(answer.code in (NO_PERMISSION, 3) or producer_only or (unreadable and answer.code == 1) or (by_message and answer.code == 1),
                  name, 'by a user without rights', answer)
            anybody.submit(code, good, body, oneway=True)
        anybody.submit(code, names, oneway=True)
    anybody.call(rawmq.GET_MAX_OFFSET, names)  # those that expected no answer have been looked at by now
    committed = {'consumerGroup': 'g', 'topic': 'Guarded', 'queueId': 0, 'setZeroIfNotFound': 'false'}
    check(root.max_offset('Guarded', 0) == 1, 'somebody has sent')
    check(root.call(rawmq.QUERY_CONSUMER_OFFSET, committed).code != 0, 'somebody has committed an offset')
    users = {u['username']: u for u in json.loads(root.must(LIST_USER).body)}
    check(set(users) == {'root', 'mallory'} and users['root']['password'] == ROOT[1], users)
    for code in (rawmq.SEND_MESSAGE, rawmq.SEND_MESSAGE_V2, rawmq.UPDATE_CONSUMER_OFFSET):
        root.must(code, names, b'of who may')
    check(root.max_offset('Guarded', 0) == 3 and root.call(rawmq.QUERY_CONSUMER_OFFSET, committed).code == 0, 'what was tried does nothing for who may, either')
    frame = rawmq.encode(rawmq.Command(rawmq.SEND_MESSAGE_V2, rawmq.send_header('g', 'Guarded', 0), b'x' * 200_000, 1))
    stranger = context.raw(server.address)
    stranger.write(frame[:70_000])  # large: refused before its body is there
    check(stranger.wait(1).code == NO_PERMISSION, 'the header of a large message')
    return f'{tried} wrong requests'


@test
@beside
def access_to_what_is_anothers(context):
    """Who may do everything with what is his own gets at nothing else by naming it beside, or by the way it came."""
    if context.kind != 'ringmq':
        return
    server, root = guarded(context, 'access-others')
    for topic in ('Mine', 'Secret'):
        context.topic(topic, 1, server=server, user=ROOT)
    for group in ('mine', 'mine-too', 'others'):
        root.create_group(group)
    mallory = make_user(root, 'mallory')
    allow(root, 'mallory', ('Topic:Mine', 'All'), ('Group:mine*', 'All'))
    raw = context.own.enter_context(rawmq.Connection(server.address, user=mallory))
    raw.must(rawmq.HEART_BEAT, {}, rawmq.heartbeat_body('c1', 'mine', ['Mine']))
    secret = root.send('Secret', 0, b'a secret')
    own = raw.send('Mine', 0, b'my own')
    for code, ext, with_own in (
            (309, {'consumerGroup': 'mine', 'clientId': 'c1', 'topic': 'Mine', 'msgId': secret[2]}, None),
            (208, {'consumerGroup': 'mine', 'topicList': 'Mine;Secret'}, {'topicList': 'Mine;'}), (208, {'consumerGroup': 'mine', 'topic': 'Secret'}, {'topic': 'Mine'}),
            (321, {'topic': 'Mine', 'queueId': 0, 'index': 0, 'count': 1, 'consumerGroup': 'others'}, {'consumerGroup': 'mine'}),
            (308, {'topic': 'Mine', 'compareGroup': 'mine', 'filterGroups': 'mine,others'}, {'filterGroups': 'mine,mine-too'}),
            (314, {'srcGroup': 'mine', 'destGroup': 'mine-too', 'topic': 'Secret'}, {'topic': 'Mine'}),
            (314, {'srcGroup': 'others', 'destGroup': 'mine'}, {'srcGroup': 'mine-too'}),
            (345, {'group': 'mine', 'topic': 'Secret'}, {'topic': 'Mine'}),
            (325, rawmq.send_header('mine', 'Secret', 0), {'b': 'DefaultCluster_REPLY_TOPIC'}),
            (325, rawmq.send_header('mine', '%RETRY%others', 0), {'b': 'Mine'}),
            (rawmq.VIEW_MESSAGE_BY_ID, {'offset': int(secret[2][16:], 16), 'topic': 'Mine'}, {'offset': int(own[2][16:], 16)})):
        answer = raw.call(code, ext, b'x' if code == 325 else b'')
        check(answer.code == NO_PERMISSION and 'Secret' not in answer.remark.replace('Topic:Secret', ''), code, ext, answer)
        if with_own is not None:
            answer = raw.call(code, {**ext, **with_own}, b'x' if code == 325 else b'')
            check(answer.code != NO_PERMISSION, code, with_own, answer)
    check(root.max_offset('Secret', 0) == 1, 'a reply was kept in a topic of others')
    check('Secret' not in raw.call(rawmq.VIEW_MESSAGE_BY_ID, {'offset': int(secret[2][16:], 16)}).remark, 'who tries offsets is told of topics')

    # On the other port, and in the other encoding.
    host, port = server.address.rsplit(':', 1)
    with rawmq.Connection(f'{host}:{int(port) - 2}') as vip:
        check(vip.call(rawmq.SEND_MESSAGE_V2, rawmq.send_header('g', 'Mine', 0), b'x').code == NO_PERMISSION, 'unsigned, at the VIP port')
    with rawmq.Connection(server.address, encoding=rawmq.ROCKETMQ, user=mallory) as binary:
        binary.send('Mine', 0, b'in binary')
        check(binary.call(rawmq.SEND_MESSAGE_V2, rawmq.send_header('g', 'Secret', 0), b'x').code == NO_PERMISSION, 'in binary')

    # A pull that is held when its user loses the right is told of nothing that comes then.
    held = raw.submit(rawmq.PULL_MESSAGE, rawmq.pull_header('mine', 'Mine', 0, raw.max_offset('Mine', 0), suspend_ms=20_000))
    raw.call(rawmq.GET_MAX_OFFSET, {'topic': 'Mine', 'queueId': 0})
    root.must(DELETE_ACL, {'subject': 'User:mallory'})
    root.send('Mine', 0, b'too late for him')
    answer = raw.wait(held)
    check(answer.code == rawmq.PULL_NOT_FOUND and not answer.body, answer)


@test
@beside
def access_administration(context):
    """Rules about users that hold on any broker; and those that a mistake of an administrator must not pass."""
    server, root = guarded(context, 'access-admin')
    make_user(root, 'carol')
    carol = context.own.enter_context(rawmq.Connection(server.address, user=make_user(root, 'dave')))
    allow(root, 'dave', ('Cluster:DefaultCluster', 'Update,Get'))
    users = json.loads(root.must(LIST_USER).body)
    check([u['username'] for u in users] == ['carol', 'dave', 'root'], users)
    check(users[0] == {'password': 'some-password', 'userStatus': 'enable', 'userType': 'Normal', 'username': 'carol'}, users)
    check([u['username'] for u in json.loads(root.must(LIST_USER, {'filter': 'ar'}).body)] == ['carol'], 'filtered')
    for code, ext, body, wanted in (
            (CREATE_USER, {'username': 'carol'}, {'password': 'x'}, NO_PERMISSION),  # is there
            (CREATE_USER, {'username': ''}, {'password': 'x'}, 29), (CREATE_USER, {}, {'password': 'x'}, 29),
            (CREATE_USER, {'username': 'erin'}, {}, NO_PERMISSION),  # without a password
            (UPDATE_USER, {'username': 'erin'}, {'password': 'x'}, NO_PERMISSION), (GET_USER, {}, {}, 29),
            (CREATE_ACL, {'subject': 'User:erin'}, {'policies': [{'entries': [{'resource': '*', 'actions': ['Pub'], 'decision': 'Allow'}]}]}, NO_PERMISSION),
            (CREATE_ACL, {'subject': 'User:carol'}, {'policies': [{'entries': [{'resource': '*', 'actions': ['Any'], 'decision': 'Allow'}]}]}, NO_PERMISSION),
            (CREATE_ACL, {'subject': 'User:carol'}, {'policies': [{'entries': [{'resource': '*', 'actions': ['Pub'], 'decision': 'Maybe'}]}]}, NO_PERMISSION),
            (CREATE_ACL, {'subject': 'User:carol'}, {'policies': [{'entries': [
                {'resource': '*', 'actions': ['Pub'], 'decision': 'Allow', 'sourceIps': ['10.0.0.*']}]}]}, NO_PERMISSION),
            (GET_ACL, {'subject': 'User:erin'}, {}, NO_PERMISSION), (DELETE_ACL, {'subject': 'User:carol'}, {}, NO_PERMISSION)):
        answer = root.call(code, ext, json.dumps(body).encode())
        check(answer.code == wanted, code, ext, body, answer)
    check(root.must(GET_USER, {'username': 'erin'}).body == b'' and root.must(GET_ACL, {'subject': 'User:carol'}).body == b'', 'what is not there has no body')
    root.must(DELETE_USER, {'username': 'erin'})  # is gone already
    # Who may change the cluster is not a super user, and makes none.
    check(carol.call(CREATE_USER, {'username': 'frank'}, b'{"password":"x","userType":"Super"}').code == 1, 'made a super user')
    check(carol.call(UPDATE_USER, {'username': 'carol'}, b'{"userType":"Super"}').code == 1, 'became one')
    check(carol.call(UPDATE_USER, {'username': 'root'}, b'{"password":"mine"}').code == NO_PERMISSION, 'took one over')
    check(carol.call(DELETE_USER, {'username': 'root'}).code == NO_PERMISSION, 'deleted one')
    carol.must(CREATE_USER, {'username': 'grace'}, b'{"password":"x"}')
    allow(root, 'grace', ('Topic:A', 'Pub'), ('Group:B', 'Sub'))
    allow(root, 'grace', ('Topic:A', 'Sub'))  # in the place of the other
    check(json.loads(root.must(GET_ACL, {'subject': 'User:grace'}).body) == {'subject': 'User:grace', 'policies': [{'policyType': 'Custom', 'entries': [
        {'resource': 'Topic:A', 'actions': ['Sub'], 'decision': 'Allow'}, {'resource': 'Group:B', 'actions': ['Sub'], 'decision': 'Allow'}]}]}, 'entries')
    root.must(DELETE_USER, {'username': 'grace'})
    root.must(CREATE_USER, {'username': 'grace'}, b'{"password":"x"}')
    check(root.must(GET_ACL, {'subject': 'User:grace'}).body == b'', "another user of that name has the old one's rights")
    if context.kind != 'ringmq':
        return
    check('password' not in json.loads(carol.must(GET_USER, {'username': 'root'}).body), 'who is not super was shown a password')
    check(b'secret-of-root' not in root.must(26).body, 'the configuration shows a password')
    for body in (b'{"userStatus":"disable"}', b'{"userType":"Normal"}'):
        check(root.call(UPDATE_USER, {'username': 'root'}, body).code == NO_PERMISSION, 'nobody could administer any more', body)
    check(root.call(DELETE_USER, {'username': 'root'}).code == NO_PERMISSION, 'nobody could administer any more')
    check(root.call(UPDATE_USER, {'username': 'carol'}, b'{"userStatus":"diable"}').code == NO_PERMISSION, 'a word that is none')
    said = (server.folder / 'broker.out').read_text()
    check('audit: ' in said and '(AccessKey root) AUTH_CREATE_USER username=carol: done' in said, said[-2000:])
    check('some-password' not in said and 'secret-of-root' not in said, 'a password is in the log')


@test
@beside
def access_without_rights(context):
    """Authentication alone: every user may send and receive, super users alone administer."""
    server, root = guarded(context, 'access-simple', rights=False)
    alice = context.own.enter_context(rawmq.Connection(server.address, user=make_user(root, 'alice')))
    context.topic('Simple', 1, server=server, user=ROOT)
    alice.send('Simple', 0, b'body')
    check([r.body for r in alice.read_queue('Simple', 0, 0, 1)] == [b'body'], 'read')
    check(context.raw(server.address).call(rawmq.GET_MAX_OFFSET, {'topic': 'Simple', 'queueId': 0}).code == NO_PERMISSION, 'unsigned')
    if context.kind == 'ringmq':
        check(alice.call(215, {'topic': 'Simple'}).code == NO_PERMISSION, 'a user has deleted a topic')
    root.must(215, {'topic': 'Simple'})
    if context.kind != 'ringmq':
        return
    # What no server would take from here may still hold a password, and a line of the audit.
    root.call(25, {}, b'traceOn=true\ninitAuthenticationUser={\n"username":"x","password":"hush-hush"}\nsslKeyPassword=4711')
    wanted = 'UPDATE_BROKER_CONFIG traceOn=true initAuthenticationUser=(not shown) (not shown) sslKeyPassword=(not shown): refused'
    said = (server.folder / 'broker.out').read_text()
    check(wanted in said and 'hush-hush' not in said and '=4711' not in said, said[-2000:])


def access_scene(context, server):
    admin = context.own.enter_context(Admin(VERSION, context.fresh_folder('mqadmin'), server.namesrv, ROOT))
    names = {'broker': server.address, 'cluster': 'DefaultCluster'}

    def run(words):
        try:
            return admin.run(*words.format(**names).split(), timeout=60)
        except ClientError as error:
            return f'{words}: {error}'
    return names, run


class Plain:
    """What cases_mqadmin.normal looks at."""

    def __init__(self, context):
        self.context, self.names = context, {'files': 'no files'}


@test
@beside
def access_commands_of_mqadmin(context):
    """mqadmin's twelve commands for users and lists, signed by its tool."""
    server, _ = guarded(context, 'access-mqadmin')
    names, run = access_scene(context, server)
    bad = []
    for command in access_commands.COMMANDS:
        text = run(command.words)
        lacks = [e for e in command.expects if not re.search(e.replace('{broker}', re.escape(names['broker'])), text)]
        if lacks:
            bad.append(f'{command.words}\n  lacks {lacks} in\n{text}')
    check(not bad, '\n'.join(bad))
    return f'{len(access_commands.COMMANDS)} runs'


@test
@beside
def access_commands_beside_rocketmq(context):
    """The same print what they print of the real RocketMQ 5.3.3."""
    if context.kind == 'rocketmq':
        raise Skip('it would be compared with itself')
    ours = guarded(context, 'access-mqadmin')[0]
    theirs = context.run(rocketmq.Standalone(context.fresh_folder('rocketmq'), **settings('rocketmq')))
    scenes = [access_scene(context, server)[1] for server in (ours, theirs)]
    bad = []
    for command in access_commands.COMMANDS:
        sides = [normal(Plain(context), command, run(command.words)).splitlines() for run in scenes]
        if sides[0] != sides[1]:
            bad.append('\n'.join([command.words, *(f'  ours   {line}' for line in sides[0]), *(f'  theirs {line}' for line in sides[1])]))
    check(not bad, '\n'.join(bad))


access_commands_beside_rocketmq.slow = True


@test
@beside
def access_through_a_proxy(context):
    """gRPC clients behind the real Proxy, which asks the broker who its users are, and signs as its own."""
    server, root = guarded(context, 'access-proxy')
    alice, bob = make_user(root, 'alice'), make_user(root, 'bob')
    allow(root, 'alice', ('Topic:GrpcGuarded', 'Pub,Sub'), ('Group:grpc-guarded', 'Sub'))
    root.create_topic('GrpcGuarded', 4, attributes='+message.type=NORMAL')
    root.create_group('grpc-guarded')
    rawmq.wait_for_route(server.namesrv, 'GrpcGuarded')
    proxy = context.run(Proxy(context.fresh_folder('proxy'), server.namesrv, **{
        **settings('ringmq'), 'enableAclRpcHookForClusterMode': True, 'authenticationEnabled': True, 'authorizationEnabled': True, 'initAuthenticationUser': '',
        'authenticationMetadataProvider': 'org.apache.rocketmq.proxy.auth.ProxyAuthenticationMetadataProvider',
        'authorizationMetadataProvider': 'org.apache.rocketmq.proxy.auth.ProxyAuthorizationMetadataProvider'}))
    clients = context.own.enter_context(Clients(GRPC, context.fresh_folder('clients-grpc'), proxy.address))
    clients.do('producer', name='gg-p', topic='GrpcGuarded', user=':'.join(alice))
    clients.do('consumer', name='gg-c', group='grpc-guarded', topic='GrpcGuarded', user=':'.join(alice))
    clients.wait_for_ids(clients.send('gg-p', 'GrpcGuarded', 'guarded', 20), 60)
    for user in (':'.join(bob), 'alice:wrong', 'nobody:x'):
        try:
            clients.do('producer', name='gg-bad', topic='GrpcGuarded', user=user)
        except ClientError:
            continue
        refused(clients, 'gg-bad', 'GrpcGuarded', f'bad-{user.split(":")[0]}')
