"""A server on loopback that nobody has a reason to call: every hit is a request that the tested server was tricked into."""

import http.server
import threading

TARGETS = {
    "metadata": "http://169.254.169.254/latest/meta-data/",
    "loopback": "http://127.0.0.1:{port}/after-redirect",
}


class Canary:
    """Counts connections. /redirect/<target> answers 302 to another address, as a hostile receiver would."""

    def __init__(self):
        canary = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                canary.hits.append(f"{self.command} {self.path}")
                name = self.path.rpartition("/")[2]
                self.send_response(302 if name in TARGETS else 200)
                if name in TARGETS:
                    self.send_header("Location", TARGETS[name].format(port=canary.port))
                self.send_header("Content-Length", "6")
                self.end_headers()
                self.wfile.write(b"canary")

            do_GET = do_POST = do_PUT = do_HEAD = do_OPTIONS = do_DELETE = answer

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def verify_request(self, request, client_address):
                canary.connections += 1  # a TLS client hello is a hit too
                return True

            def handle_error(self, request, client_address):
                pass

        self.hits, self.connections = [], 0
        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
