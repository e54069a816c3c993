"use strict";

const byId = (id) => document.getElementById(id);

const examples = {
  "Who am I": ["{\n  whoAmI {\n    id\n    kind\n    roles { role on pattern }\n    permissions\n  }\n}", {}],
  "Models and their versions": [
    "{\n  models(first: 20) {\n    items {\n      name\n      versions(first: 5) {\n        version\n        stage\n        status\n        evidence { items { kind outcome summary } }\n      }\n    }\n    nextToken\n  }\n}",
    {},
  ],
  "What stands behind a version": [
    "query ($model: String!, $version: Int!) {\n  version(model: $model, version: $version) {\n    stage\n    datasets { name context dataset { name columns verdict { outcome reasons } } }\n    lineage(direction: UP, depth: 8) {\n      nodes { urn kind label }\n      edges { from to verb grade }\n      truncated\n    }\n  }\n}",
    { model: "my-model", version: 1 },
  ],
  "What a dataset touches": [
    "query ($sha256: String!) {\n  lineage(start: { dataset: $sha256 }, direction: DOWN, depth: 8) {\n    nodes { urn kind label }\n    edges { from to verb grade }\n    truncated\n    frontier\n  }\n}",
    { sha256: "" },
  ],
  "Open promotion requests": [
    "{\n  requests(state: \"open\") {\n    items { id model version target requestedBy reason approvals { person approves valid } }\n  }\n}",
    {},
  ],
};

async function ask(query, variables) {
  const response = await fetch("/graphql", {
    method: "POST",
    credentials: "same-origin",
    headers: {
      "Content-Type": "application/json",
      Accept: "application/graphql-response+json",
      "GraphQL-Require-Preflight": "1",
    },
    body: JSON.stringify({ query, variables }),
  });
  return response.json();
}

async function run() {
  let variables;
  try {
    variables = JSON.parse(byId("variables").value || "{}");
  } catch {
    byId("answer").textContent = "The variables are not JSON.";
    return;
  }
  byId("answer").textContent = "…";
  try {
    byId("answer").textContent = JSON.stringify(await ask(byId("query").value, variables), null, 2);
  } catch {
    byId("answer").textContent = "The gateway could not be reached, or you are signed out.";
  }
}

function typeText(type) {
  if (type.kind === "NON_NULL") return typeText(type.ofType) + "!";
  if (type.kind === "LIST") return "[" + typeText(type.ofType) + "]";
  return type.name;
}

function showSchema(types) {
  const holder = byId("schema");
  const wanted = byId("find").value.toLowerCase();
  holder.replaceChildren();
  for (const type of types) {
    const fields = (type.fields ?? []).filter(
      (field) => !wanted || (type.name + "." + field.name).toLowerCase().includes(wanted),
    );
    if (type.name.startsWith("__") || fields.length === 0) continue;
    const details = document.createElement("details");
    details.open = type.name === "Query" || wanted !== "";
    const summary = document.createElement("summary");
    summary.textContent = type.name;
    details.append(summary);
    for (const field of fields) {
      const code = document.createElement("code");
      const args = field.args.map((arg) => arg.name + ": " + typeText(arg.type)).join(", ");
      code.textContent = field.name + (args ? "(" + args + ")" : "") + ": " + typeText(field.type);
      const text = document.createElement("p");
      text.textContent = field.description ?? "";
      details.append(code, text);
    }
    holder.append(details);
  }
}

async function start() {
  for (const name of Object.keys(examples)) {
    const option = document.createElement("option");
    option.textContent = name;
    byId("examples").append(option);
  }
  const choose = () => {
    const [query, variables] = examples[byId("examples").value];
    byId("query").value = query;
    byId("variables").value = JSON.stringify(variables, null, 2);
  };
  byId("examples").addEventListener("change", choose);
  byId("run").addEventListener("click", run);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
  });
  choose();
  const me = await ask("{ whoAmI { id kind roles { role on pattern } } }", {});
  const { id, kind, roles } = me.data.whoAmI;
  byId("who").textContent = `${kind.toLowerCase()} ${id}: ${roles.map((grant) => grant.role).join(", ") || "no roles"}`;
  const type = "kind name ofType { kind name ofType { kind name ofType { kind name } } }";
  const schema = await ask(
    `{ __schema { types { name fields { name description args { name type { ${type} } } type { ${type} } } } } }`,
    {},
  );
  const types = schema.data.__schema.types;
  byId("find").addEventListener("input", () => showSchema(types));
  showSchema(types);
}

start();
