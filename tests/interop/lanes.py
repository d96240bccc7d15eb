"""Tests that mostly wait run beside each other: each lane is a process with servers and clients of its own, which takes the next test when it is done with one.

A test's attribute `uses` names what it has for itself: of two with the same one the second waits. They begin first, as they are the longest row.
"""
import contextlib
import ctypes
import multiprocessing
import multiprocessing.connection
import os
import pathlib
import signal
import sys
import time

from interop import harness
from peers import process

PR_SET_PDEATHSIG = 1  # prctl(2)
LANES = 3  # on two cores: three lanes of clients that wait keep about half of that busy
_processes = multiprocessing.get_context('fork')  # tests are functions within functions, which can't be sent


def _end(*_):
    signal.signal(signal.SIGTERM, lambda *_: None)  # what ends then is not to be interrupted
    sys.exit(143)


def _lane(pipe, slot, kind, folder, tests, verbose):
    signal.signal(signal.SIGINT, lambda *_: None)  # the first process has it, too, and ends this one; not SIG_IGN, which servers would inherit
    signal.signal(signal.SIGTERM, _end)
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)  # the first process may be killed: nobody gives this one its next test then
    if os.getppid() != parent:
        return
    process.lane, process.lanes = slot, LANES
    folder.mkdir()
    context = harness.Context(kind, folder)
    try:
        while (index := pipe.recv()) is not None:
            pipe.send(harness.run_one(context, *tests[index], verbose))
    finally:
        context.close()


class _Lane:
    def __init__(self, number, slot, kind, folder, tests, verbose):
        self.slot = slot
        self.pipe, theirs = _processes.Pipe()
        self.process = _processes.Process(target=_lane, args=(theirs, slot, kind, pathlib.Path(folder) / f'lane{number}', tests, verbose))
        self.process.start()
        theirs.close()
        self.test, self.begin = None, 0.0

    def go(self, index, test):
        self.test, self.begin = test, time.monotonic()
        self.tell(index)

    def tell(self, what):
        with contextlib.suppress(OSError):  # it is lost, which is seen where its answer is waited for
            self.pipe.send(what)

    @property
    def done(self):
        """There is an answer, or there will be none. Its end of the pipe does not say so: what it started may hold that, too."""
        return self.pipe.poll() or not self.process.is_alive()

    def outcome(self):
        """What became of its test, once that is done."""
        test, self.test = self.test, None
        with contextlib.suppress(EOFError, OSError):
            if self.pipe.poll():
                return self.pipe.recv()
        self.process.join()
        return harness.Outcome(test[0], 'FAIL', time.monotonic() - self.begin, f'its process ended with code {self.process.exitcode}')


def _used(test):
    return getattr(test[1], 'uses', None)


def run(kind, folder, tests, verbose, done):
    """Runs (name, function)s in up to LANES processes and calls `done` with the Outcome of each as it comes, and with one more for a process that did not end well."""
    waiting = sorted(range(len(tests)), key=lambda i: _used(tests[i]) is None)
    lanes = []
    try:
        while True:
            busy = {_used(lane.test) for lane in lanes if lane.test} - {None}
            ready = next((i for i in waiting if _used(tests[i]) not in busy), None)
            living = [lane for lane in lanes if lane.test or lane.process.is_alive()]
            free = next((lane for lane in living if not lane.test), None)
            slots = set(range(min(LANES, len(tests)))) - {lane.slot for lane in living}
            if ready is not None and (free or slots):
                if not free:
                    free = _Lane(len(lanes), min(slots), kind, folder, tests, verbose)
                    lanes.append(free)
                waiting.remove(ready)
                free.go(ready, tests[ready])
                continue
            at_work = [lane for lane in lanes if lane.test]
            if not at_work:
                break
            multiprocessing.connection.wait([lane.pipe for lane in at_work], timeout=1)
            for lane in at_work:
                if lane.done:
                    done(lane.outcome())
        for lane in lanes:
            if lane.process.is_alive():
                lane.tell(None)
                lane.process.join()
                if lane.process.exitcode:
                    done(harness.Outcome(f'the end of lane {lane.slot}', 'FAIL', 0.0, f'code {lane.process.exitcode}'))
    except BaseException:
        for lane in lanes:
            lane.process.terminate()  # it ends what it has started
        raise
    finally:
        for lane in lanes:
            lane.process.join()
