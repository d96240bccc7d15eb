"""A RocketMQ remoting client on a bare socket, for tests that need to see every byte.

It speaks both header encodings, pipelines, and decodes message records down to the CRC. It is a test tool: it trusts
nothing that the server says and raises ProtocolError where an answer breaks the protocol.

Protocol facts: RocketMQ 5.3.3, RemotingCommand, RocketMQSerializable, MessageDecoder.
"""
import base64
import hmac
import itertools
import json
import re
import socket
import struct
import time
import zlib
from dataclasses import dataclass, field

JSON, ROCKETMQ = 0, 1
VERSION_5_3_3 = 479
FRAME_BYTES_MAX = 16 * 1024 * 1024  # with the four bytes of the length itself

# Request codes used by the tests.
SEND_MESSAGE, PULL_MESSAGE = 10, 11
QUERY_CONSUMER_OFFSET, UPDATE_CONSUMER_OFFSET = 14, 15
UPDATE_AND_CREATE_TOPIC = 17
GET_BROKER_CONFIG, GET_BROKER_RUNTIME_INFO = 26, 28
SEARCH_OFFSET_BY_TIMESTAMP, GET_MAX_OFFSET, GET_MIN_OFFSET = 29, 30, 31
VIEW_MESSAGE_BY_ID, HEART_BEAT, UNREGISTER_CLIENT = 33, 34, 35
GET_CONSUMER_LIST_BY_GROUP, NOTIFY_CONSUMER_IDS_CHANGED, CHECK_CLIENT_CONFIG = 38, 40, 46
LOCK_BATCH_MQ, UNLOCK_BATCH_MQ = 41, 42
GET_ROUTEINFO_BY_TOPIC, GET_BROKER_CLUSTER_INFO = 105, 106
UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, DELETE_TOPIC_IN_BROKER = 200, 215
GET_ALL_SUBSCRIPTIONGROUP_CONFIG, GET_TOPIC_CONFIG, DELETE_EXPIRED_COMMITLOG = 201, 351, 329
SEND_MESSAGE_V2, SEND_BATCH_MESSAGE = 310, 320

# Response codes used by the tests.
SUCCESS, SYSTEM_ERROR, SYSTEM_BUSY, REQUEST_CODE_NOT_SUPPORTED = 0, 1, 2, 3
FLUSH_DISK_TIMEOUT, MESSAGE_ILLEGAL, SERVICE_NOT_AVAILABLE = 10, 13, 14
NO_PERMISSION, TOPIC_NOT_EXIST = 16, 17
PULL_NOT_FOUND, PULL_RETRY_IMMEDIATELY, PULL_OFFSET_MOVED, QUERY_NOT_FOUND = 19, 20, 21, 22
SUBSCRIPTION_PARSE_FAILED, SUBSCRIPTION_GROUP_NOT_EXIST, INVALID_PARAMETER = 23, 26, 29

PULL_SUSPEND, PULL_SUBSCRIPTION = 2, 4  # sysFlag bits of a pull

MAGIC_V1, MAGIC_V2 = 0xDAA320A7, 0xDAA320AB


class ProtocolError(Exception):
    """The peer broke the protocol."""


class ConnectionClosed(Exception):
    """The peer closed the connection."""


class ResponseError(Exception):
    """The peer answered with an error code that the caller did not ask for."""

    def __init__(self, command):
        super().__init__(f'code {command.code}: {command.remark}')
        self.code, self.remark = command.code, command.remark


@dataclass
class Command:
    code: int
    ext: dict = field(default_factory=dict)
    body: bytes = b''
    opaque: int = 0
    flag: int = 0
    remark: str = ''
    version: int = VERSION_5_3_3
    language: object = 'OTHER'
    encoding: int = JSON

    @property
    def is_response(self):
        return bool(self.flag & 1)


