import { createHash } from 'node:crypto';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Letter, Mailer, StoredLetter } from './mail.js';

const KEPT_LETTERS = 500;
/** After so many letters the oldest are looked for and removed; there may be as many too many. */
const CLEAN_EVERY = 50;
/** `<milliseconds>-<id>.json`: names sort by time. */
const LETTER_FILE = /^\d{14}-(?<id>[0-9a-f]{32})\.json$/;

/**
 * The development mailbox: one file a letter, each written whole or not at all (rename), so that the server, a
 * second instance and a test can share the directory. Letters hold live links: the owner alone may read them.
 */
export function createMailbox(dataDir: string): Mailer & Required<Pick<Mailer, 'list'>> {
  const directory = resolve(dataDir, 'mailbox');
  // Files never change once they are there, so each is read once.
  const read = new Map<string, StoredLetter>();
  let lastMillis = 0;
  let sent = 0;

  async function names(): Promise<string[]> {
    const files = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    return files
      .filter((name) => LETTER_FILE.test(name))
      .sort()
      .reverse();
  }

  /** Without the thread pool: handing it the steps of so small a write takes several times as long as doing them. */
  function write(name: string, text: string): void {
    const draft = resolve(directory, `.${name}.${process.pid}`);
    try {
      writeFileSync(draft, text, { mode: 0o600 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      writeFileSync(draft, text, { mode: 0o600 });
    }
    renameSync(draft, resolve(directory, name));
  }

  async function removeOldest(): Promise<void> {
    for (const old of (await names()).slice(KEPT_LETTERS)) await rm(resolve(directory, old), { force: true });
  }

  async function open(name: string): Promise<StoredLetter | undefined> {
    const known = read.get(name);
    if (known) return known;
    try {
      const letter = JSON.parse(await readFile(resolve(directory, name), 'utf8')) as StoredLetter;
      read.set(name, letter);
      return letter;
    } catch {
      // Another process has just removed it as one of the oldest.
      return undefined;
    }
  }

  return {
    async send(letter) {
      const id = createHash('sha256').update(letter.idempotencyKey).digest('hex').slice(0, 32);
      if (letter.isRepeat && (await names()).some((name) => name.endsWith(`-${id}.json`))) return;
      lastMillis = Math.max(Date.now(), lastMillis + 1);
      const name = `${String(lastMillis).padStart(14, '0')}-${id}.json`;
      write(name, JSON.stringify(store(id, letter, new Date(lastMillis)), null, 2));
      if (sent++ % CLEAN_EVERY === 0) await removeOldest();
    },
    async list() {
      const present = (await names()).slice(0, KEPT_LETTERS);
      const kept = new Set(present);
      for (const name of read.keys()) if (!kept.has(name)) read.delete(name);
      const letters = await Promise.all(present.map(open));
      return letters.filter((letter) => letter !== undefined);
    },
    async close() {
      read.clear();
    },
  };
}

function store(id: string, letter: Letter, at: Date): StoredLetter {
  const { to, subject, text, html } = letter;
  return { id, to, subject, text, html, links: linksOf(text), createdAt: at.toISOString() };
}

/** Every http(s) link of a plain text, in order, without the punctuation that ends a sentence. */
function linksOf(text: string): string[] {
  return [...text.matchAll(/https?:\/\/[^\s<>"']+/g)].map(([link]) => link.replace(/[.,;:!?)\]]+$/, ''));
}
