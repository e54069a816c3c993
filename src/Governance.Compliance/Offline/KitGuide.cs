using System.Text.Json;
using Governance.Compliance.Engine;
using Governance.Kernel;
using Governance.Signing.Contracts;

namespace Governance.Compliance.Offline;

/// <summary>The guide inside a kit: the commands that verify it, filled in for its version.</summary>
internal static class KitGuide
{
    /// <summary>Markdown. Names that people chose stand in it as JSON text in ASCII, so that they can do nothing.</summary>
    public static string Write(
        ModelVersionRef version,
        Manifest manifest,
        VerifiedStatement signed,
        ReadOnlySpan<byte> trustedRoot
    )
    {
        var root = ModelSigner.RootOf(manifest).Hex;
        var identity = signed.Signer;
        return $$"""
            # How to verify this version

            ```
            version             {{JsonSerializer.Serialize(version.ToString())}}
            files               {{manifest.Files.Count}}, {{manifest.TotalSize}} bytes
            manifest digest     sha256:{{manifest.Digest.Hex}}
            model-signing root  sha256:{{root}}
            {{Signer(signed)}}
            trusted root        sha256:{{Digest.Of(trustedRoot).Hex}}
            ```

            The trusted root in this kit proves nothing by itself: whoever forges a kit forges that too. Get `trusted_root.json` from the gateway
            (`/.well-known/governance/trusted_root.json`) once over a channel that you trust, compare its SHA-256 with the line above, and use yours.

            Below, `kit.zip` is this archive, unpacked in the current folder, and `model/` holds the downloaded files of the version.

            ## Everything at once, with govern

            ```sh govern
            govern verify kit.zip --artifacts model/ --trusted-root trusted_root.json{{GovernPolicy(identity)}}
            ```

            It names every check that held and ends with 0, or names the one that did not and ends with 1. Without `--artifacts` the kit alone is checked.
            Part by part:

            ```sh govern-parts
            govern verify model/ --bundle bundle.json --trusted-root trusted_root.json{{GovernPolicy(identity)}}
            for f in receipts/*.json attestations/*.json; do govern verify "$f" --trusted-root trusted_root.json || exit 1; done
            ```

            ## The stock Sigstore packages of npm

            ```sh sigstore-js
            npm install --ignore-scripts @sigstore/bundle @sigstore/protobuf-specs @sigstore/verify
            cat > verify.mjs <<'END'
            {{Script(identity)}}
            END
            node verify.mjs bundle.json attestations/*.json
            ```

            This checks the signatures, and of `bundle.json` certificate, log entry and {{(
                identity is null ? "key" : "two times"
            )}}. Compare the files with the signed list:

            ```sh files
            jq -r '.[] | .sha256 + "  " + .path' manifest.json > list.sha256
            (cd model && sha256sum --check --quiet --strict ../list.sha256)
            ```

            {{OpenSsl(identity)}}## model_signing

            The project does not run `model_signing` and `cosign` in its tests; these commands follow their documentation.

            ```sh model-signing
            pip install model-signing
            {{ModelSigning(identity)}}
            ```

            ## cosign

            ```sh cosign
            {{Cosign(identity, root)}}
            ```

            ## Without any of these programs

            `tests/verifier/verify.py` in the source of Governance checks all of this with Python alone: `python3 verify.py kit kit.zip --trusted-root
            trusted_root.json --artifacts model/`. The formats are in its `docs/reference/log-format.md`.

            ## What each part is

            | part | what |
            |---|---|
            | `bundle.json` | OpenSSF Model Signing v1.0 over the files, a Sigstore bundle v0.3 |
            | `manifest.json` | path, size and SHA-256 of each file; its own SHA-256 is the manifest digest |
            | `attestations/` | signed in-toto statements: bill of materials, scan, privacy, provenance of the training run, promotions |
            | `receipts/` | for each statement the entry of the audit log that names it, with the proof |
            | `sbom.cdx.json` | the bill of materials alone, CycloneDX |
            | `checkpoint` | of the audit log when the kit was made: keep it, a later one must extend it |
            | `trusted_root.json`, `client_trust_config.json` | keys and authorities, for Sigstore's clients |

            People appear as pseudonyms. All keys lie with the operator of the gateway: what that proves and what not is in its `docs/explanation/embedded-root.md`.

            """;
    }

    private static string Signer(VerifiedStatement signed) =>
        signed.Signer is { } signer
            ? $"signed for          {JsonSerializer.Serialize(signer.Subject)}\nvouched for by      {JsonSerializer.Serialize(signer.Issuer)}"
            : $"signed by key       {signed.KeyHint}";

    private static string GovernPolicy(SignerIdentity? identity) =>
        identity is var (subject, issuer) ? $" \\\n  --identity {Quoted(subject)} --issuer {Quoted(issuer)}" : "";