def encode(command, encoding=JSON):
    """The whole frame of `command`."""
    if encoding == JSON:
        header = json.dumps({
            'code': command.code, 'language': 'OTHER', 'version': command.version, 'opaque': command.opaque,
            'flag': command.flag, 'extFields': {k: str(v) for k, v in command.ext.items() if v is not None},
            'serializeTypeCurrentRPC': 'JSON'}, separators=(',', ':')).encode()
    else:
        remark = command.remark.encode()
        ext = bytearray()
        for key, value in command.ext.items():
            if value is None:
                continue
            key_bytes, value_bytes = key.encode(), str(value).encode()
            ext += struct.pack('>H', len(key_bytes)) + key_bytes + struct.pack('>I', len(value_bytes)) + value_bytes
        header = (struct.pack('>hbhiii', command.code, 7, command.version, command.opaque, command.flag, len(remark)) +
                  remark + struct.pack('>i', len(ext)) + bytes(ext))
    return struct.pack('>II', 4 + len(header) + len(command.body), encoding << 24 | len(header)) + header + command.body


def decode(frame):
    """The command of a frame without its leading length."""
    mark, = struct.unpack_from('>I', frame)
    encoding, header_bytes = mark >> 24, mark & 0xFFFFFF
    if header_bytes > len(frame) - 4:
        raise ProtocolError(f'header of {header_bytes} bytes in a frame of {len(frame)}')
    header, body = frame[4:4 + header_bytes], frame[4 + header_bytes:]
    if encoding == JSON:
        try:
            fields = json.loads(header)
        except ValueError as error:
            raise ProtocolError(f'header is not JSON: {error}: {header[:200]!r}') from error
        ext = fields.get('extFields') or {}
        for key, value in ext.items():
            if not isinstance(value, str):  # Go and C++ clients cannot read anything else
                raise ProtocolError(f'extFields.{key} is not a string: {value!r}')
        return Command(fields['code'], ext, body, fields['opaque'], fields.get('flag', 0), fields.get('remark') or '',
                       fields.get('version', 0), fields.get('language'), JSON)
    if encoding != ROCKETMQ:
        raise ProtocolError(f'serialize type {encoding}')
    code, language, version, opaque, flag, remark_bytes = struct.unpack_from('>hbhiii', header)
    at = 17 + remark_bytes
    remark = header[17:at].decode()
    ext_bytes, = struct.unpack_from('>i', header, at)
    at += 4
    end, ext = at + ext_bytes, {}
    if end != len(header):
        raise ProtocolError(f'binary header of {len(header)} bytes ends at {end}')
    while at < end:
        size, = struct.unpack_from('>H', header, at)
        key = header[at + 2:at + 2 + size].decode()
        at += 2 + size
        size, = struct.unpack_from('>I', header, at)
        ext[key] = header[at + 4:at + 4 + size].decode()
        at += 4 + size
    return Command(code, ext, body, opaque, flag, remark, version, language, ROCKETMQ)


@dataclass
class Record:
    """One stored message as a pull returns it."""
    size: int
    queue_id: int
    flag: int
    queue_offset: int
    physical_offset: int
    sys_flag: int
    born_ms: int
    store_ms: int
    store_host: tuple
    reconsume_times: int
    body: bytes
    topic: str
    properties: dict

    @property
    def offset_msg_id(self):
        ip, port = self.store_host
        return (socket.inet_aton(ip) + struct.pack('>iq', port, self.physical_offset)).hex().upper()


_FIXED = struct.Struct('>IIIIIqqIq')  # totalSize .. bornTimestamp: 48 bytes


