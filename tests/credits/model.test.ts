import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { App } from '../../src/core/context.js';
import { AppError } from '../../src/core/errors.js';
import { ledgerHealth } from '../../src/modules/credits/health.service.js';
import { creditBalance } from '../../src/modules/credits/history.service.js';
import {
  captureCredits,
  expireDueHolds,
  holdCredits,
  releaseCredits,
} from '../../src/modules/credits/holds.service.js';
import { addCredits, refundCredits, useCredits } from '../../src/modules/credits/movements.service.js';
import { createLedger, createOwner, type Ledger, serviceActor } from '../support/credits.js';

let ledger: Ledger;
let app: App;
const services = [serviceActor(), serviceActor()] as const;

beforeAll(async () => {
  ledger = await createLedger();
  app = ledger.app;
});
afterAll(() => ledger.close());

type Step =
  | { do: 'add'; owner: number; amount: number; key: number; by: 0 | 1 }
  | { do: 'use'; owner: number; amount: number; key: number; by: 0 | 1 }
  | { do: 'hold'; owner: number; amount: number; ttl: number; key: number; by: 0 | 1 }
  | { do: 'capture'; nth: number; amount: number | null; key: number; by: 0 | 1 }
  | { do: 'release'; nth: number; key: number; by: 0 | 1 }
  | { do: 'refund'; nth: number; amount: number | null; key: number; by: 0 | 1 }
  | { do: 'wait'; seconds: number }
  | { do: 'expire' };

const OWNERS = 2;
const owner = fc.integer({ min: 0, max: OWNERS - 1 });
// Round numbers, so that borders are met exactly: all that is there, the very end of a hold.
const amount = fc.constantFrom(1, 5, 10, 25);
const some = fc.option(amount, { freq: 2 });
// Few keys, so that they meet: as a retry, or as a mistake.
const key = fc.integer({ min: 0, max: 15 });
const nth = fc.nat({ max: 100 });
// Two services, of which one does most of the work: only that one finds most of the holds.
const by: fc.Arbitrary<0 | 1> = fc.oneof({ weight: 4, arbitrary: fc.constant(0 as const) }, fc.constant(1 as const));

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('add' as const), owner, amount: fc.constantFrom(5, 25, 50), key, by }),
  fc.record({ do: fc.constant('use' as const), owner, amount, key, by }),
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('hold' as const),
      owner,
      amount,
      ttl: fc.constantFrom(5, 10, 20),
      key,
      by,
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('capture' as const), nth, amount: some, key, by }) },
  fc.record({ do: fc.constant('release' as const), nth, key, by }),
  { weight: 2, arbitrary: fc.record({ do: fc.constant('refund' as const), nth, amount: some, key, by }) },
  fc.record({ do: fc.constant('wait' as const), seconds: fc.constantFrom(5, 10) }),
  fc.constant({ do: 'expire' as const }),
);
const sequence = (minLength: number, maxLength: number) => fc.array(step, { minLength, maxLength, size: 'max' });

/** Names one of `count` things, and now and then one that is not there. */
const chosen = (nth: number, count: number) => nth % (count + 1);

interface ModelHold {
  owner: number;
  by: 0 | 1;
  amount: number;
  endsAt: number;
  status: 'ACTIVE' | 'CAPTURED' | 'RELEASED' | 'EXPIRED';
  capture: number | undefined;
}
interface ModelRow {
  owner: number;
  amount: number;
  refundable: number;
}

/** The ledger as one would write it for one caller and no database. Rows and holds are named by their place. */
class Model {
  seconds = 0;
  balances = [50, 50];
  rows: ModelRow[] = [];
  holds: ModelHold[] = [];
  keys = new Map<string, { input: string; answer: string }>();

  held(owner: number): number {
    return this.holds
      .filter((hold) => hold.owner === owner && this.statusOf(hold) === 'ACTIVE')
      .reduce((sum, hold) => sum + hold.amount, 0);
  }

