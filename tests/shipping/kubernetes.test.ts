import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as apps from 'kubernetes-models/apps/v1';
import * as autoscaling from 'kubernetes-models/autoscaling/v2';
import * as batch from 'kubernetes-models/batch/v1';
import * as networking from 'kubernetes-models/networking.k8s.io/v1';
import * as policy from 'kubernetes-models/policy/v1';
import * as core from 'kubernetes-models/v1';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { buildConfig, SETTINGS } from '../../src/core/config.js';
import { environmentOf, lastStage, restOf, root } from './dockerfile.js';

const folder = join(root, 'deploy/kubernetes');

interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string };
  // biome-ignore lint/suspicious/noExplicitAny: tests walk manifests freely; the models have checked them.
  [part: string]: any;
}

const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
const read = (name: string) => parse(readFileSync(join(folder, name), 'utf8')) as Manifest;
const manifests = Object.fromEntries(files.map((name) => [name, read(name)]));

type Model = new (data: unknown) => { validate(): void };
const MODELS: Record<string, object> = {
  v1: core,
  'apps/v1': apps,
  'batch/v1': batch,
  'policy/v1': policy,
  'autoscaling/v2': autoscaling,
  'networking.k8s.io/v1': networking,
};
/** Of tools beside Kubernetes, whose schemas are not its own. */
const FOREIGN = ['Kustomization', 'ServiceMonitor'];

function modelOf({ apiVersion, kind }: Manifest): Model {
  const model = (MODELS[apiVersion] as Record<string, Model> | undefined)?.[kind];
  if (!model) throw new Error(`Kubernetes has no ${kind} in ${apiVersion}`);
  return model;
}

const deployment = read('deployment.yaml');
const job = read('migration-job.yaml');
const pods = { deployment: deployment.spec.template, job: job.spec.template };
const labels: Record<string, string> = pods.deployment.metadata.labels;
const [server] = pods.deployment.spec.containers;

const seconds = (file: string, pattern: RegExp) =>
  Number(pattern.exec(readFileSync(join(root, file), 'utf8'))?.[1]?.replaceAll('_', '')) / 1_000;

