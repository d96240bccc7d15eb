#!/usr/bin/env python3
"""The verdict of the fault tests can fail: each anomaly by hand, and beside it what must pass.

    ledger_test.py HISTORY_CHECK

The last line is 'N passed, N failed'.
"""
import contextlib
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from fault.ledger import FOLDER, Ledger  # noqa: E402
from fault.load import Refusal  # noqa: E402
from fault.verdict import Ack, Open, QueueScan, Stored  # noqa: E402
from interop.harness import Failure  # noqa: E402

SYNC, ASYNC = 'SYNC_FLUSH', 'ASYNC_FLUSH'


def acks(*places):
    """Acknowledged one after the other: (id, offset) in queue 0, the first in the second from 0 to 1."""
    return [Ack(f'p.{i}', 0, offset, at, at + 0.5) for at, (i, offset) in enumerate(places)]


def holds(*ids, begin=0, end=None, gaps=()):
    """Queue 0 with these ids from `begin` on; None: damaged; gaps are left out."""
    at, records = begin, []
    for message_id in ids:
        while at in dict(gaps):
            at = dict(gaps)[at]
        records.append(Stored(at, message_id and f'p.{message_id}'))
        at += 1
    while at in dict(gaps):
        at = dict(gaps)[at]
    return {0: QueueScan(begin, at if end is None else end, records, list(gaps))}


AB = acks(('a', 0), ('b', 1))
REFUSED = [Refusal(['p.r'], 14, '', 2.0, 2.5)]
# (what it is, the words of the verdict or none, flushDiskType, what happens at which second, acks, readings in their order, the rest of `add`)
CASES = [
    ('all is there', '', SYNC, (), AB, [holds('a', 'b')], {}),
    ('and one that had no answer', '', SYNC, (), AB, [holds('a', 'b', 'c')], {'maybe': [Open('p.c', 1.0)]}),
    ('the last is gone', 'LOST', SYNC, (('kill', 2.0),), AB, [holds('a')], {}),
    ('the last is gone, ASYNC_FLUSH', 'LOST', ASYNC, (('kill', 1.52),), AB, [holds('a')], {}),
    ('the first is gone with the oldest file', 'LOST', SYNC, (), AB, [holds('b', begin=1)], {}),
    ('all is gone', 'LOST', SYNC, (), AB, [holds()], {}),
    ('the last is gone with the power and may', '', ASYNC, (('cut', 1.52),), AB, [holds('a')], {}),
    ('SYNC_FLUSH: it may not', 'LOST', SYNC, (('cut', 1.52),), AB, [holds('a')], {}),
    ('it is too old for that', 'LOST', ASYNC, (('cut', 1.6),), AB, [holds('a')], {}),
    ('another is in the middle of what is left: no suffix', 'LOST', ASYNC, (('cut', 0.52), ('start', 0.9)),
     acks(('a', 0)) + [Ack('p.b', 0, 1, 0.0, 0.51)], [holds('x', 'b')], {'maybe': [Open('p.x', 0.5)]}),
    ('one in a gap', 'LOST', SYNC, (), AB, [holds('b', gaps=[(0, 1)])], {}),
    ('one in a gap, which a bit may cost', '', SYNC, (('flip', 2.0),), AB, [holds('b', gaps=[(0, 1)])], {}),
    ('two in a gap, one bit', 'LOST', SYNC, (('flip', 2.0),), AB, [holds(gaps=[(0, 2)])], {}),
    ('two in a gap, a file is damaged', '', SYNC, (('damage', 2.0),), AB, [holds(gaps=[(0, 2)])], {}),
    ('an offset is missing', 'HOLE', SYNC, (), acks(('a', 0), ('b', 2)), [{0: QueueScan(0, 3, [Stored(0, 'p.a'), Stored(2, 'p.b')], [])}], {}),
    ('the end is missing', 'HOLE', SYNC, (), AB, [holds('a', 'b', end=3)], {}),
    ('a damaged one', 'CORRUPT LOST', SYNC, (), AB, [holds('a', None)], {}),
    ('one is there twice', 'DUPLICATE', SYNC, (), AB, [holds('a', 'b', 'b')], {}),
    ('nobody sent it', 'PHANTOM', SYNC, (), AB, [holds('a', 'b', 'z')], {}),
    ('it was refused', 'RESURRECTED', SYNC, (), AB, [holds('a', 'b', 'r')], {'refusals': REFUSED}),
    ('it may be refused and be there: 10 says that nobody knows', '', SYNC, (), AB, [holds('a', 'b', 'r')],
     {'refusals': [Refusal(['p.r'], 10, '', 2.0, 2.5)]}),
    ('two acknowledgements of one offset', 'LOST DIVERGENT', SYNC, (), AB + acks(('c', 1)), [holds('a', 'b')], {}),
    ('another is where it was', 'MOVED', SYNC, (), AB, [holds('b', 'a')], {}),
    ('it was seen and is another now', 'DIVERGENT', SYNC, (), [], [holds('a'), holds('c')], {'maybe': [Open('p.a', 0.0), Open('p.c', 0.0)]}),
    ('it was seen and is gone', 'GONE', SYNC, (), [], [holds('a'), holds()], {'maybe': [Open('p.a', 0.0)]}),
    ('later sent, lower offset', 'REORDER', SYNC, (), acks(('b', 1), ('a', 0)), [holds('a', 'b')], {}),
    ('sent at once, any order', '', SYNC, (), [Ack('p.b', 0, 1, 0, 2), Ack('q.a', 0, 0, 1, 3)], [{0: QueueScan(0, 2, [Stored(0, 'q.a'), Stored(1, 'p.b')], [])}], {}),
]


def verdict_of(checker, flush, happened, acknowledged, readings, more):
    ledger = Ledger('T', 1, flush, checker=checker)
    ledger.add(acknowledged, **more)
    for what, moment in happened:
        ledger.happened(what, moment)
    try:
        for at, scan in enumerate(readings):
            ledger.judge(scan, begun=10.0 + at)
        return ''
    except Failure as failure:
        return str(failure)
    finally:
        for path in FOLDER.glob(ledger.name + '-*'):
            path.unlink()


def main():
    failed = 0
    for name, words, *case in CASES:
        said = verdict_of(sys.argv[1], *case)
        if not all(word in said for word in words.split()) or bool(said) != bool(words):
            failed += 1
            print(f'FAIL {name}: {said or "nothing"} where {words or "nothing"} is due')
    with contextlib.suppress(OSError):
        FOLDER.rmdir()
    print(f'{len(CASES) - failed} passed, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