  statusOf(hold: ModelHold): ModelHold['status'] {
    if (hold.status === 'ACTIVE' && hold.endsAt <= this.seconds) hold.status = 'EXPIRED';
    return hold.status;
  }

  /** What it answers, and `!` and the code when it refuses. */
  apply(step: Step): string {
    if (step.do === 'wait') this.seconds += step.seconds;
    if (step.do === 'wait' || step.do === 'expire') return '';
    const { key, ...rest } = step;
    const name = `${step.by}:${step.do}:${key}`;
    const input = JSON.stringify('nth' in rest ? { ...rest, nth: this.placeOf(rest) } : rest);
    const known = this.keys.get(name);
    if (known) return known.input === input ? known.answer : '!IDEMPOTENCY_CONFLICT';
    const answer = this.act(step);
    if (!answer.startsWith('!') && !answer.startsWith('again ')) this.keys.set(name, { input, answer });
    return answer.replace('again ', '');
  }

  /** The same input is the same thing named, by whatever number. */
  private placeOf(step: { do: 'capture' | 'release' | 'refund'; nth: number }): number | undefined {
    const { length } = step.do === 'refund' ? this.rows : this.holds;
    const place = chosen(step.nth, length);
    return place < length ? place : undefined;
  }

  private act(step: Exclude<Step, { do: 'wait' | 'expire' }>): string {
    if (step.do === 'add') return this.write(step.owner, step.amount);
    if (step.do === 'use' || step.do === 'hold') {
      if ((this.balances[step.owner] ?? 0) - this.held(step.owner) < step.amount) return '!INSUFFICIENT_CREDITS';
      if (step.do === 'use') return this.write(step.owner, -step.amount);
      const hold = { owner: step.owner, by: step.by, amount: step.amount, endsAt: this.seconds + step.ttl };
      return `hold ${this.holds.push({ ...hold, status: 'ACTIVE', capture: undefined }) - 1}`;
    }
    if (step.do === 'refund') return this.refund(step);
    const place = chosen(step.nth, this.holds.length);
    const hold = this.holds[place];
    if (!hold || hold.by !== step.by) return '!NOT_FOUND';
    const status = this.statusOf(hold);
    if (step.do === 'release') {
      if (status === 'CAPTURED') return '!CONFLICT';
      if (status !== 'ACTIVE') return `again hold ${place}`;
      hold.status = 'RELEASED';
      return `hold ${place}`;
    }
    if (status === 'CAPTURED') return `again row ${hold.capture}`;
    if (status !== 'ACTIVE') return '!CONFLICT';
    if ((step.amount ?? 0) > hold.amount) return '!BAD_USER_INPUT';
    hold.status = 'CAPTURED';
    hold.capture = this.rows.length;
    return this.write(hold.owner, -(step.amount ?? hold.amount));
  }

  private refund(step: Extract<Step, { do: 'refund' }>): string {
    const row = this.rows[chosen(step.nth, this.rows.length)];
    if (!row) return '!NOT_FOUND';
    if (row.amount > 0) return '!BAD_USER_INPUT';
    const back = step.amount ?? row.refundable;
    if (row.refundable === 0 || back > row.refundable) return '!CONFLICT';
    row.refundable -= back;
    return this.write(row.owner, back);
  }

  private write(owner: number, amount: number): string {
    this.balances[owner] = (this.balances[owner] ?? 0) + amount;
    return `row ${this.rows.push({ owner, amount, refundable: -amount }) - 1}`;
  }
}

const UNKNOWN = '01890000-0000-7000-8000-000000000000';

/** The real one, speaking of rows and holds by the place in which they were made, as the model does. */
class Real {
  rows: string[] = [];
  holds: string[] = [];
  readonly #owners: string[];

  constructor(owners: string[]) {
    this.#owners = owners;
  }

  async apply(step: Step): Promise<string> {
    try {
      return await this.#act(step);
    } catch (error) {
      if (error instanceof AppError) return `!${error.code}`;
      throw error;
    }
  }

