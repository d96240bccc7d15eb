"""Nonsense on the wire: each piece gets RocketMQ's response code and a remark that names the cause, costs at most its
own connection, and leaves the others and the memory of the server alone.

The codes are those of the real RocketMQ 5.3.3 (run with --server rocketmq). Where it answers with the text of a
NullPointerException we ask RingMQ for better, and say so at the row.
"""
import functools
import json
import os
import socket
import struct
import time

import rawmq
from fault import bad_start
from interop.harness import Skip, check

TOPIC, GROUP = 'BadInput', 'bad-input-group'
MEBIBYTE = 1024 * 1024
TESTS = []


def test(function):
    """Registers a test; a connection that was open before it must still work after it."""
    @functools.wraps(function)
    def guarded(context):
        ready(context)
        with rawmq.Connection(context.server.address) as bystander:
            bystander.must(rawmq.GET_MAX_OFFSET, {'topic': TOPIC, 'queueId': 0})
            detail = function(context)
            bystander.must(rawmq.GET_MAX_OFFSET, {'topic': TOPIC, 'queueId': 0})
            queue, offset, _ = bystander.send(TOPIC, 3, b'still here')
            answer, records = bystander.pull(TOPIC, queue, offset, suspend_ms=5000)
            check(records and records[0].body == b'still here', 'a good message after the bad input:', answer)
        return detail
    TESTS.append((function.__name__, guarded))
    return guarded


def ready(context):
    """The topic with three known messages in queue 0."""
    if context.shared.get('bad-input') is not context.server:
        context.topic(TOPIC, 4)
        with rawmq.Connection(context.server.address) as raw:
            for text in (b'zero', b'one', b'two'):
                raw.send(TOPIC, 0, text)
        context.shared['bad-input'] = context.server


def frame(header, body=b'', mark=None, length=None):
    """A frame with any part of it wrong."""
    mark = len(header) if mark is None else mark
    length = 4 + len(header) + len(body) if length is None else length
    return struct.pack('>II', length & 0xFFFFFFFF, mark & 0xFFFFFFFF) + header + body


def json_header(**changes):
    fields = {'code': rawmq.GET_MAX_OFFSET, 'language': 'OTHER', 'version': 479, 'opaque': 7, 'flag': 0,
              'extFields': {'topic': TOPIC, 'queueId': '0'}, **changes}
    return json.dumps({k: v for k, v in fields.items() if v is not None}).encode()


def refused(address, data, what, seconds=5):
    """`data` on a connection of its own ends that connection, or is answered with an error."""
    with rawmq.Connection(address, timeout=seconds) as raw:
        try:
            raw.write(data)
            answer = raw.read_command()
        except (rawmq.ConnectionClosed, ConnectionResetError):
            return
        except TimeoutError:
            raise AssertionError(f'{what}: neither an answer nor an end of the connection within {seconds} s') from None
        check(answer.is_response and answer.code not in (rawmq.SUCCESS,) and answer.remark, what, 'was answered', answer)


@test
def broken_frames(context):
    """Lengths that cannot be, headers longer than their frame, unknown encodings: the connection ends."""
    good = json_header()
    cases = {
        'a frame of 16 MiB and one byte': frame(good, length=16 * MEBIBYTE - 3) + b'x' * MEBIBYTE,
        'a frame of 2 GiB': frame(good, length=0x7FFFFFFF),
        'a negative length': frame(good, length=-5),
        'the most negative length': frame(good, length=-0x80000000),
        'a length of zero': struct.pack('>I', 0) + b'\0' * 64,
        'a length of three': struct.pack('>I', 3) + b'\0' * 64,
        'a header longer than the frame': frame(good, mark=len(good) + 1000),
        'a header of 16 MiB': frame(good, mark=0xFFFFFF),
        'encoding 2': frame(good, mark=2 << 24 | len(good)),
        'encoding 255': frame(good, mark=255 << 24 | len(good)),
        'HTTP': b'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n' + b' ' * 64,
        'noise': os.urandom(64) + b'\xff' * 4096,
    }
    for what, data in cases.items():
        refused(context.server.address, data, what)
        refused(context.server.namesrv, data, what + ' (nameserver)')


