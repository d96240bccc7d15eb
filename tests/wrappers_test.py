#!/usr/bin/env python3
"""bin/mqbroker, bin/mqnamesrv and bin/mqshutdown: RocketMQ's flags become ours, and only our processes are ended.

The wrappers run from a copy beside a stand-in `ringmq`: a copy of bash, so that its first argument names a script. What
mqshutdown does is watched in a process namespace of its own, so that no broker of the developer is ended; where the
system forbids such a namespace, those cases are reported as skipped.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

BIN = pathlib.Path(__file__).resolve().parent.parent / "bin"
NAMESPACE = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]

TRANSLATIONS = [  # wrapper, flags given, flags ringmq gets (None: refused with status 2)
    ("mqbroker", ["-n", "a:1;b:2", "-c", "my broker.conf", "autoCreateTopicEnable=true"],
     ["broker", "-n", "a:1;b:2", "-c", "my broker.conf", "autoCreateTopicEnable=true"]),
    ("mqbroker", ["--namesrvAddr", "a:1", "--configFile", "f", "-p"], ["broker", "-n", "a:1", "-c", "f", "--print-config"]),
    ("mqbroker", ["-m"], ["broker", "--print-important-config"]),
    ("mqbroker", ["--data", "d", "--shards", "2"], ["broker", "--data", "d", "--shards", "2"]),
    ("mqbroker", ["-n"], None),
    ("mqnamesrv", [], ["namesrv"]),
    ("mqnamesrv", ["-c", "f", "-p"], ["namesrv", "-c", "f", "--print-config"]),
    ("mqnamesrv", ["-c"], None),
]

# $1 is the folder with the wrappers. Both stand-ins wait for a line that never comes.
SHUTDOWN = r"""
cd "$1"
sleep 60 | ./ringmq namesrv & sleep 60 | ./ringmq broker & sleep 60 | bash namesrv &
alive() { for f in /proc/[0-9]*; do tr '\0' ' ' <$f/cmdline; echo; done | grep -c "^$1 *$"; }
for try in $(seq 100); do [ "$(alive './ringmq namesrv')$(alive './ringmq broker')" = 11 ] && break; sleep 0.02; done
./mqshutdown namesrv | sed 's/([0-9]*)/(PID)/'
for try in $(seq 100); do [ "$(alive './ringmq namesrv')" = 0 ] && break; sleep 0.02; done
echo "left: $(alive './ringmq namesrv') $(alive './ringmq broker') $(alive 'bash namesrv')"
./mqshutdown namesrv; echo "status $?"
./mqshutdown proxy 2>/dev/null; echo "status $?"
"""
SHUTDOWN_SAYS = """The mqnamesrv(PID) is running...
Send shutdown request to mqnamesrv(PID) OK
left: 0 1 1
No mqnamesrv running.
status 255
status 2
"""


def translates(folder, wrapper, given, wanted):
    done = subprocess.run([folder / wrapper, *given], capture_output=True, text=True, cwd=folder, check=False)
    right = done.returncode == 2 if wanted is None else done.returncode == 0 and done.stdout.splitlines() == wanted
    if not right:
        print(f"{wrapper} {given}: wanted {wanted}, got status {done.returncode}:\n{done.stdout}{done.stderr}")
    return right


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for wrapper in ("find-ringmq.sh", "mqbroker", "mqnamesrv", "mqshutdown"):
            shutil.copy(BIN / wrapper, folder)
        shutil.copy(shutil.which("bash"), folder / "ringmq")
        for subcommand in ("broker", "namesrv"):
            (folder / subcommand).write_text(f'printf "%s\\n" {subcommand} "$@"\n')
        results = [translates(folder, *case) for case in TRANSLATIONS]

        skipped = 0
        if subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode != 0:
            print("mqshutdown SKIPPED: this system allows no process namespace (unshare --user --pid)")
            skipped = 1
        else:
            for subcommand in ("broker", "namesrv"):
                (folder / subcommand).write_text("read -r never\n")
            done = subprocess.run([*NAMESPACE, "bash", "-c", SHUTDOWN, "bash", folder], capture_output=True, text=True,
                                  check=False)
            results.append(done.stdout == SHUTDOWN_SAYS)
            if not results[-1]:
                print(f"mqshutdown said:\n{done.stdout}{done.stderr}\ninstead of:\n{SHUTDOWN_SAYS}")
    print(f"{results.count(True)} passed, {results.count(False)} failed" + (f", {skipped} skipped" if skipped else ""))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