  async #act(step: Step): Promise<string> {
    if (step.do === 'wait') ledger.clock.advance(step.seconds * 1_000);
    if (step.do === 'expire') await expireDueHolds(app, { limit: 10 });
    if (step.do === 'wait' || step.do === 'expire') return '';
    const common = { idempotencyKey: `${this.#owners[0]}:${step.key}`, actor: services[step.by] };
    if (step.do === 'capture' || step.do === 'release') {
      const holdId = this.holds[chosen(step.nth, this.holds.length)] ?? UNKNOWN;
      if (step.do === 'release') return this.#place('hold', (await releaseCredits(app, { ...common, holdId })).hold.id);
      return this.#place('row', (await captureCredits(app, { ...common, holdId, amount: step.amount })).transaction.id);
    }
    if (step.do === 'refund') {
      const transactionId = this.rows[chosen(step.nth, this.rows.length)] ?? UNKNOWN;
      return this.#place(
        'row',
        (await refundCredits(app, { ...common, transactionId, amount: step.amount })).transaction.id,
      );
    }
    const userId = this.#owners[step.owner] ?? '';
    if (step.do === 'hold') {
      return this.#place(
        'hold',
        (await holdCredits(app, { ...common, userId, amount: step.amount, ttlSeconds: step.ttl })).hold.id,
      );
    }
    const move = step.do === 'add' ? addCredits : useCredits;
    return this.#place('row', (await move(app, { ...common, userId, amount: step.amount })).transaction.id);
  }

  #place(kind: 'row' | 'hold', id: string): string {
    const list = kind === 'row' ? this.rows : this.holds;
    const place = list.indexOf(id);
    return `${kind} ${place >= 0 ? place : list.push(id) - 1}`;
  }
}

const makeOwners = () => Promise.all(Array.from({ length: OWNERS }, () => createOwner(app, { balance: 50 })));

describe('any sequence of movements', () => {
  it('goes as in the model: same answers, same refusals, same balances, and books that add up', async () => {
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(sequence(60, 100), async (steps) => {
        const owners = await makeOwners();
        const [model, real] = [new Model(), new Real(owners)];
        for (const one of steps) {
          const answer = await real.apply(one);
          expect(answer, JSON.stringify(one)).toBe(model.apply(one));
          seen.add(`${one.do} ${answer.startsWith('!') ? answer : ''}`);
        }
        for (const [place, userId] of owners.entries()) {
          const [balance, held] = [model.balances[place] ?? 0, model.held(place)];
          expect(await creditBalance(app, { userId })).toEqual({ userId, balance, held, available: balance - held });
        }
        expect(await ledgerHealth(app)).toMatchObject({ ok: true });
      }),
      { numRuns: 20 },
    );
    // What never came up was not compared.
    const done = ['add ', 'use ', 'hold ', 'capture ', 'release ', 'refund '];
    const refused = [
      'use !INSUFFICIENT_CREDITS',
      'hold !INSUFFICIENT_CREDITS',
      'capture !NOT_FOUND',
      'capture !CONFLICT',
    ];
    const odd = [
      'capture !BAD_USER_INPUT',
      'release !CONFLICT',
      'refund !CONFLICT',
      'refund !BAD_USER_INPUT',
      'use !IDEMPOTENCY_CONFLICT',
    ];
    expect([...seen]).toEqual(expect.arrayContaining([...done, ...refused, ...odd]));
  }, 120_000);

  it('keeps its books when all of it comes at once', async () => {
    await fc.assert(
      fc.asyncProperty(sequence(60, 100), async (steps) => {
        const real = new Real(await makeOwners());
        const third = steps.length / 3;
        for (const from of [0, third, 2 * third])
          await Promise.all(steps.slice(from, from + third).map((one) => real.apply(one)));
        expect(await ledgerHealth(app)).toMatchObject({ ok: true, broken: [] });
      }),
      { numRuns: 20 },
    );
  }, 120_000);
});
