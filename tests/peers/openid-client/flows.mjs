// Usage: node flows.mjs SETTINGS.json
// The stock client openid-client, with jose for tokens and undici for connections, against a running gateway: every flow that
// the authorization server offers, and what it must refuse. Prints a line for each; ends with 1 when one of them is wrong.
import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import fs from 'node:fs';
import * as jose from 'jose';
import * as client from 'openid-client';
import { Agent, fetch as fetchBy } from 'undici';
import { Browser } from './browser.mjs';

const settings = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const issuer = new URL(settings.issuer);
const api = (path, origin = issuer) => new URL(path, origin);
const whoAmI = api('/api/v1/whoami');
const redirectUri = 'http://127.0.0.1:7777/callback';
const scope = 'openid offline_access';
const ca = fs.readFileSync(settings.ca);
const nonces = { asked: 0 };

const through = (options) => {
  const dispatcher = new Agent({ connect: { ca, ...options } });
  return async (url, init) => {
    const answer = await fetchBy(url, { ...init, dispatcher });
    nonces.asked += /use_dpop_nonce/.test(answer.headers.get('www-authenticate') ?? '') ? 1 : 0;
    if (answer.status === 400 && /json/.test(answer.headers.get('content-type') ?? '')) {
      nonces.asked += (await answer.clone().json()).error === 'use_dpop_nonce' ? 1 : 0;
    }
    return answer;
  };
};
const plain = through({});
const pair = (name) => ({
  cert: fs.readFileSync(settings[name].certificate),
  key: fs.readFileSync(settings[name].key),
});

async function configure(clientId, authentication, { fetch = plain, ...metadata } = {}) {
  const config = await client.discovery(
    issuer,
    clientId,
    { id_token_signed_response_alg: 'ES256', ...metadata },
    authentication,
    { [client.customFetch]: fetch },
  );
  client.enableNonRepudiationChecks(config); // verify the signature of ID tokens, too
  return config;
}

// Administration, as an administrator's script does it.
async function register(clientId, authentication, binding) {
  const answer = await plain(api('/api/v1/services'), {
    method: 'POST',
    headers: { authorization: `Bearer ${settings.admin}`, 'content-type': 'application/json' },
    body: JSON.stringify({ clientId, grants: [], authentication, binding }),
  });
  assert.equal(answer.status, 201, await answer.clone().text());
  return answer.json();
}

// The error is in the body, or in the challenge where there is one.
const refused = (error, status) => (problem) => {
  assert.equal(problem.error ?? problem.cause?.[0]?.parameters?.error, error, problem.stack);
  if (status) {
    assert.equal(problem.status, status);
  }
  return true;
};
const statusOf = async (token, fetch = plain, address = whoAmI) =>
  (await fetch(address, { headers: { authorization: `Bearer ${token}` } })).status;
// What is revoked ends within five seconds.
async function ended(token) {
  for (let tries = 0; tries < 24 && (await statusOf(token)) !== 401; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  assert.equal(await statusOf(token), 401);
}
const newBrowser = () => new Browser(issuer.origin, plain);
const signIn = async (browser, address) =>
  (await browser.signIn(address, settings.user, settings.password)).left ?? assert.fail('The browser did not come back.');

// A code, whose request is pushed before, and what is needed to use it.
async function code(config, { parameters = {}, options } = {}) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const checks = { pkceCodeVerifier, expectedState: client.randomState(), expectedNonce: client.randomNonce() };
  const request = {
    redirect_uri: redirectUri,
    scope,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    ...parameters,
  };
  const address = await client.buildAuthorizationUrlWithPAR(config, request, options);
  return { address, checks, back: await signIn(newBrowser(), address) };
}

const verify = (token) =>
  jose.jwtVerify(
    token,
    jose.createRemoteJWKSet(new URL(app.serverMetadata().jwks_uri), { [jose.customFetch]: plain }),
    { issuer: app.serverMetadata().issuer, audience: 'governance', typ: 'at+jwt', algorithms: ['ES256'] },
  );

