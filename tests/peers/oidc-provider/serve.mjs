// A stock OpenID Connect provider over TLS. Reads one JSON object from its settings file; who signs in next is told to it at /next-login.
import fs from 'node:fs';
import https from 'node:https';
import { Provider } from 'oidc-provider';

const settings = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
let login = { sub: 'nobody' };
const provider = new Provider(settings.issuer, {
  clients: settings.clients,
  jwks: settings.jwks,
  cookies: { keys: ['test'] },
  pkce: { required: () => true },
  conformIdTokenClaims: false,
  claims: { openid: ['sub', 'auth_time', 'acr', 'amr', 'groups', 'email'] },
  acrValues: ['urn:test:strong', 'urn:test:weak'],
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id, ...login.claims }) }),
  extraTokenClaims: () => login.claims,
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => settings.audience,
      useGrantedResource: () => true,
      getResourceServerInfo: (ctx, resource) => ({
        scope: 'api',
        audience: resource,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  ttl: { AccessToken: 3600, ClientCredentials: 3600, IdToken: 3600, Grant: 3600, Session: 3600, Interaction: 3600 },
});
provider.on('server_error', (ctx, error) => process.stderr.write(`${error.stack}\n`));
provider.use(async (ctx, next) => {
  if (ctx.path === '/next-login') {
    let text = '';
    for await (const chunk of ctx.req) {
      text += chunk;
    }
    login = JSON.parse(text);
    ctx.status = 204;
    return;
  }
  if (!ctx.path.startsWith('/interaction/')) {
    return next();
  }
  const details = await provider.interactionDetails(ctx.req, ctx.res);
  if (details.prompt.name === 'login') {
    const { sub, acr, amr } = login;
    return provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: sub, acr, amr, remember: false } });
  }
  const grant = new provider.Grant({ accountId: details.session.accountId, clientId: details.params.client_id });
  grant.addOIDCScope(details.params.scope);
  grant.addResourceScope(settings.audience, 'api');
  return provider.interactionFinished(
    ctx.req,
    ctx.res,
    { consent: { grantId: await grant.save() } },
    { mergeWithLastSubmission: true },
  );
});
process.stdin.resume();
const server = https.createServer(
  { key: fs.readFileSync(settings.key), cert: fs.readFileSync(settings.certificate) },
  provider.callback(),
);
server.listen(settings.port, '127.0.0.1', () => process.stdout.write('ready\n'));
process.stdin.on('end', () => process.exit(0));
