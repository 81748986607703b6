import { invalidRequest } from './refusals.ts';

type Value = string | Value[] | { [name: string]: Value };
type Values = { [name: string]: Value };

/** `a[b][0][c]=d` as the client writes it: objects, and arrays where every key is an index. */
export function parseForm(text: string): Values {
  const root: Values = Object.create(null);
  for (const [name, value] of new URLSearchParams(text)) {
    const [first = '', ...rest] = name.split('[').map((part) => part.replace(/\]$/, ''));
    let at = root;
    const path = [first, ...rest];
    for (const part of path.slice(0, -1)) {
      at[part] ??= Object.create(null) as Values;
      at = at[part] as Values;
    }
    const last = path.at(-1) ?? '';
    at[last === '' ? String(Object.keys(at).length) : last] = value;
  }
  return asArrays(root) as Values;
}

function asArrays(value: Value): Value {
  if (typeof value !== 'object') return value;
  const entries = Object.entries(value).map(([name, inner]) => [name, asArrays(inner)] as const);
  const isArray = entries.length > 0 && entries.every(([name], index) => name === String(index));
  return isArray ? entries.map(([, inner]) => inner) : Object.fromEntries(entries);
}

/** What one request sent, read by name; complaints are worded and coded as Stripe's. */
export class Params {
  readonly #values: Values;
  readonly #path: string;

  constructor(values: Values, path = '') {
    this.#values = values;
    this.#path = path;
  }

  names(): string[] {
    return Object.keys(this.#values);
  }

  has(name: string): boolean {
    return this.#values[name] !== undefined;
  }

  pathOf(name: string): string {
    return this.#path === '' ? name : `${this.#path}[${name}]`;
  }

  /** undefined when absent; an empty text unsets and reads as undefined too. */
  optional(name: string): string | undefined {
    const value = this.#values[name];
    if (value === undefined || value === '') return undefined;
    if (typeof value !== 'string') throw invalidRequest(`Invalid string: ${name}`, { param: this.pathOf(name) });
    return value;
  }

  text(name: string): string {
    const value = this.optional(name);
    if (value === undefined)
      throw invalidRequest(`Missing required param: ${this.pathOf(name)}.`, {
        code: 'parameter_missing',
        param: this.pathOf(name),
      });
    return value;
  }

  whole(name: string): number | undefined {
    const value = this.optional(name);
    if (value === undefined) return undefined;
    if (!/^-?\d+$/.test(value))
      throw invalidRequest(`Invalid integer: ${value}`, {
        code: 'parameter_invalid_integer',
        param: this.pathOf(name),
      });
    return Number(value);
  }

  flag(name: string): boolean | undefined {
    const value = this.optional(name);
    if (value === undefined) return undefined;
    if (value !== 'true' && value !== 'false')
      throw invalidRequest(`Invalid boolean: ${value}`, { param: this.pathOf(name) });
    return value === 'true';
  }

  oneOf<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const value = this.optional(name);
    const found = choices.find((choice) => choice === value);
    if (value !== undefined && found === undefined)
      throw invalidRequest(`Invalid ${this.pathOf(name)}: must be one of ${choices.join(', ')}`, {
        param: this.pathOf(name),
      });
    return found;
  }

  object(name: string): Params | undefined {
    const value = this.#values[name];
    if (value === undefined || value === '') return undefined;
    if (typeof value === 'string' || Array.isArray(value))
      throw invalidRequest(`Invalid object`, { param: this.pathOf(name) });
    return new Params(value, this.pathOf(name));
  }

  objects(name: string): Params[] {
    return this.#array(name).map((value, index) => {
      if (typeof value === 'string' || Array.isArray(value))
        throw invalidRequest('Invalid array', { param: this.pathOf(name) });
      return new Params(value, `${this.pathOf(name)}[${index}]`);
    });
  }

  texts(name: string): string[] {
    return this.#array(name).map((value) => {
      if (typeof value !== 'string') throw invalidRequest('Invalid array', { param: this.pathOf(name) });
      return value;
    });
  }

  #array(name: string): Value[] {
    const value = this.#values[name];
    if (value === undefined || value === '') return [];
    if (!Array.isArray(value)) throw invalidRequest('Invalid array', { param: this.pathOf(name) });
    return value;
  }

  /** Merged into what there was: an empty value removes its key, an empty `metadata` all. At most 50 keys. */
  metadata(before: Record<string, string> = {}): Record<string, string> {
    const sent = this.#values.metadata;
    if (sent === undefined) return before;
    if (sent === '') return {};
    if (typeof sent === 'string' || Array.isArray(sent)) throw invalidRequest('Invalid object', { param: 'metadata' });
    const after = { ...before };
    for (const [key, value] of Object.entries(sent)) {
      if (typeof value !== 'string' || key.length > 40 || value.length > 500)
        throw invalidRequest('Metadata keys are at most 40 characters, values at most 500.', { param: 'metadata' });
      if (value === '') delete after[key];
      else after[key] = value;
    }
    if (Object.keys(after).length > 50) throw invalidRequest('At most 50 metadata keys.', { param: 'metadata' });
    return after;
  }

  toJSON(): Values {
    return this.#values;
  }
}
