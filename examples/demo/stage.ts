import { styleText } from 'node:util';

export function fail(message: string): never {
  process.stderr.write(`${styleText('red', 'The demo stopped:')} ${message}\n`);
  process.exit(1);
}

interface Answer {
  data?: Record<string, unknown> | null;
  errors?: { message: string; extensions?: { code?: string; retryAfterSeconds?: number } }[];
}

/** With these a server that has only just started, or is busy, asks to be asked again in a moment. */
const MOMENTARY = ['DATABASE_UNAVAILABLE', 'RETRY_LATER'];
const MOST_TRIES = 4;

export type Answered = Record<string, Record<string, unknown>>;

interface StoredLetter {
  to: string;
  links: string[];
}

const shorten = (_: string, value: unknown) =>
  typeof value === 'string' && value.length > 60 ? `${value.slice(0, 24)}…` : value;

export interface Step {
  query: string;
  variables?: object;
  headers?: Record<string, string>;
  /** The code with which it has to be refused. */
  expect?: string;
}

/** Says what is so, and stops the demo when it is not. */
export function check(truth: boolean, sentence: string): void {
  if (!truth) fail(sentence);
  process.stdout.write(`${styleText('green', '✓')} ${sentence}\n`);
}

export interface Stage {
  /** One step: says what is done, sends it, shows the answer, and stops when it is not the expected one. */
  play(title: string, step: Step): Promise<Answered>;
  /** Asks without showing anything. */
  ask(step: Step): Promise<Answered>;
  request(path: string, init?: RequestInit): Promise<unknown>;
  /** The token of the newest letter to this address; letters go out a moment after the answer. */
  tokenFromMailbox(to: string): Promise<string>;
  /** How many steps were played. */
  steps(): number;
}

/** Where a demo is played: one server. */
export function createStage(url: string): Stage {
  let count = 0;

  async function request(path: string, init?: RequestInit): Promise<unknown> {
    try {
      const response = await fetch(url + path, { signal: AbortSignal.timeout(60_000), ...init });
      return await response.json();
    } catch (error) {
      return fail(
        `${url}${path} does not answer as expected (${(error as Error).message}). Is the server running? Start it with: npm start`,
      );
    }
  }

  async function send(step: Step, tries = 1): Promise<Answer> {
    const { query, variables, headers, expect } = step;
    const answer = (await request('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ query, variables }),
    })) as Answer;
    const { code = '', retryAfterSeconds = 1 } = answer.errors?.[0]?.extensions ?? {};
    if (MOMENTARY.includes(code) && tries < MOST_TRIES) {
      process.stdout.write(`${styleText('yellow', `${code}: asking again in ${retryAfterSeconds} s`)}\n`);
      await new Promise((resolve) => setTimeout(resolve, retryAfterSeconds * 1_000));
      return send(step, tries + 1);
    }
    if (code !== (expect ?? ''))
      fail(`expected ${expect ?? 'an answer'}, got ${JSON.stringify(answer.errors ?? answer.data)}`);
    return answer;
  }

  async function play(title: string, step: Step): Promise<Answered> {
    count += 1;
    process.stdout.write(`\n${styleText('bold', `${count}. ${title}`)}\n`);
    process.stdout.write(`${styleText('dim', step.query.trim().replaceAll(/^ {4}/gm, ''))}\n`);
    const answer = await send(step);
    const code = answer.errors?.[0]?.extensions?.code;
    const shown = code ? `${code}: ${answer.errors?.[0]?.message}` : JSON.stringify(answer.data, shorten, 2);
    process.stdout.write(`${styleText(code ? 'yellow' : 'green', shown)}\n`);
    return (answer.data ?? {}) as Answered;
  }

  async function tokenFromMailbox(to: string): Promise<string> {
    for (let attempt = 0; attempt < 50; attempt += 1) {
      const letters = (await request('/dev/mailbox.json')) as StoredLetter[];
      const link = letters.find((letter) => letter.to === to)?.links.find((address) => address.includes('token='));
      if (link) return new URL(link).searchParams.get('token') ?? '';
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    return fail(`no letter to ${to} came into ${url}/dev/mailbox`);
  }

  return {
    play,
    ask: async (step) => ((await send(step)).data ?? {}) as Answered,
    request,
    tokenFromMailbox,
    steps: () => count,
  };
}
