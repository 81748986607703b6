import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createHarness, type Harness } from '../support/harness.js';
import { DAY, HOUR, isSignedIn, MINUTE, refresh, SECOND, signIn } from './operations.js';

let h: Harness;

beforeAll(async () => {
  h = await createHarness();
  h.clock.freeze();
});
afterAll(() => h.close());

const GRACE = 20 * SECOND;

/** What the contract says of one session, kept beside the real one. */
interface Model {
  /** Every refresh token that was ever handed out, oldest first; the last is the current one. */
  chain: string[];
  rotatedAt: number;
  usedAt: number;
  endsAt: number;
  ended: boolean;
}

type Step =
  | { kind: 'refresh'; back: number }
  | { kind: 'refreshTwice' }
  | { kind: 'wait'; milliseconds: number }
  | { kind: 'logout' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('refresh' as const), back: fc.integer({ min: 0, max: 1 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('refresh' as const), back: fc.integer({ min: 2, max: 4 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('refreshTwice' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      milliseconds: fc.constantFrom(SECOND, 19 * SECOND, GRACE, 9 * MINUTE, HOUR, 20 * DAY, 31 * DAY),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('logout' as const) }) },
);

const now = () => h.clock.now().getTime();
const isOver = (model: Model) => model.ended || now() >= Math.min(model.usedAt + 30 * DAY, model.endsAt);

/** What has to come of a refresh with the token `back` places behind the current one; moves the model on. */
function expectRefresh(model: Model, back: number): 'next' | 'current' | 'refused' {
  if (isOver(model)) return 'refused';
  if (back === 0) {
    model.usedAt = now();
    model.rotatedAt = now();
    return 'next';
  }
  if (back === 1 && now() - model.rotatedAt < GRACE) return 'current';
  model.ended = true;
  return 'refused';
}

async function runRefresh(model: Model, wantedBack: number): Promise<void> {
  const back = Math.min(wantedBack, model.chain.length - 1);
  const current = model.chain.at(-1);
  const outcome = expectRefresh(model, back);
  const { data, errors } = await refresh(h, model.chain.at(-1 - back));
  if (outcome === 'refused') {
    expect(errors).toBeDefined();
    return;
  }
  expect(errors).toBeUndefined();
  const given: string = data.refreshToken.refreshToken;
  if (outcome === 'current') expect(given).toBe(current);
  else {
    expect(model.chain).not.toContain(given);
    model.chain.push(given);
  }
  expect(await isSignedIn(h, data.refreshToken.accessToken)).toBe(true);
}

async function runTwice(model: Model): Promise<void> {
  const token = model.chain.at(-1);
  const outcome = expectRefresh(model, 0);
  const answers = await Promise.all([refresh(h, token), refresh(h, token)]);
  const given = answers.map((answer) => answer.data?.refreshToken?.refreshToken as string | undefined);
  // At most one live leaf: two at once never make two successors.
  expect(new Set(given).size).toBe(1);
  expect(given[0] === undefined).toBe(outcome === 'refused');
  if (given[0] !== undefined) model.chain.push(given[0]);
}

async function runLogout(model: Model): Promise<void> {
  if (isOver(model)) return;
  // An access token lives ten minutes, so a fresh one is fetched first, as a client would.
  const token = model.chain.at(-1);
  expectRefresh(model, 0);
  const { data } = await refresh(h, token);
  model.chain.push(data.refreshToken.refreshToken);
  await h.graphql('mutation { logout { ok } }', { token: data.refreshToken.accessToken });
  model.ended = true;
}

it('a session has one live token at a time and never comes back, whatever is done with its tokens in whatever order', async () => {
  const person = await h.person();
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 14 }), async (steps) => {
      const { refreshToken } = await signIn(h, { identifier: person.username });
      const model: Model = {
        chain: [refreshToken],
        rotatedAt: now(),
        usedAt: now(),
        endsAt: now() + 90 * DAY,
        ended: false,
      };
      for (const { kind, ...rest } of steps) {
        if (kind === 'refresh') await runRefresh(model, (rest as { back: number }).back);
        if (kind === 'refreshTwice') await runTwice(model);
        if (kind === 'wait') h.clock.advance((rest as { milliseconds: number }).milliseconds);
        if (kind === 'logout') await runLogout(model);
      }
      // Once it is over, no token of its chain opens anything, now or later.
      if (!isOver(model)) return;
      for (const token of model.chain) expect((await refresh(h, token)).errors).toBeDefined();
    }),
    { numRuns: 60 },
  );
});