describe('deploy/kubernetes', () => {
  it.each(files.filter((name) => !FOREIGN.includes(read(name).kind)))('%s is what Kubernetes takes', (name) => {
    const manifest = read(name);
    expect(() => new (modelOf(manifest))(manifest).validate()).not.toThrow();
  });

  it('would not pass with a part of another type', () => {
    const wrong = { ...deployment, spec: { ...deployment.spec, selector: 'credence' } };
    expect(() => new (modelOf(wrong))(wrong).validate()).toThrow();
  });

  it('is applied as a whole, but for what is made by hand', () => {
    const { resources, images } = read('kustomization.yaml');
    const byHand = ['kustomization.yaml', 'secret.example.yaml', 'service-monitor.yaml'];
    expect([...resources, ...byHand].sort()).toEqual(files.sort());
    for (const { spec } of Object.values(pods))
      for (const { image } of spec.containers) expect(image).toBe(images[0].name);
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    expect(images[0].newTag).toBe(version);
  });

  it('sets what the configuration knows, and a start accepts it', () => {
    const { data } = read('config.yaml');
    const { stringData } = read('secret.example.yaml');
    const values = { ...data, ...stringData };
    expect(Object.keys(values).filter((name) => !(name in SETTINGS))).toEqual([]);
    const key = '6bq0pXwWb2p3XoZ0kTgV3b0rJt9WmKq1sN8yLhCfUeA=';
    const config = buildConfig({ ...environmentOf(lastStage()), ...values, ENCRYPTION_KEY: key });
    expect([config.environment, config.storage.kind]).toEqual(['production', 's3']);
    for (const { spec } of Object.values(pods))
      expect(spec.containers[0].envFrom).toEqual([
        { configMapRef: { name: manifests['config.yaml']?.metadata.name } },
        { secretRef: { name: manifests['secret.example.yaml']?.metadata.name } },
      ]);
  });

  it('selects the server’s pods, by the port of the image', () => {
    expect(deployment.spec.selector.matchLabels).toEqual(labels);
    expect(read('service.yaml').spec.selector).toEqual(labels);
    expect(read('disruption-budget.yaml').spec.selector.matchLabels).toEqual(labels);
    for (const spread of pods.deployment.spec.topologySpreadConstraints)
      expect(spread.labelSelector.matchLabels).toEqual(labels);
    // The job is no server: neither the service nor the budget may count it.
    expect(pods.job.metadata.labels).not.toEqual(labels);
    expect(labels).toMatchObject(read('network-policy.yaml').spec.podSelector.matchLabels);
    expect(pods.job.metadata.labels).toMatchObject(read('network-policy.yaml').spec.podSelector.matchLabels);
    const port = Number(restOf(lastStage(), 'EXPOSE')[0]);
    expect(server.ports).toEqual([{ name: 'http', containerPort: port }]);
    expect(read('service.yaml').spec.ports[0].targetPort).toBe('http');
    expect(read('network-policy.yaml').spec.ingress[0].ports).toEqual([{ port }]);
    const { service } = read('ingress.yaml').spec.rules[0].http.paths[0].backend;
    expect(service).toEqual({ name: read('service.yaml').metadata.name, port: { name: 'http' } });
  });

  it('runs as the user of the image, under the restricted standard, and may write to /data and /tmp alone', () => {
    const [user = ''] = restOf(lastStage(), 'USER');
    for (const [name, { spec }] of Object.entries(pods)) {
      expect(`${spec.securityContext.runAsUser}:${spec.securityContext.runAsGroup}`, name).toBe(user);
      expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
      expect(spec.automountServiceAccountToken).toBe(false);
      expect(spec.serviceAccountName).toBe(read('service-account.yaml').metadata.name);
      const [container] = spec.containers;
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      const mounts: { name: string; mountPath: string }[] = container.volumeMounts;
      expect(mounts.map(({ mountPath }) => mountPath).sort()).toEqual([environmentOf(lastStage()).DATA_DIR, '/tmp']);
      expect(mounts.map((mount) => mount.name)).toEqual(spec.volumes.map((volume: { name: string }) => volume.name));
    }
    expect(read('namespace.yaml').metadata).toMatchObject({
      labels: { 'pod-security.kubernetes.io/enforce': 'restricted' },
    });
  });

  it('probes doors that there are, longer than a start may take, and never kills for a database that is away', () => {
    expect(server.livenessProbe.httpGet.path).toBe('/health/live');
    expect(server.startupProbe.httpGet.path).toBe('/health/live');
    expect(server.readinessProbe.httpGet.path).toBe('/health/ready');
    const { periodSeconds, failureThreshold } = server.startupProbe;
    expect(periodSeconds * failureThreshold).toBeGreaterThan(60);
  });

  it('leaves the server the time it takes to end', () => {
    const hardDeadline = seconds('src/cli/serve.ts', /HARD_DEADLINE_MS = ([\d_]+)/);
    const [, pause] = server.lifecycle.preStop.exec.command;
    expect(hardDeadline).toBeGreaterThan(0);
    expect(pods.deployment.spec.terminationGracePeriodSeconds).toBeGreaterThan(Number(pause) + hardDeadline);
  });

  it('keeps serving while a node is drained and while it is rolled out', () => {
    const scaler = read('autoscaler.yaml').spec;
    expect(scaler.scaleTargetRef).toMatchObject({ kind: 'Deployment', name: deployment.metadata.name });
    expect(scaler.minReplicas).toBeGreaterThan(read('disruption-budget.yaml').spec.maxUnavailable);
    expect(deployment.spec.strategy.rollingUpdate).toEqual({ maxUnavailable: 0, maxSurge: 1 });
    expect(pods.job.spec.containers[0].args).toEqual(['migrate', 'up']);
  });
});
