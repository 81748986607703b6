// Invariants: a key is shown once, to who made it; after a rotation no older key outlives the overlap that was asked
// for, so NONE shuts out every copy; a disabled service stays disabled.
import { and, desc, eq, gt, inArray, isNull, or } from 'drizzle-orm';
import { newId } from '../../core/columns.js';
import type { Actor, App } from '../../core/context.js';
import { isUniqueViolation, transact } from '../../core/database.js';
import { AppError, badInput } from '../../core/errors.js';
import { found, requireId } from '../../core/input.js';
import { OVERLAP_MS } from '../../core/key-overlap.types.js';
import { createLookup } from '../../core/lookups.js';
import { type Connection, olderThan, type PageArguments, readPage, toConnection } from '../../core/pages.js';
import { makeKey, sha256, startOfKey } from '../../core/secrets.js';
import { recordAudit } from '../audit/audit.service.js';
import { requireScopes } from './scopes.js';
import { type ServiceKeyRow, type ServiceRow, serviceKeys, services } from './services.table.js';

export interface ServiceWithKey {
  service: ServiceRow;
  /** In plain text, for this one answer. */
  key: string;
}

const NAME = /^[\p{L}\p{N}](?:[\p{L}\p{N} ._-]{0,98}[\p{L}\p{N}])?$/u;

function requireName(name: string): string {
  const normal = name.normalize('NFC');
  if (NAME.test(normal)) return normal;
  throw badInput({ name: 'must have 1 to 100 letters, digits, spaces, dots, hyphens or underscores' });
}

const nameTaken = () => new AppError('CONFLICT', { message: 'Another service has this name.' });

/** A new service with its first key. @throws BAD_USER_INPUT, CONFLICT when the name is taken */
export async function createService(
  app: App,
  options: { name: string; scopes: readonly string[]; actor: Actor },
): Promise<ServiceWithKey> {
  const { actor } = options;
  const name = requireName(options.name);
  const scopes = requireScopes(options.scopes);
  try {
    return await transact(app, async (app) => {
      const row = { id: newId(), name, scopes, createdBy: actor.id, createdAt: app.now() };
      const [service] = await app.db.insert(services).values(row).returning();
      const key = await addKey(app, row.id);
      const target = { kind: 'service', id: row.id };
      await recordAudit(app, { actor, action: 'service.created', target, after: { name, scopes } });
      return { service: found(service), key };
    });
  } catch (error) {
    throw isUniqueViolation(error, 'services_name') ? nameTaken() : error;
  }
}

async function addKey(app: App, serviceId: string): Promise<string> {
  const key = makeKey('svc');
  const row = { id: newId(), serviceId, keyHash: sha256(key), start: startOfKey(key), createdAt: app.now() };
  await app.db.insert(serviceKeys).values(row);
  return key;
}

/** The service, locked until the transaction ends. @throws NOT_FOUND, CONFLICT when it is disabled */
async function requireEnabled(app: App, serviceId: string): Promise<ServiceRow> {
  const [row] = await app.db
    .select()
    .from(services)
    .where(eq(services.id, requireId(serviceId, 'serviceId')))
    .for('update');
  const service = found(row);
  if (service.disabledAt) throw new AppError('CONFLICT', { message: 'This service is disabled.' });
  return service;
}

/**
 * A new key. The ones before it work until the overlap ends, or until their own end if that comes first.
 *
 * @throws NOT_FOUND, CONFLICT when the service is disabled
 */
export async function rotateServiceKey(
  app: App,
  options: { serviceId: string; overlap: keyof typeof OVERLAP_MS; actor: Actor },
): Promise<ServiceWithKey> {
  const { overlap, actor } = options;
  return transact(app, async (app) => {
    const service = await requireEnabled(app, options.serviceId);
    const endsAt = new Date(app.now().getTime() + OVERLAP_MS[overlap]);
    const outlives = or(isNull(serviceKeys.expiresAt), gt(serviceKeys.expiresAt, endsAt));
    await app.db
      .update(serviceKeys)
      .set({ expiresAt: endsAt })
      .where(and(eq(serviceKeys.serviceId, service.id), outlives));
    const key = await addKey(app, service.id);
    const after = { overlap, start: startOfKey(key) };
    const target = { kind: 'service', id: service.id };
    await recordAudit(app, { actor, action: 'service.key_rotated', target, after });
    return { service, key };
  });
}

