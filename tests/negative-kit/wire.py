"""HTTP as bytes: what a library would tidy up is sent as it stands."""

import json
import socket
import ssl
import threading
import urllib.parse


class Answer:
    """What came back; status 0 means that the server closed the connection without a word."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name):
        return ", ".join(value for key, value in self.headers if key == name.lower())

    def text(self):
        head = "".join(f"{key}: {value}\n" for key, value in self.headers)
        return head + self.body.decode("utf-8", "replace")

    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Target:
    """The server under test, with one kept connection for each thread."""

    def __init__(self, url, ca, timeout=30):
        parts = urllib.parse.urlsplit(url.rstrip("/"))
        self.host, self.base, self.timeout = parts.hostname, parts.path, timeout
        self.tls = ssl.create_default_context(cafile=ca) if parts.scheme == "https" else None
        self.port = parts.port or (443 if self.tls else 80)
        self.authority = f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        self.kept = threading.local()
        self.sent = 0

    def connect(self):
        plain = socket.create_connection((self.host, self.port), self.timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.tls.wrap_socket(plain, server_hostname=self.host) if self.tls else plain

    def send(self, method, path, headers=(), body=None):
        """One request. Path and headers are sent as given; Host and Content-Length are added when absent."""
        names = {name.lower() for name, _ in headers}
        lines = [f"{method} {self.base}{path} HTTP/1.1"]
        if "host" not in names:
            lines.append(f"Host: {self.authority}")
        lines += [f"{name}: {value}" for name, value in headers]
        if body is not None and not names & {"content-length", "transfer-encoding"}:
            lines.append(f"Content-Length: {len(body)}")
        data = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace") + (body or b"")
        self.sent += 1
        for attempt in (0, 1):
            fresh = getattr(self.kept, "socket", None) is None
            try:
                if fresh:
                    self.kept.socket = self.connect()
                    self.kept.reader = self.kept.socket.makefile("rb")
                problem = None
                try:
                    self.kept.socket.sendall(data)
                except OSError as broken:  # refused before the body was read; the answer may be there all the same
                    problem = broken
                answer, keep = read_answer(self.kept.reader, method)
                if answer is None:
                    raise problem or ConnectionResetError("closed")
                if not keep or problem:
                    self.close()
                return answer
            except TimeoutError:
                self.close()
                return Answer(-1, [], b"no answer in time")
            except OSError:
                self.close()
                if fresh or attempt:
                    return Answer(0, [], b"")

    def close(self):
        if getattr(self.kept, "socket", None) is not None:
            self.kept.socket.close()
            self.kept.socket = None

    def raw(self, data, wait=2.0):
        """Sends bytes on a connection of its own and gives back the answers that come until it is closed or silent."""
        self.sent += 1
        try:
            with self.connect() as connection:
                connection.sendall(data)
                connection.settimeout(wait)
                reader = connection.makefile("rb")
                answers = []
                while len(answers) < 8:
                    try:
                        answer, keep = read_answer(reader, "GET")
                    except (OSError, ValueError):
                        break
                    if answer is None:
                        break
                    answers.append(answer)
                    if not keep:
                        break
                return answers
        except OSError:
            return []


def read_answer(reader, method):
    """(answer, whether the connection is kept); (None, False) when the server closed it."""
    while True:
        line = reader.readline(65536)
        if not line:
            return None, False
        parts = line.split(b" ", 2)
        if not line.startswith(b"HTTP/1.") or len(parts) < 2 or not parts[1].strip().isdigit():
            raise ValueError("no HTTP answer")
        status, headers = int(parts[1]), []
        while True:
            line = reader.readline(65536)
            if line in (b"\r\n", b"\n", b""):
                break
            name, _, value = line.decode("latin-1").partition(":")
            headers.append((name.strip().lower(), value.strip()))
        if status >= 200:
            break
    answer = Answer(status, headers, b"")
    keep = answer.header("connection").lower() != "close" and not line == b""
    if method == "HEAD" or status in (204, 304):
        return answer, keep
    if "chunked" in answer.header("transfer-encoding").lower():
        while True:
            size = int(reader.readline(64).split(b";")[0] or b"0", 16)
            answer.body += reader.read(size)
            reader.readline(64)
            if size == 0:
                return answer, keep
    length = answer.header("content-length")
    if length.isdigit():
        answer.body = reader.read(int(length))
        return answer, keep
    answer.body = reader.read(1 << 22)
    return answer, False
