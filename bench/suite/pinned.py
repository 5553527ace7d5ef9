"""Processes on one core each: servers that run meanwhile, clients that run to their end, and what both took."""

import json
import pathlib
import re
import resource
import signal
import socket
import subprocess
import threading
import time

import grpc

METHOD = "/ProdService/GetProdStock"
REQUEST = b"\x08\x04"  # ProdRequest{prod_id: 4}
RESPONSE = b"\x18\x50"  # ProdResponse{prod_stock: 80}
PREFIX_SIZE = 5  # gRPC's compressed flag and length
CALL = {"te": "trailers", "content-type": "application/grpc"}


class Server:
    """A server as a child process on one core, which says "listening PORT" first; a context manager.

    `address` is what its program takes first: "0" for any port of 127.0.0.1, or "unix:PATH".
    """

    def __init__(self, program, cpu, address="0", *arguments):
        command = ["taskset", "-c", str(cpu), str(program), address, *map(str, arguments)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.fullmatch(r"listening (\d+)\n", line)
        if not found:
            self.__exit__()
            raise RuntimeError(f"{program} did not start; it said {line!r}")
        self.port = int(found[1])
        self.target = address if address.startswith("unix:") else f"127.0.0.1:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def processor_seconds(self):
        """User and system time of all of the server's threads, so far."""
        # The kernel's name for the processor-time clock of a process (clock_getcpuclockid(3), which Python lacks).
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def resident_kib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)[1])

    def check(self):
        """Raises unless it answers 80 when asked for the stock of product 4."""
        with grpc.insecure_channel(self.target) as channel:
            answer = channel.unary_unary(METHOD)(REQUEST, timeout=10)
        if answer != RESPONSE:
            raise RuntimeError(f"wrong answer: {answer!r}")


class Relay:
    """Carries one connection to `port` of 127.0.0.1 and counts its bytes; a context manager."""

    def __init__(self, port):
        self.sent = self.received = 0  # by the client
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.target = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._carry, args=[port])

    def _carry(self, port):
        with self._listener.accept()[0] as client, socket.create_connection(("127.0.0.1", port)) as server:
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=self._carry_back, args=[client, server])
            back.start()
            while data := client.recv(1 << 16):
                self.sent += len(data)
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)
            back.join()

    def _carry_back(self, client, server):
        try:
            while data := server.recv(1 << 16):
                self.received += len(data)
                client.sendall(data)
        except ConnectionError:
            pass  # the client has left first

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._thread.join()
        self._listener.close()


def run_client(program, cpu, *arguments):
    """Runs a client that ends by itself; what its last line, of JSON, says. A wrong answer raises."""
    command = ["taskset", "-c", str(cpu), str(program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


class Holder:
    """bench/raw_http2's client, once it has built what it was told to; a context manager. release() lets it go on."""

    def __init__(self, program, cpu, verb, *arguments):
        command = ["taskset", "-c", str(cpu), str(program), verb, *map(str, arguments)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                         text=True)
        line = self._process.stdout.readline()
        if line != "ready\n":
            _, errors = self._process.communicate(timeout=10)
            raise RuntimeError(f"{' '.join(command)}: {line}{errors}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.communicate()

    def release(self):
        """How many answers came from then on, all of them right."""
        output, errors = self._process.communicate("go on\n", timeout=300)
        if self._process.returncode != 0:
            raise RuntimeError(f"raw_http2_client: {errors}")
        return json.loads(output)["answered"]


def request_file(folder):
    """The body of a call to GetProdStock as a file in `folder`, for h2load."""
    path = pathlib.Path(folder) / "request.bin"
    path.write_bytes(b"\0" + len(REQUEST).to_bytes(4, "big") + REQUEST)
    return path


def h2load(port, count, cpu, body, connections=10, streams=100):
    """Sends `count` calls and checks the answers' bytes; calls per second, and h2load's own processor time for each."""
    command = ["taskset", "-c", str(cpu), "h2load", "-c", str(connections), "-m", str(streams), "-t", "1",
               "-n", str(count), "-d", str(body)]
    for header in CALL.items():
        command += ["-H", ": ".join(header)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([*command, f"http://127.0.0.1:{port}{METHOD}"], capture_output=True, text=True, timeout=300)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    output = done.stdout
    requests = re.search(r"requests: .* (\d+) done, (\d+) succeeded", output)
    if not requests or int(requests[2]) != count:
        raise RuntimeError(f"not every call was answered:\n{output}{done.stderr}")
    traffic = re.search(r"\((\d+)\) data$", output, re.MULTILINE)
    expected = count * (PREFIX_SIZE + len(RESPONSE))
    if not traffic or int(traffic[1]) != expected:
        raise RuntimeError(f"not every answer was right, {expected} bytes of them were expected:\n{output}")
    rate = float(re.search(r"finished in [\d.]+m?s, ([\d.]+) req/s", output)[1])
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return rate, spent / count
