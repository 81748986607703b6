import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { findSender } from './mail.js';
import { type Cidr, isLoopbackHost, parseCidrs } from './network.js';

/** Everything that can be set, by concern. Built once; nothing else reads the environment. */
export interface Config {
  environment: 'development' | 'production' | 'test';
  server: {
    host: string;
    port: number;
    /** Where people and services reach Credence; the token issuer; the host of links. */
    publicUrl: string;
    frontendUrl: string | undefined;
    corsOrigins: string[];
    /** Blocks of the proxies in front. */
    trustProxy: Cidr[];
  };
  dataDir: string;
  database:
    | {
        kind: 'pglite';
        /** undefined: in memory */
        directory: string | undefined;
        /** What a new database begins with: a dump of another. */
        loadFrom?: Blob;
        /** Puts a whole database into a new directory, and answers whether there was one to put there. */
        fill?: (directory: string) => Promise<boolean>;
      }
    | {
        kind: 'postgres';
        url: string;
        connections: number;
        /** The server itself, when `url` leads to a pooler that hands out a connection a transaction. */
        directUrl?: string | undefined;
        /** A streaming replica, for reads that may lag. */
        replicaUrl?: string | undefined;
      };
  redisUrl: string | undefined;
  firstAdmin: { username: string; email: string; password: string | undefined };
  firstServiceKey: string | undefined;
  /** 32 bytes, base64 or hex. Generated into the data directory when absent outside production. */
  encryptionKey: string | undefined;
  tokens: { algorithm: 'EdDSA' | 'ES256' | 'RS256' | 'HS256'; accessTtlSeconds: number; refreshCookie: boolean };
  limits: { authPerMinute: number; defaultPerMinute: number };
  passwords: { minLength: number; memoryKiB: number; iterations: number; parallelism: number };
  registration: { confirmFirst: boolean };
  secondFactor: { requiredForAdmins: boolean };
  /** Credits one staff member may adjust on one day (UTC), up and down together. */
  staff: { dailyCreditCap: number };
  graphql: { introspection: boolean; playground: boolean };
  /** `from`: `Name <address>` or an address. */
  mail: { from: string } & (
    | { transport: 'mailbox' }
    | { transport: 'smtp'; smtpUrl: string }
    | { transport: 'resend'; resend: { apiKey: string; apiBase: string } }
  );
  /** undefined: nothing is sold here. */
  billing:
    | { secretKey: string /** Any of them may have signed a webhook. */; webhookSecrets: string[]; apiBase: string }
    | undefined;
  /** Undefined: nobody signs in through a provider. */
  google:
    | {
        issuer: string;
        clientId: string;
        clientSecret: string;
        /** Pages of apps where a sign-in may end; the first is the one if none is asked for. */
        returnUrls: string[];
      }
    | undefined;
  messages: { retentionDays: number };
  events: {
    /** Where events go beside the webhook endpoints, which admins make. */
    topicArn: string | undefined;
    queueUrl: string | undefined;
    awsRegion: string | undefined;
    awsEndpoint: string | undefined;
    awsCredentials: AwsCredentials | undefined;
    /** Private networks that webhooks may reach; only there may they go without TLS. */
    webhookNetworks: Cidr[];
    retentionDays: number;
  };
  credits: { /** A balance that falls to it or below is told as `credits.low`. */ lowAt: number };
  /** Where avatars and data exports are. */
  storage:
    | { kind: 'local'; directory: string }
    | {
        kind: 's3';
        bucket: string;
        region: string;
        /** Of another server than Amazon's that speaks the same protocol. */
        endpoint: string | undefined;
        /** undefined: as the machine, the pod or the profile has them. */
        credentials: AwsCredentials | undefined;
      };
  log: {
    level: string;
    pretty: boolean;
    /** Keeps lines in DATA_DIR/logs.sqlite, for `logs` and `requestTrace`. */
    store: boolean;
    retentionDays: number;
    logstashUrl: string | undefined;
    syslogUrl: string | undefined;
  };
  metricsToken: string | undefined;
  /** undefined: nothing is traced. */
  tracing:
    | {
        /** Where spans are posted. */
        url: string;
        headers: Record<string, string>;
        serviceName: string;
        /** Share of requests that are recorded, 0 to 1. */
        ratio: number;
        /** Whether a trusted caller's decision counts. */
        followsParent: boolean;
      }
    | undefined;
}