const app = await configure('governance-cli', client.None());
const flows = {
  'discovery says what is served': () => {
    const server = app.serverMetadata();
    assert.deepEqual(server.code_challenge_methods_supported, ['S256']);
    assert.deepEqual(server.response_types_supported, ['code']);
    assert.ok(server.authorization_response_iss_parameter_supported);
    assert.ok(server.tls_client_certificate_bound_access_tokens);
    assert.deepEqual(server.dpop_signing_alg_values_supported, ['ES256', 'ES384', 'PS256']);
    for (const grant of ['authorization_code', 'client_credentials', 'refresh_token']) {
      assert.ok(server.grant_types_supported.includes(grant), grant);
    }
    for (const method of ['client_secret_basic', 'private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth']) {
      assert.ok(server.token_endpoint_auth_methods_supported.includes(method), method);
    }
    assert.equal(new URL(server.mtls_endpoint_aliases.token_endpoint).origin, settings.mutual);
  },

  'a code with PKCE gives tokens that the API and jose accept': async () => {
    const { back, checks } = await code(app);
    const tokens = await client.authorizationCodeGrant(app, back, checks);
    assert.equal(tokens.token_type, 'bearer');
    assert.equal(await statusOf(tokens.access_token), 200);
    const { payload } = await verify(tokens.access_token);
    assert.equal(payload.sub, tokens.claims().sub);
    assert.ok(payload.exp - payload.iat <= 120 * 60);
    await assert.rejects(verify(tokens.id_token));
  },

  'a code with another verifier is refused': async () => {
    const { back, checks } = await code(app);
    const other = { ...checks, pkceCodeVerifier: client.randomPKCECodeVerifier() };
    await assert.rejects(client.authorizationCodeGrant(app, back, other), refused('invalid_grant', 400));
  },

  'a code works once, and its second use ends what it gave': async () => {
    const { back, checks } = await code(app);
    const tokens = await client.authorizationCodeGrant(app, back, checks);
    await assert.rejects(client.authorizationCodeGrant(app, back, checks), refused('invalid_grant', 400));
    await assert.rejects(client.refreshTokenGrant(app, tokens.refresh_token), refused('invalid_grant', 400));
    await ended(tokens.access_token);
  },

  'an answer of another issuer is not taken': async () => {
    const { back, checks } = await code(app);
    back.searchParams.set('iss', 'https://elsewhere.example/');
    await assert.rejects(client.authorizationCodeGrant(app, back, checks));
  },

  'a request without a challenge is refused': async () => {
    const request = { redirect_uri: redirectUri, scope, state: client.randomState() };
    await assert.rejects(client.buildAuthorizationUrlWithPAR(app, request), refused('invalid_request', 400));
  },

  'a request that was not pushed is refused': async () => {
    const request = {
      redirect_uri: redirectUri,
      scope,
      state: client.randomState(),
      code_challenge: await client.calculatePKCECodeChallenge(client.randomPKCECodeVerifier()),
      code_challenge_method: 'S256',
    };
    const left = await newBrowser().open(client.buildAuthorizationUrl(app, request));
    const answer = left.left?.searchParams.get('error') ?? left.status;
    assert.ok(answer === 'invalid_request' || answer === 400, String(answer));
  },

  'a program that the person refuses gets no code': async () => {
    const request = {
      redirect_uri: redirectUri,
      scope,
      state: client.randomState(),
      code_challenge: await client.calculatePKCECodeChallenge(client.randomPKCECodeVerifier()),
      code_challenge_method: 'S256',
    };
    const browser = newBrowser();
    const address = await client.buildAuthorizationUrlWithPAR(app, request);
    const page = await browser.signIn(address, settings.user, settings.password, 'refuse');
    assert.equal(page.left.searchParams.get('error'), 'access_denied');
    assert.equal(page.left.searchParams.get('code'), null);
  },

  'a pushed request works, and once only': async () => {
    const { address, back, checks } = await code(app);
    assert.deepEqual([...address.searchParams.keys()].sort(), ['client_id', 'request_uri']);
    const tokens = await client.authorizationCodeGrant(app, back, checks);
    assert.equal(await statusOf(tokens.access_token), 200);
    const again = await newBrowser().signIn(address, settings.user, settings.password).catch((problem) => problem);
    assert.ok(!again.left?.searchParams.get('code'), 'The reference gave another code.');
  },

  'refresh tokens rotate, and the return of a used one ends the family': async () => {
    const { back, checks } = await code(app);
    const first = await client.authorizationCodeGrant(app, back, checks);
    const second = await client.refreshTokenGrant(app, first.refresh_token);
    assert.notEqual(second.refresh_token, first.refresh_token);
    assert.equal(await statusOf(second.access_token), 200);
    await assert.rejects(client.refreshTokenGrant(app, first.refresh_token), refused('invalid_grant', 400));
    await assert.rejects(client.refreshTokenGrant(app, second.refresh_token), refused('invalid_grant', 400));
    await ended(second.access_token);
  },

  'DPoP binds the code, its tokens and their renewal to one key': async () => {
    const DPoP = client.getDPoPHandle(app, await client.randomDPoPKeyPair('ES256'));
    const other = client.getDPoPHandle(app, await client.randomDPoPKeyPair('ES256'));
    const dpop_jkt = await DPoP.calculateThumbprint();
    const stolen = await code(app, { parameters: { dpop_jkt } });
    await assert.rejects(
      client.authorizationCodeGrant(app, stolen.back, stolen.checks, undefined, { DPoP: other }),
      refused('invalid_grant', 400),
    );
    const { back, checks } = await code(app, { parameters: { dpop_jkt } });
    const tokens = await client.authorizationCodeGrant(app, back, checks, undefined, { DPoP });
    assert.equal(tokens.token_type, 'dpop');
    assert.equal((await verify(tokens.access_token)).payload.cnf.jkt, dpop_jkt);
    const ask = (handle) =>
      client.fetchProtectedResource(app, tokens.access_token, whoAmI, 'GET', undefined, undefined, { DPoP: handle });
    assert.equal((await ask(DPoP)).status, 200);
    await assert.rejects(ask(other), (problem) => problem.status === 401);
    assert.equal(await statusOf(tokens.access_token), 401);
    await assert.rejects(
      client.refreshTokenGrant(app, tokens.refresh_token, undefined, { DPoP: other }),
      refused('invalid_grant', 400),
    );
    const renewed = await client.refreshTokenGrant(app, tokens.refresh_token, undefined, { DPoP });
    assert.equal(renewed.token_type, 'dpop');
  },

  'a proof on a pushed request binds its code': async () => {
    const DPoP = client.getDPoPHandle(app, await client.randomDPoPKeyPair('ES384'));
    const { back, checks } = await code(app, { options: { DPoP } });
    await assert.rejects(client.authorizationCodeGrant(app, back, checks), refused('invalid_grant', 400));
    const tokens = await client.authorizationCodeGrant(app, back, checks, undefined, { DPoP });
    assert.equal(tokens.token_type, 'dpop');
  },

  'private_key_jwt proves a service, by EC and by RSA keys': async () => {
    for (const [alg, name] of [['ES256', 'peer-es256'], ['ES384', 'peer-es384'], ['PS256', 'peer-ps256']]) {
      const keys = await jose.generateKeyPair(alg);
      await register(name, { method: 'private_key_jwt', jwks: { keys: [await jose.exportJWK(keys.publicKey)] } });
      const service = await configure(name, client.PrivateKeyJwt(keys.privateKey));
      const tokens = await client.clientCredentialsGrant(service);
      assert.equal(await statusOf(tokens.access_token), 200);
      assert.equal((await verify(tokens.access_token)).payload.client_id, name);
      const thief = await configure(name, client.PrivateKeyJwt((await jose.generateKeyPair(alg)).privateKey));
      await assert.rejects(client.clientCredentialsGrant(thief), refused('invalid_client', 401));
    }
  },

  'a service that must bind its tokens gets DPoP tokens only': async () => {
    const { clientSecret } = await register('peer-dpop', undefined, 'dpop');
    const service = await configure('peer-dpop', client.ClientSecretPost(clientSecret));
    await assert.rejects(client.clientCredentialsGrant(service), refused('invalid_request', 400));
    const DPoP = client.getDPoPHandle(service, await client.randomDPoPKeyPair('PS256'));
    const tokens = await client.clientCredentialsGrant(service, undefined, { DPoP });
    assert.equal(tokens.token_type, 'dpop');
    const answer = await client.fetchProtectedResource(
      service, tokens.access_token, whoAmI, 'GET', undefined, undefined, { DPoP },
    );
    assert.equal((await answer.json()).kind, 'service');
  },

  'a secret proves a service in header and body, and is introspected and revoked': async () => {
    const { clientSecret } = await register('peer-secret');
    const service = await configure('peer-secret', client.ClientSecretBasic(clientSecret));
    const body = await configure('peer-secret', client.ClientSecretPost(clientSecret));
    assert.equal(await statusOf((await client.clientCredentialsGrant(body)).access_token), 200);
    const wrong = await configure('peer-secret', client.ClientSecretBasic('no'.repeat(32)));
    await assert.rejects(client.clientCredentialsGrant(wrong), (problem) => problem.status === 401);
    const tokens = await client.clientCredentialsGrant(service);
    const told = await client.tokenIntrospection(service, tokens.access_token);
    assert.deepEqual([told.active, told.client_id], [true, 'peer-secret']);
    await client.tokenRevocation(service, tokens.access_token);
    assert.equal((await client.tokenIntrospection(service, tokens.access_token)).active, false);
    await ended(tokens.access_token);
    const { back, checks } = await code(app);
    const foreign = await client.authorizationCodeGrant(app, back, checks);
    assert.equal((await client.tokenIntrospection(service, foreign.access_token)).active, false);
    await client.tokenRevocation(app, foreign.refresh_token);
    await assert.rejects(client.refreshTokenGrant(app, foreign.refresh_token), refused('invalid_grant', 400));
  },

  'a device is let in, and another refused': async () => {
    for (const decision of ['allow', 'refuse']) {
      const device = await client.initiateDeviceAuthorization(app, { scope });
      const browser = newBrowser();
      const page = await browser.signIn(device.verification_uri_complete, settings.user, settings.password);
      assert.match(page.text, new RegExp(device.user_code));
      await browser.submit(page, { decision });
      const polled = client.pollDeviceAuthorizationGrant(app, device);
      if (decision === 'allow') {
        assert.equal(await statusOf((await polled).access_token), 200);
      } else {
        await assert.rejects(polled, refused('access_denied'));
      }
    }
  },

  'certificates prove services, and bind what they get': async () => {
    await register('peer-self', {
      method: 'self_signed_tls_client_auth',
      certificates: [fs.readFileSync(settings.self.certificate, 'utf8')],
    });
    await register('peer-pki', { method: 'tls_client_auth', dnsName: settings.pki.dnsName });
    for (const [name, mine, other] of [['peer-self', 'self', 'pki'], ['peer-pki', 'pki', 'self']]) {
      const fetch = through(pair(mine));
      const options = { use_mtls_endpoint_aliases: true };
      const service = await configure(name, client.TlsClientAuth(), { fetch, ...options });
      const tokens = await client.clientCredentialsGrant(service);
      const print = createHash('sha256').update(new X509Certificate(pair(mine).cert).raw).digest('base64url');
      assert.equal((await verify(tokens.access_token)).payload.cnf['x5t#S256'], print);
      const there = api('/api/v1/whoami', settings.mutual);
      assert.equal(await statusOf(tokens.access_token, fetch, there), 200);
      assert.equal(await statusOf(tokens.access_token, through(pair(other)), there), 401);
      assert.equal(await statusOf(tokens.access_token), 401);
      assert.equal((await client.tokenIntrospection(service, tokens.access_token)).cnf['x5t#S256'], print);
      const thief = await configure(name, client.TlsClientAuth(), { fetch: through(pair(other)), ...options });
      await assert.rejects(client.clientCredentialsGrant(thief), refused('invalid_client', 401));
    }
  },

  'nonces of the server are used where it asks for them': () => {
    assert.equal(nonces.asked > 0, settings.nonce);
  },
};

let failed = 0;
for (const [name, flow] of Object.entries(flows)) {
  try {
    await flow();
    console.log(`ok ${name}`);
  } catch (problem) {
    failed++;
    console.log(`FAILED ${name}: ${problem.stack}\n${JSON.stringify(problem.cause ?? null)}`);
  }
}
console.log(`${Object.keys(flows).length - failed} of ${Object.keys(flows).length} flows`);
process.exit(failed === 0 ? 0 : 1);
