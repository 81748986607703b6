import type { Actor, App } from '../../src/core/context.js';
import { built } from '../built.ts';
import { median } from '../compare.ts';
import type { World } from '../world.ts';
import { atLeast, type Row } from './row.ts';

const WRITERS = 64;
const ACTOR: Actor = { kind: 'SYSTEM', id: null, ip: '127.0.0.1', userAgent: 'bench', requestId: 'bench' };

const chain = () => built<typeof import('../../src/modules/audit/chain.service.js')>('modules/audit/chain.service.js');

/** Rows a second of 64 writers, each of whom waits for its commit. */
async function write(app: App, { seconds, accountIds }: { seconds: number; accountIds: readonly string[] }) {
  const { recordAudit } = await built<typeof import('../../src/modules/audit/audit.service.js')>(
    'modules/audit/audit.service.js',
  );
  const begin = performance.now();
  const end = begin + seconds * 1_000;
  let written = 0;
  const writer = async (at: number) => {
    for (let turn = at; performance.now() < end; turn += WRITERS) {
      const userId = accountIds[turn % accountIds.length];
      await recordAudit(app, { actor: ACTOR, action: 'user.viewed', userId, reason: 'asked for help' });
      written += 1;
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, (_, at) => writer(at)));
  return (written * 1_000) / (performance.now() - begin);
}

/** `work` while the chain is linked without a pause, which is more often than the job does it. */
async function whileLinking<T>(app: App, work: () => Promise<T>): Promise<T> {
  const { linkAuditEvents } = await chain();
  let isOver = false;
  const linker = (async () => {
    while (!isOver) await linkAuditEvents(app);
  })();
  try {
    return await work();
  } finally {
    isOver = true;
    await linker;
  }
}

async function drain(app: App): Promise<void> {
  const { linkAuditEvents } = await chain();
  while ((await linkAuditEvents(app)) > 0);
}

async function openApp(world: World) {
  const { buildConfig } = await built<typeof import('../../src/core/config.js')>('core/config.js');
  const { createApp, closeApp } = await built<typeof import('../../src/app.js')>('app.js');
  const { loadEncryptionKey } = await built<typeof import('../../src/core/secrets.js')>('core/secrets.js');
  const config = buildConfig(world.env);
  loadEncryptionKey(config);
  const app = await createApp(config);
  return { app, close: () => closeApp(app) };
}

export const audit: Row = {
  name: 'audit',
  async run({ effort: { seconds, turns }, world: make }) {
    const world = await make();
    const { app, close } = await openApp(world);
    try {
      const options = { seconds, accountIds: world.accountIds };
      await write(app, options);
      const pairs: { linked: number; alone: number }[] = [];
      for (let count = 0; count < turns; count++) {
        await drain(app);
        const linked = await whileLinking(app, () => write(app, options));
        await drain(app);
        pairs.push({ linked, alone: await write(app, options) });
      }
      const show = (value: number) => `${Math.round(value).toLocaleString('en')}/s`;
      return [
        {
          row: `audit rows of ${WRITERS} writers while the chain is linked`,
          baseline: 'nobody links meanwhile',
          ratio: median(pairs.map(({ linked, alone }) => linked / alone)),
          firstLanding: atLeast(0.5),
          note: `${show(median(pairs.map(({ linked }) => linked)))} against ${show(median(pairs.map(({ alone }) => alone)))}`,
        },
      ];
    } finally {
      await close();
    }
  },
};