export interface AwsCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

interface Setting {
  /** As `.env.example` shows it; undefined means there is no default. */
  readonly default?: string;
  /** What a default that depends on others looks like, for the example file. */
  readonly shownDefault?: string;
  readonly meaning: string;
}

/** Every environment variable, in the order of `.env.example` (a test keeps that file equal to this list). */
export const SETTINGS = {
  NODE_ENV: {
    default: 'development',
    meaning:
      'development, production or test. Production refuses weak settings and hides playground, introspection and mailbox.',
  },
  HOST: { default: '127.0.0.1', meaning: 'Address to listen on; 0.0.0.0 for every interface.' },
  PORT: { default: '4000', meaning: 'Port to listen on; 0 picks a free one.' },
  PUBLIC_URL: {
    shownDefault: 'http://127.0.0.1:4000',
    meaning: 'Where this server is reached from outside: the host of links in letters, and the issuer of tokens.',
  },
  FRONTEND_URL: {
    meaning: 'Your single-page app. Links in letters lead there; without it, to small pages of this server.',
  },
  DATABASE_URL: {
    meaning: 'postgres://user:password@host:5432/name. Without it, an embedded PostgreSQL (PGlite) in DATA_DIR.',
  },
  DATABASE_CONNECTIONS: { default: '10', meaning: 'Connections to PostgreSQL that one instance may hold, 4 to 200.' },
  DATABASE_DIRECT_URL: {
    meaning:
      'PostgreSQL itself, when DATABASE_URL leads through pgbouncer in transaction mode: notifications and migrations go there.',
  },
  DATABASE_REPLICA_URL: {
    meaning:
      'A streaming replica for lists and statistics that may be ten seconds old. Half as many connections go there, besides.',
  },
  REDIS_URL: { meaning: 'redis://host:6379. Needed for exact rate limits over several instances.' },
  DATA_DIR: { default: './data', meaning: 'Embedded database, generated keys and the development mailbox.' },
  CORS_ORIGINS: {
    default: '',
    meaning: 'Origins of browser apps, separated by commas. FRONTEND_URL is always one of them.',
  },
  TRUST_PROXY: {
    default: '',
    meaning: 'CIDRs of the proxies in front, separated by commas; only they may say who the client is.',
  },
  ADMIN_USERNAME: { default: 'admin', meaning: 'User name of the first admin, made at the first start.' },
  ADMIN_EMAIL: { default: 'admin@localhost.localdomain', meaning: 'Email address of the first admin.' },
  ADMIN_PASSWORD: { meaning: 'Password of the first admin; generated and printed once when absent.' },
  INTERNAL_SERVICE_KEY: { meaning: 'Key of the first service (crd_svc_…); generated and printed once when absent.' },
  ENCRYPTION_KEY: {
    meaning:
      '32 random bytes (base64 or hex) that seal private keys and letters. Generated into DATA_DIR when absent; required in production.',
  },
  ACCESS_TOKEN_TTL: { default: '600', meaning: 'Seconds an access token lives, 60 to 3600.' },
  JWT_ALGORITHM: { default: 'EdDSA', meaning: 'EdDSA, ES256, RS256 or HS256.' },
  REFRESH_COOKIE: { default: 'false', meaning: 'true: the refresh token travels only in a __Host- cookie.' },
  RATE_LIMIT_AUTH: { default: '100', meaning: 'Sign-in family fields a minute for each client address.' },
  RATE_LIMIT_DEFAULT: { default: '1000', meaning: 'Every other field a minute for each client address.' },
  PASSWORD_MIN_LENGTH: { default: '12', meaning: 'Shortest password, 8 to 64 characters.' },
  ARGON2_MEMORY_KIB: { default: '19456', meaning: 'Argon2id memory in KiB, 19456 to 262144.' },
  ARGON2_ITERATIONS: { default: '2', meaning: 'Argon2id passes, 2 to 10.' },
  REGISTRATION_CONFIRM_FIRST: {
    default: 'false',
    meaning: 'true: register answers alike for known and new addresses, and tokens come after verification.',
  },
  REQUIRE_ADMIN_TOTP: {
    default: 'false',
    meaning: 'true: an admin without a second factor can only enrol one.',
  },
  STAFF_DAILY_CREDIT_CAP: {
    default: '1000',
    meaning: 'Credits that one staff member may adjust in a day (UTC), up and down together; admins have no cap.',
  },
  INTROSPECTION: { shownDefault: 'true outside production', meaning: 'Whether the schema may be asked for.' },
  PLAYGROUND: { shownDefault: 'true outside production', meaning: 'Whether GET /playground is served.' },
  MAIL_TRANSPORT: {
    shownDefault: 'mailbox outside production',
    meaning: 'mailbox (read at /dev/mailbox), smtp or resend. In production smtp, or resend where only its key is set.',
  },
  SMTP_URL: {
    meaning:
      'smtp://user:password@host:587 (STARTTLS, required unless the host is this machine or ?requireTLS=false stands behind) or smtps://host:465.',
  },
  GOOGLE_CLIENT_ID: {
    meaning:
      'Client id of this server at Google, or at the OpenID provider of GOOGLE_ISSUER. Without it nobody signs in there.',
  },
  GOOGLE_CLIENT_SECRET: { meaning: 'The secret that belongs to it.' },
  GOOGLE_ISSUER: {
    default: 'https://accounts.google.com',
    meaning: 'Issuer of any OpenID provider; plain http only on this machine.',
  },
  GOOGLE_RETURN_URLS: {
    shownDefault: 'FRONTEND_URL/google-sign-in',
    meaning:
      'Pages of your apps where a sign-in at the provider may end, separated by commas; the first is the usual one.',
  },
  MESSAGE_RETENTION_DAYS: { default: '30', meaning: 'Days that logged messages are kept, 1 to 3650.' },
  EVENTS_SNS_TOPIC_ARN: { meaning: 'arn:aws:sns:…: an SNS topic that every event is published to.' },
  EVENTS_SQS_QUEUE_URL: { meaning: 'https://sqs.…: an SQS queue that every event is sent to.' },
  EVENTS_AWS_ENDPOINT: { meaning: 'Another address for SNS and SQS than that of their region, for stand-ins.' },
  EVENT_RETENTION_DAYS: { default: '7', meaning: 'Days that events and their deliveries are kept, 4 to 365.' },
  AWS_REGION: {
    meaning: 'Where the region is not part of an ARN or URL. Credentials come the way of all AWS clients.',
  },
  WEBHOOK_NETWORKS: {
    shownDefault: '127.0.0.0/8,::1/128 in development',
    meaning:
      'CIDRs of private networks that webhooks may go to, separated by commas; http:// endpoints may lie only there.',
  },
  CREDITS_LOW_AT: {
    default: '0',
    meaning: 'The event credits.low is told when a balance falls to so many credits, or below.',
  },
  RESEND_API_KEY: {
    meaning: 're_… key of your Resend account, for MAIL_TRANSPORT=resend. Permission to send is enough.',
  },
  RESEND_API_BASE: {
    default: 'https://api.resend.com',
    meaning: 'Where the Resend API is reached: https, or http on this machine (a stand-in for Resend).',
  },
  MAIL_FROM: {
    default: 'Credence <no-reply@localhost.localdomain>',
    meaning: 'Sender of letters: an address, or a name and an address. The name stands at the head of each letter.',
  },
  STRIPE_SECRET_KEY: {
    meaning: 'sk_… or rk_… key of your Stripe account. Without it billing fields answer BILLING_NOT_CONFIGURED.',
  },
  STRIPE_WEBHOOK_SECRET: {
    meaning:
      'whsec_… of the webhook endpoint that leads to /stripe/webhook; several, separated by commas, while one replaces another.',
  },
  STRIPE_API_BASE: {
    default: 'https://api.stripe.com',
    meaning: 'Where the Stripe API is reached: https, or http on this machine (a stand-in for Stripe).',
  },
  STORAGE: { default: 'local', meaning: 'Where avatars and data exports are: local (DATA_DIR/files) or s3.' },
  S3_BUCKET: { meaning: 'Bucket for STORAGE=s3; private, nobody but this server reads it.' },
  S3_REGION: { meaning: 'Region of the bucket; AWS_REGION when not set, and of no matter with S3_ENDPOINT.' },
  S3_ENDPOINT: {
    meaning: 'https://host of another server that speaks the protocol of S3; buckets are named in paths.',
  },
  AWS_ACCESS_KEY_ID: {
    meaning: 'Key for Amazon and its like, with AWS_SECRET_ACCESS_KEY. Without it, what instance, pod or profile give.',
  },
  AWS_SECRET_ACCESS_KEY: { meaning: 'The secret of AWS_ACCESS_KEY_ID.' },
  AWS_SESSION_TOKEN: { meaning: 'Goes with keys that are lent for a time.' },
  LOG_LEVEL: { default: 'info', meaning: 'fatal, error, warn, info, debug, trace or silent.' },
  LOG_STORE: {
    shownDefault: 'true in development',
    meaning: 'Whether this instance keeps its log lines in DATA_DIR/logs.sqlite, where admins can ask for them.',
  },
  LOG_RETENTION_DAYS: { default: '14', meaning: 'Days that stored log lines are kept, 1 to 3650.' },
  LOGSTASH_URL: { meaning: 'tcp://host:port of a Logstash input with the codec json_lines.' },
  SYSLOG_URL: { meaning: 'udp://host:port or tcp://host:port of a syslog receiver (RFC 5424).' },
  METRICS_TOKEN: {
    meaning: 'Bearer token for /metrics and the details of /health; without it only this machine may read them.',
  },
  OTEL_EXPORTER_OTLP_ENDPOINT: {
    meaning: 'http://host:4318 of an OpenTelemetry collector that takes OTLP over HTTP. Without it nothing is traced.',
  },
  OTEL_EXPORTER_OTLP_HEADERS: { meaning: 'Headers for the collector: name=value, separated by commas.' },
  OTEL_SERVICE_NAME: { default: 'credence', meaning: 'What this server is called in traces.' },
  OTEL_TRACES_SAMPLER: {
    default: 'parentbased_always_on',
    meaning:
      'Which requests are traced: always_on, always_off, traceidratio, or parentbased_ before one of them, which lets proxies of TRUST_PROXY decide.',
  },
  OTEL_TRACES_SAMPLER_ARG: { default: '1', meaning: 'Share of requests that traceidratio takes, 0 to 1.' },
} as const satisfies Record<string, Setting>;

