#!/usr/bin/env python3
"""Goes through the call orders of stock MLflow clients (2.x and 3.x) against any server that speaks their protocol.

Standard library only. It sends what the clients send when a model is logged with a registered name, loaded, searched, tagged
and traced, and checks status, JSON types and bytes. Exit code 0 only if everything held.

    MLFLOW_TRACKING_TOKEN=... mlflow_orders.py https://localhost:8443 --ca ca.pem
    mlflow_orders.py http://127.0.0.1:5000 --plain       # a plain MLflow server: skips what only a gateway does
"""

import argparse
import http.client
import json
import os
import pickle
import ssl
import sys
import time
import urllib.parse
import uuid

FILES = {
    "MLmodel": b"flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n    python_version: 3.11.2\n"
    b"  sklearn:\n    pickled_model: model.pkl\n    serialization_format: pickle\n    sklearn_version: 1.5.2\n",
    "model.pkl": pickle.dumps({"coefficients": [0.25, -1.5], "intercept": 0.125}),
    "requirements.txt": b"mlflow==3.5.2\nscikit-learn==1.5.2\n",
    "python_env.yaml": b"python: 3.11.2\nbuild_dependencies:\n- pip==24.0\ndependencies:\n- -r requirements.txt\n",
    "conda.yaml": b"channels:\n- conda-forge\ndependencies:\n- python=3.11.2\n- pip<=24.0\n- pip:\n  - mlflow==3.5.2\n",
    "input_example.json": b'{"columns": ["a", "b"], "data": [[1.0, 2.0]]}',
    "serving_input_example.json": b'{"dataframe_split": {"columns": ["a", "b"], "data": [[1.0, 2.0]]}}',
}


class Failed(Exception):
    """What the server answered is not what a client needs."""


class Server:
    """One server over one kept connection, as a client's session has it."""

    def __init__(self, url, token, ca):
        self.url = urllib.parse.urlsplit(url.rstrip("/"))
        self.token = token
        self.tls = ssl.create_default_context(cafile=ca) if self.url.scheme == "https" else None
        self.connection = None
        self.calls = 0

    def send(self, method, path, body=None, kind="application/json", headers=None, want=200):
        """Sends a request and gives back its answer: an object for JSON, else bytes."""
        self.calls += 1
        sent = {"User-Agent": "mlflow-python-client/3.5.2", "Accept": "*/*", **(headers or {})}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        if body is not None:
            sent["Content-Type"] = kind
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        # Clients send an empty file in chunks, without a length.
        chunked = body == b"" and method == "PUT"
        for attempt in (0, 1):
            if self.connection is None:
                place = (self.url.hostname, self.url.port)
                self.connection = (
                    http.client.HTTPSConnection(*place, timeout=120, context=self.tls)
                    if self.tls
                    else http.client.HTTPConnection(*place, timeout=120)
                )
            try:
                self.connection.request(
                    method, self.url.path + path, iter(()) if chunked else body, sent, encode_chunked=chunked
                )
                answer = self.connection.getresponse()
                raw = answer.read()
                break
            except (http.client.HTTPException, ConnectionError):
                # A kept connection may have been closed meanwhile.
                self.connection.close()
                self.connection = None
                if attempt:
                    raise
        if answer.will_close:
            self.connection.close()
            self.connection = None
        if answer.status != want:
            raise Failed(f"{method} {path}: {answer.status} instead of {want}: {raw[:300]!r}")
        if "json" in (answer.getheader("Content-Type") or ""):
            return json.loads(raw)
        return raw

    def api(self, method, route, body=None, version="2.0", want=200):
        """A JSON route; the parameters of a GET go into the query."""
        if method == "GET":
            query = urllib.parse.urlencode(body or {}, doseq=True)
            return self.send("GET", f"/api/{version}/mlflow/{route}" + (f"?{query}" if query else ""), want=want)
        return self.send(method, f"/api/{version}/mlflow/{route}", body, want=want)

    def put(self, path, content, want=200):
        return self.send("PUT", artifact(path), content, "application/octet-stream", want=want)

    def get(self, path, want=200):
        return self.send("GET", artifact(path), want=want)


def artifact(path):
    return "/api/2.0/mlflow-artifacts/artifacts/" + urllib.parse.quote(path, safe="/+")


