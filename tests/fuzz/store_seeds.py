#!/usr/bin/env python3
"""Takes inputs for the fuzz targets `blocks` and `import` from real data folders, which it makes: one of RingMQ, one of the real RocketMQ 5.3.3.

  store_seeds.py OUT [--binary PATH]

Writes OUT/blocks and OUT/import; `./dev fuzz --merge TARGET OUT/TARGET` keeps what teaches the fuzzer something. Needs Java for RocketMQ.
"""
import argparse
import hashlib
import pathlib
import struct
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import rawmq  # noqa: E402
from peers import ringmq, rocketmq  # noqa: E402

BLOCK, TOPIC = 4096, 'Seeds'
STORE_ID, LOG = struct.pack('<QQ', 0x1111111111111111, 0x2222222222222222), struct.pack('<I', 3)  # what blocks_fuzz.cc expects
# The kinds of blocks_fuzz.cc.
BATCH, SEGMENT_HEADER, INDEX_HEADER, INDEX_PAGE, ROWS, MARK, META, TEXT, DUE_HEADER, RUN_PAGE, KEY_HEADER, KEYS = range(12)
INPUT_BYTES_MAX = 3 * BLOCK


def put(folder, data):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha1(data).hexdigest()[:16]).write_bytes(data)


def fill(server, count, body_bytes):
    with rawmq.Connection(server.address, timeout=30) as connection:
        connection.create_topic(TOPIC, 2)
        for i in range(count):
            connection.send(TOPIC, i % 2, b'%d' % i + b'.' * (i * 37 % body_bytes), TAGS='A', KEYS=f'k{i}')


def of(what, at, identity):
    """`what` with our store id and log number in it."""
    data = bytearray(what)
    for offset, value in zip(at, identity):
        data[offset:offset + len(value)] = value
    return bytes(data)


def blocks(folder, out):
    """Blocks of a data folder, each behind the number of its kind."""
    def add(kind, data):
        put(out, bytes([kind]) + data[:INPUT_BYTES_MAX])
    for path in sorted(folder.rglob('*')):
        if not path.is_file():
            continue
        data = path.read_bytes()
        if path.name.endswith('.log') and path.parent.name.startswith('log-'):
            add(SEGMENT_HEADER, of(data[:BLOCK], (12, 16), (LOG, STORE_ID)))
            for at in range(BLOCK, len(data), BLOCK):
                if data[at:at + 4] == b'RNGB':
                    size, = struct.unpack_from('<I', data, at + 40)
                    if size <= INPUT_BYTES_MAX:
                        add(BATCH, of(data[at:at + size], (16, 24), (STORE_ID[8:], LOG)))
        elif path.name.endswith('.idx'):
            header = of(data[:BLOCK], (12, 16), (LOG, STORE_ID))
            add(INDEX_HEADER, header)
            add(INDEX_PAGE, data[BLOCK:2 * BLOCK])
            for i in range(struct.unpack_from('<I', header, 80)[0]):
                kind, _, offset, size = struct.unpack_from('<IIQQ', header, 88 + 24 * i)
                if kind == 2:
                    add(ROWS, data[offset:offset + size])
        elif path.name.endswith('.due'):
            add(DUE_HEADER, of(data[:BLOCK], (12, 16), (LOG, STORE_ID)))
            add(RUN_PAGE, data[BLOCK:2 * BLOCK])
        elif path.name.endswith('.keys'):
            add(KEY_HEADER, of(data[:BLOCK], (12, 16), (LOG, STORE_ID)))
            add(RUN_PAGE, data[BLOCK:2 * BLOCK])
        elif path.name == 'flushed':
            add(MARK, of(data[:BLOCK], (8, 24), (STORE_ID, LOG)))
        elif path.name == 'meta.log':
            at = 64
            while data[at:at + 4] == struct.pack('<I', 0x524D4E52):
                size, = struct.unpack_from('<I', data, at + 16)
                add(META, data[at:at + 24 + size])
                at += (24 + size + 7) // 8 * 8
        elif path.name == 'meta.mark':
            add(META, data)
        elif path.name == 'manifest':
            add(TEXT, data)
    add(KEYS, b'UNIQ_KEY\x01a\x02KEYS\x01b  c d\x02WAIT\x01true\x02KEYS\x01 e')
    add(TEXT, b'group\0topic\x003')
    add(TEXT, b'1 135168 140000 9 7 0 0 8 171 2')  # the checkpoint of an index of waiting messages


def imports(folder, out):
    """Commit log and consume queues of RocketMQ, as import_fuzz.cc takes them apart."""
    log = b''.join(p.read_bytes() for p in sorted((folder / 'commitlog').iterdir()))
    end = len(log.rstrip(b'\0'))
    for queue in (0, 1):
        entries = (folder / 'consumequeue' / TOPIC / str(queue) / f'{0:020}').read_bytes()
        entries = entries[:(len(entries.rstrip(b'\0')) + 19) // 20 * 20]
        for count in (1, 3, len(entries) // 20):
            for files in (0, 1):
                put(out, struct.pack('>BBHB', len(TOPIC), queue, 20 * count, files) + TOPIC.encode() + entries[:20 * count] + log[:end])
    put(out, struct.pack('>BBHB', len(TOPIC), 0, 0, 0) + TOPIC.encode() + log[:end // 2])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out', type=pathlib.Path)
    parser.add_argument('--binary', type=pathlib.Path, default=ringmq.binary)
    options = parser.parse_args()
    ringmq.binary = options.binary.resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        server = ringmq.Standalone(folder / 'ringmq', mappedFileSizeCommitLog=8 << 20, flushDiskType='SYNC_FLUSH')
        server.start()
        fill(server, 150, 120_000)  # more than a segment
        with rawmq.Connection(server.address) as connection:
            for i in range(200):  # wait beyond the end, when they are written as a run
                connection.send(TOPIC, 0, b'%d' % i, TIMER_DELAY_MS=str(3_600_000 + i * 977 % 5000))
            connection.pull(TOPIC, 0, 0, group='g')  # makes the group
            connection.must(rawmq.UPDATE_CONSUMER_OFFSET, {'consumerGroup': 'g', 'topic': TOPIC, 'queueId': 0, 'commitOffset': 3})
        time.sleep(1)  # full segments are sealed
        server.stop()
        blocks(folder / 'ringmq' / 'data', options.out / 'blocks')
        server = rocketmq.Standalone(folder / 'rocketmq', mappedFileSizeCommitLog=64 << 10)
        server.start()
        fill(server, 8, 300)
        time.sleep(2)  # consume queues are written behind the log
        server.stop()
        stores = sorted(folder.glob('rocketmq/**/commitlog'))
        imports(stores[0].parent, options.out / 'import')
    for path in sorted(options.out.iterdir()):
        print(len(list(path.iterdir())), 'in', path)


if __name__ == '__main__':
    main()
