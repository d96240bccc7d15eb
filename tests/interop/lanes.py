"""Tests that mostly wait run beside each other: each lane is a process with servers and clients of its own, which takes the next test when it is done with one.

A test's attribute `uses` names what it has for itself: of two with the same one the second waits. They begin first, as they are the longest row.
"""
import ctypes
import multiprocessing
import multiprocessing.connection
import pathlib
import signal
import sys
import time

from interop import harness
from peers import process

PR_SET_PDEATHSIG = 1  # prctl(2)
LANES = 3  # on two cores: three lanes of clients that wait keep about half of that busy


def _lane(pipe, number, kind, folder, tests, verbose):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)  # the first process may be killed: nobody gives this one its next test then
    process.lane, process.lanes = number, LANES
    folder.mkdir()
    context = harness.Context(kind, folder)
    try:
        while (index := pipe.recv()) is not None:
            pipe.send(harness.run_one(context, *tests[index], verbose))
    finally:
        context.close()


class _Lane:
    def __init__(self, number, kind, folder, tests, verbose):
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=_lane, args=(theirs, number % LANES, kind, pathlib.Path(folder) / f'lane{number}', tests, verbose))
        self.process.start()
        theirs.close()
        self.test, self.begin = None, 0.0

    def go(self, index, test):
        self.test, self.begin = test, time.monotonic()
        self.pipe.send(index)

    def outcome(self):
        """What became of its test, once something has come from it."""
        test, self.test = self.test, None
        try:
            return self.pipe.recv()
        except EOFError:
            self.process.join()
            return harness.Outcome(test[0], 'FAIL', time.monotonic() - self.begin, f'its process ended with code {self.process.exitcode}')

    @property
    def usable(self):
        return self.test is None and self.process.is_alive()


def run(kind, folder, tests, verbose, done):
    """Runs (name, function)s in up to LANES processes and calls `done` with the Outcome of each as it comes."""
    waiting = sorted(range(len(tests)), key=lambda i: getattr(tests[i][1], 'uses', None) is None)
    running = []
    try:
        while True:
            busy = {getattr(lane.test[1], 'uses', None) for lane in running if lane.test} - {None}
            ready = next((i for i in waiting if getattr(tests[i][1], 'uses', None) not in busy), None)
            free = next((lane for lane in running if lane.usable), None)
            if ready is not None and free is None and sum(lane.process.is_alive() for lane in running) < min(LANES, len(tests)):
                free = _Lane(len(running), kind, folder, tests, verbose)
                running.append(free)
            if ready is not None and free is not None:
                waiting.remove(ready)
                free.go(ready, tests[ready])
                continue
            at_work = [lane for lane in running if lane.test]
            if not at_work:
                break
            for pipe in multiprocessing.connection.wait([lane.pipe for lane in at_work]):
                done(next(lane for lane in at_work if lane.pipe is pipe).outcome())
        for lane in running:
            if lane.process.is_alive():
                lane.pipe.send(None)
    except BaseException:
        for lane in running:
            lane.process.terminate()  # it ends what it has started
        raise
    finally:
        for lane in running:
            lane.process.join()