    // Keys are in the trusted root; their hint is the hash of their PEM text.
    private static string Script(SignerIdentity? identity) =>
        """
            import { createHash, createPublicKey } from 'node:crypto';
            import { readFileSync } from 'node:fs';
            import { bundleFromJSON } from '@sigstore/bundle';
            import { TrustedRoot } from '@sigstore/protobuf-specs';
            import { Verifier, toSignedEntity, toTrustMaterial } from '@sigstore/verify';

            const json = JSON.parse(readFileSync('trusted_root.json', 'utf8'));
            const keys = new Map();
            for (const { baseUrl, publicKey } of json.tlogs) {
              if (!baseUrl.endsWith('/.well-known/governance/keys.pem')) continue;
              const key = createPublicKey({ key: Buffer.from(publicKey.rawBytes, 'base64'), format: 'der', type: 'spki' });
              keys.set(createHash('sha256').update(key.export({ format: 'pem', type: 'spki' })).digest('hex'), key);
            }
            const trust = toTrustMaterial(TrustedRoot.fromJSON(json), (hint) => {
              if (!keys.has(hint)) throw new Error(`no key ${hint} in the trusted root`);
              return { publicKey: keys.get(hint), validFor: () => true };
            });
            const exactly = (text) => `^${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`;
            for (const file of process.argv.slice(2)) {
              const bundle = JSON.parse(readFileSync(file, 'utf8'));
              const named = 'certificate' in bundle.verificationMaterial;
              const one = named ? 1 : 0;
              const verifier = new Verifier(trust, { tlogThreshold: one, ctlogThreshold: one, timestampThreshold: 2 * one });
              verifier.verify(toSignedEntity(bundleFromJSON(bundle)), named ? POLICY : undefined);
              console.log(`verified ${file}`);
            }
            """.Replace(
            "POLICY",
            identity is var (subject, issuer)
                ? $"{{ subjectAlternativeName: exactly({JsonSerializer.Serialize(subject)}), extensions: {{ issuer: {JsonSerializer.Serialize(issuer)} }} }}"
                : "undefined",
            StringComparison.Ordinal
        );

    private static string OpenSsl(SignerIdentity? identity) =>
        identity is null
            ? ""
            : """
                ## The timestamp, with OpenSSL

                ```sh openssl
                jq -r '.verificationMaterial.timestampVerificationData.rfc3161Timestamps[0].signedTimestamp' bundle.json | base64 -d > time.tsr
                jq -r '.dsseEnvelope.signatures[0].sig' bundle.json | base64 -d > signature
                jq -r '.timestampAuthorities[].certChain.certificates[].rawBytes' trusted_root.json | while read -r c; do
                  echo "$c" | base64 -d | openssl x509 -inform der; done > tsa.pem
                openssl ts -verify -in time.tsr -data signature -CAfile tsa.pem
                ```


                """;

    private static string ModelSigning(SignerIdentity? identity) =>
        identity is var (subject, issuer)
            ? $"model_signing verify sigstore model/ --signature bundle.json --trust_config client_trust_config.json \\\n  --identity {Quoted(subject)} --identity_provider {Quoted(issuer)} --no-ignore-git-paths"
            : $"{KeyFile}\nmodel_signing verify key model/ --signature bundle.json --public_key key.pem --no-ignore-git-paths";

    private static string Cosign(SignerIdentity? identity, string root)
    {
        const string attestations =
            "for t in https://cyclonedx.org/bom=sbom https://slsa.dev/provenance/v1=provenance; do\n"
            + "  cosign verify-blob-attestation --bundle \"attestations/${t#*=}.json\" --key key.pem --insecure-ignore-tlog \\\n"
            + "    --type \"${t%%=*}\" --digest ROOT --digestAlg sha256; done";
        var model = "https://model_signing/signature/v1.0";
        var signature = identity is var (subject, issuer)
            ? $"cosign verify-blob-attestation --bundle bundle.json --trusted-root trusted_root.json \\\n  --certificate-identity {Quoted(subject)} --certificate-oidc-issuer {Quoted(issuer)} \\\n  --type {model} --digest {root} --digestAlg sha256"
            : $"cosign verify-blob-attestation --bundle bundle.json --key key.pem --insecure-ignore-tlog \\\n  --type {model} --digest {root} --digestAlg sha256";
        return $"{KeyFile}\n{signature}\n{attestations.Replace("ROOT", root, StringComparison.Ordinal)}";
    }

    private const string KeyFile =
        "jq -r '.tlogs[] | select(.baseUrl | endswith(\"/.well-known/governance/keys.pem\")).publicKey.rawBytes' trusted_root.json |\n"
        + "  tail -n 1 | base64 -d | openssl pkey -pubin -inform der > key.pem";

    // For a shell. Addresses are ASCII; a quote in one ends the text, stands alone, and begins it again.
    private static string Quoted(string text) => $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
