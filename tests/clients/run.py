#!/usr/bin/env python3
"""Runs the sessions of real clients against a server, a fresh one for each client.

usage: run.py [--server 'COMMAND with {port} and {dir}'] [--only redis-py,node-redis,...] [--cache FOLDER]

Without --server the command is taken from ALMAGRE_SERVER, else it is the release build of this checkout. The clients
are installed under the cache folder (ALMAGRE_TEST_CACHE, else ~/.cache/almagre-tests), at the versions pinned here;
nothing is written into the checkout. Prints a line for each check and closes with 'N passed, N failed'.
"""
import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from harness import Server, server_command  # noqa: E402

LIMIT_S = 900
PEER_TOOLS = os.path.expanduser("~/.cache/peers/{0}/src/{0}-{1}")


def quiet(argv, tries=1, **options):
    """Runs a step of the set-up; its output is shown only when it fails. What the network has a part in is tried again."""
    for _ in range(tries):
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
        if done.returncode == 0:
            return
    raise RuntimeError(f"{' '.join(argv)} ended with {done.returncode}: {done.stdout[-2000:]}")


def apt_install(*packages):
    apt = ["apt-get", "-q", "-y", "--no-install-recommends", "install", *packages]
    if subprocess.run(apt, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
        quiet(["apt-get", "-q", "update"], tries=3)
        quiet(apt, tries=3)


def prepared(cache, name, sources, make):
    """The folder `name` of the cache, made by make(folder) whenever the named files have changed."""
    digest = hashlib.sha256()
    for source in sources:
        with open(os.path.join(HERE, source), "rb") as file:
            digest.update(file.read())
    digest.update(sys.version.encode())
    folder = os.path.join(cache, f"{name}-{digest.hexdigest()[:12]}")
    if not os.path.isdir(folder):
        # Made in place, because a virtual environment knows its own path; half a folder is removed again.
        try:
            make(folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return folder


def python_env(cache, of="python"):
    requirements = f"{of}/requirements.txt"

    def make(folder):
        if subprocess.run([sys.executable, "-m", "venv", folder], stdout=subprocess.DEVNULL).returncode != 0:
            apt_install("python3-venv")
            quiet([sys.executable, "-m", "venv", folder])
        pip = [os.path.join(folder, "bin/python"), "-m", "pip", "-q", "--disable-pip-version-check", "install"]
        quiet([*pip, "-r", os.path.join(HERE, requirements)], tries=3)

    return os.path.join(prepared(cache, f"{of}-python" if of != "python" else of, [requirements], make), "bin/python")


def node_folder(cache, of="node"):
    # Without a lock file: some registries do not have every platform's optional packages.
    files = [name for name in ("package.json", "package-lock.json") if os.path.exists(os.path.join(HERE, of, name))]
    locked = len(files) == 2

    def make(folder):
        if not shutil.which("npm"):
            apt_install("nodejs", "npm")
        os.makedirs(folder)
        for name in files:
            shutil.copy(os.path.join(HERE, of, name), folder)
        install = ["npm", "ci"] if locked else ["npm", "install", "--omit=optional", "--no-package-lock"]
        quiet([*install, "--no-audit", "--no-fund"], tries=3, cwd=folder)

    folder = prepared(cache, of, [f"{of}/{f}" for f in files], make)
    for source in {"node", of}:
        for name in os.listdir(os.path.join(HERE, source)):
            if name.endswith(".js"):
                shutil.copy(os.path.join(HERE, source, name), folder)
    return folder


def rust_binary(cache):
    target = os.path.join(cache, "rust-target")
    manifest = os.path.join(HERE, "rust/Cargo.toml")
    quiet(["cargo", "build", "--quiet", "--locked", "--manifest-path", manifest, "--target-dir", target])
    return os.path.join(target, "debug/almagre-client-tests")


def tool(kind):
    """redis-cli or redis-benchmark: of the peers built for comparison, else of the system, else Debian's."""
    for path in (PEER_TOOLS.format("redis", kind), PEER_TOOLS.format("valkey", kind)):
        if os.access(path, os.X_OK):
            return path
    if not shutil.which(f"redis-{kind}"):
        apt_install("redis-tools")
    return shutil.which(f"redis-{kind}")


def session_argv(name, cache, port, unix):
    """The command line of one client's session."""
    if name in ("redis-py", "programs-redis-py"):
        script = "session.py" if name == "redis-py" else "programs.py"
        return [python_env(cache), os.path.join(HERE, "python", script), port, unix]
    if name.removeprefix("programs-") in ("node-redis", "ioredis"):
        return ["node", os.path.join(node_folder(cache), f"{name}.js"), port, unix]
    if name == "bullmq":
        return ["node", os.path.join(node_folder(cache, "queues"), "bullmq.js"), port]
    if name == "queues-python":
        return [python_env(cache, "queues"), os.path.join(HERE, "queues/queues.py"), port]
    if name == "redis-rs":
        return [rust_binary(cache), port, unix]
    if name == "redis-cli":
        return [sys.executable, os.path.join(HERE, "cli.py"), port, unix, tool("cli")]
    return [python_env(cache), os.path.join(HERE, "words.py"), port, "--benchmark", tool("benchmark")]


PROGRAMS = ["programs-redis-py", "programs-node-redis", "programs-ioredis", "bullmq", "queues-python"]
CLIENTS = ["redis-py", "node-redis", "ioredis", "redis-rs", "redis-cli", "words", *PROGRAMS]


def run_client(name, template, cache):
    """One client's session against a server of its own: (passed, failed)."""
    with Server(template, "--unixsocket", "{dir}/almagre.sock") as server:
        argv = session_argv(name, cache, str(server.port), server.unix)
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        passed = failed = None
        watchdog = threading.Timer(LIMIT_S, process.kill)
        watchdog.start()
        try:
            for line in process.stdout:
                closing = re.fullmatch(r"(\d+) passed, (\d+) failed\n", line)
                if closing:
                    passed, failed = int(closing[1]), int(closing[2])
                else:
                    print(line, end="", flush=True)
            process.wait()
        finally:
            watchdog.cancel()
            if process.poll() is None:
                process.kill()
        if passed is None:
            print(f"FAIL  {name}: the session ended with {process.returncode} before its closing line", flush=True)
            return 0, 1
        if not server.alive():
            print(f"FAIL  {name}: the server died: {server.log()[-1000:]}", flush=True)
            failed += 1
        status = server.stop()
        if status != 0:
            print(f"FAIL  {name}: the server ended with {status} after SIGTERM", flush=True)
            failed += 1
        return passed, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", help="the server's command line, with {port} and {dir}")
    parser.add_argument("--only", default="", help=f"comma-separated, of {', '.join(CLIENTS)}")
    parser.add_argument("--cache", default=os.environ.get("ALMAGRE_TEST_CACHE") or os.path.expanduser("~/.cache/almagre-tests"))
    args = parser.parse_args()
    only = [name for name in args.only.split(",") if name]
    unknown = set(only) - set(CLIENTS)
    if unknown:
        parser.error(f"no such client: {', '.join(sorted(unknown))}")
    os.makedirs(args.cache, exist_ok=True)
    template = server_command(args.server)
    passed = failed = 0
    for name in only or CLIENTS:
        try:
            good, bad = run_client(name, template, os.path.abspath(args.cache))
        except (AssertionError, RuntimeError, OSError) as error:
            print(f"FAIL  {name}: {error}", flush=True)
            good, bad = 0, 1
        passed, failed = passed + good, failed + bad
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
