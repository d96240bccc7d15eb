"""What clients of other languages rely on, byte by byte: both header encodings, held pulls, offsets, group membership
and order locks. Runs against the real RocketMQ 5.3.3 as well, which is where the expectations come from."""
import json
import time

import rawmq
from interop.harness import check, test, wait_until


def call_json(raw, code, body):
    return raw.must(code, body=json.dumps(body).encode())


@test
def both_encodings(context):
    """A message sent with one header encoding is read with the other; each request is answered in JSON or in kind."""
    topic = context.topic('Encodings', 2)
    for encoding in (rawmq.JSON, rawmq.ROCKETMQ):
        other = rawmq.ROCKETMQ - encoding
        raw = context.raw(encoding=encoding)
        body = f'encoding {encoding}'.encode()
        queue, offset, msg_id = raw.send(topic, encoding, body, TAGS='blue', KEYS='k1 k2', note='ümlaut ✓')
        answer, (record,) = context.raw(encoding=other).pull(topic, queue, offset, suspend_ms=3000)
        check(answer.encoding in (rawmq.JSON, other), 'answered in encoding', answer.encoding)
        check(record.body == body and record.offset_msg_id == msg_id, record)
        wanted = {'TAGS': 'blue', 'KEYS': 'k1 k2', 'note': 'ümlaut ✓'}
        check({k: record.properties.get(k) for k in wanted} == wanted, record.properties)
        check(len(record.properties.get('UNIQ_KEY', '')) >= 32, 'the broker gives a UNIQ_KEY where the client gave none')
        check(record.store_host == (context.server.address.split(':')[0], int(context.server.address.split(':')[1])),
              'clients look for a message at its store host', record.store_host)


@test
def lenient_json(context):
    """Headers as other clients write them: numbers that are not strings, nulls, blanks, unknown members, a newline
    after the end, members in any order, control characters as they are."""
    topic = context.topic('Lenient', 1)
    raw = context.raw()
    ext = rawmq.send_header('g', topic, 0)
    typed = {**ext, 'd': 8, 'e': 0, 'f': 0, 'k': False, 'unknown': 'kept', 'Signature': '', 'AccessKey': ''}
    headers = {
        'numbers and booleans (C++ client)': json.dumps({
            'code': 310, 'extFields': typed, 'flag': 0, 'language': 'CPP', 'opaque': 5, 'remark': '',
            'serializeTypeCurrentRPC': 'JSON', 'version': 317}) + '\n',
        'Go client': json.dumps({'code': 310, 'language': 'GO', 'version': 317, 'opaque': 5, 'flag': 0, 'remark': '',
                                 'extFields': {k: str(v) for k, v in ext.items()}}),
        'unknown members and nulls': json.dumps({
            'zone': [1, {'a': None}], 'remark': None, 'opaque': 5, 'version': 479, 'flag': 0, 'language': 'JAVA',
            'extFields': {k: str(v) for k, v in ext.items()}, 'code': 310}, indent=2),
        'escapes': json.dumps({'code': 310, 'language': 'JAVA', 'opaque': 5, 'flag': 0, 'version': 1,
                               'extFields': {**{k: str(v) for k, v in ext.items()}, 'i': 'TAGS\x01t\u00e4g\x02'}}),
    }
    for number, (what, text) in enumerate(headers.items()):
        header, body = text.encode(), what.encode()
        raw.write((len(header) + len(body) + 4).to_bytes(4, 'big') + len(header).to_bytes(4, 'big') + header + body)
        answer = raw.wait(5)
        check(answer.code == 0 and answer.ext['queueOffset'] == str(number), what, answer)
    records = wait_until(lambda: raw.pull(topic, 0, 0)[1], 5, 'the messages')
    check([r.body.decode() for r in records] == list(headers), records)
    check(records[-1].properties['TAGS'] == 'täg', records[-1])


@test
def batch_is_one_append(context):
    """The messages of a batch get consecutive offsets, one id each, and keep what was their own."""
    topic = context.topic('Batch', 1)
    raw = context.raw()
    batch = [(f'part {i}'.encode(), {'TAGS': f't{i}', 'KEYS': f'key{i}'}) for i in range(20)]
    raw.send(topic, 0, b'before')
    answer = raw.must(rawmq.SEND_BATCH_MESSAGE, rawmq.send_header('g', topic, 0, batch=True), rawmq.encode_batch(batch))
    ids = answer.ext['msgId'].split(',')
    check(answer.ext['queueOffset'] == '1' and len(ids) == 20, answer)
    records = wait_until(lambda: raw.pull(topic, 0, 1, 32)[1], 5, 'the batch')
    check([r.offset_msg_id for r in records] == ids and [r.queue_offset for r in records] == list(range(1, 21)), records)
    check([(r.body, {k: r.properties[k] for k in ('TAGS', 'KEYS')}) for r in records] == batch, records[:2])
    for i in (0, 19):
        found, = rawmq.decode_records(raw.must(rawmq.VIEW_MESSAGE_BY_ID, {'offset': int(ids[i][16:], 16)}).body)
        check(found == records[i], 'by its id', found)


