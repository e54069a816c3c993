"""What the kit makes on the server before it attacks: objects of the owner to be left alone, and some of the other user."""

import json
import time
import uuid

PAGE = b"<!doctype html><script>document.title='negative kit'</script>"
PICTURE = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"
MODEL = {
    "MLmodel": b"flavors:\n  sklearn:\n    pickled_model: weights.json\n    sklearn_version: 1.5.2\n",
    "weights.json": b'{"coefficients": [0.25, -1.5]}',
    "requirements.txt": b"scikit-learn==1.5.2\n",
}
API, ARTIFACTS = "/api/2.0/mlflow", "/api/2.0/mlflow-artifacts/artifacts"


class Broken(Exception):
    """The scene cannot be made: this is no MLflow server, or a token lacks a right that it needs."""


class Scene:
    """Its `names` fill the templates of the vectors."""

    def __init__(self, target, tokens, canary, prefixes):
        self.target, self.canary = target, canary
        self.tokens = {**tokens, "other": tokens.get("other", tokens["owner"])}
        self.mark = uuid.uuid4().hex[:10]
        self.prefixes = {who: f"{prefix}{self.mark}" for who, prefix in prefixes.items()}
        self.names = {"mark": self.mark, "canary": canary.port, "canary_host": f"127.0.0.1:{canary.port}", "owner_token": tokens["owner"], "authority": target.authority, "port": target.port}

    def ask(self, who, method, path, body=None, raw=None, want=(200,)):
        headers = [("Authorization", f"Bearer {self.tokens[who]}")] if self.tokens.get(who) else []
        if raw is None and body is not None:
            headers.append(("Content-Type", "application/json"))
            raw = json.dumps(body).encode()
        answer = self.target.send(method, path, headers, raw)
        if want and answer.status not in want:
            raise Broken(f"{who}: {method} {path}: {answer.status} {answer.body[:300]!r}")
        return answer.json() or {}

    def make(self):
        for who in ("owner", "other"):
            self.user(who)
        owner = self.names
        # What only the owner may see carries the secret.
        owner["secret"] = f"secret-{uuid.uuid4().hex}"
        root = f"{ARTIFACTS}/{owner['experiment']}/{owner['run']}/artifacts"
        for name, content in {"notes/secret.txt": owner["secret"].encode(), "page.html": PAGE, "pic.svg": PICTURE}.items():
            self.ask("owner", "PUT", f"{root}/{name}", raw=content)
        owner["trace"] = self.trace("owner", owner["experiment"], owner["secret"])
        owner["other_trace"] = self.trace("other", owner["other_experiment"], "")
        hook = {"name": f"kit-{self.mark}", "url": "https://receiver.example/hook", "events": [{"entity": "MODEL_VERSION", "action": "CREATED"}]}
        made = self.ask("admin", "POST", f"{API}/webhooks", hook, want=()) if self.tokens.get("admin") else {}
        owner["webhook"] = made.get("webhook", {}).get("webhook_id", uuid.uuid4())
        self.ask("owner", "PATCH", f"{API}/model-versions/update", {"name": owner["model"], "version": "1", "description": owner["secret"]})
        self.ask("owner", "POST", f"{API}/registered-models/set-tag", {"name": owner["model"], "key": "note", "value": owner["secret"]})
        owner["before"] = self.state()
        return self

    def trace(self, who, experiment, preview):
        trace = f"tr-{uuid.uuid4().hex}"
        info = {
            "trace_id": trace,
            "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}},
            "request_time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "execution_duration": "0.1s",
            "state": "OK",
            "request_preview": preview,
            "tags": {},
        }
        made = self.ask(who, "POST", "/api/3.0/mlflow/traces", {"trace": {"trace_info": info}}, want=())
        return made.get("trace", {}).get("trace_info", {}).get("trace_id", trace)

    def user(self, who):
        names, own = self.names, {"owner": "", "other": "other_"}[who]
        name = names[f"{own}model"] = self.prefixes[who]
        made = self.ask(who, "POST", f"{API}/experiments/create", {"name": name})
        names[f"{own}experiment"] = made["experiment_id"]
        made = self.ask(who, "POST", f"{API}/runs/create", {"experiment_id": made["experiment_id"], "start_time": int(time.time() * 1000)})
        run = names[f"{own}run"] = made["run"]["info"]["run_id"]
        root = f"{names[f'{own}experiment']}/{run}/artifacts"
        names[f"{own}root"] = root
        for file, content in MODEL.items():
            self.ask(who, "PUT", f"{ARTIFACTS}/{root}/model/{file}", raw=content)
        made = self.ask(who, "POST", f"{API}/logged-models", {"experiment_id": names[f"{own}experiment"], "name": "logged", "source_run_id": run}, want=())
        logged = names[f"{own}logged"] = made.get("model", {}).get("info", {}).get("model_id", f"m-{uuid.uuid4().hex}")
        self.ask(who, "PUT", f"{ARTIFACTS}/{names[f'{own}experiment']}/models/{logged}/artifacts/MLmodel", raw=MODEL["MLmodel"], want=())
        self.ask(who, "POST", f"{API}/registered-models/create", {"name": name})
        self.ask(who, "POST", f"{API}/model-versions/create", {"name": name, "source": f"mlflow-artifacts:/{root}/model", "run_id": run})
        until = time.monotonic() + 60
        while time.monotonic() < until:
            found = self.ask(who, "GET", f"{API}/model-versions/get?name={name}&version=1")["model_version"]
            if found["status"] != "PENDING_REGISTRATION":
                return
            time.sleep(0.25)

    def state(self):
        """What an attack must not have changed."""
        names = self.names
        seen = {}
        for what, path in {
            "version": f"{API}/model-versions/get?name={names['model']}&version=1",
            "model": f"{API}/registered-models/get?name={names['model']}",
            "run": f"{API}/runs/get?run_id={names['run']}",
            "experiment": f"{API}/experiments/get?experiment_id={names['experiment']}",
            "files": f"{API}/artifacts/list?run_id={names['run']}",
            "model files": f"{API}/artifacts/list?run_id={names['run']}&path=model",
            "secret": f"{ARTIFACTS}/{names['root']}/notes/secret.txt",
            "page": f"{ARTIFACTS}/{names['root']}/page.html",
            "weights": f"{ARTIFACTS}/{names['root']}/model/weights.json",
            "logged model": f"{API}/logged-models/{names['logged']}",
            "trace": f"/api/3.0/mlflow/traces/{names['trace']}",
        }.items():
            headers = [("Authorization", f"Bearer {self.tokens['owner']}")] if self.tokens.get("owner") else []
            answer = self.target.send("GET", path, headers)
            # Neither a text written back nor a version that the owner may make is harm.
            found = answer.json()
            inner = found.get(next(iter(found), "")) if isinstance(found, dict) else None
            for allowed in ("last_updated_timestamp", "latest_versions"):
                if isinstance(inner, dict):
                    inner.pop(allowed, None)
            seen[what] = (answer.status, answer.body if found is None else json.dumps(found, sort_keys=True))
        return seen

    def clean(self):
        """Deletes what the server lets go of. What is frozen stays, which is what freezing is for."""
        for who, own in (("owner", ""), ("other", "other_")):
            name = {"name": self.names.get(f"{own}model", "")}
            self.ask(who, "DELETE", f"{API}/model-versions/delete", {**name, "version": "1"}, want=())
            self.ask(who, "DELETE", f"{API}/registered-models/delete", name, want=())
            self.ask(who, "POST", f"{API}/experiments/delete", {"experiment_id": self.names.get(f"{own}experiment", "")}, want=())
        if self.tokens.get("admin"):
            self.ask("admin", "DELETE", f"{API}/webhooks/{self.names.get('webhook', '')}", want=())

