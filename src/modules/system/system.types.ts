import { Field, Float, Int, ObjectType, registerEnumType } from 'type-graphql';
import { DateTime, SafeInt } from '../../core/scalars.types.js';

@ObjectType('Revenue', {
  simpleResolvers: true,
  description: 'The payments of a day in one currency. What went back of them stands with them, whenever it did.',
})
export class Revenue {
  @Field(() => String, { description: 'ISO 4217.' })
  currency!: string;

  @Field(() => SafeInt)
  payments!: number;

  @Field(() => SafeInt, { description: 'In the minor unit of the currency.' })
  amountMinor!: number;

  @Field(() => SafeInt, { description: 'Of that, refunded or lost in disputes.' })
  reversedMinor!: number;
}

@ObjectType('DayStatistics', { simpleResolvers: true, description: 'What happened on one UTC day.' })
export class DayStatistics {
  @Field(() => String, { description: 'As 2026-01-31.' })
  day!: string;

  @Field(() => SafeInt, { description: 'Accounts that were made, those that were deleted since included.' })
  signUps!: number;

  @Field(() => SafeInt, { description: 'People who signed in or whose session got a new access token.' })
  activeUsers!: number;

  @Field(() => SafeInt)
  signIns!: number;

  @Field(() => SafeInt, { description: 'Wrong passwords at accounts that there are.' })
  failedSignIns!: number;

  @Field(() => SafeInt, { description: 'Bought, granted, or given with a plan; refunds and corrections not counted.' })
  creditsGranted!: number;

  @Field(() => SafeInt, { description: 'Spent at once or captured from holds; refunds not taken off.' })
  creditsUsed!: number;

  @Field(() => SafeInt, { description: 'As far as they are kept: older messages are deleted, and count no more.' })
  messagesLogged!: number;

  @Field(() => [Revenue], { description: 'By currency; empty for a day without payments.' })
  revenue!: Revenue[];
}

@ObjectType('Statistics', { simpleResolvers: true })
export class Statistics {
  @Field(() => [DayStatistics], { description: 'Oldest first; none is missing.' })
  days!: DayStatistics[];
}

export enum SystemProblem {
  DATABASE = 'DATABASE',
  MIGRATIONS = 'MIGRATIONS',
  EVENT_LOOP = 'EVENT_LOOP',
  REDIS = 'REDIS',
  MEMORY = 'MEMORY',
  DISK = 'DISK',
  LETTERS = 'LETTERS',
  EVENTS = 'EVENTS',
  PAYMENTS = 'PAYMENTS',
  HASHING = 'HASHING',
  JOBS = 'JOBS',
}
registerEnumType(SystemProblem, {
  name: 'SystemProblem',
  description: 'What somebody should look at.',
  valuesConfig: {
    DATABASE: { description: 'It does not answer within a second.' },
    MIGRATIONS: { description: 'The database lacks migrations that this build needs.' },
    EVENT_LOOP: { description: 'Requests wait a quarter of a second before anything looks at them.' },
    REDIS: { description: 'It does not answer: every instance counts limits alone.' },
    MEMORY: { description: 'More than 80 % of a limit.' },
    DISK: { description: 'More than 80 % of the data directory’s disk.' },
    LETTERS: { description: 'The oldest letter has waited for more than five minutes.' },
    EVENTS: {
      description: 'The oldest event has waited for more than five minutes, or an endpoint went off by itself.',
    },
    PAYMENTS: { description: 'An event of Stripe was given up, or has waited for more than 15 minutes.' },
    HASHING: { description: 'More than 32 passwords wait for a hash.' },
    JOBS: { description: 'A job was given up, and no run of it has gone well since.' },
  },
});

export enum SystemLevel {
  OK = 'OK',
  HIGH = 'HIGH',
  CRITICAL = 'CRITICAL',
}
registerEnumType(SystemLevel, {
  name: 'SystemLevel',
  valuesConfig: { HIGH: { description: 'From 80 % on.' }, CRITICAL: { description: 'From 95 % on.' } },
});

export enum RedisState {
  NOT_CONFIGURED = 'NOT_CONFIGURED',
  ANSWERS = 'ANSWERS',
  SILENT = 'SILENT',
}
registerEnumType(RedisState, { name: 'RedisState', description: 'As of the last call to it: this request’s own.' });

@ObjectType('DatabaseHealth', { simpleResolvers: true })
export class DatabaseHealth {
  @Field(() => String, { description: 'postgres or pglite.' })
  kind!: string;

  @Field(() => Float, { nullable: true, description: 'Of the smallest question; null when it was not answered.' })
  latencyMs!: number | null;

  @Field(() => Int, { description: 'That this process may hold.' })
  connections!: number;

  @Field(() => Int, { description: 'Of those for transactions, how many nobody uses.' })
  freeConnections!: number;

  @Field(() => Int, { description: 'Callers in line for a connection.' })
  waiting!: number;
}

