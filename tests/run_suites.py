#!/usr/bin/env python3
"""Runs Meson test suites and counts the cases inside them.

    run_suites.py BUILD_FOLDER SUITE...

Meson counts a GoogleTest binary as one test; people count cases. The last line is 'N passed, N failed[, N skipped]'.
A binary that dies on its way is one failure more, and so is one that runs no case at all.
"""
import json
import os
import pathlib
import re
import subprocess
import sys

GTEST_CASE = re.compile(r"^\[ +(OK|FAILED|SKIPPED) +\] [^\s,]+\.[^\s,]+.* \(\d+ ms\)$", re.MULTILINE)
GTEST_BEGUN = re.compile(r"^\[==========\] ", re.MULTILINE)
GTEST_ENDED = re.compile(r"^\[==========\] .* ran\.", re.MULTILINE)
USUAL = {"RINGMQ_SIM_SEEDS": 2000, "RINGMQ_SIM_STATES": 1000}
SCRIPT_LAST = re.compile(r"(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\s*$")


def count(entry):
    """(passed, failed, skipped) of one line of Meson's testlog.json."""
    output = entry.get("stdout", "")
    ended_well = entry["result"] in ("OK", "EXPECTEDFAIL")
    if entry["result"] == "SKIP":
        return 0, 0, 1
    last = SCRIPT_LAST.search(output)
    begun = GTEST_BEGUN.search(output)
    if begun:
        outcomes = [match.group(1) for match in GTEST_CASE.finditer(output)]
        passed, failed, skipped = (outcomes.count(word) for word in ("OK", "FAILED", "SKIPPED"))
    elif last:
        passed, failed, skipped = (int(number or 0) for number in last.groups())
    else:
        passed, failed, skipped = int(ended_well), 0, 0
    died = begun and not GTEST_ENDED.search(output)
    if died or (not ended_well and failed == 0) or passed + failed + skipped == 0:
        failed += 1
    return passed, failed, skipped


def asked_for_more():
    """Whether simulations run for longer than their time limits are made for."""
    return any(int(os.environ.get(name) or 0) > usual for name, usual in USUAL.items())


def main():
    build, suites = pathlib.Path(sys.argv[1]), sys.argv[2:]
    log = build / "meson-logs" / "testlog.json"
    log.unlink(missing_ok=True)
    command = ["meson", "test", "-C", str(build), "--no-rebuild", "--print-errorlogs"]
    if asked_for_more():
        command += ["--timeout-multiplier", "0"]
    for suite in suites:
        command += ["--suite", suite]
    status = subprocess.run(command, check=False).returncode
    entries = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    totals = [sum(column) for column in zip(*map(count, entries))] or [0, 0, 0]
    passed, failed, skipped = totals
    if not entries or (status != 0 and failed == 0):
        print(f"meson test ended with status {status} and {len(entries)} tests: counted as a failure")
        failed += 1
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
