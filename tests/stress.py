#!/usr/bin/env python3
"""Many clients on few keys, with blocking, transactions, expiry and FLUSHALL mixed, on 1 to 8 workers.

usage: stress.py [--server 'COMMAND with {port} and {dir}'] [--rounds N] [--seed N]

Runs testkit's example `stress`, which checks what the clients saw: each key's history is linearizable, and what several
keys hold is one moment's. Closes with 'N passed, N failed'.
"""
import argparse
import os
import subprocess
import sys

sys.dont_write_bytecode = True
from harness import ROOT, Server, Tally, server_command  # noqa: E402

LIMIT_S = 600


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", help="the server's command line, with {port} and {dir}")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    template = server_command(args.server)
    build = ["cargo", "build", "--quiet", "--release", "--locked", "-p", "testkit", "--example", "stress"]
    subprocess.run(build, cwd=ROOT, check=True)
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
    tally = Tally()

    def stress(workers):
        with Server(template, "--io-threads", str(workers)) as server:
            command = [os.path.join(target, "release/examples/stress"), "--port", str(server.port), "--clients", "8"]
            command += ["--rounds", str(args.rounds), "--seed", str(args.seed)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
            assert server.alive(), server.log()[-1000:]
            return done.stdout.strip()

    for workers in (1, 2, 4, 8):
        tally.run(f"stress of {workers} workers", stress, workers)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
