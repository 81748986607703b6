// Bare graphql-js on node:http: the parsed document is remembered, the answer is constant.
import { buildSchema, type DocumentNode, execute, parse } from 'graphql';
import { listen } from './listen.ts';

const schema = buildSchema(
  'type User { id: ID! username: String! email: String! emailVerified: Boolean! } type Query { me: User! }',
);
const me = {
  id: '0198c2d4-7d5c-7000-8000-000000000001',
  username: 'ada',
  email: 'ada@example.com',
  emailVerified: true,
};
const rootValue = { me: () => me };
const documents = new Map<string, DocumentNode>();

listen(({ query, variables }) => {
  let document = documents.get(query);
  if (document === undefined) {
    document = parse(query);
    documents.set(query, document);
  }
  return execute({ schema, document, rootValue, variableValues: variables });
});
