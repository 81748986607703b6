import { Field, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import { connectionType } from '../../core/pages.types.js';
import { DateTime, JSONObject } from '../../core/scalars.types.js';
import { AuditEvent } from '../audit/audit.types.js';
import { CreditTransaction } from '../credits/credits.types.js';

export enum LogLevel {
  TRACE = 'TRACE',
  DEBUG = 'DEBUG',
  INFO = 'INFO',
  WARN = 'WARN',
  ERROR = 'ERROR',
  FATAL = 'FATAL',
}
registerEnumType(LogLevel, { name: 'LogLevel' });

@ObjectType('LogLine', { simpleResolvers: true })
export class LogLine {
  @Field(() => ID, { description: 'Its number in this instance’s store.' })
  id!: string;

  @Field(() => DateTime)
  time!: Date;

  @Field(() => LogLevel)
  level!: `${LogLevel}`;

  @Field(() => String, { description: 'What happened, in a constant sentence.' })
  event!: string;

  @Field(() => String, { nullable: true })
  requestId!: string | null;

  @Field(() => JSONObject, { description: 'Everything else that was written with it.' })
  fields!: Record<string, unknown>;
}

export const LogLineConnection = connectionType('LogLine', () => LogLine);

@InputType('LogFilter', { description: 'All that is given must fit.' })
export class LogFilter {
  @Field(() => LogLevel, { nullable: true, description: 'This level or a graver one.' })
  level?: `${LogLevel}` | null;

  @Field(() => DateTime, { nullable: true, description: 'From this moment on.' })
  from?: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Before this moment.' })
  to?: Date | null;

  @Field(() => String, { nullable: true })
  requestId?: string | null;

  @Field(() => String, { nullable: true, description: 'Stands in the line, to the letter; 1 to 200 characters.' })
  text?: string | null;
}

@ObjectType('TracedLetter', { simpleResolvers: true, description: 'A letter, without its address and its text.' })
export class TracedLetter {
  @Field(() => ID)
  id!: string;

  @Field(() => String)
  kind!: string;

  @Field(() => ID, { nullable: true })
  userId!: string | null;

  @Field(() => String, { description: 'QUEUED, SENT or DEAD.' })
  status!: string;

  @Field(() => Int)
  attempts!: number;

  @Field(() => DateTime)
  createdAt!: Date;

  @Field(() => DateTime, { nullable: true })
  sentAt!: Date | null;
}

@ObjectType('RequestTrace', { simpleResolvers: true, description: 'What one request did, oldest first in each list.' })
export class RequestTrace {
  @Field(() => String)
  requestId!: string;

  @Field(() => [LogLine], { description: 'Of the instance that answers; none without LOG_STORE.' })
  lines!: LogLine[];

  @Field(() => [AuditEvent])
  auditEvents!: AuditEvent[];

  @Field(() => [CreditTransaction])
  creditTransactions!: CreditTransaction[];

  @Field(() => [TracedLetter])
  letters!: TracedLetter[];
}
