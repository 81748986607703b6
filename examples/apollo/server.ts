// A service behind Credence, on Apollo Server 5: `node examples/apollo/server.ts`
import { ApolloServer } from '@apollo/server';
import { startStandaloneServer } from '@apollo/server/standalone';
import { CredenceError, createCredenceClient, type Viewer } from 'credence/client';
import { type CredenceContext, credenceContext } from 'credence/client/apollo';
import { GraphQLError } from 'graphql';

const credence = createCredenceClient({
  url: process.env.CREDENCE_URL ?? 'http://127.0.0.1:4000',
  serviceKey: process.env.CREDENCE_SERVICE_KEY ?? '',
  maxStalenessMs: Number(process.env.MAX_STALENESS_MS ?? 5_000),
});

const typeDefs = `#graphql
  type Viewer { id: ID! username: String! kind: String! }
  type Reply { reply: String! creditsLeft: Int! }
  type Query { hello: String! me: Viewer! }
  type Mutation { chat(text: String!): Reply! }
`;

const refuse = (code: string) => new GraphQLError('Not allowed.', { extensions: { code } });
function requireViewer({ credence: viewer }: CredenceContext): Viewer {
  if (!viewer) throw refuse('UNAUTHENTICATED');
  return viewer;
}

/** Every GraphQL request is a POST, so what may only look and what lacks a scope is for the mutation to say. */
function requireWriter(context: CredenceContext): Viewer {
  const viewer = requireViewer(context);
  if (viewer.readOnly) throw refuse('FORBIDDEN');
  if (viewer.scopes && !viewer.scopes.includes('chat:write')) throw refuse('INSUFFICIENT_SCOPE');
  if (!('profile' in viewer && viewer.profile?.emailVerified)) throw refuse('EMAIL_NOT_VERIFIED');
  return viewer;
}

async function chat(_parent: unknown, { text }: { text: string }, context: CredenceContext) {
  const { id: userId } = requireWriter(context);
  try {
    const { account } = await credence.useCredits({ userId, amount: 3, description: 'chat' });
    return { reply: `You said: ${text}`, creditsLeft: account.available };
  } catch (error) {
    const isPoor = error instanceof CredenceError && error.code === 'INSUFFICIENT_CREDITS';
    if (!isPoor) console.error(error);
    throw refuse(isPoor ? 'INSUFFICIENT_CREDITS' : 'INTERNAL');
  }
}

const resolvers = {
  Query: {
    hello: (_: unknown, _args: unknown, context: CredenceContext) => context.credence?.username ?? 'stranger',
    me: (_: unknown, _args: unknown, context: CredenceContext) => requireViewer(context),
  },
  Mutation: { chat },
};

const { url } = await startStandaloneServer(new ApolloServer<CredenceContext>({ typeDefs, resolvers }), {
  context: credenceContext(credence, { required: false }),
  listen: { port: Number(process.env.PORT ?? 5004), host: '127.0.0.1' },
});
console.log(`listens on ${url}`);
