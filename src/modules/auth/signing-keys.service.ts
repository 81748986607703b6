import { inArray } from 'drizzle-orm';
import type { App } from '../../core/context.js';
import { SYSTEM_ACTOR } from '../../core/context.js';
import { isUniqueViolation, transact } from '../../core/database.js';
import { makeSigningKey, type SigningKey } from '../../core/tokens.js';
import { recordAudit } from '../audit/audit.service.js';
import { signingKeys } from './auth.table.js';

const sealPurpose = 'signing-key';

async function createFirstKey(app: App): Promise<void> {
  const { algorithm } = app.config.tokens;
  const key = await makeSigningKey(algorithm);
  try {
    await transact(app, async (app) => {
      await app.db.insert(signingKeys).values({
        kid: key.kid,
        algorithm,
        state: 'CURRENT',
        publicJwk: JSON.stringify(key.publicJwk),
        sealedPrivateJwk: app.secrets.encrypt(sealPurpose, JSON.stringify(key.privateJwk), key.kid),
        createdAt: app.now(),
      });
      await recordAudit(app, {
        actor: SYSTEM_ACTOR,
        action: 'signing_key.created',
        target: { kind: 'signing_key', id: key.kid },
      });
    });
  } catch (error) {
    // Another instance that starts at the same moment made the current key; ours is dropped.
    if (!isUniqueViolation(error)) throw error;
  }
}

async function readKeys(app: App): Promise<SigningKey[]> {
  const rows = await app.db
    .select()
    .from(signingKeys)
    .where(inArray(signingKeys.state, ['NEXT', 'CURRENT', 'PREVIOUS']));
  return rows.map((row) => ({
    kid: row.kid,
    algorithm: row.algorithm,
    state: row.state as SigningKey['state'],
    publicJwk: JSON.parse(row.publicJwk),
    privateJwk: JSON.parse(app.secrets.decrypt(sealPurpose, row.sealedPrivateJwk, row.kid)),
  }));
}

/** Loads the key set into `app.tokens`; makes the first key when there is none. Safe with any number of starters. */
export async function loadSigningKeys(app: App): Promise<void> {
  let keys = await readKeys(app);
  if (!keys.some((key) => key.state === 'CURRENT')) {
    await createFirstKey(app);
    keys = await readKeys(app);
  }
  await app.tokens.loadKeys(keys);
}