type Name = keyof typeof SETTINGS;
export type Environment = Partial<Record<Name, string>>;

/** All complaints about a configuration at once. */
export class ConfigError extends Error {
  constructor(readonly complaints: readonly string[]) {
    super(`The configuration cannot be used:\n${complaints.map((line) => `  - ${line}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}

/** The environment over `.env` (in the working directory) over nothing. Unset and empty are the same. */
export function readEnvironment(env: NodeJS.ProcessEnv = process.env, file = resolve('.env')): Environment {
  let fromFile: NodeJS.Dict<string> = {};
  try {
    fromFile = parseEnv(readFileSync(file, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const values: Environment = {};
  for (const name of Object.keys(SETTINGS) as Name[]) {
    const value = (env[name] ?? fromFile[name])?.trim();
    if (value) values[name] = value;
  }
  return values;
}

/** What a program that we start gets: our own environment, with these besides. */
export function environmentWith(extra: Record<string, string>): NodeJS.ProcessEnv {
  return { ...process.env, ...extra };
}

class Reader {
  readonly complaints: string[] = [];
  constructor(private readonly values: Environment) {}

  text(name: Name): string | undefined {
    const setting: Setting = SETTINGS[name];
    return this.values[name] ?? (setting.default || undefined);
  }

  oneOf<T extends string>(name: Name, choices: readonly T[], fallback?: T): T {
    const value = this.values[name] ?? fallback ?? this.text(name);
    const found = choices.find((choice) => choice === value);
    if (found === undefined) this.complaints.push(`${name} must be one of ${choices.join(', ')}.`);
    return found ?? (choices[0] as T);
  }

  whole(name: Name, min: number, max: number): number {
    const text = this.text(name) ?? '';
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) {
      this.complaints.push(`${name} must be a whole number from ${min} to ${max}.`);
      return min;
    }
    return value;
  }

  flag(name: Name, fallback?: boolean): boolean {
    const value = this.values[name] ?? (fallback === undefined ? this.text(name) : String(fallback));
    if (value !== 'true' && value !== 'false') this.complaints.push(`${name} must be true or false.`);
    return value === 'true';
  }

  url(name: Name, protocols: readonly string[]): string | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const parsed = URL.parse(value);
    if (parsed && protocols.includes(parsed.protocol)) return value.replace(/\/+$/, '');
    // The value itself may hold a password: it is never repeated.
    this.complaints.push(`${name} must be a URL that begins with ${protocols.join('// or ')}//.`);
    return undefined;
  }

  list(name: Name): string[] {
    return (this.text(name) ?? '')
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
  }

  blocks(name: Name, fallback: readonly string[] = []): Cidr[] {
    try {
      return parseCidrs(this.text(name) === undefined ? fallback : this.list(name));
    } catch (error) {
      this.complaints.push(`${name}: ${(error as Error).message}`);
      return [];
    }
  }
}

/** Of a receiver without a well-known port. */
function receiverUrl(reader: Reader, name: Name, protocols: readonly string[]): string | undefined {
  const url = reader.url(name, protocols);
  if (url !== undefined && (new URL(url).hostname === '' || new URL(url).port === ''))
    reader.complaints.push(`${name} must name a host and a port.`);
  return url;
}

/** Values are never repeated in complaints: they are secrets, or may be secrets in the wrong place. */
function mail(reader: Reader, production: boolean): Config['mail'] {
  const from = reader.text('MAIL_FROM') ?? '';
  if (!findSender(from)) reader.complaints.push('MAIL_FROM must be an address, or a name and an address in < >.');
  const smtpUrl = reader.url('SMTP_URL', ['smtp:', 'smtps:']);
  const apiKey = reader.text('RESEND_API_KEY');
  const apiBase = apiOrigin(reader, 'RESEND_API_BASE');
  const usual = production ? (apiKey && !smtpUrl ? 'resend' : 'smtp') : 'mailbox';
  const transport = reader.oneOf('MAIL_TRANSPORT', ['mailbox', 'smtp', 'resend'], usual);
  if (transport === 'mailbox') return { transport, from };
  if (transport === 'smtp') {
    if (!smtpUrl) reader.complaints.push('SMTP_URL is required for MAIL_TRANSPORT=smtp (the default in production).');
    return { transport, from, smtpUrl: smtpUrl ?? '' };
  }
  if (!apiKey) reader.complaints.push('RESEND_API_KEY is required for MAIL_TRANSPORT=resend.');
  if (apiKey && !/^re_\w{8,}$/.test(apiKey)) reader.complaints.push('RESEND_API_KEY must be a key like re_….');
  return { transport, from, resend: { apiKey: apiKey ?? '', apiBase } };
}

function databaseOf(reader: Reader, dataDir: string): Config['database'] {
  const read = (name: Name) => reader.url(name, ['postgres:', 'postgresql:']);
  const url = read('DATABASE_URL');
  const [directUrl, replicaUrl] = [read('DATABASE_DIRECT_URL'), read('DATABASE_REPLICA_URL')];
  if (url) {
    return { kind: 'postgres', url, connections: reader.whole('DATABASE_CONNECTIONS', 4, 200), directUrl, replicaUrl };
  }
  if (directUrl) reader.complaints.push('DATABASE_DIRECT_URL needs DATABASE_URL beside it.');
  if (replicaUrl) reader.complaints.push('DATABASE_REPLICA_URL needs DATABASE_URL beside it.');
  return { kind: 'pglite', directory: resolve(dataDir, 'database') };
}

/** The origin of a provider's API. The key travels with every request, so only this machine may be spoken to in the clear. */
function apiOrigin(reader: Reader, name: 'STRIPE_API_BASE' | 'RESEND_API_BASE'): string {
  const apiBase = reader.url(name, ['http:', 'https:']) ?? '';
  const base = URL.parse(apiBase);
  if (base?.protocol === 'http:' && !isLoopbackHost(base.hostname))
    reader.complaints.push(`${name} must use https, unless it is on this machine.`);
  if (base && apiBase !== base.origin) reader.complaints.push(`${name} must be scheme, host and port, no more.`);
  return apiBase;
}

function billing(reader: Reader, production: boolean): Config['billing'] {
  const secretKey = reader.text('STRIPE_SECRET_KEY');
  const webhookSecrets = reader.list('STRIPE_WEBHOOK_SECRET');
  const apiBase = apiOrigin(reader, 'STRIPE_API_BASE');
  if (secretKey !== undefined && !/^(sk|rk)_(test|live)_\w{8,}$/.test(secretKey))
    reader.complaints.push('STRIPE_SECRET_KEY must be a secret or restricted key (sk_test_…, sk_live_…, rk_live_…).');
  if (!webhookSecrets.every((secret) => /^whsec_[\w+/=-]{16,}$/.test(secret)))
    reader.complaints.push('STRIPE_WEBHOOK_SECRET must be signing secrets (whsec_…), separated by commas.');
  if (secretKey === undefined) {
    if (webhookSecrets.length > 0) reader.complaints.push('STRIPE_WEBHOOK_SECRET needs STRIPE_SECRET_KEY beside it.');
    return undefined;
  }
  if (production && webhookSecrets.length === 0)
    reader.complaints.push('STRIPE_WEBHOOK_SECRET is required in production: without it no payment is ever noticed.');
  return { secretKey, webhookSecrets, apiBase };
}

function events(reader: Reader, environment: Config['environment']): Config['events'] {
  const settings = {
    topicArn: reader.text('EVENTS_SNS_TOPIC_ARN'),
    queueUrl: reader.url('EVENTS_SQS_QUEUE_URL', ['https:', 'http:']),
    awsRegion: reader.text('AWS_REGION'),
    awsEndpoint: reader.url('EVENTS_AWS_ENDPOINT', ['https:', 'http:']),
    awsCredentials: awsCredentials(reader),
    webhookNetworks: reader.blocks('WEBHOOK_NETWORKS', environment === 'development' ? ['127.0.0.0/8', '::1/128'] : []),
    // Deliveries are tried for 75 hours.
    retentionDays: reader.whole('EVENT_RETENTION_DAYS', 4, 365),
  };
  if (settings.topicArn !== undefined && !TOPIC_ARN.test(settings.topicArn))
    reader.complaints.push('EVENTS_SNS_TOPIC_ARN must be like arn:aws:sns:eu-central-1:123456789012:name.');
  if (settings.queueUrl !== undefined && !settings.awsRegion && !QUEUE_HOST.test(new URL(settings.queueUrl).hostname))
    reader.complaints.push('AWS_REGION is required: EVENTS_SQS_QUEUE_URL does not say the region.');
  return settings;
}

/** Partition, region, account, and a name that ends in `.fifo` when order is kept. */
const TOPIC_ARN = /^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]{1,256}(?:\.fifo)?$/;
const QUEUE_HOST = /^sqs\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?$/;

function checkOrigins(reader: Reader, origins: readonly string[], production: boolean): void {
  for (const origin of origins) {
    if (origin === '*') {
      reader.complaints.push('CORS_ORIGINS must not hold "*": credentials are sent, so each origin has to be named.');
    } else if (URL.parse(origin)?.origin !== origin) {
      reader.complaints.push(`CORS_ORIGINS: "${origin}" is not an origin like https://app.example.com.`);
    } else if (production && origin.startsWith('http://')) {
      reader.complaints.push(`CORS_ORIGINS: "${origin}" must use https in production.`);
    }
  }
}

/** A page or a provider that a browser is sent to: https, or http on this machine; as it was written, for it is compared. */
function isSafeUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url?.username !== '' || url.password !== '' || url.hash !== '') return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackHost(url.hostname));
}

