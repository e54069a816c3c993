#!/usr/bin/env python3
"""Attacks an MLflow-compatible server of your own with the lessons of MLflow's published advisories.

    python3 tests/negative-kit/run.py --url https://localhost:8443 --ca ca.pem --token OWNER --other-token OTHER --admin-token ADMIN

Standard library only. Exit code 0 when every case held, 1 when one failed, 2 when the attack could not start. See README.md.
"""

import argparse
import collections
import concurrent.futures
import ipaddress
import json
import re
import socket
import sys
import threading
import time
import urllib.parse

import payloads
import vectors
from canary import Canary
from scene import Broken, Scene
from wire import Target

THREADS = 8


class Kit:
    """One attack on one server."""

    def __init__(self, target, tokens, prefixes):
        self.target, self.tokens, self.prefixes = target, tokens, prefixes
        self.canary = Canary()
        self.results = []
        self.lock = threading.Lock()

    def run(self, classes):
        scene = Scene(self.target, self.tokens, self.canary, self.prefixes).make()
        self.names = scene.names
        for group in vectors.files():
            if classes and group["class"] not in classes:
                continue
            with concurrent.futures.ThreadPoolExecutor(group.get("threads", THREADS)) as pool:
                list(pool.map(self.attempt, vectors.cases(group)))
            self.aftermath(group["class"], scene)
            self.own_controls(group)
        scene.clean()
        self.canary.close()
        return self

    def attempt(self, case):
        if case.who not in self.tokens:
            return
        started, problem = time.monotonic(), None
        names, steps = case.steps(self.names)
        try:
            for step in steps:
                problem = self.step(step, names)
                if problem or names.pop("stopped", None):
                    break
        except Exception as broken:  # a case that cannot be carried out has not held
            problem = f"{type(broken).__name__}: {broken}"
        self.note(case.group, case.id, case.vector["advisories"], problem, time.monotonic() - started)
        if case.vector.get("control") and not problem and case.who == case.vector.get("as", ["owner"])[0]:
            self.control(case, names)

    def control(self, case, names):
        """The owner's same request must succeed; otherwise the refusals above prove nothing."""
        step = vectors.fill(case.vector, names)
        answer = self.send({**step, "as": case.vector.get("control_as", "owner")})
        if answer.status != case.vector["control"]:
            self.note(case.group, f"{case.id}:control", [], f"the owner got {answer.status}: {answer.body[:120]!r}", 0)

    def own_controls(self, group):
        """What the other user was refused on the owner's objects it must be able to do to its own; deletions come last."""
        if "other" not in self.tokens:
            return
        names = {**self.names, **{name[6:]: value for name, value in self.names.items() if name.startswith("other_")}}
        cases = [case for case in vectors.cases(group) if case.vector.get("own")]
        seen = set()
        for case in sorted(cases, key=lambda case: case.vector["own"]):
            if case.vector["id"] in seen:
                continue
            seen.add(case.vector["id"])
            filled, steps = case.steps(names)
            answer = self.send(vectors.fill(steps[0], filled))
            if answer.status // 100 != 2:
                self.note(case.group, f"{case.id}:control", [], f"on its own objects: {answer.status} {answer.body[:120]!r}", 0)

    def step(self, step, names):
        step = vectors.fill(step, names)
        if "sleep" in step:
            time.sleep(step["sleep"])
        connections = self.canary.connections
        if "raw" in step:
            token = self.tokens["owner"]
            data = step["raw"].replace("{token}", token).encode("latin-1")
            return judge_raw(step["expect"], self.target.raw(data, step.get("wait", 1.0)))
        answer = self.send(step)
        for name, path in step.get("capture", {}).items():
            value = answer.json()
            for key in path.split("."):
                value = (value or {}).get(key) if isinstance(value, dict) else None
            if value is None:
                if step.get("stop_if_refused") and 400 <= answer.status < 500:
                    names["stopped"] = True  # refused at the first step already
                    return None
                return f"{answer.status} without {path}: {answer.body[:160]!r}"
            names[name] = value
        if "poll" in step:
            until = time.monotonic() + step["poll"].get("seconds", 60)
            while re.search(step["poll"]["while"], answer.text()) and time.monotonic() < until:
                time.sleep(0.3)
                answer = self.send(step)
        problem = judge(step.get("expect", {}), answer)
        if not problem and step.get("quiet") and self.canary.connections != connections:
            problem = f"the canary was called: {self.canary.hits[-1:]}"
        return problem

    def send(self, step):
        headers = [tuple(header) for header in step.get("headers", [])]
        who = step.get("as", "owner")
        if self.tokens.get(who):
            headers.append(("Authorization", f"Bearer {self.tokens[who]}"))
        body = None
        if "body" in step:
            body = json.dumps(step["body"]).encode()
        elif "text" in step:
            body = step["text"].encode("utf-8", "surrogatepass")
        elif "file" in step:
            body = payloads.make(step["file"])
        if "body" in step and not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("Content-Type", "application/json"))
        if "line" in step:
            headers += [(f"X-Flood-{i}", "x") for i in range(step["line"])]
        return self.target.send(step["method"], step["path"], headers, body)

    def aftermath(self, group, scene):
        """Whatever was answered: the owner's objects are as they were, and nobody called the canary."""
        after = scene.state()
        for what, before in scene.names["before"].items():
            problem = None
            if after[what] != before:
                problem = f"changed: {before[0]} {before[1][:300]!r} became {after[what][0]} {after[what][1][:300]!r}"
            self.note("aftermath", f"{group}: {what}", [], problem, 0)
        problem = f"{self.canary.connections} calls: {self.canary.hits[:5]}" if self.canary.connections else None
        self.note("aftermath", f"{group}: canary", [], problem, 0)
        scene.names["before"] = after
        self.canary.connections = 0
        self.canary.hits.clear()

    def note(self, group, name, advisories, problem, seconds):
        with self.lock:
            self.results.append({"class": group, "id": name, "advisories": advisories, "held": problem is None, "problem": problem, "seconds": seconds})


