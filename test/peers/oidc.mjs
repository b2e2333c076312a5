// An OpenID-certified provider that knows one confidential client for each way
// of authenticating. It listens on a free port of 127.0.0.1 and prints
// "ready <issuer>" when it serves.
//
// CLIENT_SECRET is the clients' secret, TOKEN_SECONDS the life of a token.
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const lifetime = Number(process.env.TOKEN_SECONDS ?? 600);
const secret = process.env.CLIENT_SECRET;
if (!secret) throw new Error('set CLIENT_SECRET');

const client = (id, method) => ({
  client_id: id,
  client_secret: secret,
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
  token_endpoint_auth_method: method,
  scope: 'read write',
});

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [client('basic client', 'client_secret_basic'), client('body-client', 'client_secret_post')],
    scopes: ['read', 'write'],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true },
    },
    ttl: { ClientCredentials: lifetime },
  });
  server.on('request', provider.callback());
  console.log(`ready ${issuer}`);
});
