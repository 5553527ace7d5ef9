"""A registry for a test: minigrpcd on a free port and a temporary directory, or a real etcd in its place.

    with RegistryProcess.minigrpcd(path_of_minigrpcd) as registry:
        print(registry.endpoint)          # 127.0.0.1:41233
"""
import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

READY = "ready to serve client requests"
START_TIMEOUT_S = 60


class DidNotStart(Exception):
    """Carries what the process said."""


# Below those that Linux gives to outgoing connections: one of these may take such a port before it is listened on.
PORTS = range(10_000, 32_000)
_next_port = itertools.count(os.getpid() * 131)


def free_port():
    for number in itertools.islice(_next_port, len(PORTS)):
        port = PORTS[number % len(PORTS)]
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise OSError("no port is free")


class RegistryProcess:
    def __init__(self, command, endpoint=None, env=None):
        """Starts `command` and waits until it serves. `endpoint`: where, unless it says so itself."""
        self.command = command
        self.endpoint = endpoint
        self.log = []
        self._ready = threading.Event()
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, **(env or {})})
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        if not self._ready.wait(START_TIMEOUT_S) or not any(READY in line for line in self.log):
            self.kill()
            raise DidNotStart("".join(self.log))

    @classmethod
    def minigrpcd(cls, program, data_dir=None, arguments=(), env=None):
        """Without a data directory: a temporary one, removed at the end."""
        temporary = None if data_dir else tempfile.mkdtemp(prefix="minigrpcd-test-")
        try:
            registry = cls([program, "--data-dir", data_dir or os.path.join(temporary, "data"),
                            "--listen-client-urls", "http://127.0.0.1:0", *arguments], env=env)
        except DidNotStart:
            shutil.rmtree(temporary or "", ignore_errors=True)
            raise
        registry.temporary = temporary
        return registry

    @classmethod
    def etcd(cls, program="etcd"):
        """A real one, of one member."""
        temporary = tempfile.mkdtemp(prefix="etcd-test-")
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        registry = cls([program, "--data-dir", temporary, "--listen-client-urls", client, "--advertise-client-urls",
                        client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                        "--initial-cluster", f"default={peer}"], endpoint=client.removeprefix("http://"))
        registry.temporary = temporary
        return registry

    temporary = None

    def _read_log(self):
        for line in self.process.stderr:
            self.log.append(line)
            said = re.search(r"listening for clients on (127\.0\.0\.1:\d+)", line)
            if said and not self.endpoint:
                self.endpoint = said.group(1)
            if READY in line:
                self._ready.set()
        self._ready.set()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stderr.close()

    def stop(self, timeout_s=30):
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout_s)
        finally:
            self.kill()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.temporary or "", ignore_errors=True)
