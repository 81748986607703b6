import type { Fleet } from '../support/fleet.js';
import type { GraphqlAnswer } from '../support/process.js';

const USE = `mutation($input: UseCreditsInput!) { useCredits(input: $input) { account { balance } replayed } }`;
const VALIDATE = 'query($token: String!) { validateToken(token: $token) { valid code } }';
const ME = '{ me { id creditAccount { balance } } }';
/** Under way at once. */
const CALLERS = 6;

export interface Load {
  /** Requests answered so far. */
  answered(): number;
  /** Ends it. */
  stop(): Promise<{
    /** What went wrong, in words; each request that did. */
    failures: string[];
    /** Credits that answers said were spent. */
    spent: number;
    answered: number;
  }>;
}

interface Step {
  ask(): Promise<GraphqlAnswer>;
  /** What the answer lacks, or undefined. */
  judge(data: GraphqlAnswer['data']): string | undefined;
}

/** Reads and spends of one person through nginx without a pause, until stopped. No request is ever repeated. */
export function startLoad(fleet: Fleet, person: { id: string; token: string }): Load {
  const { nginx, serviceKey } = fleet;
  const service = { 'x-api-key': serviceKey };
  const failures: string[] = [];
  let [answered, spent, number, isOver] = [0, 0, 0, false];
  const steps: ((key: string) => Step)[] = [
    (key) => ({
      ask: () => {
        const input = { userId: person.id, amount: 1, description: 'load', idempotencyKey: key };
        return nginx.ask({ query: USE, variables: { input }, headers: service });
      },
      judge(data) {
        spent += 1;
        return data.useCredits.replayed ? 'was carried out twice' : undefined;
      },
    }),
    () => ({
      ask: () => nginx.ask({ query: VALIDATE, variables: { token: person.token }, headers: service }),
      judge: (data) => (data.validateToken.valid ? undefined : data.validateToken.code),
    }),
    () => ({
      ask: () => nginx.ask({ query: ME, headers: { authorization: `Bearer ${person.token}` } }),
      judge: (data) => (data.me.id === person.id ? undefined : 'somebody else'),
    }),
  ];

  async function call(): Promise<void> {
    while (!isOver) {
      number += 1;
      const step = steps[number % steps.length]?.(`load-${number}`);
      const problem = await step?.ask().then(
        ({ data, code }) => code ?? step.judge(data),
        (error: unknown) => String(error),
      );
      if (problem !== undefined) failures.push(problem);
      answered += 1;
    }
  }

  const callers = Array.from({ length: CALLERS }, call);
  return {
    answered: () => answered,
    async stop() {
      isOver = true;
      await Promise.all(callers);
      return { failures, spent, answered };
    },
  };
}
