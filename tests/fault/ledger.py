"""The history of one topic over the crashes of its broker: written down as tests/history wants it, judged by history_check after each of them.

A history lies in build/test/histories while its test runs. One that shows an anomaly stays there, and the failure says how to look at it again.
"""
import itertools
import math
import multiprocessing.util
import os
import pathlib
import time

import rawmq
from fault.scan import scan_topic
from fault.verdict import Judgement, check_stays, missing
from history.writer import History, hash_of, phase_of
from interop.harness import Failure

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / 'build' / 'test' / 'histories'
CHECKER = ROOT / 'build' / 'release' / 'tests' / 'history' / 'history_check'
PULL_MESSAGES = 512  # of one event
PARTLY = 50  # messages before the end of the last reading, from where a reading begins that is not a whole one
_numbers = itertools.count(1)


def _nanoseconds(moment):
    return int(moment * 1e9)


def reads_all(number, rounds):
    """Whether the reading after round `number` of `rounds` is a whole one: that after the last, and else few, as it grows with what there is."""
    every = max(5, rounds // 8)
    return number % every == every - 1 or number == rounds - 1


class Ledger:
    """`flush`: the flushDiskType, which says what an acknowledgement promises; `window`: how many seconds before a power cut ASYNC_FLUSH may lose;
    `expires`: whether messages may go because they are old."""

    def __init__(self, topic, queues, flush='SYNC_FLUSH', window=0.05, checker=CHECKER, expires=False):
        self.expires = expires
        self.topic, self.queues, self.window, self.checker = topic, queues, window, pathlib.Path(checker)
        self.store = flush.removesuffix('_FLUSH')
        FOLDER.mkdir(parents=True, exist_ok=True)
        self.name = f'{os.getpid()}-{next(_numbers)}-{topic}'
        # What was sent and done, and what was read: a file for each whole reading, of which only the last is needed once it was judged.
        self.sends, self.reads, self.readings = History(FOLDER / f'{self.name}-sends.jsonl'), [], 0
        # At the end of this process, which may be one of multiprocessing's: those know nothing of atexit.
        self.forget = multiprocessing.util.Finalize(None, self._forget, exitpriority=1)
        self.events, self.operations = [], itertools.count(1)
        self.acks = []  # since the last verdict
        self.unjudged = False  # something was read, and not all
        self.damaged = False  # the nemesis was at the files themselves
        self.seen = {}  # (queue, offset) -> id, as of the last reading
        self.begins, self.ends = {}, {}  # queue -> offset, likewise
        self.acknowledged = 0

    def _forget(self):
        for history in [self.sends, *self.reads]:
            history.close()
            history.path.unlink(missing_ok=True)

    # --- What happened.

    def add(self, acks, maybe=(), refusals=()):
        """What Producers.results gives, or parts of it."""
        self.acks += acks
        self.acknowledged += len(acks)
        for a in acks:
            # What a power cut takes of ASYNC_FLUSH is a suffix of a log too.
            place = {'phy': a.place} if self.store == 'ASYNC' and a.place is not None else {}
            self._send(a.id, a.sent, a.acked, 0, off=a.offset, k=f'{self.topic}/{a.queue}', **place)
        for one in maybe:
            self._send(one.id, one.sent)
        for refusal in refusals:
            for message_id in refusal.ids:
                self._send(message_id, refusal.sent, refusal.at, refusal.code)

    def _send(self, message_id, sent, answered=None, code=None, **fields):
        who = {'w': message_id.rpartition('.')[0], 'op': next(self.operations), 'f': 'send'}
        self.events.append((_nanoseconds(sent), {**who, 'ph': 'invoke', 'v': message_id, 'store': self.store,
                                                 'h': hash_of(message_id.encode())}))
        if answered is not None:
            # RocketMQ's SYSTEM_BUSY comes from both sides of the append.
            phase = 'info' if code == rawmq.SYSTEM_BUSY else phase_of(code)
            self.events.append((_nanoseconds(answered), {**who, 'ph': phase, 'code': code, **fields}))

    def happened(self, what, moment=None):
        """What the nemesis did: 'kill', 'cut', 'stop', 'start', 'flip', 'damage', or any word that excuses nothing."""
        moment = time.monotonic() if moment is None else moment
        self.damaged |= what in ('flip', 'damage')
        self.events.append((_nanoseconds(moment), self._nemesis(what)))

    def _nemesis(self, what):
        return {'w': 'nemesis', 'op': next(self.operations), 'ph': 'info', 'f': 'nemesis', 'v': what}

    # --- What is there now.

    def look(self, address):
        """Everything acknowledged can be read now. What is seen need not be durable yet."""
        begun = time.monotonic()
        self._note_reading(scan_topic(address, self.topic, self.queues), begun, whole=True)
        self._ask()

    def verify(self, address, whole=True):
        """Reads the queues and judges. Unless `whole`, only from some messages before the end of the last reading: the next whole one judges then,
        or `settle`."""
        first = {} if whole else {queue: max(0, end - PARTLY) for queue, end in self.ends.items()}
        begun = time.monotonic()
        return self.judge(scan_topic(address, self.topic, self.queues, first), whole, begun)

    def settle(self, address):
        """Judges what was not judged yet."""
        if self.unjudged:
            self.verify(address)

    def judge(self, scan, whole=True, begun=None):
        """The verdict on everything so far, which the reading `scan` ends: Failure with the anomalies, or what was found."""
        self._note_reading(scan, time.monotonic() if begun is None else begun, whole)
        self.unjudged = not whole
        if whole:
            self._ask()
        if not self.damaged:
            check_stays(self.seen, scan)
        lost = missing(self.acks, scan)
        self.acks, self.begins = [], {queue: what.begin for queue, what in scan.items()}
        self.ends = {queue: what.end for queue, what in scan.items()}
        self.seen = {place: i for place, i in self.seen.items() if place[1] < scan[place[0]].begin}
        self.seen.update(((queue, r.offset), r.id) for queue, what in scan.items() for r in what.records)
        return Judgement(sum(len(what.records) for what in scan.values()), lost)

    def _note_reading(self, scan, begun, whole):
        t = _nanoseconds(begun)
        self.events.sort(key=lambda event: event[0])
        for at, event in self.events:
            self.sends.note(event, at)
        self.events = []
        if whole:
            self.sends.note(self._nemesis('scan'), t)
            self.readings += 1
            self.reads.append(History(FOLDER / f'{self.name}-reads{self.readings}.jsonl'))
        elif not self.reads:
            self.reads.append(History(FOLDER / f'{self.name}-reads0.jsonl'))
        for queue, what in scan.items():
            at = what.begin
            for first in range(0, max(1, len(what.records)), PULL_MESSAGES):
                records = what.records[first:first + PULL_MESSAGES]
                following = what.end if first + PULL_MESSAGES >= len(what.records) else records[-1].offset + 1
                pull = {'w': 'reader', 'op': next(self.operations), 'f': 'pull'}
                self.reads[-1].note({**pull, 'ph': 'invoke', 'k': f'{self.topic}/{queue}', 'from': at}, t + 1)
                self.reads[-1].note({**pull, 'ph': 'ok', 'code': 0, 'next': following, 'max': what.end,
                                     **({'min': what.begin} if whole else {}), 'msgs': [_message(r) for r in records]}, t + 1)
                at = following
        self.reads[-1].flush()

    def _ask(self):
        """history_check over all that was sent and what was read since the last verdict, and for that one."""
        if not self.checker.exists():
            raise Failure(f'{self.checker} is not there: ./dev test --fault builds it')
        options = [*([] if self.expires else ['--keeps-all']), '--async-window-ms', str(math.ceil(self.window * 1000))]
        files = [history.path for history in self.reads]
        verdict = self.sends.check(self.checker, *files, options=options)
        if not verdict.clean:
            self.forget.cancel()
            command = ' '.join(str(part) for part in (self.checker, *options, self.sends.path, *files))
            raise Failure(f'{verdict}\nlook again: {command}')
        for history in self.reads[:-1]:
            history.close()
            history.path.unlink()
        self.reads = self.reads[-1:]


def _message(stored):
    """Of a message that is not what any sender made nobody knows a value: CORRUPT."""
    return {'off': stored.offset} if stored.id is None else {'off': stored.offset, 'v': stored.id, 'h': hash_of(stored.id.encode())}
