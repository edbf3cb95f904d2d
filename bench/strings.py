#!/usr/bin/env python3
"""Runs the shared side-by-side benchmark on the commands that exist, without loading the types that do not.

The shared script fills a sorted set and hashes before it measures anything; everything else is its own.
Usage: bench/strings.py ops --only "PING,SET P,GET P,INCR,MSET" [its options]
"""
import importlib.util
import os
import sys

sys.dont_write_bytecode = True
shared = os.environ.get("ALMAGRE_SHARED", os.path.join(os.path.dirname(__file__), "..", "..", "shared"))
path = os.path.join(shared, "bench", "side_by_side.py")
spec = importlib.util.spec_from_file_location("side_by_side", path)
side_by_side = importlib.util.module_from_spec(spec)
spec.loader.exec_module(side_by_side)
side_by_side.prepare_ops = lambda connection: None
for label in ["LPUSH P32", "RPOP P32", "SADD P32", "HSET P32", "ZADD P32", "LRANGE_100 P8", "XADD P32", "EVAL P16", "ZRANGEBYSCORE P16", "HGETALL P16"]:
    side_by_side.OPS.pop(label, None)
side_by_side.main()