@test
def broken_headers(context):
    """Headers that are not JSON, or JSON of the wrong shape, or a binary header that lies about its lengths."""
    text = {
        'no JSON': b'this is not JSON', 'half JSON': json_header()[:-5], 'an array': b'[1,2,3]', 'a number': b'17',
        'null': b'null', 'nothing': b'', 'zeros': b'\0' * 40, 'invalid UTF-8': b'{"code":30,"remark":"\xff\xfe"',
        'deep nesting': b'{"extFields":' * 20000 + b'1' + b'}' * 20000,
        'code as a word': json_header(code='thirty'), 'opaque as an object': json_header(opaque={'a': 1}),
        'extFields as a list': json_header(extFields=[1, 2]), 'code beyond int32': json_header(code=1 << 40),
    }
    binary = {
        'empty': b'', 'cut in the fixed part': struct.pack('>hb', 30, 7),
        'remark beyond the header': struct.pack('>hbhiii', 30, 7, 479, 1, 0, 1 << 30),
        'negative remark length': struct.pack('>hbhiii', 30, 7, 479, 1, 0, -7) + b'\0' * 8,
        'ext fields beyond the header': struct.pack('>hbhiiii', 30, 7, 479, 1, 0, 0, 1 << 30),
        'negative ext length': struct.pack('>hbhiiii', 30, 7, 479, 1, 0, 0, -2) + b'\0' * 8,
        'key beyond the block': struct.pack('>hbhiiii', 30, 7, 479, 1, 0, 0, 6) + struct.pack('>HI', 0xFFFF, 0),
        'value beyond the block': struct.pack('>hbhiiii', 30, 7, 479, 1, 0, 0, 7) + struct.pack('>H', 1) + b'k' +
                                  struct.pack('>I', 0x7FFFFFFF),
    }
    lenient = context.kind == 'rocketmq'  # fastjson and Netty take some of these; what matters is that they survive
    for encoding, cases in ((rawmq.JSON, text), (rawmq.ROCKETMQ, binary)):
        for what, header in cases.items():
            data = frame(header, mark=encoding << 24 | len(header))
            for address in (context.server.address, context.server.namesrv):
                try:
                    refused(address, data, f'encoding {encoding}, {what}', 1 if lenient else 5)
                except Exception:  # noqa: BLE001
                    if not lenient:
                        raise


SEND, PULL = rawmq.SEND_MESSAGE_V2, rawmq.PULL_MESSAGE


def topic_fields(topic, **changes):
    return {'topic': topic, 'defaultTopic': 'TBW102', 'readQueueNums': 4, 'writeQueueNums': 4, 'perm': 6,
            'topicFilterType': 'SINGLE_TAG', 'topicSysFlag': 0, 'order': 'false', **changes}


