import type { Config } from './config.js';
import type { Database, Db, Sql } from './database.js';
import type { ErrorCode } from './errors.js';
import type { Bus, BusName } from './event-bus.js';
import type { Limiter } from './limiter.js';
import type { LogSinks } from './log-sinks.js';
import type { Logger } from './logger.js';
import type { Mailer } from './mail.js';
import type { Metrics } from './metrics.js';
import type { OpenId } from './openid.js';
import type { Outbound } from './outbound.js';
import type { Passwords } from './passwords.js';
import type { Payments } from './payments.js';
import type { RefreshTokens, Secrets } from './secrets.js';
import type { Storage } from './storage.js';
import type { Tokens } from './tokens.js';
import type { Tracing } from './tracing.js';
import type { Vitals } from './vitals.js';

/** What one process owns. Built once by `createApp`; tests override single parts. */
export interface App {
  readonly config: Config;
  readonly log: Logger;
  readonly logSinks: LogSinks;
  /** Drizzle. Inside `transact` this is the transaction. */
  readonly db: Db;
  /** Prepared statements for hot paths, on connections of their own. Refuses to run inside `transact`. */
  readonly sql: Sql;
  readonly database: Database;
  readonly secrets: Secrets;
  readonly tokens: Tokens;
  readonly refreshTokens: RefreshTokens;
  readonly passwords: Passwords;
  readonly mailer: Mailer;
  /** Stripe; undefined when no key is set. */
  readonly payments: Payments | undefined;
  readonly storage: Storage;
  /** Undefined when no provider is configured. */
  readonly openid: OpenId | undefined;
  /** To addresses that operators typed in. */
  readonly outbound: Outbound;
  /** The topic and the queue that are set. */
  readonly eventBuses: ReadonlyMap<BusName, Bus>;
  readonly limiter: Limiter;
  readonly metrics: Metrics;
  /** Undefined unless a collector is set. */
  readonly tracing: Tracing | undefined;
  readonly vitals: Vitals;
  /** The only clock. */
  readonly now: () => Date;
}

/** Who is asking, already resolved: access rules read it and do no I/O. */
export type Viewer =
  | {
      readonly kind: 'anonymous' /** Why the credential sent was not accepted, if one was sent. */;
      readonly refusal?: ErrorCode;
    }
  | UserViewer
  | ApiKeyViewer
  | ServiceViewer
  | AdminViewer
  | StaffViewer;

export interface UserViewer {
  readonly kind: 'user';
  readonly id: string;
  readonly sessionId: string;
  readonly emailVerified: boolean;
  /** Last time this session proved a password. */
  readonly authenticatedAt: Date;
  /** The admin who acts in the person's name; null when it is the person. */
  readonly impersonatedBy: string | null;
  /** Of an impersonation: nothing may be changed. */
  readonly readOnly: boolean;
}

/** A person's own API key: reads only, never anything FRESH. */
export interface ApiKeyViewer {
  readonly kind: 'apiKey';
  readonly id: string;
  readonly keyId: string;
  readonly scopes: readonly string[];
  readonly emailVerified: boolean;
}

export interface ServiceViewer {
  readonly kind: 'service';
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
}

export interface AdminViewer {
  readonly kind: 'admin';
  readonly id: string;
  readonly sessionId: string;
  readonly permissions: readonly string[];
  /** A second factor is required of admins, and this one has none: enrolling it is all they may do. */
  readonly mustEnroll: boolean;
  readonly authenticatedAt: Date;
}

/** Support staff: the level alone says what they may do. */
export interface StaffViewer {
  readonly kind: 'staff';
  readonly id: string;
  readonly sessionId: string;
  readonly level: number;
  readonly authenticatedAt: Date;
}

export type ActorKind = 'ANONYMOUS' | 'USER' | 'SERVICE' | 'ADMIN' | 'STAFF' | 'SYSTEM';

/** Who did it and from where; goes into audit rows and ledger rows. */
export interface Actor {
  readonly kind: ActorKind;
  readonly id: string | null;
  readonly ip: string | null;
  readonly userAgent: string | null;
  readonly requestId: string | null;
}

/** Tells the browser that began a sign-in at a provider from any other, for the minutes that takes. */
export interface BrowserCookie {
  read(): string | undefined;
  /** null clears it. */
  write(secret: string | null): void;
  /** Whether this answer carries it. */
  readonly written: boolean;
}

/** One request's context, handed to every resolver. */
export interface Context {
  readonly app: App;
  readonly viewer: Viewer;
  readonly actor: Actor;
  /** Whether admins and staff may act from the address of the request. */
  readonly operatorsAllowed: boolean;
  /** Per-request batching loaders, made on first use (see `loaderOf`). */
  readonly loaders: Map<unknown, unknown>;
  /** The refresh cookie (cookie mode); `write(null)` clears it. */
  readonly refreshCookie: { read(): string | undefined; write(token: string | null, expiresAt?: Date): void };
  readonly browserCookie: BrowserCookie;
}

/** The request's own instance of a loader: `make` runs once per request and key. */
export function loaderOf<T>(context: Context, make: (context: Context) => T): T {
  let loader = context.loaders.get(make) as T | undefined;
  if (loader === undefined) {
    loader = make(context);
    context.loaders.set(make, loader);
  }
  return loader;
}

export const SYSTEM_ACTOR: Actor = { kind: 'SYSTEM', id: null, ip: null, userAgent: null, requestId: null };