def check(held, what):
    if not held:
        raise Failed(what)


def error(answer, code):
    check(answer.get("error_code") == code, f"error_code is {answer.get('error_code')}, not {code}")


def now():
    return int(time.time() * 1000)


class Orders:
    """The orders of one client series."""

    def __init__(self, server, series, plain):
        self.server, self.series, self.plain = server, series, plain
        self.mark = uuid.uuid4().hex[:8]
        self.model = f"orders-{series}-{self.mark}"
        self.experiment = self.run = self.root = self.logged = None

    def steps(self):
        yield "experiment and run", self.start
        yield "params, metrics, tags, inputs", self.log
        yield "log_model with a registered name", self.log_model
        yield "register again", self.register_again
        yield "load_model", self.load
        yield "search, tags, aliases, stages", self.registry
        yield "copy_model_version", self.copy
        if not self.plain:
            yield "what a gateway refuses", self.refusals
        yield "trace", self.trace_old if self.series == 2 else self.trace_new
        yield "end of run", self.finish

    def start(self):
        api = self.server.api
        check(self.server.send("GET", "/health") == b"OK", "/health does not say OK")
        check(self.server.send("GET", "/version").decode()[:1] in "23", "/version is no MLflow version")
        api("GET", "experiments/get", {"experiment_id": "0"})
        api("GET", "experiments/get-by-name", {"experiment_name": self.model}, want=404)
        made = api("POST", "experiments/create", {"name": self.model, "tags": [{"key": "team", "value": "risk"}]})
        self.experiment = made["experiment_id"]
        check(isinstance(self.experiment, str), "experiment_id is no text")
        found = api("GET", "experiments/get", {"experiment_id": self.experiment})["experiment"]
        check(found["lifecycle_stage"] == "active" and isinstance(found["creation_time"], int), "experiment is odd")
        made = api(
            "POST",
            "runs/create",
            {"experiment_id": self.experiment, "user_id": "me", "run_name": "r", "start_time": now(), "tags": []},
        )
        info = made["run"]["info"]
        self.run = info["run_id"]
        check(info["run_uuid"] == self.run and info["status"] == "RUNNING", "run is odd")
        api("GET", "runs/get", {"run_id": self.run, "run_uuid": self.run})

    def log(self):
        api, run = self.server.api, {"run_id": self.run, "run_uuid": self.run}
        api("POST", "runs/log-parameter", {**run, "key": "alpha", "value": "0.5"})
        api("POST", "runs/log-parameter", {**run, "key": "alpha", "value": "0.5"})
        error(api("POST", "runs/log-parameter", {**run, "key": "alpha", "value": "1"}, want=400), "INVALID_PARAMETER_VALUE")
        for step, value in enumerate([0.5, "NaN", 0.75]):
            api("POST", "runs/log-metric", {**run, "key": "acc", "value": value, "timestamp": str(now()), "step": str(step)})
        api(
            "POST",
            "runs/log-batch",
            {**run, "metrics": [{"key": "loss", "value": 1e-9, "timestamp": now(), "step": 0}], "params": [], "tags": []},
        )
        api("POST", "runs/set-tag", {**run, "key": "note", "value": "x"})
        api("POST", "runs/delete-tag", {"run_id": self.run, "key": "note"})
        dataset = {"name": "d", "digest": self.mark, "source_type": "local", "source": '{"uri": "/d.csv"}'}
        api(
            "POST",
            "runs/log-inputs",
            {**run, "datasets": [{"tags": [{"key": "mlflow.data.context", "value": "training"}], "dataset": dataset}]},
        )
        history = api("GET", "metrics/get-history", {**run, "metric_key": "acc", "max_results": 100})["metrics"]
        check(sorted(str(m["value"]) for m in history) == ["0.5", "0.75", "NaN"], "metric history is odd")
        # MLflow itself fails when a filter names a dataset beside a metric.
        for clause in ("params.alpha = '0.5' and metrics.acc > 0.7", "datasets.name = 'd'"):
            wanted = {"filter": clause, "order_by": ["attributes.start_time DESC"], "max_results": 10}
            found = api("POST", "runs/search", {"experiment_ids": [self.experiment], **wanted})
            check([r["info"]["run_id"] for r in found["runs"]] == [self.run], f"the run is not found by {clause}")

    def log_model(self):
        api = self.server.api
        if self.series == 2:
            self.root = f"{self.experiment}/{self.run}/artifacts/model"
            self.upload()
            described = {"run_id": self.run, "artifact_path": "model", "flavors": {"sklearn": {}}, "model_uuid": self.mark, "utc_time_created": "2025-01-01"}
            api("POST", "runs/log-model", {"run_id": self.run, "model_json": json.dumps(described)})
            self.register(f"mlflow-artifacts:/{self.root}")
            return

        made = api(
            "POST",
            "logged-models",
            {"experiment_id": self.experiment, "name": "model", "source_run_id": self.run, "params": [], "tags": []},
        )["model"]["info"]
        self.logged = made["model_id"]
        check(self.logged.startswith("m-") and made["status"] == "LOGGED_MODEL_PENDING", "logged model is odd")
        check(isinstance(made["creation_timestamp_ms"], int), "creation_timestamp_ms is no number")
        api("POST", "runs/outputs", {"run_id": self.run, "models": [{"model_id": self.logged, "step": 0}]})
        api("GET", f"logged-models/{self.logged}")
        self.root = f"{self.experiment}/models/{self.logged}/artifacts"
        self.upload()
        ready = api("PATCH", f"logged-models/{self.logged}", {"model_id": self.logged, "status": "LOGGED_MODEL_READY"})
        check(ready["model"]["info"]["status"] == "LOGGED_MODEL_READY", "the logged model is not ready")
        self.register(f"models:/{self.logged}")
        tag = json.dumps([{"name": self.model, "version": 1}])
        api(
            "PATCH",
            f"logged-models/{self.logged}/tags",
            {"tags": [{"key": "mlflow.modelVersions", "value": tag}]},
        )
        found = api("POST", "logged-models/search", {"experiment_ids": [self.experiment], "max_results": 5})
        check([m["info"]["model_id"] for m in found["models"]] == [self.logged], "the logged model is not found")

    def upload(self):
        for name, content in FILES.items():
            self.server.put(f"{self.root}/{name}", content)
        notes = f"{self.experiment}/{self.run}/artifacts/notes"
        for name, content in {"empty.txt": b"", "sp ace+plus.txt": b"x", "\u00fcn\u00ef.txt": b"y"}.items():
            self.server.put(f"{notes}/{name}", content)
            check(self.server.get(f"{notes}/{name}") == content, f"{name} came back changed")
        self.server.send("DELETE", artifact(f"{notes}/empty.txt"))
        self.server.get(f"{notes}/empty.txt", want=500 if self.plain else 404)

    def register(self, source):
        api = self.server.api
        api("POST", "registered-models/create", {"name": self.model})
        error(api("POST", "registered-models/create", {"name": self.model}, want=400), "RESOURCE_ALREADY_EXISTS")
        body = {"name": self.model, "source": source, "run_id": self.run, "tags": []}
        if self.logged:
            body["model_id"] = self.logged
        made = api("POST", "model-versions/create", body)["model_version"]
        check(made["version"] == "1" and made["run_id"] == self.run, "version 1 is odd")
        self.await_ready(self.model, "1")

    def await_ready(self, name, version):
        for _ in range(300):
            found = self.server.api("GET", "model-versions/get", {"name": name, "version": version})["model_version"]
            if found["status"] != "PENDING_REGISTRATION":
                check(found["status"] == "READY", f"{found['status']}: {found.get('status_message')}")
                return
            time.sleep(1)
        raise Failed(f"{name} {version} did not become READY")

    def register_again(self):
        source = f"models:/{self.logged}" if self.logged else f"runs:/{self.run}/model"
        made = self.server.api("POST", "model-versions/create", {"name": self.model, "source": source, "run_id": self.run})
        check(made["model_version"]["version"] == "2", "the second version has another number")
        self.await_ready(self.model, "2")

    def load(self):
        api = self.server.api
        api("GET", "registered-models/get", {"name": self.model})
        uri = api("GET", "model-versions/get-download-uri", {"name": self.model, "version": "1"})["artifact_uri"]
        if uri.startswith("models:/m-"):
            uri = api("GET", f"logged-models/{uri[8:]}")["model"]["info"]["artifact_uri"]
        root = uri.removeprefix("mlflow-artifacts:/")
        query = urllib.parse.urlencode({"path": root})
        listed = self.server.send("GET", f"/api/2.0/mlflow-artifacts/artifacts?{query}")["files"]
        check({f["path"] for f in listed if not f["is_dir"]} == set(FILES), "the list of files is odd")
        for name, content in FILES.items():
            check(self.server.get(f"{root}/{name}") == content, f"{name} came back changed")
        check(pickle.loads(self.server.get(f"{root}/model.pkl"))["intercept"] == 0.125, "the model is another")

    def registry(self):
        api, model = self.server.api, {"name": self.model}
        one = {**model, "version": "1"}
        api("PATCH", "registered-models/update", {**model, "description": "orders"})
        api("PATCH", "model-versions/update", {**one, "description": "first"})
        api("POST", "registered-models/set-tag", {**model, "key": "k", "value": "v"})
        api("DELETE", "registered-models/delete-tag", {**model, "key": "k"})
        api("POST", "model-versions/set-tag", {**one, "key": "k", "value": "v"})
        found = api("GET", "model-versions/search", {"filter": f"name = '{self.model}'", "order_by": ["version_number ASC"]})
        check([v["version"] for v in found["model_versions"]] == ["1", "2"], "search of versions is odd")
        found = api("GET", "model-versions/search", {"filter": f"name='{self.model}' and tags.k='v'", "max_results": 1})
        check([v["version"] for v in found["model_versions"]] == ["1"], "search by tag is odd")
        found = api("GET", "registered-models/search", {"filter": f"name LIKE '%{self.mark}'", "max_results": 10})
        check([m["name"] for m in found["registered_models"]] == [self.model], "search of models is odd")
        error(api("GET", "registered-models/search", {"filter": "bogus = 'x'"}, want=400), "INVALID_PARAMETER_VALUE")
        # 'candidate' is an alias that the shipped policy leaves free.
        alias = {**model, "alias": "candidate"}
        api("POST", "registered-models/alias", {**alias, "version": "1"})
        version = api("GET", "registered-models/alias", alias)["model_version"]
        check(version["version"] == "1" and "candidate" in version["aliases"], "the alias points elsewhere")
        api("POST", "registered-models/alias", {**alias, "version": "2"})
        check(api("GET", "registered-models/alias", alias)["model_version"]["version"] == "2", "the alias did not move")
        api("DELETE", "registered-models/alias", alias)
        api("DELETE", "registered-models/alias", alias)
        error(api("GET", "registered-models/alias", alias, want=400), "INVALID_PARAMETER_VALUE")
        latest = api("POST", "registered-models/get-latest-versions", {**model, "stages": ["None"]})["model_versions"]
        check([v["version"] for v in latest] == ["2"], "the latest version is odd")
        if self.plain:
            moved = api("POST", "model-versions/transition-stage", {**one, "stage": "production"})["model_version"]
            check(moved["current_stage"] == "Production", "the stage is not spelt canonically")

    def copy(self):
        api, name = self.server.api, f"{self.model}-copy"
        api("POST", "registered-models/create", {"name": name})
        made = api("POST", "model-versions/create", {"name": name, "source": f"models:/{self.model}/1"})["model_version"]
        check(made["version"] == "1", "the copy is odd")
        self.await_ready(name, "1")
        uri = api("GET", "model-versions/get-download-uri", {"name": name, "version": "1"})["artifact_uri"]
        check(uri.startswith(("mlflow-artifacts:/", "models:/m-")), f"the copy lies at {uri}")

    def refusals(self):
        api, one = self.server.api, {"name": self.model, "version": "1"}
        answer = self.server.put(f"{self.root}/model.pkl", b"other", want=409)
        error(answer, "RESOURCE_CONFLICT")
        error(self.server.send("DELETE", artifact(f"{self.root}/MLmodel"), want=409), "RESOURCE_CONFLICT")
        answer = api("POST", "model-versions/transition-stage", {**one, "stage": "Production"}, want=403)
        error(answer, "PERMISSION_DENIED")
        check(len(answer["message"]) > 10, "the refusal gives no reason")
        error(api("POST", "registered-models/alias", {"name": self.model, "alias": "champion", "version": "1"}, want=403), "PERMISSION_DENIED")
        for source in ("s3://bucket/x", "file:///etc", "http://127.0.0.1:1/x", "mlflow-artifacts:/../../etc"):
            answer = api("POST", "model-versions/create", {"name": self.model, "source": source}, want=400)
            error(answer, "INVALID_PARAMETER_VALUE")
        free = f"{self.experiment}/{self.run}/artifacts/big"
        url = "/api/2.0/mlflow-artifacts/mpu/create/" + urllib.parse.quote(free)
        error(self.server.send("POST", url, {"path": free, "num_parts": 2}, want=501), "NOT_IMPLEMENTED")

    def trace_old(self):
        api = self.server.api
        started = api(
            "POST",
            "traces",
            {"experiment_id": self.experiment, "timestamp_ms": now(), "request_metadata": [], "tags": []},
        )["trace_info"]
        request = started["request_id"]
        spans = f"{self.experiment}/traces/{request}/artifacts/traces.json"
        self.server.put(spans, b'{"spans": []}')
        ended = api(
            "PATCH",
            f"traces/{request}",
            {"request_id": request, "timestamp_ms": now(), "status": "OK", "request_metadata": [], "tags": []},
        )
        check(ended["trace_info"]["status"] == "OK", "the trace did not end")
        found = api("GET", "traces", {"experiment_ids": [self.experiment], "max_results": 100})["traces"]
        check([t["request_id"] for t in found] == [request], "the trace is not found")
        self.server.get(spans)

    def trace_new(self):
        otel = uuid.uuid4().bytes
        trace = f"tr-{otel.hex()}"
        self.server.send("GET", "/version")
        self.server.send(
            "POST",
            "/v1/traces",
            span(otel),
            "application/x-protobuf",
            {"x-mlflow-experiment-id": self.experiment},
        )
        location = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": self.experiment}}
        info = {
            "trace_id": trace,
            "trace_location": location,
            "request_time": time.strftime("%Y-%m-%dT%H:%M:%S.123Z", time.gmtime()),
            "execution_duration": "0.250s",
            "state": "OK",
            "trace_metadata": {"mlflow.trace_schema.version": "3"},
            "tags": {"mlflow.traceName": "root"},
        }
        made = self.server.api("POST", "traces", {"trace": {"trace_info": info}}, version="3.0")
        check(made["trace"]["trace_info"]["trace_id"] == trace, "the trace has another id")
        spans = f"{self.experiment}/traces/{trace}/artifacts/traces.json"
        self.server.put(spans, b'{"spans": []}')
        found = self.server.api("POST", "traces/search", {"locations": [location], "max_results": 100}, version="3.0")
        check([t["trace_id"] for t in found["traces"]] == [trace], "the trace is not found")
        self.server.get(spans)

    def finish(self):
        ended = self.server.api("POST", "runs/update", {"run_id": self.run, "status": "FINISHED", "end_time": now()})
        check(ended["run_info"]["status"] == "FINISHED", "the run did not end")


