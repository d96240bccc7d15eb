#!/usr/bin/env python3
"""How fast is the history checker, and how much memory does it take?

    measure.py [BUILD_FOLDER] [EVENTS]      build/release and ten million, when not said

Makes a valid history of that many events in a temporary file, checks it and prints the time, the events a second and the peak of the
resident memory. Status 1: it found anomalies, or took more than 60 s or 2 GiB for ten million events.
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import time

SECONDS_MAX, BYTES_MAX, EVENTS = 60.0, 2 << 30, 10_000_000


def main():
    build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else 'build/release') / 'tests' / 'history'
    events = int(sys.argv[2]) if len(sys.argv) > 2 else EVENTS
    with tempfile.NamedTemporaryFile(suffix='.jsonl') as file:
        subprocess.run([build / 'history_generate', str(events)], stdout=file, check=True)
        print(f'{os.path.getsize(file.name) / 1e9:.2f} GB', flush=True)
        begin = time.monotonic()
        process = subprocess.Popen([build / 'history_check', '--keeps-all', file.name])
        _, status, usage = os.wait4(process.pid, 0)
        seconds, peak = time.monotonic() - begin, usage.ru_maxrss * 1024
    print(f'{seconds:.1f} s ({usage.ru_utime:.1f} s user, {usage.ru_stime:.1f} s system), '
          f'{events / seconds / 1e6:.2f} million events/s, peak {peak / (1 << 20):.0f} MiB')
    within = seconds <= SECONDS_MAX * events / EVENTS and peak <= max(64 << 20, BYTES_MAX * events // EVENTS)
    return 0 if status == 0 and within else 1


if __name__ == '__main__':
    sys.exit(main())
