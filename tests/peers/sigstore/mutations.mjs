// Gives bundles to the stock Sigstore verifier: node mutations.mjs CASES.json
// CASES is [{check, name, bundle, root, keys: {hint: pem}, subject, issuer}]; those whose check is "valid" must be accepted and all
// others refused. In identity mode one log entry, one certificate timestamp and two times are asked for: the log's promise and the
// timestamp authority's. Exit 0 when every case came out as it must.
import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { bundleFromJSON } from '@sigstore/bundle';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { Verifier, toSignedEntity, toTrustMaterial } from '@sigstore/verify';

const counts = { accepted: 0, refused: 0, valid: 0, mutated: 0 };

function verify({ check, bundle, root, keys, subject, issuer }) {
  const trust = toTrustMaterial(TrustedRoot.fromJSON(root), (hint) => {
    if (!keys[hint]) throw new Error(`unknown key hint ${hint}`);
    return { publicKey: createPublicKey(keys[hint]), validFor: () => true };
  });
  // Of the case, not of the bundle: what is to be verified decides how much it must prove.
  const byKey = subject === null;
  const verifier = new Verifier(trust, {
    tlogThreshold: byKey ? 0 : 1,
    ctlogThreshold: byKey ? 0 : 1,
    timestampThreshold: byKey ? 0 : 2,
  });
  const policy = byKey
    ? undefined
    : { subjectAlternativeName: `^${RegExp.escape?.(subject) ?? subject.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`, extensions: { issuer } };
  verifier.verify(toSignedEntity(bundleFromJSON(bundle)), policy);
}

for (const one of JSON.parse(readFileSync(process.argv[2], 'utf8'))) {
  const valid = one.check === 'valid';
  counts[valid ? 'valid' : 'mutated'] += 1;
  try {
    verify(one);
    counts.accepted += valid ? 1 : 0;
    if (!valid) console.log(`ACCEPTED ${one.check}: ${one.name}`);
  } catch (error) {
    counts.refused += valid ? 0 : 1;
    console.log(`${valid ? 'NOT ACCEPTED' : 'refused'} ${one.check}: ${one.name}: ${error.code ?? error.name}: ${error.message}`);
  }
}

console.log(`${counts.accepted} of ${counts.valid} accepted, ${counts.refused} of ${counts.mutated} refused`);
process.exit(counts.accepted === counts.valid && counts.refused === counts.mutated ? 0 : 1);