def judge(expect, answer):
    """None when the answer is one of a safe server, else what is wrong with it."""
    text = answer.text()
    for status in expect.get("status", ["2xx", "4xx", 501]):
        if status == answer.status or str(status) == f"{answer.status // 100}xx" or (status == "closed" and answer.status == 0):
            break
    else:
        return f"{answer.status} instead of {expect['status']}: {answer.body[:160]!r}" if "status" in expect else f"{answer.status}: {answer.body[:160]!r}"
    for word in expect.get("absent", []):
        if word in text:
            return f"{answer.status} and the answer holds {word[:60]!r}"
    for pattern in expect.get("matches", []):
        if not re.search(pattern, text):
            return f"{answer.status} and nothing matches {pattern!r}: {text[:200]!r}"
    for name, pattern in expect.get("headers", {}).items():
        if not re.search(pattern, answer.header(name), re.IGNORECASE):
            return f"{answer.status} with {name}: {answer.header(name)[:80]!r}"
    return None


def judge_raw(expect, answers):
    """For raw bytes: how many answers may come, and with which status."""
    statuses = [answer.status for answer in answers]
    if len(statuses) > expect.get("answers", 1):
        return f"{len(statuses)} answers to one request: {statuses}"
    if any(str(status)[0] not in expect.get("first", "4") for status in statuses):
        return f"answered {statuses}"
    for answer in answers:
        for word in expect.get("absent", []):
            if word in answer.text():
                return f"{answer.status} and the answer holds {word!r}"
    return None


def refuse(url, mine):
    """Why this URL is not attacked, or None."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "The URL is http(s)://host:port."
    addresses = {info[4][0] for info in socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)}
    if not mine and not all(ipaddress.ip_address(address.partition("%")[0]).is_loopback for address in addresses):
        return f"{parts.hostname} is not on this machine. Attack only what is yours; --i-own-this says that it is."
    return None


def report(kit, seconds, as_json, most):
    counts = collections.Counter((result["class"], result["held"]) for result in kit.results)
    classes = sorted({result["class"] for result in kit.results})
    failed = [result for result in kit.results if not result["held"]]
    skipped = sorted({who for who in ("other", "admin") if who not in kit.tokens})
    if as_json:
        json.dump(
            {
                "url": kit.target.authority,
                "seconds": round(seconds, 1),
                "requests": kit.target.sent,
                "pathEncodings": len(vectors.path_encodings()),
                "classes": {name: {"held": counts[name, True], "failed": counts[name, False]} for name in classes},
                "held": len(kit.results) - len(failed),
                "failed": len(failed),
                "withoutToken": skipped,
                "advisories": len({advisory for result in kit.results for advisory in result["advisories"]}),
                "failures": [{key: result[key] for key in ("class", "id", "advisories", "problem")} for result in failed[:most]],
            },
            sys.stdout,
            indent=1,
        )
        print()
        return
    for result in failed[:most]:
        print(f"FAIL {result['class']} {result['id']}: {result['problem']} {' '.join(result['advisories'])}")
    if len(failed) > most:
        print(f"... and {len(failed) - most} more")
    for name in classes:
        print(f"{name:16} {counts[name, True]:6} held {counts[name, False]:6} failed")
    for who in skipped:
        print(f"No token of {who}: its cases were left out.")
    print(f"{len(vectors.path_encodings())} path encodings, {kit.target.sent} requests, {seconds:.0f} s")
    print(f"{len(kit.results) - len(failed)} held, {len(failed)} failed")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--ca", help="PEM file of the authority to trust")
    parser.add_argument("--token", help="token of the owner, who makes objects and attacks as an ordinary user")
    parser.add_argument("--other-token", help="token of a user without any right on the owner's objects")
    parser.add_argument("--admin-token", help="token of somebody who may make webhooks")
    parser.add_argument("--tokens-stdin", action="store_true", help='read {"owner":…,"other":…,"admin":…} from standard input')
    parser.add_argument("--owner-prefix", default="kit-a-", help="names of the owner's experiments and models begin so")
    parser.add_argument("--other-prefix", default="kit-b-", help="names of the other user's experiments and models begin so")
    parser.add_argument("--class", dest="classes", action="append", help="only this class of vectors; may be repeated")
    parser.add_argument("--most", type=int, default=200, help="failures to print")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--i-own-this", action="store_true", help="attack a server on another machine")
    options = parser.parse_args()
    problem = refuse(options.url, options.i_own_this)
    if problem:
        print(problem, file=sys.stderr)
        return 2
    given = {"owner": options.token, "other": options.other_token, "admin": options.admin_token}
    if options.tokens_stdin:
        given.update(json.load(sys.stdin))
    tokens = {"none": None, "garbage": "eyJhbGciOiJub25lIn0.e30.", **{who: token for who, token in given.items() if token}}
    if "owner" not in tokens:
        print("--token is needed.", file=sys.stderr)
        return 2
    started = time.monotonic()
    kit = Kit(Target(options.url, options.ca), tokens, {"owner": options.owner_prefix, "other": options.other_prefix})
    try:
        kit.run(options.classes)
    except Broken as broken:
        print(f"The attack could not start: {broken}", file=sys.stderr)
        return 2
    report(kit, time.monotonic() - started, options.json, options.most)
    return 1 if any(not result["held"] for result in kit.results) else 0


if __name__ == "__main__":
    sys.exit(main())