def decode_records(body):
    """Every record in `body`, each checked for its length, magic and body CRC."""
    records, at = [], 0
    while at < len(body):
        begin = at
        size, magic, crc, queue_id, flag, queue_offset, physical, sys_flag, born_ms = _FIXED.unpack_from(body, at)
        if magic not in (MAGIC_V1, MAGIC_V2):
            raise ProtocolError(f'magic {magic:#x} at byte {at} of {len(body)}')
        if size < 91 or at + size > len(body):
            raise ProtocolError(f'record of {size} bytes at byte {at} of {len(body)}')
        at += 48 + (20 if sys_flag & 0x10 else 8)
        store_ms, = struct.unpack_from('>q', body, at)
        at += 8
        ip_bytes = 16 if sys_flag & 0x20 else 4
        family = socket.AF_INET6 if ip_bytes == 16 else socket.AF_INET
        store_host = (socket.inet_ntop(family, body[at:at + ip_bytes]),
                      struct.unpack_from('>I', body, at + ip_bytes)[0])
        at += ip_bytes + 4
        reconsume, _, body_bytes = struct.unpack_from('>IqI', body, at)
        at += 16
        content = body[at:at + body_bytes]
        if len(content) != body_bytes:
            raise ProtocolError(f'record at queue offset {queue_offset}: body is cut short')
        if zlib.crc32(content) & 0x7FFFFFFF != crc:
            raise ProtocolError(f'record at queue offset {queue_offset}: body CRC differs')
        at += body_bytes
        if magic == MAGIC_V1:
            topic_bytes = body[at]
            at += 1
        else:
            topic_bytes, = struct.unpack_from('>H', body, at)
            at += 2
        topic = body[at:at + topic_bytes].decode()
        at += topic_bytes
        properties_bytes, = struct.unpack_from('>H', body, at)
        at += 2
        properties = decode_properties(body[at:at + properties_bytes].decode())
        at += properties_bytes
        if at != begin + size:
            raise ProtocolError(f'record at queue offset {queue_offset}: {size} bytes announced, {at - begin} found')
        records.append(Record(size, queue_id, flag, queue_offset, physical, sys_flag, born_ms, store_ms, store_host,
                              reconsume, content, topic, properties))
    return records


def signed(ext, body, name, password):
    """`ext` as the client of a user sends it."""
    ext = {**{k: str(v) for k, v in ext.items() if v is not None}, 'AccessKey': name}
    content = ''.join(value for _, value in sorted(ext.items())).encode() + body
    return {**ext, 'Signature': base64.b64encode(hmac.new(password.encode(), content, 'sha1').digest()).decode()}


def encode_properties(properties):
    return ''.join(f'{k}\x01{v}\x02' for k, v in properties.items())


def decode_properties(text):
    return dict(entry.split('\x01', 1) for entry in text.split('\x02') if '\x01' in entry)


def encode_batch(messages):
    """The body of SEND_BATCH_MESSAGE: `messages` are pairs of body and properties."""
    out = bytearray()
    for body, properties in messages:
        text = encode_properties(properties).encode()
        out += struct.pack('>IIIII', 22 + len(body) + len(text), 0, 0, 0, len(body)) + body
        out += struct.pack('>H', len(text)) + text
    return bytes(out)


def send_header(group, topic, queue_id, properties='', batch=False, queues=8, **changes):
    """Ext fields of SEND_MESSAGE_V2; `changes` replaces fields by their one-letter names, None drops one."""
    fields = {'a': group, 'b': topic, 'c': 'TBW102', 'd': queues, 'e': queue_id, 'f': 0,
              'g': int(time.time() * 1000), 'h': 0, 'i': properties, 'j': 0, 'k': 'false', 'm': str(batch).lower()}
    fields.update(changes)
    return fields


def pull_header(group, topic, queue_id, offset, count=32, suspend_ms=0, **changes):
    fields = {'consumerGroup': group, 'topic': topic, 'queueId': queue_id, 'queueOffset': offset,
              'maxMsgNums': count, 'sysFlag': PULL_SUBSCRIPTION | (PULL_SUSPEND if suspend_ms else 0),
              'commitOffset': 0, 'suspendTimeoutMillis': suspend_ms, 'subscription': '*', 'subVersion': 0,
              'expressionType': 'TAG'}
    fields.update(changes)
    return fields


