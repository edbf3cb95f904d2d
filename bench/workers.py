#!/usr/bin/env python3
"""What a second worker costs and brings: server CPU per request and requests per second, with io-threads 1, 2 and more.

  bench/workers.py [--server target/release/almagre] [--threads 1,2,4] [--runs 3] [--requests 1000000]

Server and load share all cores of the machine, so on a small one throughput cannot double; CPU per request is what a
worker loses to the others (locks, counters, cache lines), and `testkit`'s example `scale` measures throughput without sockets.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "tests"))
TICK = os.sysconf("SC_CLK_TCK")
ROWS = {
    "SET P1": ["-t", "set", "-d", "16", "-c", "50"],
    "GET P1": ["-t", "get", "-c", "50"],
    "SET P32": ["-t", "set", "-d", "16", "-c", "50", "-P", "32"],
    "GET P32": ["-t", "get", "-c", "50", "-P", "32"],
    "MSET10 P8": ["-t", "mset", "-d", "16", "-c", "50", "-P", "8"],
}


def cpu(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="target/release/almagre")
    parser.add_argument("--benchmark", default=os.path.expanduser("~/.cache/peers/valkey/src/valkey-benchmark"))
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--port", type=int, default=7490)
    parser.add_argument("--directives", default="", help="more for the server, as in '--shards 128'")
    args = parser.parse_args()
    counts = [int(n) for n in args.threads.split(",")]
    figures = {}
    for run in range(args.runs):
        for number, threads in enumerate(counts):
            with tempfile.TemporaryDirectory() as folder:
                port = args.port + number
                command = [args.server, "server", "--port", str(port), "--dir", folder, "--save", "", "--io-threads", str(threads), *args.directives.split()]
                server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
                time.sleep(0.5)
                for label, flags in ROWS.items():
                    requests = args.requests // (10 if "P1" in label.split() else 5 if "MSET" in label else 1)
                    before, begin = cpu(server.pid), time.monotonic()
                    load = [args.benchmark, "-p", str(port), "-n", str(requests), "-r", "1000000", "-q", *flags]
                    subprocess.run(load, check=True, capture_output=True)
                    seconds = time.monotonic() - begin
                    micros = (cpu(server.pid) - before) * 1e6 / requests
                    figures.setdefault((label, threads), []).append((micros, requests / seconds))
                server.kill()
                server.wait()
    print(f"{'':12}" + "".join(f"{f'{n} workers: us, req/s':>28}" for n in counts) + f"{'CPU, last/first':>18}")
    for label in ROWS:
        cells, micros = "", []
        for threads in counts:
            got = figures[label, threads]
            micros.append(statistics.median(one for one, _ in got))
            cells += f"{micros[-1]:12.3f}{statistics.median(two for _, two in got):16,.0f}"
        print(f"{label:12}{cells}{micros[-1] / micros[0]:18.2f}")


main()
