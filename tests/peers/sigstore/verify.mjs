// Verifies a bundle with the stock Sigstore verifier: node verify.mjs BUNDLE PUBKEY.pem TRUSTED_ROOT
// Exit 0: verified, and every mutation tried here was refused. Exit 1: not verified, or a mutation was accepted.
import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { bundleFromJSON } from '@sigstore/bundle';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { Verifier, toSignedEntity, toTrustMaterial } from '@sigstore/verify';

const [bundlePath, keyPath, rootPath] = process.argv.slice(2);
if (!rootPath) {
  console.error('usage: verify.mjs BUNDLE PUBKEY.pem TRUSTED_ROOT');
  process.exit(2);
}

const bundle = JSON.parse(readFileSync(bundlePath, 'utf8'));
const pem = readFileSync(keyPath, 'utf8');
const root = TrustedRoot.fromJSON(JSON.parse(readFileSync(rootPath, 'utf8')));
const hint = createHash('sha256').update(pem).digest('hex');

// In identity mode: one log entry, one certificate timestamp, and two times, the log's promise and the timestamp authority's.
// A bare key bundle has none of them, so their thresholds are 0.
const identity = 'certificate' in bundle.verificationMaterial;

function verify(json, publicKey) {
  const keys = (wanted) => {
    if (wanted !== hint) throw new Error(`unknown key hint ${wanted}`);
    return { publicKey, validFor: () => true };
  };
  const verifier = new Verifier(toTrustMaterial(root, keys), {
    tlogThreshold: identity ? 1 : 0,
    ctlogThreshold: identity ? 1 : 0,
    timestampThreshold: identity ? 2 : 0,
  });
  verifier.verify(toSignedEntity(bundleFromJSON(json)));
}

function flip(base64) {
  const bytes = Buffer.from(base64, 'base64');
  bytes[bytes.length - 1] ^= 1;
  return bytes.toString('base64');
}

const mutations = {
  'payload byte': (json) => (json.dsseEnvelope.payload = flip(json.dsseEnvelope.payload)),
  'signature byte': (json) => (json.dsseEnvelope.signatures[0].sig = flip(json.dsseEnvelope.signatures[0].sig)),
  'payload type': (json) => (json.dsseEnvelope.payloadType = 'text/plain'),
  ...(identity
    ? {
        certificate: ({ verificationMaterial: { certificate } }) => (certificate.rawBytes = flip(certificate.rawBytes)),
        'log entry': ({ verificationMaterial: { tlogEntries } }) => (tlogEntries[0].canonicalizedBody = flip(tlogEntries[0].canonicalizedBody)),
        'no log entry': (json) => (json.verificationMaterial.tlogEntries = []),
        'no timestamp': (json) => (json.verificationMaterial.timestampVerificationData.rfc3161Timestamps = []),
      }
    : { 'key hint': (json) => (json.verificationMaterial.publicKey.hint = '0'.repeat(64)) }),
};

const key = createPublicKey(pem);
verify(bundle, key);
console.log(`verified in ${identity ? 'identity' : 'key'} mode`);

let accepted = 0;
function mustFail(name, action) {
  try {
    action();
    accepted += 1;
    console.log(`ACCEPTED: ${name}`);
  } catch {
    console.log(`refused: ${name}`);
  }
}

for (const [name, mutate] of Object.entries(mutations)) {
  const copy = structuredClone(bundle);
  mutate(copy);
  mustFail(name, () => verify(copy, key));
}
if (!identity) mustFail('another key', () => verify(bundle, generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey));
process.exit(accepted === 0 ? 0 : 1);
