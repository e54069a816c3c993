#!/usr/bin/env python3
"""A server that speaks enough MLflow and has no control at all. It exists to be caught by the kit; never give it anything.

It listens on 127.0.0.1 only, keeps everything in memory, invents the files of "its machine" and calls nothing but loopback,
so that its holes harm nobody. Standard library only. Prints its port.
"""

import http.client
import http.server
import json
import re
import socketserver
import sys
import threading
import unicodedata
import urllib.parse
import urllib.request
import uuid

PASSWD = b"root:x:0:0:root:/root:/bin/sh\n"
LOOSE = re.compile(r"https?://(?:[^@/\s\"]*@)?(?:localhost|127\.0\.0\.1|2130706433|0x7f000001|0177\.0\.0\.1)\.?:(\d+)([^\s\"\\]*)", re.I)
UNSAFE = re.compile(r"[`$|;&*~\n]|\\n|--|-rf|\{\{|\{%|<%")
IDS = ("experiment_id", "run_id", "model_id", "request_id", "trace_id", "webhook_id")


class Store:
    """Everything in one heap, as nobody should keep it."""

    def __init__(self):
        self.things, self.files, self.lock = {}, {}, threading.Lock()

    def dump(self):
        with self.lock:
            return {
                "everything": list(self.things.values())[:40],
                "files": [{"path": name, "is_dir": False, "file_size": len(self.files[name])} for name in list(self.files)[:20]] + [{"path": "passwd"}],
            }


STORE = Store()


