#!/usr/bin/env python3
"""Tests in lanes: each runs once whatever becomes of its lane, what is used alone is and ports are apart.

The last line is 'N passed, N failed'.
"""
import os
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from interop import harness, lanes  # noqa: E402
from peers.process import free_port  # noqa: E402


def outcomes_of(*functions, uses=()):
    """The Outcome of each function's test, by its name; those named in `uses` use the same thing."""
    for function in functions:
        function.uses = 'it' if function.__name__ in uses else None
    found = []
    with tempfile.TemporaryDirectory() as folder:
        lanes.run('ringmq', folder, [(f.__name__, f) for f in functions], False, found.append)
    names = [outcome.name for outcome in found]
    harness.check(sorted(names) == sorted(f.__name__ for f in functions), 'each once:', names)
    return {outcome.name: outcome for outcome in found}


def begin_and_end(context):  # pylint: disable=unused-argument
    begin = time.monotonic()
    time.sleep(1)
    return f'{begin} {time.monotonic()}'


def named(name, function):
    def run(context):
        return function(context)
    run.__name__ = name
    return run


def lasts(outcome):
    return [float(moment) for moment in outcome.detail.split()]


def beside_each_other():
    found = outcomes_of(*(named(f'waits{i}', begin_and_end) for i in range(lanes.LANES)))
    begins, ends = zip(*map(lasts, found.values()))
    harness.check(max(begins) < min(ends), 'not beside each other', begins, ends)


def what_is_used_alone():
    found = outcomes_of(*(named(f'waits{i}', begin_and_end) for i in range(4)), uses=('waits1', 'waits3'))
    (begin1, end1), (begin3, end3) = lasts(found['waits1']), lasts(found['waits3'])
    harness.check(end1 <= begin3 or end3 <= begin1, 'both used it at once')


def a_failure_and_a_lost_process():
    def fails(_):
        harness.check(False, 'as it should')

    def skips(_):
        raise harness.Skip('not here')

    def dies(_):
        if os.fork() == 0:  # it has the lane's end of the pipe, too
            time.sleep(20)
        os._exit(7)
    found = outcomes_of(dies, fails, skips, *(named(f'waits{i}', begin_and_end) for i in range(6)))
    words = {name: outcome.word for name, outcome in found.items()}
    harness.check(words.pop('dies') == 'FAIL' and 'code 7' in found['dies'].detail, found['dies'])
    harness.check(words.pop('fails') == 'FAIL' and 'as it should' in found['fails'].detail, found['fails'])
    harness.check(words.pop('skips') == 'SKIP' and set(words.values()) == {'PASS'}, words)


def ports_are_apart():
    def ports(_):
        return ' '.join(str(free_port()) for _ in range(20))
    found = outcomes_of(*(named(f'ports{i}', ports) for i in range(lanes.LANES)))
    of_lanes = [{int(port) // 8 % lanes.LANES for port in outcome.detail.split()} for outcome in found.values()]
    harness.check(sorted(map(len, of_lanes)) == [1] * lanes.LANES and len(set.union(*of_lanes)) == lanes.LANES, of_lanes)


def main():
    failed = 0
    cases = (beside_each_other, what_is_used_alone, a_failure_and_a_lost_process, ports_are_apart)
    for case in cases:
        try:
            case()
        except harness.Failure as failure:
            failed += 1
            print(f'FAIL {case.__name__}: {failure}')
    print(f'{len(cases) - failed} passed, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
