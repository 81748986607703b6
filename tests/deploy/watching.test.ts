// The dashboard and the rules are held against the page of a server: a name that nobody serves would draw an empty graph,
// or an alert that can never fire.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { createHarness, type Harness } from '../support/harness.js';

const folder = resolve(import.meta.dirname, '../../deploy');
const read = (file: string) => readFileSync(resolve(folder, file), 'utf8');

interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: { h: number; w: number; x: number; y: number };
  datasource?: { uid: string };
  targets?: { expr: string; refId: string; legendFormat: string }[];
}

const dashboard = JSON.parse(read('grafana/credence.json'));
const panels: Panel[] = dashboard.panels;
const rules: { alert: string; expr: string }[] = parse(read('prometheus/alerts.yml')).groups.flatMap(
  (group: { rules: object[] }) => group.rules,
);
const queries = [
  ...panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => [title, expr] as const)),
  ...rules.map(({ alert, expr }) => [alert, expr] as const),
];

/** Of Prometheus itself: how a scrape went, and where it went to. */
const PROMETHEUS_OWN = ['up'];
const TARGET_LABELS = ['job', 'instance', 'le'];
const WORDS = new Set('by on without and or unless group_left group_right ignoring bool offset'.split(' '));

/** Names of metrics in a PromQL expression, and of the labels it speaks of. */
function namesIn(expr: string): { metrics: string[]; labels: string[] } {
  const groupings = [...expr.matchAll(/\b(?:by|on|without|ignoring)\s*\(([^)]*)\)/g)].flatMap(([, list = '']) =>
    list.split(',').map((label) => label.trim()),
  );
  const matchers = [...expr.matchAll(/([a-z_]+)\s*(?:=~|!~|!=|=)\s*"/g)].map(([, label = '']) => label);
  const bare = expr
    .replaceAll(/"(?:\\.|[^"\\])*"/g, '')
    .replaceAll(/\{[^}]*\}/g, '')
    .replaceAll(/\[[^\]]*\]/g, '')
    .replaceAll(/\b(?:by|on|without|ignoring)\s*\([^)]*\)/g, '');
  const words = [...bare.matchAll(/[a-zA-Z_:][\w:]*(?!\w*\s*\()/g)].map(([word]) => word);
  return { metrics: words.filter((word) => !WORDS.has(word)), labels: [...groupings, ...matchers] };
}

let h: Harness;
/** Names of samples that the page can have, with histograms' three. */
const served = new Set<string>(PROMETHEUS_OWN);
const labels = new Set<string>(TARGET_LABELS);
beforeAll(async () => {
  h = await createHarness();
  const { payload } = await h.fastify.inject({ url: '/metrics', remoteAddress: '127.0.0.1' });
  for (const [, name = '', kind] of payload.matchAll(/^# TYPE (\S+) (\w+)$/gm)) {
    const endings = kind === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
    for (const ending of endings) served.add(`${name}${ending}`);
  }
  for (const metric of h.app.metrics.registry.getMetricsAsArray() as unknown as { labelNames: string[] }[])
    for (const label of metric.labelNames) labels.add(label);
});
afterAll(() => h.close());

describe('what the dashboard and the rules ask for', () => {
  test('is read out of expressions rightly', () => {
    const expr = 'histogram_quantile(0.9, sum by (le, kind) (rate(a_bucket{x="y",z!~"b{c}"}[5m]))) / on (i) b_c > 3';
    expect(namesIn(expr)).toEqual({ metrics: ['a_bucket', 'b_c'], labels: ['le', 'kind', 'i', 'x', 'z'] });
  });

  test('is on the page of a running server', () => {
    expect(queries.length).toBeGreaterThan(80);
    const missing = queries.flatMap(([where, expr]) => {
      const { metrics } = namesIn(expr);
      expect(metrics.length, where).toBeGreaterThan(0);
      return metrics.filter((name) => !served.has(name)).map((name) => `${where}: ${name}`);
    });
    expect(missing).toEqual([]);
  });

  test('speaks of labels that there are', () => {
    const strange = queries.flatMap(([where, expr]) =>
      namesIn(expr)
        .labels.filter((label) => !labels.has(label))
        .map((label) => `${where}: ${label}`),
    );
    expect(strange).toEqual([]);
  });

  test('leaves no metric of ours out of sight', () => {
    const asked = new Set(queries.flatMap(([, expr]) => namesIn(expr).metrics.map(baseOf)));
    const ours = [...served].filter((name) => name.startsWith('credence_')).map(baseOf);
    // Told by the time per run, and by how a run ended.
    const elsewhere = ['credence_jobs_total', 'credence_jobs_queued', 'credence_jobs_active'];
    expect([...new Set(ours)].filter((name) => !asked.has(name) && !elsewhere.includes(name))).toEqual([]);
  });
});

const baseOf = (name: string) => name.replace(/_(bucket|sum|count)$/, '');

describe('the dashboard', () => {
  test('can be imported by any Grafana: the data source is asked for, ids are single, and panels do not overlap', () => {
    expect(dashboard).toMatchObject({ title: 'Credence', uid: 'credence', schemaVersion: expect.any(Number) });
    const [source, ...others] = dashboard.templating.list;
    expect(source).toMatchObject({ name: 'datasource', type: 'datasource', query: 'prometheus' });
    expect(others.map(({ name }: { name: string }) => name)).toEqual(['job', 'instance']);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { h, w, x, y } }) =>
      Array.from({ length: h * w }, (_, at) => `${x + (at % w)},${y + Math.floor(at / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(panels.every(({ gridPos: { w, x } }) => x + w <= 24)).toBe(true);
  });

  test('asks the data source that was chosen, of the instances that were chosen', () => {
    const graphs = panels.filter(({ type }) => type !== 'row');
    for (const { title, datasource, targets = [] } of graphs) {
      // biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana fills it in.
      expect(datasource?.uid, title).toBe('${datasource}');
      expect(targets.length, title).toBeGreaterThan(0);
      for (const { expr, legendFormat } of targets) {
        expect(expr, title).toContain('job=~"$job",instance=~"$instance"');
        expect(legendFormat, title).not.toBe('');
      }
    }
  });

  test('has a row for each question of an operator', () => {
    const rows = panels.filter(({ type }) => type === 'row').map(({ title }) => title);
    expect(rows).toEqual([
      'At a glance',
      'Traffic',
      'Errors',
      'Latency',
      'Sign-in and hashing',
      'Database',
      'Credits and payments',
      'Letters, events and jobs',
      'Process',
    ]);
  });
});

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;

describe('the configuration of Prometheus', () => {
  test('names the rules beside it, and reads the token from a file', () => {
    const { rule_files, scrape_configs } = parse(read('prometheus/prometheus.yml'));
    expect(rule_files).toEqual(['alerts.yml']);
    expect(scrape_configs).toMatchObject([
      { job_name: 'credence', authorization: { credentials_file: 'credence-metrics-token' } },
    ]);
  });

  test.runIf(hasPromtool)('is right in the eyes of promtool, and so are the tests of its rules', () => {
    for (const args of [
      ['check', 'config', '--syntax-only', 'prometheus.yml'],
      ['check', 'rules', 'alerts.yml'],
      ['test', 'rules', 'alerts.test.yml'],
    ]) {
      const { status, stdout, stderr } = spawnSync('promtool', args, {
        cwd: resolve(folder, 'prometheus'),
        encoding: 'utf8',
      });
      expect(status, `${args.join(' ')}\n${stdout}\n${stderr}`).toBe(0);
    }
  });
});