/** Changes name or scopes; both count at once. @throws BAD_USER_INPUT, NOT_FOUND, CONFLICT */
export async function updateService(
  app: App,
  options: { serviceId: string; name?: string | null; scopes?: readonly string[] | null; actor: Actor },
): Promise<ServiceRow> {
  const { actor } = options;
  const changes = {
    ...(options.name != null && { name: requireName(options.name) }),
    ...(options.scopes != null && { scopes: requireScopes(options.scopes) }),
  };
  if (Object.keys(changes).length === 0) throw badInput({ input: 'must hold a name or scopes' });
  try {
    return await transact(app, async (app) => {
      const { id, name, scopes } = await requireEnabled(app, options.serviceId);
      const [changed] = await app.db.update(services).set(changes).where(eq(services.id, id)).returning();
      const target = { kind: 'service', id };
      await recordAudit(app, { actor, action: 'service.updated', target, before: { name, scopes }, after: changes });
      return found(changed);
    });
  } catch (error) {
    throw isUniqueViolation(error, 'services_name') ? nameTaken() : error;
  }
}

/** Shuts the service out at once, with all its keys, for good. Doing it twice answers the same. @throws NOT_FOUND */
export async function disableService(
  app: App,
  options: { serviceId: string; reason?: string | null | undefined; actor: Actor },
): Promise<ServiceRow> {
  const { actor, reason } = options;
  const id = requireId(options.serviceId, 'serviceId');
  return transact(app, async (app) => {
    const [disabled] = await app.db
      .update(services)
      .set({ disabledAt: app.now() })
      .where(and(eq(services.id, id), isNull(services.disabledAt)))
      .returning();
    if (!disabled) return found((await app.db.select().from(services).where(eq(services.id, id)))[0]);
    const target = { kind: 'service', id };
    await recordAudit(app, { actor, action: 'service.disabled', target, reason: reason ?? undefined });
    return disabled;
  });
}

/** All services, newest first, the disabled ones too. @throws BAD_USER_INPUT */
export async function listServices(app: App, asked: PageArguments): Promise<Connection<ServiceRow>> {
  const page = readPage(asked, ['time', 'id']);
  const rows = await app.db
    .select()
    .from(services)
    .where(olderThan({ time: services.createdAt, id: services.id }, page.after))
    .orderBy(desc(services.createdAt), desc(services.id))
    .limit(page.limit + 1);
  return toConnection(rows, {
    page,
    keyOf: (row) => [row.createdAt, row.id],
    count: () => app.db.$count(services),
  });
}

const lookups = new WeakMap<App, (serviceId: string) => Promise<ServiceKeyRow[] | undefined>>();

/** The keys that work now, newest first; look-ups of one turn share one query. */
export async function listServiceKeys(app: App, serviceId: string): Promise<ServiceKeyRow[]> {
  let lookup = lookups.get(app);
  if (!lookup) {
    lookup = createLookup((ids) => readLiveKeys(app, ids));
    lookups.set(app, lookup);
  }
  return (await lookup(serviceId)) ?? [];
}

async function readLiveKeys(app: App, serviceIds: string[]): Promise<Map<string, ServiceKeyRow[]>> {
  const rows = await app.db
    .select()
    .from(serviceKeys)
    .where(
      and(
        inArray(serviceKeys.serviceId, serviceIds),
        or(isNull(serviceKeys.expiresAt), gt(serviceKeys.expiresAt, app.now())),
      ),
    )
    .orderBy(desc(serviceKeys.createdAt), desc(serviceKeys.id));
  return Map.groupBy(rows, (row) => row.serviceId);
}
