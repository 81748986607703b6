import { execFileSync } from 'node:child_process';
import { chownSync, mkdtempSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { onServer } from '../support/database.js';
import { ADD_CREDITS, createFaultPlace, type FaultPlace } from '../support/fault-place.js';
import { type OwnPostgres, startOwnPostgres } from '../support/own-postgres.js';

const PATIENCE = { timeout: 60_000, interval: 100 };

/** A disk of 48 MB, for which one has to be root. */
function mountSmallDisk(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'credence-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=48m', 'credence', folder], { stdio: 'ignore' });
    return folder;
  } catch {
    rmSync(folder, { recursive: true });
    return undefined;
  }
}

let disk: string | undefined;
let own: OwnPostgres;
let place: FaultPlace;
beforeAll(async () => {
  disk = mountSmallDisk();
  if (!disk) return;
  own = await startOwnPostgres();
  const { uid, gid } = statSync(own.dataDir);
  chownSync(disk, uid, gid);
  await onServer(own.url, `create tablespace small location '${disk}'`);
  // What is made from now on lies on the small disk: the server's own database, and all its tables.
  await onServer(own.url, 'alter system set default_tablespace = small');
  await onServer(own.url, 'select pg_reload_conf()');
  place = await createFaultPlace({ serverUrl: own.url });
});
afterAll(async () => {
  await place?.dispose();
  await own?.dispose();
  if (!disk) return;
  execFileSync('umount', [disk]);
  rmSync(disk, { recursive: true });
});

it('a full disk: writes are refused and reads go on; with room again all is well, and nobody repairs anything', async ({
  skip,
}) => {
  skip(!disk, 'needs the right to mount a small disk (root)');
  const load = await place.load('full', 2);
  await load.more(30);
  await load.stop();
  const userId = place.seen.people[0]?.id;
  const filler = join(disk ?? '', 'filler');
  const { bavail, bsize } = statfsSync(disk ?? '');
  writeFileSync(filler, Buffer.alloc(bavail * bsize - 64 * 1024, 1));

  const metadata = { words: 'x'.repeat(7_000) };
  let sent = 0;
  const add = async () => {
    sent += 1;
    const input = { userId, amount: 1, idempotencyKey: `full-${sent}`, metadata: { ...metadata, sent } };
    return (await place.asService(ADD_CREDITS, { input })).code;
  };
  await expect.poll(add, { ...PATIENCE, interval: 1 }).toBe('DATABASE_UNAVAILABLE');
  const balance = 'query($id: ID!) { creditBalance(userId: $id) { balance } }';
  expect((await place.asService(balance, { id: userId })).data?.creditBalance.balance).toBeGreaterThan(0);
  expect(await place.probe('live')).toBe(200);

  rmSync(filler);
  await expect.poll(add, PATIENCE).toBeUndefined();
  const after = await place.load('room', 2);
  await after.more(30);
  await after.stop();
  expect([...after.codes.keys()]).not.toContain('INTERNAL_SERVER_ERROR');
  await place.expectInvariants();
});
