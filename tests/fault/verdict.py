"""What the fault tests know of sends and scans, and what of a verdict the history checker cannot give.

Whether a promise was broken says history_check (tests/history), which ledger.py asks. Here is what a test counts, and the one promise that is not in
a history: what was read once after a crash stays, whoever sent it and whether it was answered or not.
Times are seconds of time.monotonic(), which all processes of a machine share.
"""
from typing import NamedTuple

from interop.harness import Failure


class Ack(NamedTuple):
    """A send that was answered with SUCCESS."""
    id: str
    queue: int
    offset: int
    sent: float  # before the request was written
    acked: float  # after the answer was read
    place: object = None  # in the log, as the message id says


class Open(NamedTuple):
    """A send whose fate is open: it had no answer."""
    id: str
    sent: float


class Stored(NamedTuple):
    """A message as it was read back; `id` is None when it is not what any sender made."""
    offset: int
    id: object


class QueueScan(NamedTuple):
    begin: int
    end: int
    records: list  # of Stored, ascending
    gaps: list  # pairs [first, beyond last) of offsets that the broker skipped


class Judgement(NamedTuple):
    stored: int
    lost: list  # of Ack, since the last verdict: what is not there and need not be


def missing(acks, scan):
    """The acknowledged that lie in the scanned offsets or behind them and are not there."""
    held = {(queue, r.offset): r.id for queue, what in scan.items() for r in what.records}
    return [a for a in acks if held.get((a.queue, a.offset)) != a.id and (a.queue not in scan or a.offset >= scan[a.queue].begin)]


def check_stays(seen, scan):
    """Fails unless what an earlier scan has shown, (queue, offset) -> id, is there still."""
    held = {(queue, r.offset): r.id for queue, what in scan.items() for r in what.records}
    for (queue, offset), message_id in seen.items():
        if offset >= scan[queue].begin and held.get((queue, offset)) != message_id:
            raise Failure(f'GONE: queue {queue} offset {offset} held {message_id} after an earlier start, and now {held.get((queue, offset))}')


def first_refusal_after(refusals, moment):
    """Seconds from `moment` to the first of these refusals that was answered after it, or None."""
    times = [r.at - moment for r in refusals if r.at >= moment]
    return min(times) if times else None
