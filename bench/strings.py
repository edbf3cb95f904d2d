#!/usr/bin/env python3
"""Runs the shared side-by-side benchmark while only strings and keys exist: what it sends of other types is left out.

  bench/strings.py ops [options]     the rows of strings; nothing is loaded beforehand
  bench/strings.py pause [options]   without the rows of sets and sorted sets
  bench/strings.py memory --only string [options]

Everything else is the shared script's own, options included.
"""
import importlib.util
import os
import sys

sys.dont_write_bytecode = True
shared = os.environ.get("ALMAGRE_SHARED", os.path.join(os.path.dirname(__file__), "..", "..", "shared"))
path = os.path.join(shared, "bench", "side_by_side.py")
spec = importlib.util.spec_from_file_location("side_by_side", path)
bench = importlib.util.module_from_spec(spec)
spec.loader.exec_module(bench)

OPS = ["PING P1", "SET P1", "GET P1", "SET P32", "GET P32", "INCR P32", "MSET10 P8"]
bench.OPS = {label: bench.OPS[label] for label in OPS}
bench.prepare_ops = lambda connection: None

OTHER_TYPES = {b"SADD", b"ZADD", "ZRANGE"}
call, pipe, table = bench.Conn.call, bench.Conn.pipe, bench.table


def pipe_strings(self, commands, depth=500):
    pipe(self, (command for command in commands if command[0] not in OTHER_TYPES), depth)


def call_strings(self, *args):
    return None if args[0] in OTHER_TYPES else call(self, *args)


def table_strings(args, title, rows, unit):
    return table(args, title, [row for row in rows if "huge" not in row[0]], unit)


bench.Conn.pipe, bench.Conn.call, bench.table = pipe_strings, call_strings, table_strings
bench.main()
