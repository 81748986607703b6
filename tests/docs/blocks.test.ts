import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse, validate } from 'graphql';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { createSchema } from '../../src/api/schema.js';
import { buildConfig, SETTINGS } from '../../src/core/config.js';
import { type Block, blocksOf, placeOf, readBlocks, readPages, withTag } from './blocks.js';
import { NOT_RUN, RUN } from './not-run.js';
import { commandsOf, settingsOf } from './shell.js';

const root = resolve(import.meta.dirname, '../..');
const named = (blocks: Block[]) => blocks.map((block) => [placeOf(block), block] as const);

function faultsOf({ tag, text }: Block): string[] {
  if (tag === 'yaml')
    return parseAllDocuments(text).flatMap((document) => document.errors.map(({ message }) => message));
  try {
    JSON.parse(text);
    return [];
  } catch (error) {
    return [String(error)];
  }
}

/** What is checked here or in the files beside, and what is not for a machine. */
const TAGS: Record<string, string> = {
  sh: 'commands.postgres.test.ts',
  python: 'commands.postgres.test.ts',
  graphql: 'here, and queries.test.ts',
  ts: 'code.test.ts',
  tsx: 'code.test.ts',
  js: 'code.test.ts',
  json: 'here',
  yaml: 'here',
  text: 'output, trees and tables: nothing to run',
};

describe('every block of the docs', () => {
  it('says what it is, and is something that a test looks at', () => {
    expect(readBlocks().length).toBeGreaterThan(10);
    const strangers = readBlocks().filter(({ tag }) => !(tag in TAGS));
    expect(strangers.map((block) => `${placeOf(block)}: "${block.tag}"`)).toEqual([]);
  });

  it('of JSON or YAML can be read', () => {
    const wrong = withTag('json', 'yaml').flatMap((block) =>
      faultsOf(block).map((fault) => `${placeOf(block)}: ${fault}`),
    );
    expect(wrong).toEqual([]);
  });

  it('of GraphQL fits the schema', () => {
    const schema = createSchema();
    const wrong = withTag('graphql').flatMap((block) => {
      const errors = validate(schema, parse(block.text));
      return errors.map(({ message }) => `${placeOf(block)}: ${message}`);
    });
    expect(wrong).toEqual([]);
  });
});

describe('every command of the docs', () => {
  const commands = withTag('sh').flatMap((block) =>
    settingsOf(block.text) ? [] : commandsOf(block.text).map((command) => ({ block, command })),
  );
  const isKnown = (command: string) =>
    RUN.includes(/^\S+/.exec(command)?.[0] ?? '') || NOT_RUN.some(({ starts }) => command.startsWith(starts));

  it('is run, or stands on the list of those that cannot be, with a reason', () => {
    const strangers = commands.filter(({ command }) => !isKnown(command));
    expect(strangers.map(({ block, command }) => `${placeOf(block)}: ${command.slice(0, 100)}`)).toEqual([]);
  });

  it('of that list stands somewhere', () => {
    const idle = NOT_RUN.filter(({ starts }) => !commands.some(({ command }) => command.startsWith(starts)));
    expect(idle.map(({ starts }) => starts)).toEqual([]);
  });

  it('of npm names a script that there is', () => {
    const { scripts } = JSON.parse(readFileSync(resolve(root, 'package.json'), 'utf8')) as { scripts: object };
    const texts = readPages().map((page) => readFileSync(resolve(root, page), 'utf8'));
    const asked = texts.flatMap((text) => [...text.matchAll(/npm run ([\w:-]+)/g)].map((match) => match[1] ?? ''));
    expect(asked.length).toBeGreaterThan(3);
    expect([...new Set(asked)].filter((name) => !(name in scripts))).toEqual([]);
  });

  it.each(named(withTag('sh').filter(({ text }) => settingsOf(text))))(
    '%s are settings that a start accepts',
    (_, block) => {
      const values = settingsOf(block.text) ?? {};
      // Read by the AWS clients themselves.
      const names = Object.keys(values).filter((name) => !name.startsWith('AWS_'));
      expect(names.filter((name) => !(name in SETTINGS))).toEqual([]);
      expect(() => buildConfig(values)).not.toThrow();
    },
  );
});

describe('the reading of pages', () => {
  it('finds indented fences and their tags, and misses no end', () => {
    const page = '1. so\n\n   ```sh\n   a \\\n     b\n   ```\n\n```\nx\n```\n';
    expect(blocksOf('p', page)).toEqual([
      { file: 'p', line: 3, tag: 'sh', text: 'a \\\n  b' },
      { file: 'p', line: 8, tag: '', text: 'x' },
    ]);
    expect(() => blocksOf('p', '```sh\na')).toThrow('never closed');
  });

  it('tells commands from what stands in quotes, comments, substitutions and here-documents', () => {
    const text = `A=$(curl -s "$B" | node -e 'x; y') DATABASE_URL=postgres://… npm start # and | then
curl -d '{
  "a": "b; c && d" # e
}' "$URL" 2>&1 | node -e "f"
psql <<'SQL'
select 1; select 2
SQL
B=1
x && y || z & w`;
    expect(commandsOf(text).map((command) => command.split(/\s/)[0])).toEqual('npm curl node psql x y z w'.split(' '));
  });

  it('tells settings from commands', () => {
    expect(settingsOf('PORT=1 # one\nENCRYPTION_KEY=…')).toEqual({ PORT: '1', ENCRYPTION_KEY: expect.any(String) });
    expect(settingsOf('PORT=1 npm start')).toBeUndefined();
    expect(settingsOf('TOKEN=abc')).toBeUndefined();
  });
});
