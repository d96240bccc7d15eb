"""Runs a list of tests and prints what became of them."""
import collections
import shutil

from interop import harness, lanes
from peers import ringmq


def run_all(kind, folder, tests, verbose=False, keep=False, judge=None):
    """Runs the tests against servers of `kind`, those first that may run beside each other (lanes.py), prints one line each and the sum; returns how many failed and how
    many were skipped. `judge` gets the requests that RingMQ's servers were sent in each test that passed, and says what is wrong with them."""
    if judge:
        ringmq.requests_seen = set()
    outcomes = []

    def done(outcome):
        outcomes.append(outcome)
        print(outcome, flush=True)
    lanes.run(kind, folder, [t for t in tests if getattr(t[1], 'beside', False)], verbose, done)
    context = harness.Context(kind, folder)
    for name, function in tests:
        if not getattr(function, 'beside', False):
            done(harness.run_one(context, name, function, verbose))
    context.close()
    words = collections.Counter(outcome.word for outcome in outcomes)
    for what in judge({o.name: o.requests for o in outcomes if o.word == 'PASS'}) if judge else []:
        words['FAIL'] += 1
        print(f'FAIL {what}')
    if keep or words['FAIL']:
        print(f'server logs and data: {folder}')
    else:
        shutil.rmtree(folder, ignore_errors=True)
    print(f'{words["PASS"]} passed, {words["FAIL"]} failed' + (f', {words["SKIP"]} skipped' if words['SKIP'] else ''), flush=True)
    return words['FAIL'], words['SKIP']