class Connection:
    """One blocking connection. Not for several threads at once."""

    def __init__(self, address, timeout=10.0, encoding=JSON, source=None, user=None):
        """`user`: (name, password) that requests are signed with."""
        host, port = address.rsplit(':', 1) if isinstance(address, str) else address
        self.socket = socket.create_connection((host, int(port)), timeout, source)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.timeout, self.encoding, self.user = timeout, encoding, user
        self.opaques = itertools.count(1)
        self.buffer = bytearray()
        self.answers = {}  # opaque -> response that came before it was asked for
        self.requests = []  # what the server asked of us

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def submit(self, code, ext=None, body=b'', oneway=False):
        """Writes a request and returns its opaque at once."""
        opaque = next(self.opaques)
        if self.user is not None:
            ext = signed(ext or {}, body, *self.user)
        self.write(encode(Command(code, ext or {}, body, opaque, 2 if oneway else 0), self.encoding))
        return opaque

    def write(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise ConnectionClosed(str(error)) from error

    def read_command(self, timeout=None):
        """The next whole frame; TimeoutError when none came in time, ConnectionClosed at the end of the stream."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            if len(self.buffer) >= 4:
                size, = struct.unpack_from('>I', self.buffer)
                if size < 4 or size + 4 > FRAME_BYTES_MAX + 64 * 1024 * 1024:
                    raise ProtocolError(f'frame of {size} bytes')
                if len(self.buffer) >= 4 + size:
                    frame = bytes(memoryview(self.buffer)[4:4 + size])
                    del self.buffer[:4 + size]
                    return decode(frame)
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError('no answer')
            self.socket.settimeout(left)
            try:
                chunk = self.socket.recv(1 << 18)
            except socket.timeout as error:
                raise TimeoutError('no answer') from error
            except ConnectionResetError as error:
                raise ConnectionClosed(str(error)) from error
            if not chunk:
                raise ConnectionClosed('end of stream')
            self.buffer += chunk

    def wait(self, opaque, timeout=None):
        """The response to `opaque`, whatever else arrives before it."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while opaque not in self.answers:
            command = self.read_command(max(0.001, deadline - time.monotonic()))
            if command.is_response:
                self.answers[command.opaque] = command
            else:
                self.requests.append(command)
        return self.answers.pop(opaque)

    def call(self, code, ext=None, body=b'', timeout=None):
        return self.wait(self.submit(code, ext, body), timeout)

    def must(self, code, ext=None, body=b'', timeout=None):
        """Like call, but any code other than SUCCESS raises."""
        answer = self.call(code, ext, body, timeout)
        if answer.code != SUCCESS:
            raise ResponseError(answer)
        return answer

    # What the tests ask for most.

    def create_topic(self, topic, queues, perm=6, order=False, attributes=None):
        more = {'attributes': attributes} if attributes else {}
        self.must(UPDATE_AND_CREATE_TOPIC, {
            'topic': topic, 'defaultTopic': 'TBW102', 'readQueueNums': queues, 'writeQueueNums': queues, 'perm': perm,
            'topicFilterType': 'SINGLE_TAG', 'topicSysFlag': 0, 'order': str(order).lower(), **more})

    def create_group(self, group, **settings):
        """`settings` are those of RocketMQ's SubscriptionGroupConfig."""
        self.must(UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, {}, json.dumps({'groupName': group, **settings}).encode())

    def send(self, topic, queue_id, body, group='raw-producer', **properties):
        """(queueId, queueOffset, msgId) of the stored message."""
        answer = self.must(SEND_MESSAGE_V2, send_header(group, topic, queue_id, encode_properties(properties)), body)
        return int(answer.ext['queueId']), int(answer.ext['queueOffset']), answer.ext['msgId']

    def max_offset(self, topic, queue_id):
        return int(self.must(GET_MAX_OFFSET, {'topic': topic, 'queueId': queue_id}).ext['offset'])

    def min_offset(self, topic, queue_id):
        return int(self.must(GET_MIN_OFFSET, {'topic': topic, 'queueId': queue_id}).ext['offset'])

    def pull(self, topic, queue_id, offset, count=32, group='raw-consumer', **more):
        """(answer, records) of one pull."""
        answer = self.call(PULL_MESSAGE, pull_header(group, topic, queue_id, offset, count, **more))
        return answer, decode_records(answer.body) if answer.code == SUCCESS else []

    def read_queue(self, topic, queue_id, begin, end, group='raw-consumer', count=512):
        """Every record with a queue offset in [begin, end), and a ProtocolError for a hole."""
        records, at = [], begin
        while at < end:
            answer, found = self.pull(topic, queue_id, at, count, group)
            if answer.code != SUCCESS:
                raise ProtocolError(f'{topic}/{queue_id}: pull at {at} of [{begin}, {end}) says code {answer.code} '
                                    f'{answer.remark} {answer.ext}')
            for record in found:
                if record.queue_offset != at:
                    raise ProtocolError(f'{topic}/{queue_id}: offset {record.queue_offset} where {at} is due')
                if record.queue_id != queue_id or record.topic != topic:
                    raise ProtocolError(f'{topic}/{queue_id}: a record of {record.topic}/{record.queue_id}')
                at += 1
            if int(answer.ext['nextBeginOffset']) != at:
                raise ProtocolError(f'{topic}/{queue_id}: nextBeginOffset {answer.ext["nextBeginOffset"]}, not {at}')
            records += found
        return records[:end - begin]

    def route(self, topic):
        """The route of `topic`, or None where the nameserver knows none."""
        answer = self.call(GET_ROUTEINFO_BY_TOPIC, {'topic': topic, 'acceptStandardJsonOnly': 'true'})
        if answer.code == TOPIC_NOT_EXIST:
            return None
        if answer.code != SUCCESS:
            raise ResponseError(answer)
        return json.loads(answer.body)


def parse_fastjson(text):
    """JSON as fastjson writes it: with bare numbers as the keys of maps."""
    return json.loads(re.sub(r'([{,]\s*)(-?\d+)\s*:', r'\1"\2":', text if isinstance(text, str) else text.decode()))


def heartbeat_body(client_id, group, topics, model='CLUSTERING', consume_type='CONSUME_PASSIVELY'):
    """HeartbeatData of one consumer that subscribes to all of `topics`."""
    now = int(time.time() * 1000)
    return json.dumps({'clientID': client_id, 'producerDataSet': [], 'consumerDataSet': [{
        'groupName': group, 'consumeType': consume_type, 'messageModel': model,
        'consumeFromWhere': 'CONSUME_FROM_FIRST_OFFSET', 'unitMode': False, 'subscriptionDataSet': [
            {'topic': topic, 'subString': '*', 'tagsSet': [], 'codeSet': [], 'subVersion': now,
             'expressionType': 'TAG', 'classFilterMode': False} for topic in topics]}]}).encode()


def wait_for_route(namesrv, topic, seconds=30.0, broker=None):
    """Blocks until `namesrv` routes `topic` (to the broker of that name); returns the route."""
    deadline = time.monotonic() + seconds
    problem = 'no route'
    while time.monotonic() < deadline:
        try:
            with Connection(namesrv, timeout=3) as connection:
                route = connection.route(topic)
            if route and (broker is None or any(b['brokerName'] == broker for b in route['brokerDatas'])):
                return route
            problem = f'no route: {route}'
        except (OSError, ConnectionClosed) as error:
            problem = repr(error)
        time.sleep(0.1)
    raise TimeoutError(f'{namesrv} has no route of {topic} after {seconds:.0f} s: {problem}')
