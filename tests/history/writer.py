"""Writes a history of what clients did, and asks the checker for its verdict. README.md has the format.

    history = History(folder / 'history.jsonl')
    producer = history.worker('p1')
    op = producer.invoke('send', k='orders/0', v='r7.p1.1', h=hash_of(body), store='SYNC')
    ...
    producer.complete(op, 'ok', off=0)
    verdict = history.check(binary)
"""
import hashlib
import json
import pathlib
import subprocess
import threading
import time

_encode = json.JSONEncoder(separators=(',', ':')).encode
REFUSED = (2, 13, 14, 16, 17, 24)  # codes after which a message must never appear


def hash_of(body):
    return hashlib.blake2b(body, digest_size=8).hexdigest()


def phase_of(code):
    """What the code of an answer to a send proves."""
    return 'ok' if code == 0 else 'fail' if code in REFUSED else 'info'


def now():
    return time.monotonic_ns()


class Verdict:
    def __init__(self, status, lines):
        self.status, self.lines = status, lines

    @property
    def clean(self):
        return self.status == 0

    @property
    def summary(self):
        return self.lines[-1] if self.lines else ''

    def __str__(self):
        return '\n'.join(self.lines[:10] + (['...'] if len(self.lines) > 11 else []) + self.lines[10:][-1:])


class History:
    """Events of one process, for any number of its threads. Processes have one each; the checker merges the files."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.file = open(self.path, 'w', encoding='utf-8')
        self.lock = threading.Lock()
        self.last = 0

    def note(self, event, t=None):
        """Writes one event as of `t` (now unless said), which must not lie before the last one."""
        with self.lock:
            self.last = max(self.last, t if t is not None else now())
            self.file.write(_encode({'t': self.last, **event}) + '\n')

    def worker(self, name):
        return Worker(self, name)

    def flush(self):
        with self.lock:
            self.file.flush()

    def close(self):
        self.file.close()

    def check(self, binary, *more_files, options=()):
        """The verdict on this history together with those of `more_files`."""
        self.flush()
        done = subprocess.run([str(binary), *options, str(self.path), *map(str, more_files)], capture_output=True, text=True,
                              check=False)
        lines = (done.stdout if done.returncode in (0, 1) else done.stderr).splitlines()
        return Verdict(done.returncode, lines)


class Worker:
    """One worker: numbers its operations. Several may be under way."""

    def __init__(self, history, name):
        self.history, self.name, self.ops, self.functions = history, name, 0, {}

    def invoke(self, function, **fields):
        """Call it before the request leaves; returns the number of the operation."""
        self.ops += 1
        self.functions[self.ops] = function
        self.history.note({'w': self.name, 'op': self.ops, 'ph': 'invoke', 'f': function, **fields})
        return self.ops

    def complete(self, op, phase, **fields):
        self.history.note({'w': self.name, 'op': op, 'ph': phase, 'f': self.functions.pop(op), **fields})

    def once(self, function, phase='info', **fields):
        """An event without a counterpart: a nemesis' moment, an assignment."""
        self.ops += 1
        self.history.note({'w': self.name, 'op': self.ops, 'ph': phase, 'f': function, **fields})

    def pulled(self, op, answer, records, value_of, hashed=hash_of):
        """Completes a pull with an `answer` of rawmq and its records; `value_of(body)` is the value id or None."""
        messages = []
        for record in records:
            value = value_of(record.body)
            messages.append({'off': record.queue_offset, 'phy': record.physical_offset, 'rc': record.reconsume_times,
                             'h': hashed(record.body), **({} if value is None else {'v': value})})
        fields = {field: int(answer.ext[name]) for field, name in (
            ('next', 'nextBeginOffset'), ('min', 'minOffset'), ('max', 'maxOffset')) if name in answer.ext}
        self.complete(op, 'ok' if answer.code in (0, 19, 20, 21) else 'fail', code=answer.code, msgs=messages, **fields)