function readGoogle(reader: Reader, frontendUrl: string | undefined): Config['google'] {
  const clientId = reader.text('GOOGLE_CLIENT_ID');
  const clientSecret = reader.text('GOOGLE_CLIENT_SECRET');
  const issuer = reader.text('GOOGLE_ISSUER') ?? '';
  const given = reader.list('GOOGLE_RETURN_URLS');
  if (!isSafeUrl(issuer) || new URL(issuer).search !== '')
    reader.complaints.push('GOOGLE_ISSUER must be an https URL (http only on this machine) without query or fragment.');
  if (!given.every(isSafeUrl))
    reader.complaints.push('GOOGLE_RETURN_URLS must be https URLs (http only on this machine) without fragment.');
  if ((clientId === undefined) !== (clientSecret === undefined))
    reader.complaints.push('GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET are set together or not at all.');
  if (clientId === undefined || clientSecret === undefined) return undefined;
  const returnUrls = given.length === 0 && frontendUrl ? [`${frontendUrl}/google-sign-in`] : given;
  return { issuer, clientId, clientSecret, returnUrls };
}

/** 32 bytes written as hex or base64; undefined when the text is anything else or too regular to be random. */
export function parseEncryptionKey(text: string): Buffer | undefined {
  const key = /^[0-9a-f]{64}$/i.test(text) ? Buffer.from(text, 'hex') : Buffer.from(text, 'base64');
  return key.length === 32 && new Set(key).size >= 16 ? key : undefined;
}

