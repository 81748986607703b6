import type { ServerResponse } from 'node:http';

export type FaultKind =
  /** Answers with this status and an error of Stripe's form. */
  | { status: number; code?: string }
  /** Takes the request and never answers. */
  | 'hang'
  /** Cuts the connection. */
  | 'reset'
  /** 200 and no JSON. */
  | 'garbage'
  /** Sends the client elsewhere. */
  | 'redirect'
  /** A byte now and then, and never the end. */
  | 'trickle'
  /** The right answer, this many milliseconds late. */
  | { lateMs: number };

export interface Fault {
  kind: FaultKind;
  method?: 'GET' | 'POST' | 'DELETE';
  path?: RegExp;
  /** How many requests meet it (1). */
  times?: number;
  /** The request is carried out all the same, and only its answer is lost. */
  takesEffect?: boolean;
}

/** What goes wrong, and for whom. */
export class Faults {
  #faults: (Fault & { left: number })[] = [];

  add(fault: Fault): void {
    this.#faults.push({ ...fault, left: fault.times ?? 1 });
  }

  clear(): void {
    this.#faults = [];
  }

  /** The fault that this request meets, used up by one. */
  take(method: string, path: string): Fault | undefined {
    const fault = this.#faults.find(
      ({ left, ...wanted }) => left > 0 && (wanted.method ?? method) === method && (wanted.path?.test(path) ?? true),
    );
    if (fault) fault.left -= 1;
    return fault;
  }
}

export function isLate(kind: FaultKind): boolean {
  return typeof kind === 'object' && 'lateMs' in kind;
}

/** Whether the fault has dealt with the answer; a late one only waits. */
export async function spoil(response: ServerResponse, kind: FaultKind): Promise<boolean> {
  if (kind === 'hang') return true;
  if (kind === 'reset') {
    response.socket?.destroy();
    return true;
  }
  if (kind === 'redirect') {
    response.writeHead(302, { location: 'http://127.0.0.1:9/elsewhere' }).end();
    return true;
  }
  if (kind === 'garbage') {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>maintenance</h1>');
    return true;
  }
  if (kind === 'trickle') {
    response.writeHead(200, { 'content-type': 'application/json' });
    const drip = setInterval(() => response.write(' '), 50);
    response.on('close', () => clearInterval(drip));
    return true;
  }
  if ('lateMs' in kind) await new Promise((resolve) => setTimeout(resolve, kind.lateMs));
  return false;
}

const TYPES: Record<number, string> = { 400: 'invalid_request_error', 402: 'card_error' };

export function errorOf({ status, code }: { status: number; code?: string }): Record<string, unknown> {
  return {
    type: TYPES[status] ?? 'api_error',
    ...(code !== undefined && { code }),
    message: 'A sentence of Stripe that names sk_test_secret and ada@example.com.',
  };
}
