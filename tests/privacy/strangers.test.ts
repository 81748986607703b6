import { afterAll, beforeAll, expect, it } from 'vitest';
import { createSchema } from '../../src/api/schema.js';
import { PERMISSIONS } from '../../src/modules/admin/permissions.js';
import { SERVICE_SCOPES } from '../../src/modules/services/scopes.js';
import { type BillingHarness, createBillingHarness } from '../support/billing.js';
import { documentFor } from '../support/documents.js';
import { deleteAccount } from './operations.js';

let h: BillingHarness;
beforeAll(async () => {
  h = await createBillingHarness();
});
afterAll(() => h.close());

/** Fields that are for people who were deleted, or say of each entry whether it is of somebody. */
const FOR_THE_DELETED = new Set(['deleteUser', 'restoreUser', 'eraseUser', 'logMessages']);
/** The books outlive the person. */
const BOOKS = new Set(['creditBalance', 'creditTransactions']);

it('whatever an operator or a service asks for by the id of somebody who was deleted, they do not exist', async () => {
  const person = await h.person();
  await deleteAccount(h, person.token);
  const { token } = await h.admin([...PERMISSIONS]);
  const { key: serviceKey } = await h.service([...SERVICE_SCOPES]);
  const schema = createSchema();
  const fields = (['query', 'mutation'] as const).flatMap((root) => {
    const type = root === 'query' ? schema.getQueryType() : schema.getMutationType();
    return Object.values(type?.getFields() ?? {}).map((field) => ({ name: field.name, ...documentFor(root, field) }));
  });
  const named = fields.filter(({ variables }) => JSON.stringify(variables).includes('"userId"'));
  expect(named.length).toBeGreaterThan(12);
  const wrong: string[] = [];
  for (const { name, query, variables } of named) {
    if (FOR_THE_DELETED.has(name) || BOOKS.has(name)) continue;
    // What else they need, so that it is the person that is refused.
    const more = name === 'updateUser' ? ',"displayName":"x"' : '';
    const text = JSON.stringify(variables)
      .replaceAll(/("userId"):"[^"]*"/g, `$1:"${person.id}"${more}`)
      .replace(/("planCode"):"[^"]*"/, '$1:"free"');
    const codes: (string | undefined)[] = [];
    for (const call of [{ token }, { serviceKey }]) {
      codes.push((await h.graphql(query, { ...call, variables: JSON.parse(text) })).code);
    }
    const code = codes.find((each) => each !== 'FORBIDDEN' && each !== 'UNAUTHENTICATED');
    if (code !== 'NOT_FOUND') wrong.push(`${name}: ${codes.join(', ')}`);
  }
  expect(wrong).toEqual([]);
});