/** Both halves or neither: half a key would make the SDK look elsewhere, and find the wrong one. */
function awsCredentials(reader: Reader): AwsCredentials | undefined {
  const accessKeyId = reader.text('AWS_ACCESS_KEY_ID');
  const secretAccessKey = reader.text('AWS_SECRET_ACCESS_KEY');
  const sessionToken = reader.text('AWS_SESSION_TOKEN');
  if (accessKeyId && secretAccessKey) return { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) };
  if (accessKeyId || secretAccessKey || sessionToken)
    reader.complaints.push('AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together.');
  return undefined;
}

/** Names as Amazon allows them since 2018; other servers allow no more. */
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

function storageOf(reader: Reader, dataDir: string): Config['storage'] {
  const kind = reader.oneOf('STORAGE', ['local', 's3']);
  const [bucket, endpoint] = [reader.text('S3_BUCKET') ?? '', reader.url('S3_ENDPOINT', ['https:', 'http:'])];
  const region = reader.text('S3_REGION') ?? reader.text('AWS_REGION') ?? (endpoint && 'us-east-1');
  const credentials = awsCredentials(reader);
  if (kind === 'local') return { kind, directory: resolve(dataDir, 'files') };
  if (!BUCKET.test(bucket)) reader.complaints.push('S3_BUCKET must name a bucket for STORAGE=s3.');
  if (!region) reader.complaints.push('S3_REGION (or AWS_REGION) is required for STORAGE=s3 without S3_ENDPOINT.');
  return { kind, bucket, region: region ?? '', endpoint, credentials };
}

