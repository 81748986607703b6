import { hasPgbench } from './credits.ts';
import { measureLedger } from './ledger-pgbench.ts';
import { atLeast, type Row } from './row.ts';

export const ledger: Row = {
  name: 'ledger',
  async run({ effort, serverUrl }) {
    if (serverUrl === undefined || !(await hasPgbench())) return [];
    const measured = await measureLedger(serverUrl, effort);
    return measured.map(({ accounts, title, ratio, figures }) => ({
      row: `the ledger alone, ${accounts === 1 ? 'one hot account' : '10,000 accounts'}`,
      baseline: `pgbench, ${title} each, 8 connections`,
      ratio,
      ...(title === 'one CTE' && {
        firstLanding: atLeast(accounts === 1 ? 0.8 : 0.3),
        goal: atLeast(accounts === 1 ? 3.5 : 0.95),
      }),
      note: figures,
    }));
  },
};
