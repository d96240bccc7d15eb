"""What the running server has given up, seen from outside, and how its executable is hardened."""
import os
import pathlib
import re
import struct
import time

import rawmq
from fault import bad_input
from interop.harness import Skip, check, wait_until
from peers import ringmq
from peers.process import Daemon, free_port

TESTS = []
FILTER = '2'  # SECCOMP_MODE_FILTER


def test(function):
    def only_ours(context):
        if context.kind != 'ringmq':
            raise Skip('a promise of RingMQ')
        return function(context)
    TESTS.append((function.__name__, only_ours))
    return function


def _threads(pid):
    """The status of each thread, as a dictionary."""
    found = []
    for thread in pathlib.Path(f'/proc/{pid}/task').iterdir():
        lines = (thread / 'status').read_text(encoding='ascii').splitlines()
        found.append(dict(line.split(':\t', 1) for line in lines if ':\t' in line))
    return found


def _said(output):
    return re.search(r'^  confinement +(.*)$', output, re.MULTILINE).group(1)


@test
def confined_server(context):
    """Every thread of a server is confined while it serves; the line at the start says so; confinement=off turns it off."""
    folder = context.fresh_folder('confined')
    server = ringmq.Standalone(folder)
    context.own.callback(server.kill)
    server.start()
    with rawmq.Connection(server.address) as raw:
        raw.create_topic('Confined', 2)
        raw.send('Confined', 0, b'before')
        threads = _threads(server.daemon.pid)
        raw.send('Confined', 1, b'after')
    said = _said(server.daemon.output())
    check('no_new_privs on' in said and 'io_uring limited' in said, said)
    check(all(t['NoNewPrivs'] == '1' for t in threads), 'a thread can gain privileges')
    if 'seccomp off' not in said:
        check('seccomp on' in said and all(t['Seccomp'] == FILTER for t in threads), said, [t['Seccomp'] for t in threads])
    server.stop()
    server = ringmq.Standalone(folder, confinement='off')
    context.own.callback(server.kill)
    server.start()
    check(_said(server.daemon.output()) == 'off (confinement=off)', server.daemon.output())
    mine = _threads(os.getpid())[0]
    for thread in _threads(server.daemon.pid):
        check((thread['NoNewPrivs'], thread['Seccomp']) == (mine['NoNewPrivs'], mine['Seccomp']), 'confined all the same', thread)
    return f'{len(threads)} threads; {said}'


@test
def confined_nameserver(context):
    """A nameserver alone, with a KV configuration that it has to write."""
    folder = context.fresh_folder('namesrv')
    port = free_port()
    daemon = Daemon('ringmq namesrv', [ringmq.binary, 'namesrv', '-p', port, '--data', folder / 'data'], folder / 'out',
                    ringmq.READY_NAMESRV, cwd=str(folder))
    context.own.callback(daemon.kill)
    daemon.start(timeout=30)
    check(all(t['NoNewPrivs'] == '1' for t in _threads(daemon.pid)), 'a thread can gain privileges')
    with rawmq.Connection(f'127.0.0.1:{port}') as raw:
        raw.must(100, {'namespace': 'N', 'key': 'k', 'value': 'v'})
        check(raw.must(101, {'namespace': 'N', 'key': 'k'}).ext['value'] == 'v', 'the KV configuration')
    check((folder / 'data' / 'namesrv' / 'kvConfig.json').exists(), 'it was not written')
    return _said(daemon.output())