@ObjectType('MemoryHealth', { simpleResolvers: true })
export class MemoryHealth {
  @Field(() => SafeInt)
  rssBytes!: number;

  @Field(() => SafeInt, { description: 'What the process may use: the container’s limit or the machine’s memory.' })
  limitBytes!: number;

  @Field(() => SafeInt)
  heapUsedBytes!: number;

  @Field(() => SafeInt)
  heapLimitBytes!: number;

  @Field(() => SystemLevel, { description: 'The worse of the two.' })
  level!: `${SystemLevel}`;
}

@ObjectType('EventLoopHealth', { simpleResolvers: true, description: 'Delays over the last minute at most.' })
export class EventLoopHealth {
  @Field(() => Float)
  p50Ms!: number;

  @Field(() => Float)
  p99Ms!: number;

  @Field(() => Float)
  maxMs!: number;
}

@ObjectType('DiskHealth', { simpleResolvers: true, description: 'Where the data directory lies.' })
export class DiskHealth {
  @Field(() => SafeInt)
  freeBytes!: number;

  @Field(() => SafeInt)
  totalBytes!: number;

  @Field(() => SystemLevel)
  level!: `${SystemLevel}`;
}

@ObjectType('LettersHealth', { simpleResolvers: true })
export class LettersHealth {
  @Field(() => SafeInt)
  queued!: number;

  @Field(() => SafeInt, { description: 'Given up in the last 30 days.' })
  dead!: number;

  @Field(() => Float, { description: 'How long the oldest has waited; 0 when none waits.' })
  oldestSeconds!: number;
}

@ObjectType('EventsHealth', { simpleResolvers: true })
export class EventsHealth {
  @Field(() => SafeInt, { description: 'Deliveries that wait for their first or next attempt.' })
  queued!: number;

  @Field(() => SafeInt, { description: 'Deliveries given up, as far as they are kept.' })
  failed!: number;

  @Field(() => Float, { description: 'How long the oldest event that nobody tried to deliver has waited.' })
  oldestSeconds!: number;

  @Field(() => Int, { description: 'Webhook endpoints that went off by themselves.' })
  disabledEndpoints!: number;
}

@ObjectType('PaymentsHealth', { simpleResolvers: true, description: 'Events of Stripe that were not applied yet.' })
export class PaymentsHealth {
  @Field(() => SafeInt)
  pending!: number;

  @Field(() => SafeInt, { description: 'Given up: ask for billingReconciliation.' })
  dead!: number;

  @Field(() => Float, { description: 'How long the oldest has waited; 0 when none waits.' })
  oldestSeconds!: number;
}

@ObjectType('HashingHealth', { simpleResolvers: true })
export class HashingHealth {
  @Field(() => Int, { description: 'Passwords that wait for a free core; beyond 64 callers are told to come back.' })
  waiting!: number;
}

@ObjectType('JobHealth', { simpleResolvers: true, description: 'A job that runs by the clock, over all instances.' })
export class JobHealth {
  @Field(() => String)
  name!: string;

  @Field(() => Int, { description: 'Waiting to be run, first or again.' })
  queued!: number;

  @Field(() => Int, { description: 'Of the queued: those that failed before.' })
  retrying!: number;

  @Field(() => Int)
  active!: number;

  @Field(() => Int, { description: 'Given up within the last day.' })
  failed!: number;

  @Field(() => DateTime, { nullable: true })
  lastCompletedAt!: Date | null;

  @Field(() => DateTime, { nullable: true })
  lastFailedAt!: Date | null;
}

@ObjectType('SystemHealth', { simpleResolvers: true, description: 'How the instance that answers is doing.' })
export class SystemHealth {
  @Field(() => [SystemProblem], { description: 'Empty: all is well.' })
  problems!: `${SystemProblem}`[];

  @Field(() => DateTime)
  checkedAt!: Date;

  @Field(() => String)
  version!: string;

  @Field(() => Int)
  uptimeSeconds!: number;

  @Field(() => DatabaseHealth)
  database!: DatabaseHealth;

  @Field(() => RedisState)
  redis!: `${RedisState}`;

  @Field(() => MemoryHealth)
  memory!: MemoryHealth;

  @Field(() => EventLoopHealth)
  eventLoop!: EventLoopHealth;

  @Field(() => DiskHealth, { nullable: true, description: 'Null: there is no data directory.' })
  disk!: DiskHealth | null;

  @Field(() => LettersHealth, { nullable: true, description: 'Null: the database did not answer.' })
  letters!: LettersHealth | null;

  @Field(() => EventsHealth, { nullable: true, description: 'Null: the database did not answer.' })
  events!: EventsHealth | null;

  @Field(() => PaymentsHealth, { nullable: true, description: 'Null when the database did not say.' })
  payments!: PaymentsHealth | null;

  @Field(() => HashingHealth)
  hashing!: HashingHealth;

  @Field(() => [JobHealth], {
    nullable: true,
    description: 'Empty until the queue was started for the first time. Null: the database did not answer.',
  })
  jobs!: JobHealth[] | null;
}