@test
def auto_created_topic(context):
    """The first send creates a topic with the queues that the producer asks for, at most eight, and routes it."""
    raw = context.raw()
    raw.must(rawmq.SEND_MESSAGE_V2, rawmq.send_header('g', 'AutoSix', 0, queues=6), b'x')
    raw.must(rawmq.SEND_MESSAGE_V2, rawmq.send_header('g', 'AutoMany', 0, queues=100), b'x')
    for topic, queues in (('AutoSix', 6), ('AutoMany', 8)):
        queue_data, = rawmq.wait_for_route(context.server.namesrv, topic, 10)['queueDatas']
        check((queue_data['readQueueNums'], queue_data['writeQueueNums'], queue_data['perm']) == (queues, queues, 6),
              queue_data)


@test
def held_pull(context):
    """A pull at the end of a queue is held: answered when a message comes that it wants, and empty in the end."""
    topic = context.topic('Held', 2)
    waiter, filtered, sender = context.raw(), context.raw(), context.raw()
    sender.send(topic, 0, b'first')
    held = waiter.submit(rawmq.PULL_MESSAGE, rawmq.pull_header('g1', topic, 0, 1, suspend_ms=15000))
    wants = filtered.submit(rawmq.PULL_MESSAGE, rawmq.pull_header('g2', topic, 0, 1, suspend_ms=15000,
                                                                  subscription='wanted'))
    time.sleep(0.5)
    check(waiter.must(rawmq.GET_MIN_OFFSET, {'topic': topic, 'queueId': 0}).ext['offset'] == '0',
          'a held pull blocks its connection')
    sender.send(topic, 1, b'another queue')
    sent = time.monotonic()
    sender.send(topic, 0, b'second', TAGS='unwanted')
    answer = waiter.wait(held)
    took = woken = time.monotonic() - sent
    record, = rawmq.decode_records(answer.body)
    check(answer.code == 0 and record.body == b'second' and took < 1, 'after', took, answer)
    sender.send(topic, 0, b'third', TAGS='wanted')
    answer = filtered.wait(wants)
    if answer.code == rawmq.PULL_RETRY_IMMEDIATELY:  # allowed: "scanned, nothing for you, go on from here"
        answer = filtered.call(rawmq.PULL_MESSAGE, rawmq.pull_header('g2', topic, 0, int(
            answer.ext['nextBeginOffset']), suspend_ms=5000, subscription='wanted'))
    check([r.body for r in rawmq.decode_records(answer.body)] == [b'third'], 'with a tag filter:', answer)
    begin = time.monotonic()
    answer, _ = waiter.pull(topic, 0, 3, suspend_ms=1000)
    took = time.monotonic() - begin
    check(answer.code == rawmq.PULL_NOT_FOUND and answer.ext['nextBeginOffset'] == '3', answer)
    check(0.9 <= took <= 7, 'an empty held pull of 1 s took', took)  # RocketMQ looks every 5 s
    return f'woken after {1000 * woken:.0f} ms'


@test
def offsets_by_time(context):
    """SEARCH_OFFSET_BY_TIMESTAMP gives the first message stored at or after a time."""
    topic = context.topic('ByTime', 1)
    raw = context.raw()
    for i in range(5):
        raw.send(topic, 0, str(i).encode())
        time.sleep(0.05)
    records = wait_until(lambda: raw.pull(topic, 0, 0)[1][4:] and raw.pull(topic, 0, 0)[1], 5, 'five messages')
    for record in records:
        answer = raw.must(rawmq.SEARCH_OFFSET_BY_TIMESTAMP, {'topic': topic, 'queueId': 0, 'timestamp': record.store_ms})
        check(answer.ext['offset'] == str(record.queue_offset), record, answer)
    for stamp, wanted in ((records[0].store_ms - 1000, 0), (records[2].store_ms - 1, 2), (records[4].store_ms + 1, 5)):
        answer = raw.must(rawmq.SEARCH_OFFSET_BY_TIMESTAMP, {'topic': topic, 'queueId': 0, 'timestamp': stamp})
        check(answer.ext['offset'] == str(wanted), stamp, 'wanted', wanted, answer)


@test
def consumer_offsets(context):
    """Offsets are stored for a group, a topic and a queue; none is said to be none; lower ones overwrite."""
    topic, group = context.topic('Offsets', 2), 'offset-group'
    raw = context.raw()
    raw.must(rawmq.HEART_BEAT, body=rawmq.heartbeat_body('c@1', group, [topic]))

    def stored(queue, of=group):
        answer = raw.call(rawmq.QUERY_CONSUMER_OFFSET, {'consumerGroup': of, 'topic': topic, 'queueId': queue})
        return int(answer.ext['offset']) if answer.code == 0 else answer.code
    check(stored(0) == rawmq.QUERY_NOT_FOUND, 'an offset before any was stored:', stored(0))
    fields = {'consumerGroup': group, 'topic': topic, 'queueId': 0, 'commitOffset': 7}
    raw.must(rawmq.UPDATE_CONSUMER_OFFSET, fields)
    check((stored(0), stored(1)) == (7, rawmq.QUERY_NOT_FOUND), stored(0), stored(1))
    raw.submit(rawmq.UPDATE_CONSUMER_OFFSET, {**fields, 'commitOffset': 3}, oneway=True)
    wait_until(lambda: stored(0) == 3, 2, 'a one-way update')
    header = rawmq.pull_header(group, topic, 1, 0, commitOffset=9)
    raw.call(rawmq.PULL_MESSAGE, {**header, 'sysFlag': 1 | rawmq.PULL_SUBSCRIPTION})
    check(stored(1) == 9, 'the offset that came with a pull:', stored(1))