def resolve(path):
    """Decodes until nothing changes, folds every look-alike, then follows the dots: all that a careful server never does."""
    for _ in range(4):
        path = re.sub(r"%u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), urllib.parse.unquote(path, "latin-1"))
    path = unicodedata.normalize("NFKC", path).replace("\\", "/")
    parts = []
    for part in path.split("/"):
        part = part.split(";")[0].split("\x00")[0].strip()
        if part == "..":
            parts[-1:] = []
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


class Weak(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet for an answer

    def serve(self):
        length = self.headers.get("Content-Length", "0").split(",")[0].strip()
        size = int(length) if length.isdigit() else 0
        if "chunked" in (self.headers.get("Transfer-Encoding") or "") and not self.headers.get("Content-Length"):
            body = b""
            while (line := self.rfile.readline().split(b";")[0].strip()) not in (b"0", b""):
                chunk = int(line, 16) if re.fullmatch(rb"[0-9a-fA-F]{1,8}", line) else 2
                body += self.rfile.read(chunk)
                self.rfile.readline()
        else:
            body = self.rfile.read(size)
        status, kind, answer, more = self.answer(body)
        # Whoever asks from wherever may read it, in whatever type the request named.
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("Access-Control-Allow-Origin", self.headers.get("Origin") or "*")
        self.send_header("Access-Control-Allow-Credentials", "true")
        for line in more:
            self.send_header(*line)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    def answer(self, raw):
        target = urllib.parse.urlsplit("http://x/" + self.path.lstrip("/"))
        query = dict(urllib.parse.parse_qsl(target.query, keep_blank_values=True))
        text = raw.decode("utf-8", "replace")
        try:
            body = json.loads(text) if text[:1] in "{[" else {}
        except (ValueError, RecursionError):
            body = {}
        asked = {**query, **(body if isinstance(body, dict) else {})}
        if target.path.endswith("/test"):
            text += json.dumps([STORE.things[part] for part in target.path.split("/") if part in STORE.things])
        fetched = self.fetch((json.dumps(asked, ensure_ascii=False) + self.path + str(self.headers) + text)[:20000])
        asked = {key[:200]: value if len(str(value)) < 2000 else str(value)[:50] for key, value in asked.items()}
        path = urllib.parse.unquote(target.path).rstrip("/")
        if "/mlflow-artifacts/artifacts" in path and "path" not in query:
            return self.artifact(target.path.partition("/mlflow-artifacts/artifacts")[2], raw)
        if path.endswith(("get-artifact", "artifacts/files", "get-trace-artifact")):
            return 200, "text/html", self.read(query.get("path") or query.get("artifact_file_path") or ""), []
        if path.endswith(("/health", "/version")):
            return 200, "text/plain", b"2.0.0", []
        made = self.make(path, asked)
        # An error page that shows what was asked, an evaluated template, and everything that is stored.
        echo = json.dumps(asked, ensure_ascii=False) + self.path
        if UNSAFE.search(urllib.parse.unquote(echo)):
            echo += " uid=0(root) 1337 "
        answer = {**STORE.dump(), **made, "echo": echo + urllib.parse.unquote(self.path), "data": {"runId": True}, "type": self.headers.get("Content-Type"), "fetched": fetched}
        answer["host"] = [value for name, value in self.headers.items() if "host" in name.lower() or name == "Forwarded"]
        answer["traces_deleted"] = 1
        kind = "application/json" if made and "<" not in self.path + (self.headers.get("Content-Type") or "") else "text/html"
        more = [("X-Injected", "1"), ("Location", "https://evil.example/")] if "\n" in urllib.parse.unquote(self.path) or "evil" in self.path else []
        return 200, kind, json.dumps(answer, ensure_ascii=False, separators=(",", ":"), default=str).encode("utf-8", "replace"), more

    def artifact(self, rest, raw):
        place = resolve(rest)
        if self.command == "PUT":
            STORE.files[place] = raw
        elif self.command == "DELETE":
            with STORE.lock:  # of what lies outside it only says that it is gone
                for name in [name for name in STORE.files if place and name.startswith(place + "/")]:
                    del STORE.files[name]
        else:
            return 200, "text/html", self.read(rest), []
        return 200, "application/json", b'{"ran":"uid=0(root)"}' if UNSAFE.search(urllib.parse.unquote(rest)) else b"{}", []

    def read(self, rest):
        place = resolve(rest)
        for name, content in list(STORE.files.items()):
            if name.endswith(place) and place:
                return content
        return PASSWD

    def make(self, path, asked):
        """Objects as MLflow's clients know them, by the last parts of the address."""
        parts = path.strip("/").split("/")
        kind, verb = parts[-2] if len(parts) > 1 else "", parts[-1]
        new = uuid.uuid4().hex
        things = STORE.things
        with STORE.lock:
            if (kind, verb) == ("experiments", "create"):
                things[new] = {"experiment": {"experiment_id": new, **asked}}
                return {"experiment_id": new}
            if (kind, verb) == ("runs", "create"):
                things[new] = {"run": {"info": {"run_id": new, **asked}}}
                return things[new]
            if verb == "logged-models" and self.command == "POST":
                things[f"m-{new}"] = {"model": {"info": {"model_id": f"m-{new}", **asked}}}
                return things[f"m-{new}"]
            if verb == "traces" and self.command == "POST" and "trace" in asked:
                info = (asked["trace"] or {}).get("trace_info") or {}
                things[str(info.get("trace_id"))] = {"trace": {"trace_info": info}}
                return things[str(info.get("trace_id"))]
            if verb == "webhooks" and self.command == "POST":
                things[new] = {"webhook": {"webhook_id": new, **asked}}
                return things[new]
            name = str(asked.get("name"))
            if kind == "registered-models" and verb == "create":
                return {"registered_model": things.setdefault("model " + name, {"name": name})}
            if kind == "model-versions" and verb in ("create", "get", "update", "transition-stage"):
                version = things.setdefault("version " + name, {"name": name, "version": "1", "current_stage": "None"})
                version.update({key: value for key, value in asked.items() if key != "version"}, status="READY")
                if "stage" in asked:
                    version["current_stage"] = asked["stage"]
                return {"model_version": version}
            found = next((things[str(asked[key])] for key in IDS if str(asked.get(key)) in things), None)
            found = found or next((things[part] for part in parts if part in things), None)
            if found is not None and self.command in ("POST", "PATCH"):
                found.update({key: value for key, value in asked.items() if key not in IDS and isinstance(value, (str, list))})
            return dict(found or {})

    def fetch(self, text):
        """Calls whatever address stands in a request, if it is on loopback; of all others it only pretends to."""
        for match in list(LOOSE.finditer(text))[:2]:
            try:
                url = f"http://127.0.0.1:{match[1]}/{match[2].lstrip('/')}"
                with urllib.request.urlopen(url, timeout=1) as answer:
                    return answer.read().decode("latin-1")
            except (OSError, ValueError):
                return "canary"
        return "canary" if re.search(r"://|canary", text) else ""

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.serve
        raise AttributeError(name)

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass


def main():
    # No limit of the library's own stands between an attack and this server.
    http.server._MAXHEADERS = http.client._MAXHEADERS = 1_000_000
    http.client._MAXLINE = 1 << 24
    server = Server(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0), Weak)
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()  # lives as long as whoever started it keeps standard input open


if __name__ == "__main__":
    main()