def field(number, content):
    """A length-delimited field of a protobuf message."""
    return bytes([number << 3 | 2, len(content)]) + content


def span(trace):
    """An OTLP export request with one span of no attribute."""
    moment = int(time.time()).to_bytes(8, "little")
    one = field(1, trace) + field(2, os.urandom(8)) + field(5, b"root") + b"\x39" + moment + b"\x41" + moment
    return field(1, field(2, field(2, one)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("url")
    parser.add_argument("--ca", help="PEM file of the authority to trust")
    parser.add_argument("--series", type=int, choices=(2, 3), action="append", help="client series; both by default")
    parser.add_argument("--plain", action="store_true", help="a plain MLflow server, not a gateway")
    parser.add_argument("--token-stdin", action="store_true", help="read the token from standard input")
    options = parser.parse_args()
    token = sys.stdin.read().strip() if options.token_stdin else os.environ.get("MLFLOW_TRACKING_TOKEN", "")
    server = Server(options.url, token, options.ca)
    failed = 0
    for series in options.series or (2, 3):
        for name, step in Orders(server, series, options.plain).steps():
            try:
                step()
                print(f"ok   {series}.x {name}")
            except (Failed, KeyError, OSError, ValueError) as problem:
                print(f"FAIL {series}.x {name}: {type(problem).__name__} {problem}")
                failed += 1
                break
    print(f"{server.calls} calls, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
