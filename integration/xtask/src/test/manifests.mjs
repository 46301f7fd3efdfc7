// Holds Kubernetes manifests to the CRD schemas of Istio and the schemas of Kubernetes. Arguments: the directory of the installed
// models, then files. A line for each document; exit status 1 where one is not valid.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

const [models, ...files] = process.argv.slice(2);
const require = createRequire(join(models, "package.json"));
const { parseAllDocuments } = require("yaml");

const KINDS = {
  WasmPlugin: "@kubernetes-models/istio/extensions.istio.io/v1alpha1/WasmPlugin",
  EnvoyFilter: "@kubernetes-models/istio/networking.istio.io/v1alpha3/EnvoyFilter",
  ConfigMap: "kubernetes-models/v1/ConfigMap",
  Deployment: "kubernetes-models/apps/v1/Deployment",
  Namespace: "kubernetes-models/v1/Namespace",
  NetworkPolicy: "kubernetes-models/networking.k8s.io/v1/NetworkPolicy",
  PersistentVolumeClaim: "kubernetes-models/v1/PersistentVolumeClaim",
  Service: "kubernetes-models/v1/Service",
};
// What users name themselves, or Envoy defines.
const FREE = new Set(["labels", "annotations", "matchLabels", "pluginConfig", "value", "data", "requests", "limits"]);

// The names of fields that a model's declaration, and those that it refers to, know: API servers drop others silently.
function declared(file, seen = new Map()) {
  if (seen.has(file)) return seen;
  const text = readFileSync(file, "utf8");
  seen.set(file, [...text.matchAll(/^\s*"?([A-Za-z]\w*)"?\??:/gm)].map(([, name]) => name));
  for (const [, from] of text.matchAll(/from "([^"]+)"/g)) {
    const base = from.startsWith(".") ? join(dirname(file), from) : join(models, "node_modules", from);
    try {
      declared(base.replace(/(\.js|\.d\.ts)?$/, ".d.ts"), seen);
    } catch (error) {
      if (error.code !== "ENOENT") throw error;
    }
  }
  return seen;
}

function* unknown(value, names, free, at = "") {
  if (Array.isArray(value)) for (const [i, item] of value.entries()) yield* unknown(item, names, free, `${at}/${i}`);
  else if (value && typeof value === "object")
    for (const [name, member] of Object.entries(value)) {
      if (!names.has(name)) yield `${at}/${name} is not known`;
      // A variable's or a patch's `value` is free, and so are maps of names.
      if (!free.has(name)) yield* unknown(member, names, free, `${at}/${name}`);
    }
}

async function faults(document) {
  const from = KINDS[document?.kind];
  if (!from) return [`no schema for the kind ${document?.kind}`];
  const file = join(models, "node_modules", from);
  const Model = (await import(pathToFileURL(`${file}.js`)))[document.kind];
  const wrong = [];
  if (document.apiVersion !== Model.apiVersion) wrong.push(`apiVersion is not ${Model.apiVersion}`);
  try {
    new Model(document).validate();
  } catch (error) {
    wrong.push(error.message);
  }
  const names = new Set([...declared(`${file}.d.ts`).values()].flat());
  // A Service selects by labels at once.
  const free = document.kind === "Service" ? new Set([...FREE, "selector"]) : FREE;
  return [...wrong, ...unknown(document, names, free)];
}

// The check itself must be able to fail.
const good = { apiVersion: "extensions.istio.io/v1alpha1", kind: "WasmPlugin", metadata: { name: "a" }, spec: { url: "oci://a" } };
const bad = [
  { ...good, spec: { ...good.spec, failStrategy: "FAIL_SOMEHOW" } },
  { ...good, spec: { ...good.spec, failureStrategy: "FAIL_RELOAD" } },
  { ...good, spec: {} },
  { ...good, apiVersion: "extensions.istio.io/v1" },
  { ...good, kind: "WasmPlug" },
];
if ((await faults(good)).length) throw new Error(`a good document is refused: ${await faults(good)}`);
for (const document of bad)
  if (!(await faults(document)).length) throw new Error(`a bad document passes: ${JSON.stringify(document)}`);

let wrong = 0;
for (const file of files)
  for (const parsed of parseAllDocuments(readFileSync(file, "utf8"))) {
    const document = parsed.toJS();
    const found = [...parsed.errors.map(String), ...(await faults(document))];
    console.log(`${file}: ${document?.kind} ${document?.metadata?.name}: ${found.length ? found.join("; ") : "valid"}`);
    wrong += found.length ? 1 : 0;
  }
process.exit(wrong ? 1 : 0);
