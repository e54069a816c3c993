// Usage: node validate.mjs FILE… — strict CycloneDX 1.7 JSON validation, plus what the schema cannot say about references.
import { readFile } from 'node:fs/promises';
import { Spec, Validation } from '@cyclonedx/cyclonedx-library';

const files = process.argv.slice(2);
if (files.length === 0) {
  console.error('usage: node validate.mjs FILE…');
  process.exit(2);
}

function referenceErrors(bom) {
  const errors = [];
  const refs = new Set();
  const visit = (node) => {
    if (node === null || typeof node !== 'object') return;
    if (typeof node['bom-ref'] === 'string') {
      if (refs.has(node['bom-ref'])) errors.push(`duplicate bom-ref ${node['bom-ref']}`);
      refs.add(node['bom-ref']);
    }
    Object.values(node).forEach(visit);
  };
  visit(bom);
  const seen = new Set();
  for (const { ref, dependsOn = [] } of bom.dependencies ?? []) {
    if (seen.has(ref)) errors.push(`two dependency entries for ${ref}`);
    seen.add(ref);
    for (const target of [ref, ...dependsOn]) if (!refs.has(target)) errors.push(`unknown reference ${target}`);
    if (dependsOn.includes(ref)) errors.push(`${ref} depends on itself`);
  }
  const components = (list) => (list ?? []).flatMap((c) => [c, ...components(c.components)]);
  for (const component of components([bom.metadata?.component, ...(bom.components ?? [])].filter(Boolean))) {
    if (!seen.has(component['bom-ref'])) errors.push(`no dependency entry for ${component['bom-ref']}`);
  }
  return errors;
}

const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot7);
let failed = false;
for (const file of files) {
  const text = await readFile(file, 'utf8');
  const errors = [];
  try {
    const schema = await validator.validate(text);
    if (schema !== null) errors.push(JSON.stringify(schema, null, 1));
    const bom = JSON.parse(text);
    if (bom.specVersion !== '1.7') errors.push(`specVersion is ${bom.specVersion}`);
    errors.push(...referenceErrors(bom));
  } catch (error) {
    errors.push(String(error));
  }
  console.log(`${errors.length === 0 ? 'valid  ' : 'INVALID'} ${file}`);
  errors.forEach((error) => console.error(`  ${error}`));
  failed ||= errors.length > 0;
}
process.exit(failed ? 1 : 0);
