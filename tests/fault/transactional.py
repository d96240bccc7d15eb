"""kill -9 of the broker in the middle of transactions, over and over on the same data folder (R2): what was committed is there once, what was rolled back
never, and what nobody has ended is neither there nor forgotten: it can still be committed after the last start, once."""
import random
import threading
import time

import rawmq
from fault.scan import read_bodies_once
from interop.harness import check

TOPIC, QUEUES, GROUP = 'TransactionTopic', 4, 'transacting'
END_TRANSACTION, COMMIT, ROLLBACK = 37, 8, 12


def end(connection, half, how):
    """The code of the answer: 0 when this has ended it."""
    offset, position = half
    return connection.call(END_TRANSACTION, {
        'topic': TOPIC, 'producerGroup': GROUP, 'tranStateTableOffset': offset, 'commitLogOffset': position, 'commitOrRollback': how,
        'fromTransactionCheck': 'false', 'msgId': 'x'}).code


class Ledger:
    """What was said and heard of each transaction, by its body."""

    def __init__(self):
        self.halves, self.committed, self.rolled_back = {}, set(), set()
        self.asked = {}  # the word that was given, heard or not

    def transact(self, connection, rng, kill):
        """Transactions, most of them ended at once, until the connection breaks."""
        open_ones = []
        try:
            for number in range(100_000):
                body = f'{kill}.{number}'
                _, offset, message_id = connection.send(TOPIC, rng.randrange(QUEUES), body.encode(), group=GROUP, TRAN_MSG='true', PGROUP=GROUP)
                self.halves[body] = offset, int(message_id[16:], 16)
                open_ones.append(body)
                while open_ones and rng.random() < 0.8:
                    ended = open_ones.pop(rng.randrange(len(open_ones)) if rng.random() < 0.3 else -1)
                    how = COMMIT if rng.random() < 0.7 else ROLLBACK
                    self.asked[ended] = how
                    check(end(connection, self.halves[ended], how) == 0, ended, 'could not be ended')
                    (self.committed if how == COMMIT else self.rolled_back).add(ended)
                    if rng.random() < 0.1:
                        check(end(connection, self.halves[ended], COMMIT) != 0, ended, 'was ended twice')
        except (OSError, rawmq.ConnectionClosed):
            return  # killed

    def compare(self, found):
        for body in found:
            check(self.asked.get(body) == COMMIT, body, 'is there, and nobody has committed it')
        missing = [body for body in self.committed if body not in found]
        check(not missing, len(missing), 'of', len(self.committed), 'committed messages are lost, such as', missing[:3])


def kill_in_transactions(context, kills, seed):
    """One data folder, `kills` crashes. Returns a line for the report."""
    rng = random.Random(seed)
    server = context.standalone('transactional', mappedFileSizeCommitLog=8 << 20, flushDiskType=rng.choice(('ASYNC_FLUSH', 'SYNC_FLUSH')))
    context.topic(TOPIC, QUEUES, server)
    ledger = Ledger()
    for kill in range(kills):
        with rawmq.Connection(server.address) as connection:
            killer = threading.Timer(rng.uniform(0.1, 1.0), server.kill)
            killer.start()
            ledger.transact(connection, rng, kill)
            killer.join()
        server.start()
        if kill % 10 == 9:
            ledger.compare(read_bodies_once(server.address, TOPIC, QUEUES))
    found = read_bodies_once(server.address, TOPIC, QUEUES)
    ledger.compare(found)
    late = 0
    with rawmq.Connection(server.address) as connection:
        for body, half in ledger.halves.items():
            ended = body in ledger.committed or body in ledger.rolled_back or body in found
            code = end(connection, half, COMMIT)
            if ended:
                check(code != 0, body, 'had ended and was committed')
            elif body not in ledger.asked:
                check(code == 0, body, 'was pending and could not be committed')
            if code == 0:
                ledger.asked[body] = COMMIT
                ledger.committed.add(body)
                late += 1
    ledger.compare(read_bodies_once(server.address, TOPIC, QUEUES))
    return (f'{kills} crashes, {len(ledger.halves)} transactions, {len(ledger.committed)} committed, each there once, {len(ledger.rolled_back)} rolled back, '
            f'{late} of the committed ones only after the last start; seed {seed}')
