#!/usr/bin/env python3
"""Verifies what Governance signs and logs, offline, from files alone and without any of its code.

Needs Python 3.10 and cryptography 38 or later (Debian: python3-cryptography). The formats: docs/reference/log-format.md. Ends
with 0 when everything held, 1 when a check did not (it is named), 2 when an input cannot be used. Times come from what is
verified, never from this machine, except where a key signed without any: then the key must be valid now.
"""

import argparse, base64, contextlib, datetime, hashlib, io, json, os, re, stat, sys, warnings, zipfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID

warnings.simplefilter("ignore")

UTC, P256, HEX = datetime.timezone.utc, "PKIX_ECDSA_P256_SHA_256", "[0-9a-f]{64}"
KEYS_PATH, IN_TOTO = "/.well-known/governance/keys.pem", "application/vnd.in-toto+json"
MODEL_TYPE, PROMOTION_TYPE = "https://model_signing/signature/v1.0", "https://slsa.dev/verification_summary/v1"
MAX_FILE, MAX_KIT, MAX_PARTS = 64 << 20, 256 << 20, 500

class Refused(Exception):
    """A check that did not hold: its name, and what was found."""

def need(holds, check, message):
    if not holds:
        raise Refused(check, message)

@contextlib.contextmanager
def refusing(check, message):
    try:
        yield
    except Refused:
        raise
    except Exception as error:
        raise Refused(check, message) from error

def read(path):
    with open(path, "rb") as file:
        content = file.read(MAX_FILE + 1)
    if len(content) > MAX_FILE:
        raise ValueError(f"{path} is larger than {MAX_FILE} bytes")
    return content

def strict_json(data, check):
    """Strict JSON: no key twice, no NaN, valid UTF-8."""
    def unique(pairs):
        need(len(dict(pairs)) == len(pairs), check, "A key stands twice.")
        return dict(pairs)
    def constant(name):
        raise Refused(check, f"{name} is no number.")
    with refusing(check, "It is not strict JSON."):
        return json.loads(data.decode("utf-8"), object_pairs_hook=unique, parse_constant=constant)

def exactly(node, members, check):
    members = members.split()
    need(isinstance(node, dict) and set(node) == set(members), check, f"It must have exactly: {', '.join(members)}.")
    return [node[name] for name in members]

def text(node, check, form=r"(?s).*"):
    need(isinstance(node, str) and re.fullmatch(form, node), check, "A text or number is missing or malformed.")
    return node

def number(node, check):
    return int(text(node, check, "0|[1-9][0-9]{0,17}"))

def unbase64(node, check):
    with refusing(check, "It is not base64."):
        data = base64.b64decode(text(node, check), validate=True)
    need(base64.b64encode(data).decode() == node, check, "It is loose base64.")
    return data