def rejections():
    """(what, code, ext fields, body, response code of RocketMQ 5.3.3, code wanted of RingMQ where it differs,
    a word that the remark must have)"""
    send = functools.partial(rawmq.send_header, 'g')
    pull = functools.partial(rawmq.pull_header, GROUP)
    yield 'unknown code', 9999, {}, b'', 3, None, 'not supported'
    yield 'negative code', -3, {}, b'', 3, None, 'not supported'
    for name in ('a/b', '../../etc/passwd', 'a b', 'a.b', 'ä', 'a\nb', 'a\\b'):
        yield f'send to topic {name!r}', SEND, send(name, 0), b'x', 29, None, 'illegal'
        yield f'create topic {name!r}', 17, topic_fields(name), b'', 29, None, 'illegal'
    yield 'send to a topic of 128 characters', SEND, send('a' * 128, 0), b'x', 29, None, 'long'
    yield 'create a system topic', 17, topic_fields('SCHEDULE_TOPIC_XXXX'), b'', 29, None, 'system topic'
    yield 'send to an unknown topic', SEND, send('NoSuchTopic', 0, c='no-template'), b'x', 17, None, 'NoSuchTopic'
    yield 'send to queue 99', SEND, send(TOPIC, 99), b'x', 29, None, '99'
    yield 'send an empty body', SEND, send(TOPIC, 0), b'', 1, 13, 'body'  # real: NullPointerException
    yield 'send 4 MiB and a byte', SEND, send(TOPIC, 0), b'x' * (4 * MEBIBYTE + 1), 13, None, '4194304'
    yield ('send 40,000 bytes of properties', SEND, send(TOPIC, 0, properties='k\x01' + 'v' * 40000 + '\x02'), b'x', 13,
           None, 'properties')
    yield 'send without topic', SEND, send(None, 0), b'x', 1, None, None
    yield 'send without queueId', SEND, send(TOPIC, None), b'x', 1, None, None
    yield 'send with queueId abc', SEND, send(TOPIC, 'abc'), b'x', 1, None, 'abc'
    yield 'send with queueId beyond int32', SEND, send(TOPIC, 1 << 40), b'x', 1, None, str(1 << 40)
    yield 'send a batch of noise', 320, send(TOPIC, 0, batch=True), b'garbage not a batch', 1, (1, 13), None
    yield ('send a batch that lies', 320, send(TOPIC, 0, batch=True),
           struct.pack('>IIIII', 1000, 0, 0, 0, 900) + b'x' * 10, 1, (1, 13), None)
    yield 'pull without topic', PULL, pull(None, 0, 0), b'', 1, None, None
    yield 'pull with queueOffset zz', PULL, pull(TOPIC, 0, 'zz'), b'', 1, None, 'zz'
    yield 'pull from queue 99', PULL, pull(TOPIC, 99, 0), b'', 29, None, '99'
    yield 'pull from queue -1', PULL, pull(TOPIC, -1, 0), b'', 29, None, '-1'
    yield 'pull from an unknown topic', PULL, pull('NoSuchTopic', 0, 0), b'', 17, None, 'NoSuchTopic'
    yield 'pull from topic a/b', PULL, pull('a/b', 0, 0), b'', 17, (17, 29), 'a/b'
    yield 'pull as group ../g', PULL, rawmq.pull_header('../g', TOPIC, 0, 0), b'', 26, None, 'illegal'
    yield 'pull as a group of 256', PULL, rawmq.pull_header('g' * 256, TOPIC, 0, 0), b'', 26, None, 'long'
    yield 'heart-beat without a body', 34, {}, b'', 1, None, None
    yield 'heart-beat of noise', 34, {}, b'{{{', 1, None, None
    yield 'group of noise', 200, {}, b'{{{', 1, None, None
    yield 'group named ../x', 200, {}, b'{"groupName":"../x"}', 0, (1, 29), 'illegal'  # real: stores it
    yield 'lock of noise', 41, {}, b'xx', 1, None, None
    yield 'view at -1', 33, {'offset': -1}, b'', 1, None, '-1'
    yield 'view beyond the end', 33, {'offset': 1 << 50}, b'', 1, None, str(1 << 50)
    yield 'consumers of a group without any', 38, {'consumerGroup': 'nobody'}, b'', 1, None, 'nobody'
    yield 'create a topic of -5 queues', 17, topic_fields('Negative', readQueueNums=-5), b'', 0, (1, 29), '-5'


@test
def refused_requests(context):
    """Requests that are well framed and wrong: the response code, a remark, and the connection stays open."""
    wrong = []
    for encoding in (rawmq.JSON, rawmq.ROCKETMQ):
        with rawmq.Connection(context.server.address, encoding=encoding) as raw:
            for what, code, ext, body, real, ours, word in rejections():
                if context.kind == 'rocketmq':
                    wanted, word = (real,), None  # its remarks are often the text of an exception
                else:
                    wanted = ours if isinstance(ours, tuple) else (real if ours is None else ours,)
                answer = raw.call(code, ext, body)
                if answer.code not in wanted:
                    wrong.append(f'{what}: code {answer.code} {answer.remark[:80]!r}, wanted {wanted}')
                elif answer.code != 0 and not answer.remark.strip():
                    wrong.append(f'{what}: code {answer.code} without a remark')
                elif word and word.lower() not in answer.remark.lower():
                    wrong.append(f'{what}: the remark does not say {word!r}: {answer.remark[:120]!r}')
                if code in (SEND, 320) and answer.code == rawmq.SUCCESS:
                    wrong.append(f'{what}: stored')
            check(raw.max_offset(TOPIC, 0) == 3, 'something refused was stored')
    with rawmq.Connection(context.server.namesrv) as raw:
        for what, code, ext, wanted in (('unknown code', 9999, {}, 3), ('route without topic', 105, {}, None),
                                        ('route of a/b', 105, {'topic': 'a/b'}, 17),
                                        ('registration without fields', 103, {}, 1)):
            answer = raw.call(code, ext)
            if answer.code == 0 or wanted not in (None, answer.code) or not answer.remark.strip():
                wrong.append(f'nameserver, {what}: code {answer.code} {answer.remark[:80]!r}, wanted {wanted}')
    check(not wrong, f'{len(wrong)} wrong:\n  ' + '\n  '.join(wrong))


