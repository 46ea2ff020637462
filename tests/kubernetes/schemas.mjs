// schemas.mjs FOLDER: reads a JSON list of Kubernetes objects from stdin and prints a JSON list of what the API's
// schemas, and those of the operators, find wrong with them, as [object, problem]. FOLDER holds node_modules
// (`make build/npm/kubernetes/.lock`).
//
// The schemas say nothing against a field that they do not know, which the API server would drop or refuse. So
// each object is shown to its validator through a proxy that remembers what was looked at: what was not is unknown.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(`${process.argv[2]}/`);

const operators = {
    "monitoring.coreos.com": "@kubernetes-models/prometheus-operator",
    "postgresql.cnpg.io": "@kubernetes-models/cloudnative-pg",
};

function validatorOf({ apiVersion, kind }) {
    const of = operators[apiVersion.split("/")[0]] ?? "kubernetes-models";
    return require(`${of}/${apiVersion}/${kind}`)[kind].prototype.validate;
}

// Everything below `value`, with the paths of fields that have been read noted in `seen`.
function watched(value, path, seen) {
    if (typeof value !== "object" || value === null) return value;
    return new Proxy(value, {
        get(target, key) {
            if (typeof key === "symbol" || !Object.hasOwn(target, key)) return target[key];
            seen.add(`${path}/${key}`);
            return watched(target[key], `${path}/${key}`, seen);
        },
    });
}

function* paths(value, path = "") {
    if (typeof value !== "object" || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
        yield `${path}/${key}`;
        yield* paths(inner, `${path}/${key}`);
    }
}

function* problems(object) {
    const seen = new Set();
    try {
        validatorOf(object).call(watched(object, "", seen));
    } catch (e) {
        yield e.message;
        return;
    }
    for (const path of paths(object)) if (!seen.has(path)) yield `${path} is no field that the schema knows`;
}

const found = [];
for (const object of JSON.parse(readFileSync(0, "utf8")))
    for (const problem of problems(object)) found.push([`${object.kind} ${object.metadata?.name}`, problem]);
console.log(JSON.stringify(found));