def canonical(node):
    """RFC 8785 for what is canonical here: texts, whole numbers, and keys in ASCII."""
    return json.dumps(node, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")

def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()

def moment(node, check):
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,7}))?Z", text(node, check))
    with refusing(check, "A time is malformed."):
        whole = datetime.datetime.strptime(match[1], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
        return whole + datetime.timedelta(microseconds=int((match[2] or "0").ljust(6, "0")[:6]))

def ecdsa(spki, signature, message):
    """ECDSA P-256 with SHA-256 and a DER signature."""
    try:
        key = serialization.load_der_public_key(spki) if isinstance(spki, bytes) else spki
        key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
        return isinstance(key.curve, ec.SECP256R1)
    except Exception:  # of another kind, malformed, or simply wrong
        return False

def spki_of(key):
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

def window(node):
    start = moment(node["start"], "trusted_root")
    end = moment(node["end"], "trusted_root") if "end" in node else datetime.datetime.max.replace(tzinfo=UTC)
    return lambda at: start <= at <= end

class TrustedKey:
    def __init__(self, node):
        url, public = text(node["baseUrl"], "trusted_root"), node["publicKey"]
        self.spki = unbase64(public["rawBytes"], "trusted_root")
        self.kind = text(public["keyDetails"], "trusted_root")
        self.trusted_at = window(public["validFor"])
        self.id, self.name = sha256(self.spki), url.removeprefix("https://")
        self.signs = url.endswith(KEYS_PATH) and self.kind == P256
        lines = (base64.b64encode(self.spki[at : at + 48]) + b"\n" for at in range(0, len(self.spki), 48))
        self.hint = sha256(b"-----BEGIN PUBLIC KEY-----\n", *lines, b"-----END PUBLIC KEY-----\n").hex()
        typed = b"\x01" + self.spki[-32:]
        tail = f"{sha256(self.name.encode(), bytes([10]), typed)[:4].hex()}+{base64.b64encode(typed).decode()}"
        self.verifier_key = f"{self.name}+{tail}"

class Authority:
    def __init__(self, node):
        self.trusted_at = window(node["validFor"])
        self.chain = [unbase64(one["rawBytes"], "trusted_root") for one in node["certChain"]["certificates"]]
        need(self.chain, "trusted_root", "An authority has no certificate.")

class TrustedRoot:
    def __init__(self, data):
        node = strict_json(data, "trusted_root")
        with refusing("trusted_root", "The trusted root lacks a member."):
            kind = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
            need(node["mediaType"] == kind, "trusted_root", "It is no trusted root v0.1.")
            keys = [TrustedKey(one) for one in node["tlogs"]]
            self.signing = [key for key in keys if key.signs]
            self.logs = [key for key in keys if key.kind == "PKIX_ED25519"]
            self.signature_logs = [key for key in keys if key.kind == P256 and not key.signs]
            self.certificate_logs = [TrustedKey(one) for one in node.get("ctlogs", [])]
            self.issuers = [Authority(one) for one in node.get("certificateAuthorities", [])]
            self.timestampers = [Authority(one) for one in node.get("timestampAuthorities", [])]

def find(keys, check, **wanted):
    for key in keys:
        if all(getattr(key, name) == value for name, value in wanted.items()):
            return key
    raise Refused(check, "The trusted root does not list it.")

def root_of_path(index, size, leaf, path):
    """RFC 6962 2.1.1: the root that an audit path leads to; None when it has another length."""
    inner = (index ^ (size - 1)).bit_length()
    if not 0 <= index < size or len(path) != inner + bin(index >> inner).count("1"):
        return None
    for level, sibling in enumerate(path):
        right = level >= inner or (index >> level) & 1
        leaf = sha256(b"\x01", sibling, leaf) if right else sha256(b"\x01", leaf, sibling)
    return leaf

class Tree:
    """The right edge of a growing tree."""
    def __init__(self):
        self.size, self.edge = 0, []
    def append(self, leaf):
        size = self.size
        while size & 1:
            leaf, size = sha256(b"\x01", self.edge.pop(), leaf), size >> 1
        self.edge.append(leaf)
        self.size += 1
    def root(self):
        value = self.edge[-1] if self.edge else sha256()
        for left in reversed(self.edge[:-1]):
            value = sha256(b"\x01", left, value)
        return value

def open_note(note, check):
    """C2SP signed-note with a checkpoint: its text, origin, size, root, and [(name, key hash, signature)]."""
    need(len(text(note, check)) <= 1 << 16 and note.endswith("\n") and "\n\n" in note, check, "The note is malformed.")
    at = note.rindex("\n\n") + 1
    signatures = []
    for line in note[at + 1 :].split("\n")[:-1]:
        match = re.fullmatch("\u2014 ([^ +]+) ([A-Za-z0-9+/=]+)", line)
        need(match, check, "A signature line is malformed.")
        value = unbase64(match[2], check)
        signatures.append((match[1], value[:4], value[4:]))
    need(1 <= len(signatures) <= 16, check, "A note has 1 to 16 signatures.")
    origin, size, root, *_ = note[:at].split("\n") + [""] * 3
    need(len(unbase64(root, check)) == 32, check, "The root hash has another length.")
    return note[:at], origin, number(size, check), unbase64(root, check), signatures

def signed_by(body, signatures, name, raw, kind):
    """Whether the one line of this Ed25519 key holds, as a log's (1) or a witness's (4); None when there is none."""
    wanted = sha256(name.encode(), b"\n", bytes([kind]), raw)[:4]
    mine = [value for found, hint, value in signatures if found == name and hint == wanted]
    if len(mine) != 1:
        return False if mine else None
    # cosignature/v1: eight bytes of time before the signature.
    time, signature = (mine[0][:8], mine[0][8:]) if kind == 4 else (b"", mine[0])
    message = b"cosignature/v1\ntime %d\n" % int.from_bytes(time, "big") if kind == 4 else b""
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(raw).verify(signature, message + body.encode())
        return True
    except Exception:
        return False

def open_checkpoint(note, root, trust):
    """Log, size, root and number of witnesses of a checkpoint of the audit log."""
    body, origin, size, tree_root, signatures = open_note(note, "checkpoint")
    log = find(root.logs, "checkpoint", name=origin)
    need(signed_by(body, signatures, log.name, log.spki[-32:], 1), "checkpoint", "The log did not sign it.")
    held = [signed_by(body, signatures, name, raw, 4) for name, raw in trust.witnesses]
    need(False not in held, "cosignature", "A cosignature does not hold.")
    need(held.count(True) >= trust.quorum, "cosignature", f"{held.count(True)} of {trust.quorum} witnesses cosigned.")
    return log, size, tree_root, held.count(True)

def witness_key(verifier_key):
    """name+hash+base64(0x04 || key)"""
    name, hint, encoded = (verifier_key + "++").split("+", 2)
    key = base64.b64decode(encoded.removesuffix("++"), validate=True)
    if len(key) != 33 or key[0] != 4 or sha256(name.encode(), b"\n", key)[:4].hex() != hint:
        raise ValueError("a witness is given as name+hash+key, key type 4")
    return name, key[1:]

def der(data):
    """[(tag, content, whole)] of everything that is encoded one after another."""
    items, at = [], 0
    while at < len(data):
        tag, length, begin = data[at], data[at + 1], at + 2
        if length >= 0x80:
            begin += length & 0x7F
            length = int.from_bytes(data[at + 2 : begin], "big")
        if begin + length > len(data):
            raise ValueError("cut off")
        items.append((tag, data[begin : begin + length], data[at : begin + length]))
        at = begin + length
    return items

TST, SIGNING_CERTIFICATE = bytes.fromhex("060b2a864886f70d0109100104"), bytes.fromhex("060b2a864886f70d010910022f")
CONTENT_TYPE, MESSAGE_DIGEST = bytes.fromhex("06092a864886f70d010903"), bytes.fromhex("06092a864886f70d010904")
SHA256 = bytes.fromhex("0609608648016503040201")

def load_certificate(data, check):
    with refusing(check, "A certificate cannot be read."):
        certificate = x509.load_der_x509_certificate(data)
        _ = certificate.extensions, certificate.public_key()
        return certificate

def extension(certificate, kind):
    return next((one.value for one in certificate.extensions if isinstance(one.value, kind)), None)

def check_chain(leaf, chain, usage, at, check):
    """The leaf was issued by the first of the chain, each by the next, the last by itself; all valid at that time."""
    path = [leaf] + [load_certificate(one, check) for one in chain]
    for depth, (one, issuer) in enumerate(zip(path, path[1:] + path[-1:])):
        begin, end = one.not_valid_before.replace(tzinfo=UTC), one.not_valid_after.replace(tzinfo=UTC)
        need(begin <= at <= end, check, "A certificate was not valid at that time.")
        holds = one.issuer == issuer.subject and ecdsa(issuer.public_key(), one.signature, one.tbs_certificate_bytes)
        need(holds, check, "A certificate was not issued by the next one of the chain.")
        usages = extension(one, x509.ExtendedKeyUsage)
        need((usages is None and depth > 0) or usage in (usages or ()), check, "A certificate is for another use.")
        if depth > 0:
            basic, keys = extension(one, x509.BasicConstraints), extension(one, x509.KeyUsage)
            need(basic and basic.ca and keys and keys.key_cert_sign, check, "A certificate of the chain is no authority.")
            need(basic.path_length is None or basic.path_length >= depth - 1, check, "The chain is longer than allowed.")

def check_timestamp(response, signature, root):
    """RFC 3161 over the raw signature; the time."""
    check = "timestamp"
    with refusing(check, "The timestamp is malformed."):
        [(_, body, whole)] = der(response)
        (_, status, _), (_, content, _) = der(body)
        need(whole == response and status == b"\x02\x01\x00", check, "The response is not a granted one.")
        signed_data = der(der(der(content)[1][1])[0][1])
        kind, (_, octets, _) = der(signed_data[2][1])
        info = der(octets)[0][1]
        [(_, signer, _)] = der(signed_data[-1][1])
        [attributes] = [part for part in der(signer) if part[0] == 0xA0]
        value = der(signer)[-1][1]
        _, _, (_, imprint, _), _, (_, generated, _) = der(der(info)[0][1])[:5]
        (_, algorithm, _), (_, hashed, _) = der(imprint)
        found = {der(one)[0][2]: der(der(one)[1][1])[0] for _, one, _ in der(attributes[1])}
        named = der(der(der(found[SIGNING_CERTIFICATE][1])[0][1])[0][1])[0][1]
        at = datetime.datetime.strptime(generated.decode("ascii"), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
        need(der(algorithm)[0][2] == SHA256 and hashed == sha256(signature), check, "It is over something else.")
    need(kind[2] == TST and found[CONTENT_TYPE][2] == TST, check, "The token holds no timestamp.")
    need(found[MESSAGE_DIGEST][1] == sha256(info), check, "The signed digest is another.")
    for authority in root.timestampers:
        leaf = load_certificate(authority.chain[0], check)
        if named == sha256(authority.chain[0]) and ecdsa(leaf.public_key(), value, b"\x31" + attributes[2][1:]):
            need(authority.trusted_at(at), "timestamp_window", "The authority was not trusted at that time.")
            check_chain(leaf, authority.chain[1:], ExtendedKeyUsageOID.TIME_STAMPING, at, check)
            return at
    raise Refused(check, "No timestamp authority of the trusted root signed the timestamp.")

def check_stamp(node, signature, root):
    [stamps] = exactly(node, "rfc3161Timestamps", "timestamp")
    need(isinstance(stamps, list) and len(stamps) == 1, "timestamp", "There must be one timestamp.")
    return check_timestamp(unbase64(exactly(stamps[0], "signedTimestamp", "timestamp")[0], "timestamp"), signature, root)

def check_sct(certificate, issuer, root):
    found = list(extension(certificate, x509.PrecertificateSignedCertificateTimestamps) or [])
    need(len(found) == 1, "sct", "There must be exactly one certificate timestamp.")
    sct, log = found[0], find(root.certificate_logs, "sct", id=found[0].log_id)
    need(log.trusted_at(sct.timestamp.replace(tzinfo=UTC)), "sct_window", "That log was not trusted at that time.")
    since, body = (sct.timestamp - datetime.datetime(1970, 1, 1)) // datetime.timedelta(milliseconds=1), certificate.tbs_precertificate_bytes
    signed = b"\x00\x00" + since.to_bytes(8, "big") + b"\x00\x01" + sha256(spki_of(issuer.public_key()))
    signed += len(body).to_bytes(3, "big") + body + b"\x00\x00"
    need(ecdsa(log.spki, sct.signature, signed), "sct", "The log of certificates did not sign this certificate.")

def check_certificate(certificate, times, root):
    """Whom the certificate names, and who vouched for that."""
    usage, basic = extension(certificate, x509.KeyUsage), extension(certificate, x509.BasicConstraints)
    need(usage and usage.digital_signature and not (basic and basic.ca), "certificate", "The certificate is not one for signing.")
    with refusing("identity", "The certificate does not name one identity and one issuer."):
        [name] = extension(certificate, x509.SubjectAlternativeName)
        [vouched] = [e.value.value for e in certificate.extensions if e.oid.dotted_string == "1.3.6.1.4.1.57264.1.8"]
        [(tag, issuer, _)] = der(vouched)
        identity = name.value, issuer.decode("utf-8")
        address = tag == 0x0C and isinstance(name, (x509.UniformResourceIdentifier, x509.RFC822Name))
        need(address, "identity", "The certificate does not name an address.")
    end = certificate.not_valid_after.replace(tzinfo=UTC)
    need(all(at < end for at in times), "certificate_window", "The certificate had expired when it signed.")
    last = Refused("chain", "No authority of the trusted root issued the certificate.")
    for authority in root.issuers:
        try:
            for at in times:
                check_chain(certificate, authority.chain, ExtendedKeyUsageOID.CODE_SIGNING, at, "chain")
        except Refused as refused:
            last = refused
            continue
        need(all(authority.trusted_at(at) for at in times), "authority_window", "The certificate authority was not trusted at that time.")
        check_sct(certificate, load_certificate(authority.chain[0], "chain"), root)
        return identity
    raise last

def check_log_entry(entry, envelope, payload, signature, pem, root):
    """The entry of the signature log in the dialect of Rekor v1; its time."""
    check = "log_entry"
    members = "logIndex logId kindVersion integratedTime inclusionPromise inclusionProof canonicalizedBody"
    index, log_id, kind, seconds, promise, proof, encoded = exactly(entry, members, check)
    need(kind == {"kind": "dsse", "version": "0.0.1"}, check, "The entry is not of kind dsse 0.0.1.")
    index, seconds, body = number(index, check), number(seconds, check), unbase64(encoded, check)
    log = find(root.signature_logs, check, id=unbase64(exactly(log_id, "keyId", check)[0], check))
    at = datetime.datetime.fromtimestamp(min(seconds, 253402300799), UTC)
    need(log.trusted_at(at), "log_window", "The log was not trusted at that time.")
    digest = lambda data: {"algorithm": "sha256", "value": sha256(data).hex()}
    signer = {"signature": base64.b64encode(signature).decode(), "verifier": base64.b64encode(pem).decode()}
    spec = {"envelopeHash": digest(canonical(envelope)), "payloadHash": digest(payload), "signatures": [signer]}
    need(body == canonical({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec}), "log_body", "The entry is about another signature.")
    signed = canonical({"body": encoded, "integratedTime": seconds, "logID": log.id.hex(), "logIndex": index})
    promised = unbase64(exactly(promise, "signedEntryTimestamp", check)[0], check)
    need(ecdsa(log.spki, promised, signed), "promise", "The log did not promise this entry.")
    again, root_hash, size, path, note = exactly(proof, "logIndex rootHash treeSize hashes checkpoint", check)
    need(number(again, check) == index, check, "The proof has another index.")
    [note] = exactly(note, "envelope", "log_checkpoint")
    text_body, origin, tree_size, tree_root, lines = open_note(note, "log_checkpoint")
    tree = int.from_bytes(log.id[:8], "big") & ((1 << 63) - 1)
    mine = len(lines) == 1 and lines[0][:2] == (log.name, log.id[:4]) and origin == f"{log.name} - {tree}"
    mine = mine and text_body.count("\n") == 3 and ecdsa(log.spki, lines[0][2], text_body.encode())
    need(mine, "log_checkpoint", "The log did not sign the checkpoint, or not alone.")
    same = number(size, check) == tree_size and unbase64(root_hash, check) == tree_root
    need(same and isinstance(path, list), "log_inclusion", "The proof is for another checkpoint.")
    led = root_of_path(index, tree_size, sha256(b"\x00", body), [unbase64(one, "log_inclusion") for one in path])
    need(led == tree_root, "log_inclusion", "The entry is not in the tree.")
    return at

def open_bundle(data, root, at=None):
    """Statement, signer and payload of a Sigstore bundle; a bare key must have been valid at that time, or now."""
    node = strict_json(data, "bundle") if isinstance(data, bytes) else data
    kind, material, envelope = exactly(node, "mediaType verificationMaterial dsseEnvelope", "bundle")
    need(kind == "application/vnd.dev.sigstore.bundle.v0.3+json", "bundle", "It is no bundle v0.3.")
    payload, payload_type, signatures = exactly(envelope, "payload payloadType signatures", "envelope")
    need(payload_type == IN_TOTO, "envelope", "The payload is no in-toto statement.")
    need(isinstance(signatures, list) and len(signatures) == 1, "envelope", "There must be one signature.")
    [signature] = exactly(signatures[0], "sig", "envelope")
    payload, signature, signer = unbase64(payload, "envelope"), unbase64(signature, "envelope"), None
    if isinstance(material, dict) and "publicKey" in material:
        members = "publicKey tlogEntries" + " timestampVerificationData" * (len(material) > 2)
        public, entries, *stamped = exactly(material, members, "bundle")
        need(entries == [], "bundle", "A bundle signed by a key has no log entry.")
        [hint] = exactly(public, "hint", "bundle")
        spki, who = (signer := find(root.signing, "key", hint=hint)).spki, f"key {hint[:16]}"
    else:
        certificate, entries, stamps = exactly(material, "certificate tlogEntries timestampVerificationData", "bundle")
        raw = unbase64(exactly(certificate, "rawBytes", "bundle")[0], "certificate")
        need(isinstance(entries, list) and len(entries) == 1, "log_entry", "There must be one log entry.")
        times = [check_stamp(stamps, signature, root)]
        leaf = load_certificate(raw, "certificate")
        need(leaf.public_bytes(serialization.Encoding.DER) == raw, "certificate", "Something follows the certificate.")
        pem = leaf.public_bytes(serialization.Encoding.PEM)
        times.append(check_log_entry(entries[0], envelope, payload, signature, pem, root))
        spki, who = spki_of(leaf.public_key()), check_certificate(leaf, times, root)
    message = b"DSSEv1 %d %s %d " % (len(IN_TOTO), IN_TOTO.encode(), len(payload)) + payload
    need(ecdsa(spki, signature, message), "signature", "The signature does not belong to this payload and key.")
    if signer:
        at = check_stamp(stamped[0], signature, root) if stamped else at or datetime.datetime.now(UTC)
        need(signer.trusted_at(at), "key_window", "The key was not trusted at that time.")
    statement = strict_json(payload, "statement")
    kind, subjects, _, predicate = exactly(statement, "_type subject predicateType predicate", "statement")
    typed = kind == "https://in-toto.io/Statement/v1" and isinstance(predicate, dict) and isinstance(subjects, list)
    digests = typed and subjects and all(isinstance(s, dict) and isinstance(s.get("digest"), dict) for s in subjects)
    need(digests, "statement", "It is no in-toto statement v1.")
    return statement, who, payload

def check_signer(who, trust):
    if isinstance(who, str):
        need(not trust.identity and not trust.issuer, "identity", "A key signed, which names nobody.")
        return f"signed by {who}"
    need(trust.identity in (None, who[0]), "identity", f"{who[0]} signed, not who was asked for.")
    need(trust.issuer in (None, who[1]), "identity", f"{who[1]} vouched for it, not who was asked for.")
    return f"signed for {who[0]}, vouched for by {who[1]}"

def signed_files(statement):
    """OpenSSF Model Signing v1.0: {path: sha256 in hex}."""
    check = "model_statement"
    need(statement["predicateType"] == MODEL_TYPE, check, "It is no signature of a model.")
    how, resources = exactly(statement["predicate"], "serialization resources", check)
    wanted = {"method": "files", "hash_type": "sha256", "allow_symlinks": False, "ignore_paths": []}
    need(how == wanted, check, "It must cover whole files, follow no links and ignore nothing.")
    need(isinstance(resources, list) and resources, check, "It covers no file.")
    files, folded, digests = {}, set(), b""
    for resource in resources:
        name, algorithm, digest = exactly(resource, "name algorithm digest", check)
        need("\\" not in text(name, check) and all(part not in ("", ".", "..") for part in name.split("/")), check, "A path is not allowed.")
        need(algorithm == "sha256" and text(digest, check, HEX), check, "A digest is not a sha256.")
        need(name.casefold() not in folded, check, f"{name} stands twice.")
        folded.add(name.casefold())
        files[name], digests = digest, digests + bytes.fromhex(digest)
    need([one["digest"] for one in statement["subject"]] == [{"sha256": sha256(digests).hex()}], check, "The subject is not the root of the files.")
    return files

def files_of(folder, left_out=None):
    """{path: (size, sha256)} of a folder without links or anything else that is no plain file."""
    found = {}
    for where, folders, names in os.walk(folder):
        for path in (os.path.join(where, name) for name in folders + names):
            mode, relative = os.lstat(path).st_mode, os.path.relpath(path, folder).replace(os.sep, "/")
            need(stat.S_ISREG(mode) or stat.S_ISDIR(mode), "files", f"{relative} is a link, or no plain file.")
            if stat.S_ISDIR(mode) or (left_out and os.path.samefile(path, left_out)):
                continue
            digest = hashlib.sha256()
            with open(path, "rb") as file:
                while chunk := file.read(1 << 20):
                    digest.update(chunk)
                found[relative] = (file.tell(), digest.hexdigest())
    return found

def compare_files(signed, there):
    for name in {**signed, **there}:
        need(name in there, "files", f"{name} is missing.")
        need(name in signed, "files", f"{name} is not signed.")
        need(there[name][1] == signed[name], "files", f"{name} was changed.")

def verify_receipt(data, root, trust):
    """Statement, entry, salt, inclusion, checkpoint; what was found."""
    check = "receipt"
    node = strict_json(data, check)
    statement, recorded, salt, proof, verifier_key = exactly(node, "statement entry salt inclusionProof verifierKey", check)
    recorded, salt = text(recorded, check), unbase64(salt, check)
    entry = strict_json(recorded.encode("utf-8", "surrogatepass"), check)
    need(isinstance(entry, dict) and isinstance(entry.get("details"), dict) and len(salt) == 32, check, "Entry or salt is malformed.")
    at = moment(entry.get("at"), check)
    log = find(root.logs, "log", verifier_key=verifier_key)
    need(log.trusted_at(at), "log_window", "The log's key was not trusted at that time.")
    index, leaf_hash, path, note = exactly(proof, "leafIndex leafHash hashes checkpoint", "inclusion")
    signed, size, tree_root, seen = open_checkpoint(note, root, trust)
    need(signed is log, "log", "The checkpoint is of another log.")
    leaf = sha256(b"\x00", sha256(salt, recorded.encode("utf-8", "surrogatepass")))
    need(leaf.hex() == leaf_hash, "entry", "Entry and salt are not those of the leaf.")
    need(type(index) is int and isinstance(path, list), "inclusion", "The proof is malformed.")
    led = root_of_path(index, size, leaf, [bytes.fromhex(text(one, "inclusion", HEX)) for one in path])
    need(led == tree_root, "inclusion", "The entry is not in the tree.")
    opened, who, payload = open_bundle(statement, root, at)
    named = entry["details"].get("statementSha256") == sha256(payload).hex()
    need(named and entry.get("kind") in ("promotion.carried_out", "evidence.produced"), "binding", "The entry records another statement.")
    return opened, statement, f"entry {index} ({entry['kind']}, {entry['at']}), {who}, witnesses: {seen}"

def tile_name(index):
    groups = [f"{index % 1000:03d}"]
    while index := index // 1000:
        groups.insert(0, f"x{index % 1000:03d}")
    return "/".join(groups)

def verify_log(folder, root, kept, trust):
    """Rebuilds the tree from the leaf hashes and compares it with every checkpoint."""
    notes = [read(path).decode("utf-8", "replace") for path in [os.path.join(folder, "checkpoint"), *kept]]
    log, size, tree_root, seen = open_checkpoint(notes[0], root, trust)
    roots = {size: tree_root}
    for note in notes[1:]:
        older, old_size, old_root, _ = open_checkpoint(note, root, argparse.Namespace(witnesses=(), quorum=0))
        need(older.name == log.name, "checkpoint", "A kept checkpoint is of another log.")
        need(old_size <= size, "shrunk", "The log is smaller than a checkpoint that it signed before.")
        need(roots.setdefault(old_size, old_root) == old_root, "fork", "Two checkpoints of one size differ.")
    tree = Tree()
    for at in range(size + 1):
        if at in roots:
            check = "root" if at == size else "consistency"
            need(tree.root() == roots[at], check, f"The leaves do not lead to the signed root of size {at}.")
        if at % 256 == 0 and at < size:
            width = min(256, size - at)
            whole = os.path.join(folder, "tile", "0", tile_name(at // 256))
            tile = read(whole if width == 256 or os.path.isfile(whole) else f"{whole}.p/{width}")
            need(len(tile) in (32 * width, 8192), "tile", f"Tile {at // 256} has another length.")
        if at < size:
            tree.append(tile[32 * (at % 256) : 32 * (at % 256) + 32])
    return f"{size} entries, {len(kept)} kept checkpoints, witnesses: {seen}"

def kit_parts(data):
    names = r"(VERIFY\.md|checkpoint|(bundle|manifest|sbom\.cdx|trusted_root|client_trust_config|(attestations|receipts)/[0-9a-z-]{1,64})\.json)"
    with refusing("kit", "The kit is no readable archive."):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts, left = {}, MAX_KIT
            need(len(archive.infolist()) <= MAX_PARTS, "kit", "The kit has too many parts.")
            for info in archive.infolist():
                need(re.fullmatch(names, info.filename) and info.filename not in parts, "kit", "A part is unknown, or stands twice.")
                with archive.open(info) as file:
                    content = file.read(min(MAX_FILE, left) + 1)
                need(len(content) <= min(MAX_FILE, left), "kit", "The kit is too large.")
                parts[info.filename], left = content, left - len(content)
            return parts

def verify_kit(data, root, folder, trust):
    parts = kit_parts(data)
    for name in ("bundle.json", "manifest.json", "checkpoint"):
        need(name in parts, "kit", f"The kit has no {name}.")
    listed, files = strict_json(parts["manifest.json"], "manifest"), {}
    for one in listed if isinstance(listed, list) else []:
        path, digest, size = exactly(one, "path sha256 size", "manifest")
        files[text(path, "manifest")] = (size, digest)
    need(canonical(listed) == parts["manifest.json"] and len(files) == len(listed), "manifest", "The list of files is not in its one form.")
    statement, who, _ = open_bundle(parts["bundle.json"], root)
    yield check_signer(who, trust)
    compare_files(signed_files(statement), files)
    if folder is not None:
        there = files_of(folder)
        compare_files({name: digest for name, (_, digest) in files.items()}, there)
        need(there == files, "files", "A file has another size.")
    ids = [sorted(name.split("/")[1] for name in parts if name.startswith(kind)) for kind in ("attestations/", "receipts/")]
    need(ids[0] == ids[1], "kit", "An attestation has no receipt, or a receipt no attestation.")
    need("sbom.cdx.json" not in parts or "sbom.json" in ids[0], "sbom", "The bill of materials is not attested.")
    manifest, version, trained = sha256(parts["manifest.json"]).hex(), None, set()
    for name in ids[0]:
        stated, bundle, what = verify_receipt(parts[f"receipts/{name}"], root, trust)
        need(bundle == strict_json(parts[f"attestations/{name}"], "attestation"), "attestation", f"{name} is another statement than its receipt's.")
        about = [(one.get("name"), one["digest"].get("sha256")) for one in stated["subject"]]
        need(about[0][1] == manifest and version in (None, about[0][0]), "subject", f"{name} is about another version.")
        version = about[0][0]
        if stated["predicateType"] != PROMOTION_TYPE:
            missing = {(path, digest) for path, (_, digest) in files.items()} - set(about)
            need(not missing, "subject", f"{name} leaves a file out.")
            trained |= {digest for path, digest in about if path == f"{version}#evidence-subject"}
        if name == "sbom.json" and "sbom.cdx.json" in parts:
            need(strict_json(parts["sbom.cdx.json"], "sbom") == stated["predicate"], "sbom", "The bill of materials is not the attested one.")
        yield f"{name}: {stated['predicateType']}, {what}"
    need(len(trained) <= 1, "subject", "The attestations are about different training data.")
    _, size, _, seen = open_checkpoint(parts["checkpoint"].decode("utf-8", "replace"), root, trust)
    yield f"checkpoint of {size} entries, witnesses: {seen}"
    yield "files compared" if folder is not None else "no files compared: give --artifacts"

def run(given):
    trust = argparse.Namespace(identity=given.identity, issuer=given.issuer, quorum=given.witnesses)
    trust.witnesses = [witness_key(one) for one in given.witness]
    root = TrustedRoot(read(given.trusted_root))
    if given.what == "receipt":
        yield verify_receipt(read(given.path), root, trust)[2]
    elif given.what == "attestation":
        statement, who, _ = open_bundle(read(given.path), root)
        yield f"{statement['predicateType']}, {check_signer(who, trust)}"
    elif given.what == "log":
        yield verify_log(given.path, root, given.kept, trust)
    elif given.what == "kit":
        yield from verify_kit(read(given.path), root, given.artifacts, trust)
    elif not given.bundle or not os.path.isdir(given.path):
        raise ValueError("a model is a folder with its --bundle")
    else:
        statement, who, _ = open_bundle(read(given.bundle), root)
        yield check_signer(who, trust)
        files = signed_files(statement)
        compare_files(files, files_of(given.path, given.bundle))
        yield f"{len(files)} files, no other and none changed"

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["receipt", "attestation", "model", "log", "kit"])
    parser.add_argument("path", help="JSON file, model folder, folder with checkpoint and tile/, or zip")
    parser.add_argument("--trusted-root", metavar="FILE", required=True, help="trusted_root.json, over a channel that you trust")
    parser.add_argument("--bundle", metavar="FILE", help="signature of a model")
    parser.add_argument("--identity", metavar="NAME", help="who must have signed")
    parser.add_argument("--issuer", metavar="URL", help="who must have vouched for that")
    parser.add_argument("--artifacts", metavar="DIR", help="the files that a kit is about")
    parser.add_argument("--kept", metavar="FILE", action="append", default=[], help="checkpoint that you kept of a log")
    parser.add_argument("--witness", metavar="KEY", action="append", default=[], help="verifier key of a witness")
    parser.add_argument("--witnesses", metavar="N", type=int, default=0, help="how many of them must have cosigned")
    code, message = 0, "verified"
    try:
        for line in run(parser.parse_args()):
            print("ok ", line.encode("ascii", "backslashreplace").decode())
    except Refused as refused:
        code, message = 1, "NOT verified: {}: {}".format(*refused.args)
    except Exception as error:
        code, message = 2, f"unusable: {error}"
    print(message.encode("ascii", "backslashreplace").decode(), file=sys.stderr if code else sys.stdout)
    return code

if __name__ == "__main__":
    sys.exit(main())