const SAMPLERS = ['always_on', 'always_off', 'traceidratio'] as const;

/** The standard's own settings (OpenTelemetry, environment variables), as far as they go here. */
function tracing(reader: Reader): Config['tracing'] {
  const endpoint = reader.url('OTEL_EXPORTER_OTLP_ENDPOINT', ['http:', 'https:']);
  const names = [...SAMPLERS, ...SAMPLERS.map((name) => `parentbased_${name}` as const)];
  const sampler = reader.oneOf('OTEL_TRACES_SAMPLER', names, undefined);
  const share = Number(reader.text('OTEL_TRACES_SAMPLER_ARG'));
  if (!(share >= 0 && share <= 1)) reader.complaints.push('OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1.');
  const headers = reader.list('OTEL_EXPORTER_OTLP_HEADERS').map((pair) => /^([\w-]+)=(.+)$/.exec(pair));
  if (headers.includes(null)) reader.complaints.push('OTEL_EXPORTER_OTLP_HEADERS must be name=value, name=value ….');
  if (endpoint === undefined) return undefined;
  const ratios = { always_on: 1, always_off: 0, traceidratio: share };
  return {
    url: `${endpoint}/v1/traces`,
    headers: Object.fromEntries(headers.map((match) => [match?.[1] ?? '', safelyDecoded(match?.[2] ?? '')])),
    serviceName: reader.text('OTEL_SERVICE_NAME') ?? '',
    ratio: ratios[sampler.replace('parentbased_', '') as (typeof SAMPLERS)[number]],
    followsParent: sampler.startsWith('parentbased_'),
  };
}

