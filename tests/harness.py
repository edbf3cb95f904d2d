"""What every black-box test needs: a server of its own, a raw connection, a tally.

The server is whatever command line it is given, with `{port}` and `{dir}` filled in, so that the same tests run
against Almagre, Valkey and Redis. Standard library only.

A server lives in a temporary folder that is removed with it. Ports are taken below the kernel's ephemeral range, or
from ALMAGRE_TEST_PORTS=LOW-HIGH, and probed first: nothing here depends on a fixed port.

Machines are slow, and stop for a while. So a test waits for what it is about to rely on (`wait_until`), limits of time
mean 'it hangs', and what must happen during something else begins with something that does not end by itself.
"""
import errno
import os
import random
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
#: Seconds after which whatever has not happened hangs.
HANGS_S = 120
DEFAULT_SERVER = "target/release/almagre server --port {port} --dir {dir}"


def server_command(given=None):
    """The command line of the server under test: the argument, else ALMAGRE_SERVER, else the release build."""
    return given or os.environ.get("ALMAGRE_SERVER") or DEFAULT_SERVER


def free_port():
    """A TCP port on which nothing listens, on any address."""
    low, high = (int(n) for n in os.environ.get("ALMAGRE_TEST_PORTS", "12000-19999").split("-"))
    ports = list(range(low, high + 1))
    random.shuffle(ports)
    for port in ports:
        if all(_is_free(family, port) for family in (socket.AF_INET, socket.AF_INET6)):
            return port
    raise RuntimeError(f"no free port in {low}-{high}")


def _is_free(family, port):
    """Whether all addresses of a family could be bound; what the machine has no address of is free."""
    try:
        probe = socket.socket(family)
    except OSError:
        return True
    with probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            return error.errno != errno.EADDRINUSE
    return True


