import { randomUUID } from 'node:crypto';
import type { CallOptions } from './attempts.js';
import { CredenceError } from './errors.js';
import type { Ask } from './graphql.js';

export interface Keyed {
  /**
   * 1 to 255 characters: the same call with the same key is done once and answers the first result again. Made
   * automatically when left out, and kept while the call is tried again.
   */
  idempotencyKey?: string | undefined;
}

/** What is asked: one root field, with arguments as GraphQL writes them. */
export interface Field {
  name: string;
  /** `($userId: ID!)` and `(userId: $userId)`. */
  parameters: string;
  arguments: string;
  selection: string;
}

export interface Calls {
  /** A query: tried again when that may help. */
  query<T>(field: Field, variables: object, options?: CallOptions): Promise<T>;
  /** A mutation with an idempotency key in its input: tried again, always with the key. */
  keyed<T>(
    field: Omit<Field, 'parameters' | 'arguments'> & { input: string },
    input: Keyed,
    options?: CallOptions,
  ): Promise<T>;
  /** A mutation that would be done twice: tried once, unless `isSafe` says that twice is once. */
  mutation<T>(field: Field, variables: object, options?: CallOptions & { isSafe?: boolean }): Promise<T>;
}

const documentOf = (kind: 'query' | 'mutation', { name, parameters, arguments: given, selection }: Field) =>
  `${kind}${parameters} { ${name}${given} ${selection} }`;

function withKey(error: unknown, idempotencyKey: string): unknown {
  if (!(error instanceof CredenceError)) return error;
  return new CredenceError(error.code, { ...error, message: error.message, idempotencyKey, cause: error.cause });
}

export function createCalls(ask: Ask): Calls {
  async function answer<T>(name: string, data: Promise<Record<string, unknown>>): Promise<T> {
    return (await data)[name] as T;
  }
  return {
    query(field, variables, options) {
      const document = documentOf('query', field);
      return answer(field.name, ask({ document, variables: { ...variables }, isSafe: true }, options));
    },
    async keyed({ input: type, ...field }, input, options) {
      const idempotencyKey = input.idempotencyKey ?? randomUUID();
      const parts = { ...field, parameters: `($input: ${type}!)`, arguments: '(input: $input)' };
      const variables = { input: { ...input, idempotencyKey } };
      const sent = ask({ document: documentOf('mutation', parts), variables, isSafe: true }, options);
      return answer(
        field.name,
        sent.catch((error: unknown) => {
          throw withKey(error, idempotencyKey);
        }),
      );
    },
    mutation(field, variables, options) {
      const operation = { document: documentOf('mutation', field), variables: { ...variables } };
      return answer(field.name, ask({ ...operation, isSafe: options?.isSafe === true }, options));
    },
  };
}