/** Values may be percent-encoded, as in W3C Baggage. */
function safelyDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function checkProduction(reader: Reader, config: Config): void {
  if (config.environment !== 'production') return;
  if (!config.encryptionKey)
    reader.complaints.push('ENCRYPTION_KEY is required in production (make one with: openssl rand -base64 32).');
  if (!config.server.publicUrl.startsWith('https://'))
    reader.complaints.push('PUBLIC_URL must be set and begin with https:// in production.');
  if (config.mail.transport !== 'mailbox' && config.mail.from.includes('localhost'))
    reader.complaints.push('MAIL_FROM must be set in production.');
}

/** Defaults, cross-checks, one nested object. Throws one `ConfigError` with every complaint. */
export function buildConfig(values: Environment): Config {
  const reader = new Reader(values);
  const environment = reader.oneOf('NODE_ENV', ['development', 'production', 'test']);
  const production = environment === 'production';
  const host = reader.text('HOST') ?? '127.0.0.1';
  const port = reader.whole('PORT', 0, 65535);
  const dataDir = resolve(reader.text('DATA_DIR') ?? './data');
  const frontendUrl = reader.url('FRONTEND_URL', ['http:', 'https:']);
  const origins = reader.list('CORS_ORIGINS');
  checkOrigins(reader, origins, production);
  const config: Config = {
    environment,
    server: {
      host,
      port,
      publicUrl:
        reader.url('PUBLIC_URL', ['http:', 'https:']) ?? `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
      frontendUrl,
      corsOrigins: [...new Set([...origins, ...(frontendUrl ? [new URL(frontendUrl).origin] : [])])],
      trustProxy: reader.blocks('TRUST_PROXY'),
    },
    dataDir,
    database: databaseOf(reader, dataDir),
    redisUrl: reader.url('REDIS_URL', ['redis:', 'rediss:']),
    firstAdmin: {
      username: reader.text('ADMIN_USERNAME') ?? 'admin',
      email: reader.text('ADMIN_EMAIL') ?? '',
      password: reader.text('ADMIN_PASSWORD'),
    },
    firstServiceKey: reader.text('INTERNAL_SERVICE_KEY'),
    encryptionKey: reader.text('ENCRYPTION_KEY'),
    tokens: {
      algorithm: reader.oneOf('JWT_ALGORITHM', ['EdDSA', 'ES256', 'RS256', 'HS256']),
      accessTtlSeconds: reader.whole('ACCESS_TOKEN_TTL', 60, 3600),
      refreshCookie: reader.flag('REFRESH_COOKIE'),
    },
    limits: {
      authPerMinute: reader.whole('RATE_LIMIT_AUTH', 1, 1_000_000),
      defaultPerMinute: reader.whole('RATE_LIMIT_DEFAULT', 1, 10_000_000),
    },
    passwords: {
      minLength: reader.whole('PASSWORD_MIN_LENGTH', 8, 64),
      memoryKiB: reader.whole('ARGON2_MEMORY_KIB', 19456, 262144),
      iterations: reader.whole('ARGON2_ITERATIONS', 2, 10),
      parallelism: 1,
    },
    registration: { confirmFirst: reader.flag('REGISTRATION_CONFIRM_FIRST') },
    secondFactor: { requiredForAdmins: reader.flag('REQUIRE_ADMIN_TOTP') },
    staff: { dailyCreditCap: reader.whole('STAFF_DAILY_CREDIT_CAP', 0, 1_000_000_000) },
    graphql: {
      introspection: reader.flag('INTROSPECTION', !production),
      playground: reader.flag('PLAYGROUND', !production),
    },
    mail: mail(reader, production),
    billing: billing(reader, production),
    storage: storageOf(reader, dataDir),
    google: readGoogle(reader, frontendUrl),
    messages: { retentionDays: reader.whole('MESSAGE_RETENTION_DAYS', 1, 3650) },
    events: events(reader, environment),
    // 2^53 - 1 is the largest balance.
    credits: { lowAt: reader.whole('CREDITS_LOW_AT', 0, Number.MAX_SAFE_INTEGER) },
    log: {
      level: reader.oneOf('LOG_LEVEL', ['info', 'fatal', 'error', 'warn', 'debug', 'trace', 'silent']),
      pretty: environment === 'development',
      store: reader.flag('LOG_STORE', environment === 'development'),
      retentionDays: reader.whole('LOG_RETENTION_DAYS', 1, 3650),
      logstashUrl: receiverUrl(reader, 'LOGSTASH_URL', ['tcp:']),
      syslogUrl: receiverUrl(reader, 'SYSLOG_URL', ['udp:', 'tcp:']),
    },
    metricsToken: reader.text('METRICS_TOKEN'),
    tracing: tracing(reader),
  };
  if (config.encryptionKey && !parseEncryptionKey(config.encryptionKey))
    reader.complaints.push('ENCRYPTION_KEY must be 32 random bytes, as base64 or hex.');
  checkProduction(reader, config);
  if (reader.complaints.length > 0) throw new ConfigError([...new Set(reader.complaints)]);
  return config;
}

/** The text of `.env.example`. */
export function exampleEnvironment(): string {
  const entries = Object.entries(SETTINGS) as [Name, Setting][];
  const lines = entries.map(
    ([name, setting]) => `# ${setting.meaning}\n#${name}=${setting.default ?? setting.shownDefault ?? ''}\n`,
  );
  return `# Copy to .env and change what you need: every line is optional outside production.\n\n${lines.join('\n')}`;
}
