"use strict";

const byId = (id) => document.getElementById(id);

const examples = {
  "Who am I": ["{\n  whoAmI {\n    id\n    kind\n    roles { role on pattern }\n    permissions\n  }\n}", {}],
  "Models and their versions": [
    "{\n  models(first: 20) {\n    items {\n      name\n      versions(first: 5) {\n        version\n        stage\n        status\n        evidence { items { kind outcome summary } }\n      }\n    }\n    nextToken\n  }\n}",
    {},
  ],
  "What stands behind Production": [
    "query ($stage: String!) {\n  lineage(start: { urn: $stage }, direction: UP, depth: 16) {\n    nodes { kind label urn }\n    edges { from to verb grade }\n    truncated\n    frontier\n  }\n}",
    { stage: "stage:my-model/Production" },
  ],
  "Datasets of a version": [
    "query ($model: String!, $version: Int!) {\n  version(model: $model, version: $version) {\n    datasets {\n      name\n      context\n      dataset { sha256 columns verdict { outcome } derivedFrom { name sha256 } }\n    }\n  }\n}",
    { model: "my-model", version: 1 },
  ],
  "What a dataset touches": [
    "query ($sha256: String!) {\n  lineage(start: { dataset: $sha256 }, direction: DOWN, depth: 16) {\n    nodes { kind label urn }\n    edges { from to verb grade }\n    truncated\n    frontier\n  }\n}",
    { sha256: "the SHA-256 of a dataset" },
  ],
  "Open promotion requests": [
    "{\n  requests(state: \"open\") {\n    items { id model version target requestedBy reason approvals { person approves valid } }\n  }\n}",
    {},
  ],
  "Review a request": [
    "query ($id: ID!) {\n  request(id: $id) {\n    model\n    version\n    target\n    state\n    reason\n    requestedBy\n    approvals { person approves comment valid }\n  }\n}",
    { id: "the id of a request" },
  ],
  "Approve a request": [
    "mutation ($id: ID!, $comment: String!) {\n  approveRequest(id: $id, comment: $comment) { state approvals { approves valid expiresAt } }\n}",
    { id: "the id of a request", comment: "" },
  ],
};

// Examples name something that is there, so that each runs as it stands.
async function fillIn() {
  const found = async (query) => (await ask(query, {})).data;
  const model = (await found("{ models(first: 1) { items { name versions(first: 1) { version } } } }"))?.models.items[0];
  if (model) {
    examples["What stands behind Production"][1].stage = `stage:${model.name}/Production`;
    examples["Datasets of a version"][1] = { model: model.name, version: model.versions[0]?.version ?? 1 };
  }
  const dataset = (await found("{ datasets(first: 1) { items { sha256 } } }"))?.datasets.items[0];
  if (dataset) examples["What a dataset touches"][1].sha256 = dataset.sha256;
  const request = (await found('{ requests(state: "open", first: 1) { items { id } } }'))?.requests.items[0];
  if (request) {
    examples["Review a request"][1].id = request.id;
    examples["Approve a request"][1].id = request.id;
  }
}

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
  if (response.status === 401) throw new Error("You are signed out. Reload this page to sign in again.");
  return response.json();
}

function show(text, problem) {
  byId("answer").textContent = text;
  byId("answer").className = problem ? "problem" : "";
}

async function run() {
  let variables;
  try {
    variables = JSON.parse(byId("variables").value || "{}");
  } catch (error) {
    show("The variables are not JSON: " + error.message, true);
    return;
  }
  show("…", false);
  try {
    const answer = await ask(byId("query").value, variables);
    show(JSON.stringify(answer, null, 2), "errors" in answer);
  } catch (error) {
    show(error instanceof TypeError ? "The gateway cannot be reached." : error.message, true);
  }
}

function typeText(type) {
  if (type.kind === "NON_NULL") return typeText(type.ofType) + "!";
  if (type.kind === "LIST") return "[" + typeText(type.ofType) + "]";
  return type.name;
}

function line(code, text) {
  const name = document.createElement("code");
  name.textContent = code;
  const words = document.createElement("p");
  words.textContent = text ?? "";
  return [name, words];
}

function argText(arg) {
  return arg.name + ": " + typeText(arg.type) + (arg.defaultValue ? " = " + arg.defaultValue : "");
}

function showSchema(types) {
  const holder = byId("schema");
  const wanted = byId("find").value.trim().toLowerCase();
  holder.replaceChildren();
  for (const type of types) {
    if (type.name.startsWith("__")) continue;
    const members = [
      ...(type.fields ?? []).map((field) => {
        const args = field.args.map(argText).join(", ");
        return [field, field.name + (args ? "(" + args + ")" : "") + ": " + typeText(field.type)];
      }),
      ...(type.inputFields ?? []).map((field) => [field, argText(field)]),
      ...(type.enumValues ?? []).map((value) => [value, value.name]),
    ].filter(([member]) => (type.name + "." + member.name).toLowerCase().includes(wanted));
    if (members.length === 0) continue;
    const details = document.createElement("details");
    details.open = type.name === "Query" || wanted !== "";
    const summary = document.createElement("summary");
    summary.textContent = type.name;
    const about = document.createElement("p");
    about.textContent = type.description ?? "";
    details.append(summary, about, ...members.flatMap(([member, code]) => line(code, member.description)));
    holder.append(details);
  }
  if (!holder.hasChildNodes()) holder.textContent = "Nothing of that name.";
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
  const input = `name description defaultValue type { ${type} }`;
  const schema = await ask(
    `{ __schema { types { name description fields { name description args { ${input} } type { ${type} } } inputFields { ${input} } enumValues { name description } } } }`,
    {},
  );
  const types = schema.data.__schema.types;
  byId("find").addEventListener("input", () => showSchema(types));
  showSchema(types);
  await fillIn();
}

start().catch((error) => show(error.message, true));
