import { type DocumentNode, getOperationAST } from 'graphql';
import { LRUCache } from 'lru-cache';
import type { Metrics } from '../core/metrics.js';
import { SENSITIVE_FIELDS } from './access.js';
import { type Analysis, analyseDocument, judge, parseDocument } from './document-limits.js';

export type OperationKind = 'query' | 'mutation';

/** What is known of one operation of a document. */
interface KnownOperation {
  readonly analysis: Analysis;
  readonly kind: OperationKind;
  /** Whether Apollo found that the document fits the schema. */
  isValid: boolean;
}

interface Known {
  readonly document: DocumentNode;
  /** By operation name; '' for "the only one". */
  readonly operations: Map<string, KnownOperation>;
}

export interface Documents {
  /** Parses and judges the document; throws GRAPHQL_PARSE_FAILED or GRAPHQL_VALIDATION_FAILED. */
  require(
    operation: { query: string; operationName: string | undefined; variables: Record<string, unknown> },
    caller: { isService: boolean; introspection: boolean },
  ): { document: DocumentNode; isValid: boolean; kind: OperationKind };
  /** From now on `require` answers that the operation is valid. */
  markValid(query: string, operationName: string | null | undefined): void;
}

/** Documents seen before, bounded: one not seen before costs about ten times a known one. */
export function createDocuments(seen: Metrics['documents']): Documents {
  const known = new LRUCache<string, Known>({
    max: 1000,
    maxSize: 4_000_000,
    sizeCalculation: (_, query) => query.length + 1,
  });

  function find(query: string): Known {
    let entry = known.get(query);
    seen.add(entry ? 'known' : 'unknown');
    if (!entry) {
      entry = { document: parseDocument(query), operations: new Map() };
      known.set(query, entry);
    }
    return entry;
  }

  return {
    require({ query, operationName, variables }, caller) {
      const { document, operations } = find(query);
      const name = operationName ?? '';
      let operation = operations.get(name);
      if (operation === undefined) {
        const ast = getOperationAST(document, operationName);
        operation = {
          analysis: analyseDocument(document, { operationName, sensitiveFields: SENSITIVE_FIELDS }),
          kind: ast?.operation === 'mutation' ? 'mutation' : 'query',
          isValid: false,
        };
        // Names that the document does not hold are the caller's to invent: they are not remembered.
        if (ast || name === '') operations.set(name, operation);
      }
      const refusal = judge(operation.analysis, { variables, ...caller });
      if (refusal) throw refusal;
      return { document, isValid: operation.isValid, kind: operation.kind };
    },
    markValid(query, operationName) {
      const operation = known.get(query)?.operations.get(operationName ?? '');
      if (operation) operation.isValid = true;
    },
  };
}
