"""What is known of one topic over the crashes of its broker, judged after each of them."""
import rawmq
from fault.scan import scan_topic
from fault.verdict import NOTHING, judge

# Answers after which a message may be stored or not. RocketMQ's SYSTEM_BUSY comes from both sides of the append.
OPEN_CODES = (rawmq.FLUSH_DISK_TIMEOUT, rawmq.SYSTEM_BUSY)


class Ledger:
    def __init__(self, topic, queues):
        self.topic, self.queues = topic, queues
        self.acks, self.maybe, self.refused = [], set(), set()  # acks: since the last verdict
        self.seen = {}  # (queue, offset) -> id, as of the last verdict
        self.begins, self.ends = {}, {}  # queue -> offset, as of the last verdict
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
        """Reads the queues and judges; unless `whole`, from 50 messages before the end of the last verdict. What was
        lost and might be is forgotten: its offsets may be given out again."""
        scan = scan_topic(address, self.topic, self.queues, {} if whole else {
            queue: end - 50 for queue, end in self.ends.items()})
        behind = self.seen
        if not whole:  # and of the rest what an acknowledgement speaks of, or a reused offset would pass
            asked = {(a.queue, a.offset) for a in self.acks}
            behind = {place: i for place, i in self.seen.items() if place[1] >= scan[place[0]].begin or place in asked}
        judgement = judge(self.acks, scan, self.maybe, self.refused, behind, allowed)
        self.acks, self.begins = [], {queue: what.begin for queue, what in scan.items()}
        self.ends = {queue: what.end for queue, what in scan.items()}
        for place in list(behind):
            if place[1] >= scan[place[0]].begin:
                del self.seen[place]
        self.seen.update(((queue, r.offset), r.id) for queue, what in scan.items() for r in what.records)
        return judgement
