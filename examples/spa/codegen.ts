// Writes src/operations.ts: the operations of src/operations.graphql, each with its types as schema.graphql has them.
// `npm run codegen` after every change of either.
import { readFile, writeFile } from 'node:fs/promises';
import { codegen } from '@graphql-codegen/core';
import * as typedDocumentNode from '@graphql-codegen/typed-document-node';
import * as typescriptOperations from '@graphql-codegen/typescript-operations';
import { parse } from 'graphql';

const SCHEMA = new URL('../../schema.graphql', import.meta.url);
const OPERATIONS = new URL('src/operations.graphql', import.meta.url);
const OUTPUT = new URL('src/operations.ts', import.meta.url);

/** The text of src/operations.ts. */
export async function generateOperations(): Promise<string> {
  const [schema, operations] = await Promise.all([readFile(SCHEMA, 'utf8'), readFile(OPERATIONS, 'utf8')]);
  const code = await codegen({
    filename: OUTPUT.pathname,
    schema: parse(schema),
    documents: [{ location: OPERATIONS.pathname, document: parse(operations) }],
    plugins: [{ typescriptOperations: {} }, { typedDocumentNode: {} }],
    pluginMap: { typescriptOperations, typedDocumentNode },
    config: {
      useTypeImports: true,
      // As they are in JSON. A scalar that is not listed here is an error.
      scalars: { DateTime: 'string', EmailAddress: 'string', JSONObject: 'Record<string, unknown>', SafeInt: 'number' },
      strictScalars: true,
      // Text instead of syntax trees, so that a diff can be read.
      documentMode: 'graphQLTag',
      gqlImport: 'urql#gql',
    },
  });
  return `// Written by codegen.ts from operations.graphql and schema.graphql.\n${code}\n`;
}

if (import.meta.main) await writeFile(OUTPUT, await generateOperations());
