#!/usr/bin/env python3
"""The same generated requests to this server and to a real one; replies and data compared, in four states of the data.

usage: differential.py [--server 'COMMAND with {port} and {dir}'] [--peers valkey,redis] [--requests N] [--seed N]

Runs testkit's example `differ`, in RESP2 and RESP3, with one shard and with the default number. N requests in each of
the four combinations and with each peer (~/.cache/peers). Closes with 'N passed, N failed'.
"""
import argparse
import os
import subprocess
import sys

sys.dont_write_bytecode = True
from harness import ROOT, Server, Tally, server_command  # noqa: E402

FLAGS = ("--enable-debug-command", "yes", "--save", "")
LIMIT_S = 3000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", help="the server's command line, with {port} and {dir}")
    parser.add_argument("--peers", default="valkey")
    parser.add_argument("--requests", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    template = server_command(args.server)
    build = ["cargo", "build", "--quiet", "--release", "--locked", "-p", "testkit", "--example", "differ"]
    subprocess.run(build, cwd=ROOT, check=True)
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
    tally, seed = Tally(), args.seed

    def differ(*which):
        """A difference that the same requests do not show again was one of the moments at which they were served."""
        try:
            return once(*which)
        except AssertionError as error:
            print(f"once more, after: {error}", flush=True)
            return f"{once(*which)}; on the second run"

    def once(peer, shards, resp3, seed):
        program = os.path.expanduser(f"~/.cache/peers/{peer}/src/{peer}-server")
        with Server(template, *FLAGS, *shards) as ours, Server(f"{program} --port {{port}} --dir {{dir}}", *FLAGS) as theirs:
            command = [os.path.join(target, "release/examples/differ"), "--ours", str(ours.port), "--theirs", str(theirs.port)]
            command += ["--requests", str(args.requests), "--seed", str(seed), *resp3]
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=LIMIT_S)
            closing = [line for line in done.stdout.splitlines() if " differences, " in line]
            assert done.returncode == 0, done.stdout[done.stdout.find("---"):][:3000] + done.stderr[-1000:]
            return closing[0]

    for peer in args.peers.split(","):
        for shards in ((), ("--shards", "1")):
            for resp3 in ((), ("--resp3",)):
                name = f"{peer} {'one shard' if shards else 'many shards'} {'RESP3' if resp3 else 'RESP2'} seed {seed}"
                tally.run(name, differ, peer, shards, resp3, seed)
                seed += 1
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
