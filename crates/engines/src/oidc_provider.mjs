// A login service for tests. Anybody may be anybody here.
import { Provider } from 'oidc-provider';

const { PORT, REDIRECT } = process.env;
const issuer = `http://127.0.0.1:${PORT}`;
const groups = { alice: ['builders'] };

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: 'berth',
      client_secret: 'berth-secret',
      redirect_uris: [REDIRECT],
      grant_types: ['authorization_code'],
      response_types: ['code'],
    },
    {
      client_id: 'ci',
      client_secret: 'ci-secret',
      redirect_uris: [],
      grant_types: ['client_credentials'],
      response_types: [],
    },
  ],
  claims: {
    openid: ['sub'],
    profile: ['preferred_username', 'name', 'groups'],
    email: ['email', 'email_verified'],
  },
  async findAccount(ctx, id) {
    return {
      accountId: id,
      async claims() {
        return {
          sub: id,
          preferred_username: id,
          name: `The ${id}`,
          groups: groups[id] ?? [],
          email: `${id}@example.com`,
          email_verified: id === 'alice',
        };
      },
    };
  },
  features: {
    devInteractions: { enabled: true },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      // Users' tokens are for asking who they are.
      defaultResource: (ctx, client) => (client.clientId === 'ci' ? 'urn:berth' : undefined),
      getResourceServerInfo: (ctx, resource) => ({
        scope: '',
        audience: ctx.oidc.body?.audience ?? resource,
        accessTokenTTL: Number(ctx.oidc.body?.ttl ?? 300),
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
  // What a CI system says of a job, as the test wants it.
  extraTokenClaims: (ctx) => JSON.parse(ctx.oidc.body?.claims ?? '{}'),
  extraParams: ['claims', 'audience', 'ttl'],
  pkce: { required: () => true },
});
provider.on('server_error', (ctx, error) => console.error(error));
provider.listen(Number(PORT), '127.0.0.1', () => console.log(`listening on ${issuer}`));
