"""What is known of one topic over the crashes of its broker, judged after each of them."""
import rawmq
from fault.scan import scan_topic
from fault.verdict import NOTHING, QueueScan, judge

# Answers after which a message may be stored or not. RocketMQ's SYSTEM_BUSY comes from both sides of the append.
OPEN_CODES = (rawmq.FLUSH_DISK_TIMEOUT, rawmq.SYSTEM_BUSY)


class Ledger:
    def __init__(self, topic, queues):
        self.topic, self.queues = topic, queues
        self.acks, self.maybe, self.refused = [], set(), set()  # acks: since the last verdict
        self.seen = {}  # (queue, offset) -> id, as of the last verdict
        self.scan = {}
        self.acknowledged = 0

    def add(self, acks, maybe=(), refusals=()):
        """What Producers.results gives, or parts of it."""
        self.acks += acks
        self.acknowledged += len(acks)
        self.maybe.update(maybe)
        for refusal in refusals:
            (self.maybe if refusal.code in OPEN_CODES else self.refused).update(refusal.ids)

    def look(self, address):
        """Everything acknowledged can be read now. What is seen need not be durable yet."""
        return judge(self.acks, scan_topic(address, self.topic, self.queues), self.maybe, self.refused, self.seen)

    def verify(self, address, allowed=NOTHING, whole=True):
        """Reads the queues (from 50 messages before the end of the last verdict unless `whole`) and judges. What was lost and
        might be is forgotten: its offsets may be given out again."""
        scan = scan_topic(address, self.topic, self.queues, {} if whole else {
            q: s.end - 50 for q, s in self.scan.items()})
        if not whole:
            scan = {q: _joined(self.scan[q], s) if q in self.scan else s for q, s in scan.items()}
        judgement = judge(self.acks, scan, self.maybe, self.refused, self.seen, allowed)
        self.scan, self.acks = scan, []
        self.seen = {(queue, r.offset): r.id for queue, what in scan.items() for r in what.records}
        return judgement


def _joined(old, new):
    first = new.records[0].offset if new.records else new.end
    return QueueScan(new.begin, new.end, [r for r in old.records if new.begin <= r.offset < first] + new.records,
                     [g for g in old.gaps if g[1] <= first] + new.gaps)