@test
def audit_trail(context):
    """A line for each change by an administrator and for each refusal, whatever the peer writes into it, and no flood."""
    server = ringmq.Standalone(context.fresh_folder('audit'), topicsMax=40)
    context.own.callback(server.kill)
    server.start()

    def lines():
        return [line for line in server.daemon.output().splitlines() if 'audit: ' in line]
    with rawmq.Connection(server.address) as raw:
        raw.create_topic('Audited', 2)
        answer = raw.call(25, {}, b'storePathRootDir=/tmp\nx\\n2026 INFO forged=1\n')
        check(answer.code == 16 and 'storePathRootDir' in answer.remark, answer)
        wait_until(lambda: len(lines()) >= 2, 5, 'the audit lines')
        check(re.search(r'audit: 127\.0\.0\.1:\d+ UPDATE_AND_CREATE_TOPIC topic=Audited: done', lines()[0]), lines())
        check(re.search(r'UPDATE_BROKER_CONFIG storePathRootDir=\(not shown\) \(not shown\): refused, code 16: ', lines()[1]), lines())
        codes = [raw.call(17, bad_input.topic_fields(f'Many{i}')).code for i in range(60)]
        check(0 in codes and codes[-1] == 14, 'topicsMax=40 and 60 topics:', codes)
        check(len(raw.call(17, bad_input.topic_fields('OneMore')).remark.split('topicsMax')) == 2, 'the limit is not named')
        answer = raw.call(rawmq.SEND_MESSAGE_V2, rawmq.send_header('g', 'BySend', 0), b'x')
        check(answer.code == rawmq.TOPIC_NOT_EXIST and 'topicsMax' in answer.remark, 'a send that would make one more', answer)
    server.stop()
    check(2 < len(lines()) <= 22, 'ten lines in ten seconds and shard', len(lines()))
    return f'{len(lines())} lines for 64 requests'


@test
def topics_made_by_sends(context):
    """Sends make 64 topics at once and then about one a second; who makes topics on purpose is not held up."""
    server = ringmq.Standalone(context.fresh_folder('many'))
    context.own.callback(server.kill)
    server.start()
    with rawmq.Connection(server.address) as raw:
        codes = []
        for i in range(80):
            answer = raw.call(rawmq.SEND_MESSAGE_V2, rawmq.send_header('g', f'Made{i}', 0), b'x')
            codes.append(answer.code)
            check(answer.code == 0 or 'autoCreateTopicsPerMinute' in answer.remark, answer)
        made = codes.count(0)
        check(64 <= made < 80 and set(codes) == {0, rawmq.TOPIC_NOT_EXIST}, 'made', made, set(codes))
        raw.create_topic('OnPurpose', 2)
        raw.send('OnPurpose', 0, b'x')
        time.sleep(1.2)
        check(raw.call(rawmq.SEND_MESSAGE_V2, rawmq.send_header('g', 'Later', 0), b'x').code == 0, 'a second later')
    return f'{made} of 80 made at once'


PT_DYNAMIC, PT_GNU_STACK, PT_GNU_RELRO = 2, 0x6474E551, 0x6474E552
ET_DYN, DT_NULL, DT_FLAGS, DT_FLAGS_1, DF_BIND_NOW, DF_1_NOW, DF_1_PIE = 3, 0, 30, 0x6FFFFFFB, 8, 1, 0x08000000
EXECUTABLE, WRITABLE = 1, 2


@test
def hardened_executable(context):  # pylint: disable=unused-argument
    """The executable is position-independent, binds at start and keeps what it bound read-only, has no executable stack and
    no memory that is both writable and executable, and was compiled with stack protection."""
    image = pathlib.Path(ringmq.binary).read_bytes()
    kind, = struct.unpack_from('<H', image, 16)
    table, = struct.unpack_from('<Q', image, 32)
    size, count = struct.unpack_from('<HH', image, 54)
    segments = [struct.unpack_from('<IIQQQQQQ', image, table + i * size) for i in range(count)]
    check(kind == ET_DYN, 'no PIE: ELF type', kind)
    check(any(s[0] == PT_GNU_RELRO for s in segments), 'no RELRO')
    stack = [s for s in segments if s[0] == PT_GNU_STACK]
    check(stack and not stack[0][1] & EXECUTABLE, 'the stack can be executed')
    check(not any(s[1] & EXECUTABLE and s[1] & WRITABLE for s in segments), 'a segment is writable and executable')
    dynamic, = (s for s in segments if s[0] == PT_DYNAMIC)
    flags = {}
    for at in range(dynamic[2], dynamic[2] + dynamic[5], 16):
        tag, value = struct.unpack_from('<QQ', image, at)
        if tag == DT_NULL:
            break
        flags[tag] = value
    check(flags.get(DT_FLAGS, 0) & DF_BIND_NOW or flags.get(DT_FLAGS_1, 0) & DF_1_NOW, 'it binds lazily: RELRO is not full')
    check(flags.get(DT_FLAGS_1, 0) & DF_1_PIE, 'no PIE flag')
    check(b'__stack_chk_fail' in image, 'no stack protector')
    return 'PIE, full RELRO, no executable stack, stack protector'