class Server:
    """One server process with a folder of its own. Use as a context manager."""

    def __init__(self, template, *directives, start=True, limit_s=HANGS_S):
        self.dir = tempfile.mkdtemp(prefix="almagre-test-")
        self._place(template, directives)
        self.process = None
        # Somebody else may take the port before the server does.
        for attempt in reversed(range(3 if start else 0)):
            try:
                return self.start(limit_s)
            except AssertionError:
                self.stop()
                if not attempt or "ddress already in use" not in self.log():
                    raise
                os.remove(self.log_path)
                self._place(template, directives)

    def _place(self, template, directives):
        """Chooses a port, and makes the command line."""
        self.port = free_port()
        self.unix = os.path.join(self.dir, "almagre.sock")
        words = [w.format(port=self.port, dir=self.dir) for w in shlex.split(template)]
        first = os.path.join(ROOT, words[0])
        if not os.path.isabs(words[0]) and os.path.exists(first):
            words[0] = first
        if not (os.path.exists(words[0]) or shutil.which(words[0])):
            shutil.rmtree(self.dir, ignore_errors=True)
            raise SystemExit(f"the server {words[0]} does not exist: build it first, or name another with --server")
        self.argv = words + [d.format(port=self.port, dir=self.dir) for d in directives]
        self.log_path = os.path.join(self.dir, "server.log")

    def start(self, limit_s=HANGS_S):
        """Starts the process and waits for its first PONG."""
        log = open(self.log_path, "ab")
        self.process = subprocess.Popen(self.argv, cwd=self.dir, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}: {self.log()[-2000:]}")
            try:
                with Wire(self.port, timeout=2) as wire:
                    if wire.call("PING") == b"PONG":
                        return
            except (OSError, EOFError, WireError):
                time.sleep(0.02)
        raise AssertionError(f"no PONG within {limit_s} s: {self.log()[-2000:]}")

    def log(self):
        with open(self.log_path, "rb") as file:
            return file.read().decode(errors="replace")

    def rss_bytes(self):
        """Resident memory of the process, from /proc."""
        with open(f"/proc/{self.process.pid}/status") as file:
            for line in file:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def alive(self):
        return self.process.poll() is None

    def stop(self):
        """Ends the process by SIGTERM, by SIGKILL when it hangs; returns its exit status."""
        if self.process is None:
            return None
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(HANGS_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


class WireError(Exception):
    """An error reply."""


class Wire:
    """A raw RESP connection: sends what it is told, byte by byte if need be, and reads RESP2 and RESP3 replies."""

    def __init__(self, port, host="127.0.0.1", timeout=HANGS_S, unix=None, rcvbuf=None):
        if unix:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(timeout)
            self.sock.connect(unix)
        elif rcvbuf:
            self.sock = socket.socket()
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
            self.sock.settimeout(timeout)
            self.sock.connect((host, port))
        else:
            self.sock = socket.create_connection((host, port), timeout)
        if not unix:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buf = b""

    def send(self, data):
        self.sock.sendall(data)

    def call(self, *words):
        """One command; raises WireError on an error reply."""
        self.send(pack(*words))
        return self.reply()

    def more(self):
        data = self.sock.recv(1 << 18)
        if not data:
            raise EOFError("the server closed the connection")
        self.buf += data

    def line(self):
        while True:
            end = self.buf.find(b"\r\n")
            if end >= 0:
                line, self.buf = self.buf[:end], self.buf[end + 2:]
                return line
            self.more()

    def exactly(self, count):
        parts, have = [self.buf], len(self.buf)
        while have < count:
            data = self.sock.recv(1 << 18)
            if not data:
                raise EOFError("the server closed the connection")
            parts.append(data)
            have += len(data)
        whole = b"".join(parts)
        self.buf = whole[count:]
        return whole[:count]

    def reply(self):
        value = self.value()
        if isinstance(value, WireError):
            raise value
        return value

    def value(self):
        line = self.line()
        kind, rest = line[:1], line[1:]
        if kind in b"+":
            return rest
        if kind == b"-":
            return WireError(rest.decode(errors="replace"))
        if kind in b":":
            return int(rest)
        if kind in b"$=!":
            count = int(rest)
            return None if count < 0 else self.exactly(count + 2)[:-2]
        if kind in b"*~>":
            count = int(rest)
            return None if count < 0 else [self.value() for _ in range(count)]
        if kind == b"%":
            return {_hashable(self.value()): self.value() for _ in range(int(rest))}
        if kind == b"_":
            return None
        if kind == b"#":
            return rest == b"t"
        if kind == b",":
            return float(rest)
        if kind == b"(":
            return int(rest)
        raise AssertionError(f"not a RESP reply: {line[:80]!r}")

    def end_of_requests(self):
        """Half-closes the connection; the server may have reset it already."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            if error.errno != errno.ENOTCONN:
                raise

    def rest(self, limit_s=HANGS_S):
        """Everything until the server closes the connection."""
        self.sock.settimeout(limit_s)
        out, self.buf = self.buf, b""
        try:
            while True:
                data = self.sock.recv(1 << 18)
                if not data:
                    return out
                out += data
        except ConnectionResetError:
            return out

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _hashable(value):
    return tuple(value) if isinstance(value, list) else value


def pack(*words):
    """A command as a RESP array of bulk strings."""
    out = [b"*%d\r\n" % len(words)]
    for word in words:
        word = word if isinstance(word, bytes) else str(word).encode()
        out.append(b"$%d\r\n%s\r\n" % (len(word), word))
    return b"".join(out)


def wait_until(condition, limit_s=HANGS_S, every_s=0.01):
    """Polls until the condition holds; False when it never does."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(every_s)
    return bool(condition())


class Skip(Exception):
    """The machine cannot show what a test asks for; counted neither way, and printed with its reason."""


class Tally:
    """Counts checks; prints one line for each and a closing line."""

    def __init__(self):
        self.passed = self.failed = 0

    def record(self, name, error=None, note="", seconds=None):
        took = "" if seconds is None else f" ({seconds:.1f} s)"
        if error is None:
            self.passed += 1
            print(f"ok    {name}{took}{': ' + note if note else ''}", flush=True)
        else:
            self.failed += 1
            print(f"FAIL  {name}{took}: {error}", flush=True)

    def run(self, name, test, *args):
        """Runs one test; what it returns, if anything, is printed beside its name."""
        begin = time.monotonic()
        try:
            note = test(*args) or ""
        except KeyboardInterrupt:
            raise
        except Skip as reason:
            print(f"skip  {name}: {reason}", flush=True)
        except BaseException as error:  # a failing check must not take the others with it
            trace = traceback.extract_tb(sys.exc_info()[2])
            at = next((f for f in reversed(trace) if f.filename.startswith(ROOT)), trace[-1])
            text = " ".join(str(error).split())[:600] or at.line
            where = f"{os.path.basename(at.filename)}:{at.lineno}"
            self.record(name, f"{type(error).__name__} at {where}: {text}", seconds=time.monotonic() - begin)
        else:
            self.record(name, note=note, seconds=time.monotonic() - begin)

    def close(self):
        """Prints the closing line; the exit status of the program."""
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed else 0
