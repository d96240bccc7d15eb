#!/usr/bin/env python3
"""writer.py and history_check understand each other: a history that is right, one with a lost message, and one that is no history.

    writer_test.py HISTORY_CHECK
"""
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from history import writer  # noqa: E402


def run(folder, name, binary, keep, after=None):
    """Two sends in two files, a crash and a scan that meets `keep` of them."""
    producers, rest = writer.History(folder / f'{name}-p.jsonl'), writer.History(folder / f'{name}-n.jsonl')
    worker = producers.worker('p')
    for n in range(2):
        op = worker.invoke('send', k='t/0', v=f'r.p.{n}', h=writer.hash_of(b'%d' % n), store='SYNC')
        worker.complete(op, writer.phase_of(0), code=0, off=n)
    rest.worker('nemesis').once('nemesis', v='kill')
    rest.worker('nemesis2').once('nemesis', v='scan')
    reader = rest.worker('reader')
    op = reader.invoke('pull', k='t/0', **{'from': 0})
    reader.complete(op, 'ok', code=0, next=keep, min=0, max=keep,
                    msgs=[{'off': n, 'v': f'r.p.{n}', 'h': writer.hash_of(b'%d' % n)} for n in range(keep)])
    if after:
        rest.note(after)
    producers.flush()
    return rest.check(binary, producers.path)


def main():
    binary = sys.argv[1]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        right, lost = run(folder, 'right', binary, 2), run(folder, 'lost', binary, 1)
        bad = run(folder, 'bad', binary, 2, {'w': 'x'})
        results = [
            (right.clean and right.summary == '8 events, 3 operations, 0 anomalies fatal, 0 reported', right),
            (lost.status == 1 and lost.lines[0].startswith('LOST fatal queue t/0 offset 1 value r.p.1 ops p#2: '), lost),
            (bad.status == 2 and 'bad-n.jsonl:5: ' in str(bad), bad),
            (writer.phase_of(10) == 'info' and writer.phase_of(1) == 'info' and writer.phase_of(14) == 'fail', 'phase_of')]
    for good, what in results:
        if not good:
            print(what)
    passed = sum(1 for good, _ in results if good)
    print(f'{passed} passed, {len(results) - passed} failed')
    return 0 if passed == len(results) else 1


if __name__ == '__main__':
    sys.exit(main())