@test
def group_membership(context):
    """Members of a group learn at once of one that joins, leaves, or loses its connection."""
    topic, group = context.topic('Members', 4), 'member-group'
    first, second, third, asker = (context.raw() for _ in range(4))

    def told(raw, seconds=3):
        """Waits for NOTIFY_CONSUMER_IDS_CHANGED."""
        begin = time.monotonic()
        while True:
            while raw.requests:
                request = raw.requests.pop(0)
                check(request.code == rawmq.NOTIFY_CONSUMER_IDS_CHANGED and request.flag & 2, request)
                if request.ext['consumerGroup'] == group:
                    return time.monotonic() - begin
            request = raw.read_command(max(0.01, seconds - (time.monotonic() - begin)))
            check(not request.is_response, request)
            raw.requests.append(request)

    def members():
        answer = asker.call(rawmq.GET_CONSUMER_LIST_BY_GROUP, {'consumerGroup': group})
        return set(json.loads(answer.body)['consumerIdList']) if answer.code == 0 else set()

    def quiet(raw):
        time.sleep(0.2)
        try:
            while True:
                raw.read_command(0.05)
        except TimeoutError:
            raw.requests.clear()

    check(members() == set(), 'members before any')
    answer = first.must(rawmq.HEART_BEAT, body=rawmq.heartbeat_body('one@1', group, [topic]))
    check(answer.version >= 232, 'below this version Java consumers refuse SQL filters', answer)
    check(members() == {'one@1'}, members())
    quiet(first)
    second.must(rawmq.HEART_BEAT, body=rawmq.heartbeat_body('two@2', group, [topic]))
    told(first)
    third.must(rawmq.HEART_BEAT, body=rawmq.heartbeat_body('three@3', group, [topic]))
    told(first)
    check(members() == {'one@1', 'two@2', 'three@3'}, members())
    quiet(first)
    second.must(rawmq.UNREGISTER_CLIENT, {'clientID': 'two@2', 'consumerGroup': group})
    told(first)
    check(members() == {'one@1', 'three@3'}, members())
    quiet(first)
    third.close()
    waited = told(first)
    wait_until(lambda: members() == {'one@1'}, 2, 'the lost member to leave the list')
    rawmq.wait_for_route(context.server.namesrv, '%RETRY%' + group, 5)  # tools find a group by its retry topic
    first.must(rawmq.HEART_BEAT, body=rawmq.heartbeat_body('one@1', group, [topic]))
    try:
        told(first, 0.5)
        check(False, 'a heart-beat that changes nothing was told to the group')
    except TimeoutError:
        pass
    return f'told of a lost connection after {1000 * waited:.0f} ms'


@test
def order_locks(context):
    """A queue is locked for one client of a group; unlocking, and with RingMQ the end of its connection, frees it."""
    topic, group = context.topic('Locks', 4), 'lock-group'
    one, two = context.raw(), context.raw()
    for raw, client in ((one, 'one@1'), (two, 'two@2')):
        raw.must(rawmq.HEART_BEAT, body=rawmq.heartbeat_body(client, group, [topic]))

    def queues(*numbers):
        return [{'topic': topic, 'brokerName': context.server.name, 'queueId': n} for n in numbers]

    def lock(raw, client, *numbers):
        answer = call_json(raw, rawmq.LOCK_BATCH_MQ, {'consumerGroup': group, 'clientId': client,
                                                      'mqSet': queues(*numbers)})
        return sorted(q['queueId'] for q in json.loads(answer.body)['lockOKMQSet'])
    check(lock(one, 'one@1', 0, 1) == [0, 1], 'the first lock')
    check(lock(two, 'two@2', 0, 1, 2) == [2], 'a lock that another holds was given')
    check(lock(one, 'one@1', 0, 1, 2) == [0, 1], 'renewing')
    call_json(one, rawmq.UNLOCK_BATCH_MQ, {'consumerGroup': group, 'clientId': 'one@1', 'mqSet': queues(0)})
    check(lock(two, 'two@2', 0, 1) == [0], 'after unlocking')
    call_json(two, rawmq.UNLOCK_BATCH_MQ, {'consumerGroup': group, 'clientId': 'two@2', 'mqSet': queues(1)})
    check(lock(two, 'two@2', 1) == [], 'a lock was freed by one who does not hold it')
    if context.kind == 'ringmq':  # RocketMQ lets the queue rest for up to 60 s
        one.close()
        wait_until(lambda: lock(two, 'two@2', 1) == [1], 2, 'the lost client to lose its lock')
