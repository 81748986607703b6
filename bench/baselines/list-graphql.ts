// A list of 100 people from memory by plain graphql-js on node:http: the parsed document is remembered.
import { buildSchema, type DocumentNode, execute, parse } from 'graphql';
import { HUNDRED } from './hundred.ts';
import { listen } from './listen.ts';

const schema = buildSchema(`
  scalar DateTime
  scalar EmailAddress
  enum UserStatus { ACTIVE SUSPENDED }
  type User { id: ID! username: String! email: EmailAddress! emailVerified: Boolean! status: UserStatus! createdAt: DateTime! }
  type UserConnection { nodes: [User!]! }
  type Query { users(first: Int): UserConnection! }
`);
const rootValue = { users: () => ({ nodes: HUNDRED }) };
const documents = new Map<string, DocumentNode>();

listen(({ query, variables }) => {
  let document = documents.get(query);
  if (document === undefined) {
    document = parse(query);
    documents.set(query, document);
  }
  return execute({ schema, document, rootValue, variableValues: variables });
});
