import { type DocumentNode, Kind } from 'graphql';
import { LRUCache } from 'lru-cache';
import { SENSITIVE_FIELDS } from './access.js';
import { type Analysis, analyseDocument, judge, parseDocument } from './document-limits.js';

interface Known {
  readonly document: DocumentNode;
  /** By operation name; '' for "the only one". */
  readonly analyses: Map<string, Analysis>;
  /** The operations of it that were found to fit the schema, by name. */
  readonly valid: Set<string>;
}

export interface Documents {
  /** Parses and judges the document; throws GRAPHQL_PARSE_FAILED or GRAPHQL_VALIDATION_FAILED. */
  require(
    operation: { query: string; operationName: string | undefined; variables: Record<string, unknown> },
    caller: { isService: boolean; introspection: boolean },
  ): { document: DocumentNode; /** Whether it was found to fit the schema before. */ isValid: boolean };
  markValid(query: string, operationName: string | null | undefined): void;
}

/** Documents seen before, bounded: one not seen before costs about ten times a known one. */
export function createDocuments(): Documents {
  const known = new LRUCache<string, Known>({ max: 1000, maxSize: 4_000_000, sizeCalculation: (_, query) => query.length + 1 });

  function find(query: string): Known {
    let entry = known.get(query);
    if (!entry) {
      entry = { document: parseDocument(query), analyses: new Map(), valid: new Set() };
      known.set(query, entry);
    }
    return entry;
  }

  return {
    require({ query, operationName, variables }, caller) {
      const { document, analyses, valid } = find(query);
      const name = operationName ?? '';
      let analysis = analyses.get(name);
      if (!analysis) {
        analysis = analyseDocument(document, { operationName, sensitiveFields: SENSITIVE_FIELDS });
        // Names that the document does not hold are the caller's to invent: they are not remembered.
        const holds = document.definitions.some((node) => node.kind === Kind.OPERATION_DEFINITION && node.name?.value === name);
        if (holds || name === '') analyses.set(name, analysis);
      }
      const refusal = judge(analysis, { variables, ...caller });
      if (refusal) throw refusal;
      return { document, isValid: valid.has(name) };
    },
    markValid(query, operationName) {
      known.get(query)?.valid.add(operationName ?? '');
    },
  };
}
