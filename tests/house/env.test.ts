import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { buildConfig, ConfigError, type Environment, exampleEnvironment, SETTINGS } from '../../src/core/config.js';
import { sourceFiles } from './sources.js';

const complaintsOf = (values: Environment): string => {
  try {
    buildConfig(values);
    return '';
  } catch (error) {
    return error instanceof ConfigError ? error.message : String(error);
  }
};

const PRODUCTION: Environment = {
  NODE_ENV: 'production',
  PUBLIC_URL: 'https://id.example.com',
  ENCRYPTION_KEY: '6bq0pXwWb2p3XoZ0kTgV3b0rJt9WmKq1sN8yLhCfUeA=',
  SMTP_URL: 'smtps://mail.example.com:465',
  MAIL_FROM: 'Example <no-reply@example.com>',
};

describe('the configuration', () => {
  it('equals .env.example (npm run generate writes it)', async () => {
    await expect(exampleEnvironment()).toMatchFileSnapshot('../../.env.example');
  });

  it('is read in one file alone', () => {
    const readers = sourceFiles().filter((file) => /process\.env/.test(readFileSync(file.path, 'utf8')));
    expect(readers.map((file) => file.name)).toEqual(['src/core/config.ts']);
  });

  it('needs nothing to be set', () => {
    const config = buildConfig({});
    expect(config.database.kind).toBe('pglite');
    expect(config.server).toMatchObject({ host: '127.0.0.1', port: 4000, publicUrl: 'http://127.0.0.1:4000' });
    expect(config.graphql).toEqual({ introspection: true, playground: true });
  });

  it('says all its complaints at once', () => {
    const text = complaintsOf({
      PORT: 'eighty',
      ACCESS_TOKEN_TTL: '5',
      REFRESH_COOKIE: 'yes',
      CORS_ORIGINS: '*',
      TRUST_PROXY: '10.0.0.0/33',
    });
    for (const name of ['PORT', 'ACCESS_TOKEN_TTL', 'REFRESH_COOKIE', 'CORS_ORIGINS', 'TRUST_PROXY'])
      expect(text).toContain(name);
  });

  it('never repeats a value that may hold a password', () => {
    expect(complaintsOf({ DATABASE_URL: 'mysql://me:hunter2@db/x', SMTP_URL: 'http://me:hunter2@mail' })).not.toContain(
      'hunter2',
    );
  });

  it('stops a start in production without secrets, or with wildcard origins', () => {
    expect(complaintsOf(PRODUCTION)).toBe('');
    const { ENCRYPTION_KEY: _, ...withoutKey } = PRODUCTION;
    expect(complaintsOf(withoutKey)).toContain('ENCRYPTION_KEY');
    expect(complaintsOf({ ...PRODUCTION, ENCRYPTION_KEY: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=' })).toContain(
      'ENCRYPTION_KEY',
    );
    expect(complaintsOf({ ...PRODUCTION, PUBLIC_URL: 'http://id.example.com' })).toContain('PUBLIC_URL');
    expect(complaintsOf({ ...PRODUCTION, CORS_ORIGINS: '*' })).toContain('CORS_ORIGINS');
    expect(complaintsOf({ ...PRODUCTION, CORS_ORIGINS: 'http://app.example.com' })).toContain('https');
  });

  it('takes a base for Stripe without encryption on this machine alone', () => {
    const key = 'sk_test_aaaaaaaaaaaa';
    expect(buildConfig({}).billing).toBeUndefined();
    expect(buildConfig({ STRIPE_SECRET_KEY: key, STRIPE_API_BASE: 'http://127.0.0.1:12111' }).billing).toEqual({
      secretKey: key,
      webhookSecrets: [],
      apiBase: 'http://127.0.0.1:12111',
    });
    for (const base of ['http://stripe.example.com', 'ftp://127.0.0.1', 'https://api.stripe.com/v1'])
      expect(complaintsOf({ STRIPE_SECRET_KEY: key, STRIPE_API_BASE: base }), base).toContain('STRIPE_API_BASE');
  });

  it('refuses what cannot be keys of Stripe, and repeats none', () => {
    const text = complaintsOf({
      STRIPE_SECRET_KEY: 'pk_live_oops',
      STRIPE_WEBHOOK_SECRET: 'whsec_aaaaaaaaaaaaaaaaaaaa,hunter2',
    });
    expect(text).toContain('STRIPE_SECRET_KEY');
    expect(text).toContain('STRIPE_WEBHOOK_SECRET');
    expect(text).not.toMatch(/oops|hunter2/);
    expect(complaintsOf({ STRIPE_WEBHOOK_SECRET: 'whsec_aaaaaaaaaaaaaaaaaaaa' })).toContain('STRIPE_SECRET_KEY');
    expect(complaintsOf({ ...PRODUCTION, STRIPE_SECRET_KEY: 'sk_live_aaaaaaaaaaaa' })).toContain(
      'STRIPE_WEBHOOK_SECRET',
    );
  });

  it('sends by Resend in production where only its key is set, and wants what each transport needs', () => {
    const { SMTP_URL: _, ...withoutSmtp } = PRODUCTION;
    const byResend = { ...withoutSmtp, RESEND_API_KEY: 're_5p2mX9qT_abc' };
    expect(buildConfig(byResend).mail).toEqual({
      transport: 'resend',
      from: PRODUCTION.MAIL_FROM,
      resend: { apiKey: 're_5p2mX9qT_abc', apiBase: 'https://api.resend.com' },
    });
    expect(buildConfig({ ...byResend, ...PRODUCTION }).mail.transport).toBe('smtp');
    expect(complaintsOf(withoutSmtp)).toContain('SMTP_URL');
    expect(complaintsOf({ MAIL_TRANSPORT: 'resend' })).toContain('RESEND_API_KEY');
    expect(complaintsOf({ MAIL_TRANSPORT: 'pigeon' })).toContain('MAIL_TRANSPORT must be one of');
    const odd = complaintsOf({ MAIL_TRANSPORT: 'resend', RESEND_API_KEY: 'hunter2 hunter2', MAIL_FROM: 'Acme' });
    expect(odd).toContain('RESEND_API_KEY');
    expect(odd).toContain('MAIL_FROM');
    expect(odd).not.toContain('hunter2');
    expect(complaintsOf({ RESEND_API_BASE: 'http://resend.example.com' })).toContain('https');
    expect(complaintsOf({ RESEND_API_BASE: 'http://127.0.0.1:9999' })).toBe('');
  });

  it('knows where files are, and says at the start what a bucket lacks', () => {
    expect(buildConfig({ DATA_DIR: '/srv/credence' }).storage).toEqual({
      kind: 'local',
      directory: '/srv/credence/files',
    });
    const text = complaintsOf({ STORAGE: 's3', S3_ENDPOINT: 'ftp://x', AWS_ACCESS_KEY_ID: 'AKIA' });
    for (const name of ['S3_BUCKET', 'S3_REGION', 'S3_ENDPOINT', 'AWS_SECRET_ACCESS_KEY']) expect(text).toContain(name);
    expect(text.split('AWS_SECRET_ACCESS_KEY')).toHaveLength(2);
    expect(complaintsOf({ STORAGE: 'gcs' })).toContain('STORAGE');
    expect(complaintsOf({ STORAGE: 's3', S3_BUCKET: '../x', S3_REGION: 'eu-central-1' })).toContain('S3_BUCKET');
    const keys = { AWS_ACCESS_KEY_ID: 'AKIA', AWS_SECRET_ACCESS_KEY: 'secret' };
    const bucket: Environment = { STORAGE: 's3', S3_BUCKET: 'files', ...keys };
    expect(buildConfig({ ...bucket, AWS_REGION: 'eu-central-1' }).storage).toMatchObject({
      kind: 's3',
      region: 'eu-central-1',
      endpoint: undefined,
      credentials: { accessKeyId: 'AKIA', secretAccessKey: 'secret' },
    });
    expect(buildConfig({ ...bucket, S3_ENDPOINT: 'https://s3.example.com' }).storage).toMatchObject({
      region: 'us-east-1',
    });
  });

  it('takes a provider whole or not at all, and sends browsers to listed https pages only', () => {
    const client = { GOOGLE_CLIENT_ID: 'id.apps.example', GOOGLE_CLIENT_SECRET: 'hunter2' };
    expect(buildConfig({}).google).toBeUndefined();
    expect(buildConfig({ ...client, FRONTEND_URL: 'https://app.example.com/' }).google).toEqual({
      issuer: 'https://accounts.google.com',
      clientId: 'id.apps.example',
      clientSecret: 'hunter2',
      returnUrls: ['https://app.example.com/google-sign-in'],
    });
    expect(complaintsOf({ GOOGLE_CLIENT_ID: 'id.apps.example' })).toContain('GOOGLE_CLIENT_SECRET');
    expect(complaintsOf({ GOOGLE_CLIENT_SECRET: 'hunter2' })).not.toContain('hunter2');
    for (const issuer of [
      'http://login.example.com',
      'https://u:p@login.example.com',
      'https://a.example/?x',
      'nonsense',
    ])
      expect(complaintsOf({ ...client, GOOGLE_ISSUER: issuer }), issuer).toContain('GOOGLE_ISSUER');
    expect(complaintsOf({ ...client, GOOGLE_ISSUER: 'http://127.0.0.1:9000/realm/' })).toBe('');
    for (const page of ['http://app.example.com/back', 'https://app.example.com/#back', 'javascript:alert(1)'])
      expect(complaintsOf({ ...client, GOOGLE_RETURN_URLS: page }), page).toContain('GOOGLE_RETURN_URLS');
  });

  it('hides playground, introspection and mailbox in production unless they are set', () => {
    const config = buildConfig(PRODUCTION);
    expect(config.graphql).toEqual({ introspection: false, playground: false });
    expect(config.mail.transport).toBe('smtp');
    expect(buildConfig({ ...PRODUCTION, PLAYGROUND: 'true', INTROSPECTION: 'true' }).graphql).toEqual({
      introspection: true,
      playground: true,
    });
  });

  it('takes OpenTelemetry’s own settings, and traces nothing without a collector', () => {
    expect(buildConfig({ OTEL_TRACES_SAMPLER: 'always_on' }).tracing).toBeUndefined();
    expect(
      buildConfig({
        OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/',
        OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=a%20b, authorization=Basic x=',
        OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
        OTEL_TRACES_SAMPLER_ARG: '0.05',
      }).tracing,
    ).toEqual({
      url: 'http://collector:4318/v1/traces',
      headers: { 'x-tenant': 'a b', authorization: 'Basic x=' },
      serviceName: 'credence',
      ratio: 0.05,
      followsParent: true,
    });
    const text = complaintsOf({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'grpc://collector',
      OTEL_EXPORTER_OTLP_HEADERS: 'hunter2',
      OTEL_TRACES_SAMPLER: 'sometimes',
      OTEL_TRACES_SAMPLER_ARG: '1.5',
    });
    for (const name of ['ENDPOINT', 'HEADERS', 'SAMPLER must', 'SAMPLER_ARG']) expect(text).toContain(name);
    expect(text).not.toContain('hunter2');
  });

  it('explains every setting in a sentence', () => {
    for (const [name, setting] of Object.entries(SETTINGS)) expect(setting.meaning, name).toMatch(/[.)]$/);
  });
});