@test
def offsets_out_of_range(context):
    """Pulls before the beginning, at the end and beyond it: the status, and where to go on."""
    with rawmq.Connection(context.server.address) as raw:
        for offset, code, following in ((-1, 21, 0), (-(1 << 60), 21, 0), (3, 19, 3), (4, 21, 3), (500, 21, 3),
                                        ((1 << 62), 21, 3)):
            answer, _ = raw.pull(TOPIC, 0, offset)
            check(answer.code == code, 'pull at', offset, 'of [0, 3):', answer)
            check(answer.ext.get('nextBeginOffset') == str(following), 'pull at', offset, 'of [0, 3):', answer)
            check(answer.ext.get('minOffset') == '0' and answer.ext.get('maxOffset') == '3', answer)
            check(answer.ext.get('suggestWhichBrokerId') == '0', answer)
        for offset, code, following in ((0, 19, 0), (1, 21, 0)):  # an empty queue
            answer, _ = raw.pull(TOPIC, 1, offset)
            check(answer.code == code and answer.ext.get('nextBeginOffset') == str(following), offset, answer)
        for count in (0, -1, 1 << 30):
            answer, records = raw.pull(TOPIC, 0, 0, count)
            check(answer.code == 0 and 1 <= len(records) <= 3, 'maxMsgNums', count, answer)
        check(raw.max_offset(TOPIC, 99) == 0, 'a queue that is not there has an end')


@test
def oneway_errors_stay_silent(context):
    """A one-way request is never answered, not even to say what is wrong with it."""
    with rawmq.Connection(context.server.address) as raw:
        for code, ext in ((9999, {}), (SEND, rawmq.send_header('g', 'a/b', 0)), (SEND, rawmq.send_header('g', None, 0)),
                          (PULL, rawmq.pull_header(GROUP, TOPIC, 99, 0))):
            raw.submit(code, ext, b'x', oneway=True)
        opaque = raw.submit(rawmq.GET_MAX_OFFSET, {'topic': TOPIC, 'queueId': 0})
        check(raw.wait(opaque).code == 0, 'no answer after one-way requests')
        time.sleep(0.3)
        try:
            stray = raw.read_command(0.2)
        except TimeoutError:
            stray = None
        check(not raw.answers and stray is None, 'a one-way request was answered:', raw.answers, stray)


@test
def half_frames(context):
    """Peers that announce a large frame, send a part of it and fall silent: nothing is allocated on their word."""
    connections, count = [], 200
    before = context.server.daemon.resident_bytes()
    try:
        for i in range(count):
            connections.append(socket.create_connection(context.server.address.split(':'), 5))
            header = json_header(code=SEND)
            connections[-1].sendall(frame(header, b'x' * (1000 + i), length=16 * MEBIBYTE - 4))
        with rawmq.Connection(context.server.address) as raw:  # a byte at a time, and yet a request
            for byte in rawmq.encode(rawmq.Command(rawmq.GET_MAX_OFFSET, {'topic': TOPIC, 'queueId': 0}, b'', 5)):
                raw.write(bytes([byte]))
            check(raw.wait(5).ext['offset'] == '3', 'a request that came byte by byte')
        time.sleep(0.5)
        grown = context.server.daemon.resident_bytes() - before
        check(context.kind == 'rocketmq' or grown < 64 * MEBIBYTE, f'{count} half frames cost {grown >> 20} MiB')
    finally:
        for connection in connections:
            connection.close()
    return f'{count} half frames of 16 MiB cost {max(0, grown) >> 20} MiB'


@test
def slow_reader(context):
    """A peer that asks for much and reads nothing: its answers do not pile up in the server's memory."""
    if context.kind == 'rocketmq':
        raise Skip('RocketMQ 5.3.3 keeps the answers, and serves nobody any more')
    payload = b'x' * MEBIBYTE
    with rawmq.Connection(context.server.address) as raw:
        raw.create_topic('SlowReader', 1)
        for _ in range(16):
            raw.send('SlowReader', 0, payload)
    before = context.server.daemon.resident_bytes()
    with rawmq.Connection(context.server.address) as greedy:
        greedy.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        greedy.socket.settimeout(2)
        try:
            for i in range(3000):  # 3 GiB of answers or more, if somebody kept them
                header = rawmq.pull_header(GROUP, 'SlowReader', 0, i % 16, 32)
                greedy.socket.sendall(rawmq.encode(rawmq.Command(PULL, header, b'', i)))
        except OSError:
            pass  # the server stopped reading, or closed: both are fine
        time.sleep(1)
        grown = context.server.daemon.resident_bytes() - before
    check(grown < 256 * MEBIBYTE, f'a slow reader costs {grown >> 20} MiB')
    return f'{max(0, grown) >> 20} MiB'


TESTS += bad_start.TESTS
