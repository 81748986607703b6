import { type FieldNode, getOperationAST, Kind, parse } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { levelOf } from '../../src/api/access.js';
import { parseCidrs } from '../../src/core/network.js';
import { PERMISSIONS } from '../../src/modules/admin/permissions.js';
import { SERVICE_SCOPES } from '../../src/modules/services/scopes.js';
import { SAMPLE_IDS } from '../house/reference/samples.js';
import { type Call, createHarness, type Harness } from '../support/harness.js';
import { requireDeclared } from '../support/refusals.js';
import { type Block, placeOf, readBlocks, readPages } from './blocks.js';

interface Operation {
  readonly block: Block;
  readonly root: 'Query' | 'Mutation';
  readonly fields: readonly string[];
  readonly needsVariables: boolean;
  /** Of the JSON block that follows. */
  readonly variables: Record<string, unknown> | undefined;
}

/** The GraphQL blocks of a page with one operation each, and the variables right behind. */
function operationsOf(page: string): Operation[] {
  const blocks = readBlocks([page]);
  return blocks.flatMap((block, index) => {
    const operation = block.tag === 'graphql' ? getOperationAST(parse(block.text)) : undefined;
    if (!operation) return [];
    const nodes = operation.selectionSet.selections.filter((node): node is FieldNode => node.kind === Kind.FIELD);
    const next = blocks[index + 1];
    return {
      block,
      root: operation.operation === 'query' ? ('Query' as const) : ('Mutation' as const),
      fields: nodes.map(({ name }) => name.value),
      needsVariables: (operation.variableDefinitions ?? []).some(({ type }) => type.kind === Kind.NON_NULL_TYPE),
      variables: next?.tag === 'json' ? JSON.parse(next.text) : undefined,
    };
  });
}

let h: Harness;
/** The ids of the examples → those of people and things that there are. */
const real = new Map<string, string>();
beforeAll(async () => {
  // As a first start has it: webhooks may go to this machine.
  const events = { webhookNetworks: parseCidrs(['127.0.0.0/8']) };
  h = await createHarness({ config: { events, graphql: { introspection: true, playground: true } } });
  real.set(SAMPLE_IDS.userId, (await h.person()).id);
  real.set(SAMPLE_IDS.serviceId, (await h.service(['usage:read'])).id);
  real.set(SAMPLE_IDS.staffId, (await h.staff(1)).id);
  real.set(SAMPLE_IDS.adminId, (await h.admin(['users:read'])).id);
});
afterAll(() => h.close());

const withRealIds = (text: string) => [...real].reduce((result, [id, other]) => result.replaceAll(id, other), text);

/** Whoever the level asks for: somebody new each time, for some operations end the session they came with. */
async function viewerFor(level: string): Promise<Call> {
  if (level.startsWith('INTERNAL_SERVICE')) return { serviceKey: (await h.service([...SERVICE_SCOPES])).key };
  if (level === 'STAFF') return { token: (await h.staff(3)).token };
  if (/^(ADMIN|STAFF)/.test(level)) return { token: (await h.admin([...PERMISSIONS])).token };
  return level === 'PUBLIC' ? {} : { token: (await h.person()).token };
}

/** Nothing of a reader’s doing: the example itself would be wrong. */
const FAULTS =
  /^(GRAPHQL_|INTERNAL_SERVER_ERROR|UNAUTHENTICATED|FORBIDDEN|EMAIL_NOT_VERIFIED|BAD_USER_INPUT|WEAK_PASSWORD)/;

let answered = 0;

async function faultOf({ block, root, fields, variables }: Operation): Promise<string | undefined> {
  const [field = ''] = fields;
  const viewer = await viewerFor(levelOf(root, field) ?? '');
  const values = variables && JSON.parse(withRealIds(JSON.stringify(variables)));
  const { code, errors } = await h.graphql(withRealIds(block.text), { ...viewer, variables: values, ip: '10.97.0.1' });
  requireDeclared(block.text, errors ?? []);
  if (code === undefined) answered += 1;
  if (code === undefined || !FAULTS.test(code)) return undefined;
  return `${placeOf(block)} ${field}: ${code} ${JSON.stringify(errors?.[0])}`;
}

describe('the queries of the docs are answered, or refused for a reason the reference names', () => {
  it.each(readPages())(
    '%s',
    async (page) => {
      const faults: string[] = [];
      for (const operation of operationsOf(page)) {
        if (operation.needsVariables && !operation.variables) continue;
        const fault = await faultOf(operation);
        if (fault) faults.push(fault);
      }
      expect(faults).toEqual([]);
    },
    120_000,
  );

  it('most of them are answered: what they name is there', () => {
    expect(answered).toBeGreaterThan(80);
  });

  it('the reference has one for each field, with its variables', () => {
    const examples = operationsOf('docs/API_REFERENCE.md');
    expect(examples.length).toBeGreaterThan(140);
    expect(examples.filter(({ needsVariables, variables }) => needsVariables && !variables)).toEqual([]);
  });
});
