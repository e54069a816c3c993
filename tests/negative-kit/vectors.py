"""Reads vectors/*.json and turns each vector into the cases that it stands for."""

import copy
import itertools
import json
import pathlib
import re
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
PLACEHOLDER = re.compile(r"\{([a-z_0-9]+)(\|q)?\}")
REPEAT = re.compile(r"<<(.+?)\*(\d+)>>", re.DOTALL)


def load(name):
    return json.loads((HERE / name).read_text("utf-8"))


def fill(value, names):
    """Replaces {name} (or {name|q}, percent-encoded) and <<text*count>>, in which # is the index, everywhere in a JSON value."""
    if isinstance(value, str):
        text = REPEAT.sub(lambda m: "".join(m[1].replace("#", str(i)) for i in range(int(m[2]))), value)
        return PLACEHOLDER.sub(
            lambda m: (urllib.parse.quote(str(names[m[1]]), safe="") if m[2] else str(names[m[1]])) if m[1] in names else m[0],
            text,
        )
    if isinstance(value, list):
        return [fill(item, names) for item in value]
    if isinstance(value, dict):
        return {fill(key, names): fill(item, names) for key, item in value.items()}
    return value


def path_encodings():
    """Every way the table knows to leave a directory or to name a place outside, each once, in a stable order."""
    table, found = load("encodings.json"), {}
    for base, dots, separator in itertools.product(table["bases"], table["dots"], table["separators"]):
        found[base + (dots + separator) * table["depth"] + separator.join(table["target"])] = None
    for first, second in itertools.permutations(table["mixed"], 2):
        found[first + second + "/".join(table["target"])] = None
    found.update(dict.fromkeys(itertools.chain(*table["single"].values())))
    return list(found)


def sources():
    """Every source that a version must not be registered from, each once."""
    table, found = load("encodings.json")["sources"], {}
    for scheme, tail in itertools.product(table["schemes"], table["tails"]):
        found[scheme + tail] = None
    found.update(dict.fromkeys(table["single"]))
    return list(found)


def files():
    return [load(f"vectors/{path.name}") for path in sorted((HERE / "vectors").glob("*.json"))]


class Case:
    """One request, or one sequence of requests, with what a safe server answers."""

    def __init__(self, group, vector, names, who):
        self.group, self.vector, self.names, self.who = group, vector, names, who
        values = [str(names[name]) for name in vector.get("each", {})]
        self.id = ":".join([vector["id"], who, *values])

    def steps(self, scene):
        # A payload may itself name objects of the scene.
        names = {**scene, **fill(self.names, scene)}
        first = copy.deepcopy({key: self.vector[key] for key in self.vector if key != "then"})
        return names, [{**first, "as": self.who}, *copy.deepcopy(self.vector.get("then", []))]


def cases(group):
    """All cases of one file, in order."""
    tables = {"@paths": path_encodings, "@third": lambda: path_encodings()[::3], "@sources": sources}
    lists = {**load("encodings.json")["lists"], **group.get("lists", {})}
    for vector in group["vectors"]:
        each = vector.get("each", {})
        values = [
            (tables[name]() if name in tables else lists[name[1:]]) if isinstance(name, str) else name
            for name in each.values()
        ]
        for combination in itertools.product(*values):
            names = dict(zip(each, combination))
            for who in vector.get("as", ["owner"]):
                yield Case(group["class"], vector, names, who)
