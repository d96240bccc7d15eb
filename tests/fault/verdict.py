"""Was a promise broken? The acknowledged sends of a test against all that the broker holds in the end.

`judge` is the whole interface: it knows nothing of brokers, faults or processes, so another checker can take its place.
Times are seconds of time.monotonic(), which all processes of a machine share.
"""
import bisect
import collections
from typing import NamedTuple

from interop.harness import Failure


class Ack(NamedTuple):
    """A send that was answered with SUCCESS. `queue` is a number, or a pair of topic and number."""
    id: str
    queue: object
    offset: int
    sent: float  # before the request was written
    acked: float  # after the answer was read


class Stored(NamedTuple):
    """A message as it was read back; `id` is None when it is not what any sender made."""
    offset: int
    id: object


class QueueScan(NamedTuple):
    begin: int
    end: int
    records: list  # of Stored, ascending
    gaps: list  # pairs [first, beyond last) of offsets that the broker skipped


class Loss(NamedTuple):
    """What a fault may cost. The default: nothing."""
    suffix_since: object = None  # an acknowledgement after this moment may be lost, if all behind it in its queue are
    records: int = 0  # so many messages, wherever they are, each leaving a gap


NOTHING = Loss()


class Judgement(NamedTuple):
    stored: int
    lost: list  # of Ack: what was lost and might be


def _fail(what, *details):
    raise Failure(f'{what}: ' + ' '.join(str(d) for d in details))


def judge(acks, scan, maybe=(), refused=(), seen=None, allowed=NOTHING):
    """Raises Failure with the name of the anomaly, or returns what was found.

    acks     every Ack, over all runs of the broker on this store
    scan     queue -> QueueScan, of all queues
    maybe    ids of sends whose fate is open: no answer, FLUSH_DISK_TIMEOUT
    refused  ids of sends that were answered with 'not stored'
    seen     (queue, offset) -> id of what an earlier scan has shown, which must be there still
    allowed  what the fault may have cost
    """
    seen = seen or {}
    held = {}  # (queue, offset) -> id
    places = {}  # id -> where it is stored
    for queue, what in scan.items():
        at = what.begin
        gaps = dict(what.gaps)
        for record in what.records:
            while at in gaps:
                at = gaps[at]
            if record.offset != at:
                _fail('HOLE', f'queue {queue} has offset {record.offset} where {at} is due')
            at += 1
            if record.id is None:
                _fail('CORRUPT', f'queue {queue} offset {record.offset} is not what was sent')
            if record.id in places:
                _fail('DUPLICATE', record.id, 'is stored at', places[record.id], 'and', (queue, record.offset))
            held[queue, record.offset] = record.id
            places[record.id] = (queue, record.offset)
        while at in gaps:
            at = gaps[at]
        if at != what.end:
            _fail('HOLE', f'queue {queue} ends at {what.end}, but its last message is before {at}')

    known = {a.id for a in acks}
    known.update(maybe)
    known.update(seen.values())
    never = set(refused)
    for stored_id, place in places.items():
        if stored_id in never:
            _fail('RESURRECTED', stored_id, 'was refused and is stored at', place)
        if stored_id not in known:
            _fail('PHANTOM', stored_id, 'is stored at', place, 'and nobody sent it')

    by_place, lost = {}, []
    for ack in acks:
        place = (ack.queue, ack.offset)
        if by_place.setdefault(place, ack.id) != ack.id:
            _fail('DIVERGENT', place, 'was acknowledged for', by_place[place], 'and', ack.id)
        if held.get(place) == ack.id:
            continue
        if ack.id in places:
            _fail('MOVED', ack.id, 'was acknowledged at', place, 'and is at', places[ack.id])
        begin = scan[ack.queue].begin if ack.queue in scan else 0
        if ack.offset >= begin:
            lost.append(ack)
    for place, stored_id in seen.items():
        if by_place.get(place, stored_id) != stored_id or held.get(place, stored_id) != stored_id:
            _fail('DIVERGENT', place, 'held', stored_id, 'and now', held.get(place), 'acknowledged for', by_place.get(place))
        if place not in held and place not in by_place and place[1] >= scan[place[0]].begin:
            lost.append(Ack(stored_id, *place, float('-inf'), float('-inf')))
    _judge_lost(lost, held, scan, allowed)
    _judge_order(acks)
    return Judgement(len(held), lost)


def _judge_lost(lost, held, scan, allowed):
    if not lost:
        return
    gaps = {queue: what.gaps for queue, what in scan.items()}
    in_gaps, beyond = [], []
    for ack in lost:
        skipped = any(begin <= ack.offset < end for begin, end in gaps.get(ack.queue, ()))
        (in_gaps if skipped else beyond).append(ack)
    if len(in_gaps) > allowed.records:
        _fail('LOST', len(in_gaps), 'messages fell into gaps,', allowed.records, 'may; such as', in_gaps[:3])
    if not beyond:
        return
    if allowed.suffix_since is None:
        left = allowed.records - len(in_gaps)
        if len(beyond) > left:
            _fail('LOST', len(beyond), 'acknowledged messages are not stored, such as', beyond[:3])
        return
    last = collections.defaultdict(lambda: -1)
    for queue, offset in held:
        last[queue] = max(last[queue], offset)
    for ack in beyond:
        if ack.offset <= last[ack.queue]:
            _fail('LOST', ack, 'but its queue goes on to', last[ack.queue], ': not a suffix')
    oldest = min(beyond, key=lambda a: a.acked)
    if oldest.acked < allowed.suffix_since:
        old = [a for a in beyond if a.acked < allowed.suffix_since]
        _fail('LOST', len(beyond), 'of which', len(old), 'are older than is allowed, the oldest by',
              f'{(allowed.suffix_since - oldest.acked) * 1000:.0f} ms:', oldest)


def _judge_order(acks):
    """Whoever was answered before another asked has the lower offset."""
    queues = collections.defaultdict(list)
    for ack in acks:
        queues[ack.queue].append(ack)
    for queue, theirs in queues.items():
        done = sorted(theirs, key=lambda a: a.acked)
        times, highest, top = [], [], -1
        for ack in done:
            top = max(top, ack.offset)
            times.append(ack.acked)
            highest.append(top)
        for ack in theirs:
            before = bisect.bisect_left(times, ack.sent)
            if before and highest[before - 1] >= ack.offset:
                _fail('REORDER', f'queue {queue}:', ack, 'began after offset', highest[before - 1], 'was acknowledged')


def first_refusal_after(refusals, moment):
    """Seconds from `moment` to the first of these refusals that was answered after it, or None."""
    times = [r.at - moment for r in refusals if r.at >= moment]
    return min(times) if times else None
