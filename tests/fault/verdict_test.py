#!/usr/bin/env python3
"""The verdict of the fault tests can fail: each anomaly by hand, and beside it what must pass.

The last line is 'N passed, N failed'.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from fault.verdict import Ack, Loss, QueueScan, Stored, judge  # noqa: E402
from interop.harness import Failure  # noqa: E402


def acks(*places):
    """Acknowledged one after the other: (id, offset) in queue 0, the first in the second from 0 to 1."""
    return [Ack(i, 0, offset, at, at + 0.5) for at, (i, offset) in enumerate(places)]


def holds(*ids, begin=0, end=None, gaps=()):
    """Queue 0 with these ids from `begin` on; None: damaged; gaps are left out."""
    at, records = begin, []
    for message_id in ids:
        while at in dict(gaps):
            at = dict(gaps)[at]
        records.append(Stored(at, message_id))
        at += 1
    while at in dict(gaps):
        at = dict(gaps)[at]
    return {0: QueueScan(begin, at if end is None else end, records, list(gaps))}


AB = acks(('a', 0), ('b', 1))
# (what it is, the word of the verdict or '' for none, acks, scan, the rest)
CASES = [
    ('all is there', '', AB, holds('a', 'b'), {}),
    ('and one that had no answer', '', AB, holds('a', 'b', 'c'), {'maybe': {'c'}}),
    ('the last is gone', 'LOST', AB, holds('a'), {}),
    ('the first is gone with the oldest file', '', AB, holds('b', begin=1), {}),
    ('all is gone', 'LOST', AB, holds(), {}),
    ('the last is gone and may', '', AB, holds('a'), {'allowed': Loss(suffix_since=1.0)}),
    ('it is too old for that', 'LOST', AB, holds('a'), {'allowed': Loss(suffix_since=1.6)}),
    ('the first is gone, which is no suffix', 'LOST', AB, holds('x', 'b'), {'maybe': {'x'}, 'allowed': Loss(suffix_since=0.0)}),
    ('one in a gap', 'LOST', AB, holds('b', gaps=[(0, 1)]), {}),
    ('one in a gap, which may be', '', AB, holds('b', gaps=[(0, 1)]), {'allowed': Loss(records=1)}),
    ('two in a gap, one may be', 'LOST', AB, holds(gaps=[(0, 2)]), {'allowed': Loss(records=1)}),
    ('an offset is missing', 'HOLE', AB, {0: QueueScan(0, 3, [Stored(0, 'a'), Stored(2, 'b')], [])}, {}),
    ('the end is missing', 'HOLE', AB, holds('a', 'b', end=3), {}),
    ('a damaged one', 'CORRUPT', AB, holds('a', None), {}),
    ('one is there twice', 'DUPLICATE', AB, holds('a', 'b', 'b'), {}),
    ('nobody sent it', 'PHANTOM', AB, holds('a', 'b', 'z'), {}),
    ('it was refused', 'RESURRECTED', AB, holds('a', 'b', 'r'), {'refused': {'r'}}),
    ('two acknowledgements of one offset', 'DIVERGENT', AB + acks(('c', 1)), holds('a', 'b', 'c'), {}),
    ('another is where it was', 'MOVED', AB, holds('b', 'a'), {}),
    ('it was seen and is another now', 'DIVERGENT', [], holds('c'), {'seen': {(0, 0): 'a'}, 'maybe': {'c'}}),
    ('it was seen and is gone', 'LOST', [], holds(), {'seen': {(0, 0): 'a'}}),
    ('it was seen and its offset is given to another', 'DIVERGENT', acks(('c', 0)), holds('a'), {'seen': {(0, 0): 'a'}}),
    ('later sent, lower offset', 'REORDER', acks(('b', 1), ('a', 0)), holds('a', 'b'), {}),
    ('sent at once, any order', '', [Ack('b', 0, 1, 0, 2), Ack('a', 0, 0, 1, 3)], holds('a', 'b'), {}),
]


def main():
    failed = 0
    for name, word, acknowledged, scan, more in CASES:
        try:
            judge(acknowledged, scan, **more)
            said = ''
        except Failure as failure:
            said = str(failure).split(':')[0]
        if said != word:
            failed += 1
            print(f'FAIL {name}: {said or "nothing"} where {word or "nothing"} is due')
    print(f'{len(CASES) - failed} passed, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
