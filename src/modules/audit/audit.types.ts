import { Field, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import { connectionType } from '../../core/pages.types.js';
import { DateTime, JSONObject, SafeInt } from '../../core/scalars.types.js';

@ObjectType('AuditEvent', { simpleResolvers: true, description: 'One recorded act, as it was written with the act.' })
export class AuditEvent {
  @Field(() => ID)
  id!: string;

  @Field(() => DateTime)
  occurredAt!: Date;

  @Field(() => String, { description: 'ANONYMOUS, USER, STAFF, ADMIN, SERVICE or SYSTEM.' })
  actorKind!: string;

  @Field(() => ID, { nullable: true })
  actorId!: string | null;

  @Field(() => String, { description: 'Past tense, `noun.verb`: `user.signed_in`, `admin.created`.' })
  action!: string;

  @Field(() => String, { nullable: true })
  targetKind!: string | null;

  @Field(() => String, { nullable: true })
  targetId!: string | null;

  @Field(() => ID, { nullable: true, description: 'The person it concerns, who sees it in their history.' })
  userId!: string | null;

  @Field(() => JSONObject, { nullable: true })
  before!: Record<string, unknown> | null;

  @Field(() => JSONObject, { nullable: true })
  after!: Record<string, unknown> | null;

  @Field(() => String, { nullable: true })
  reason!: string | null;

  @Field(() => String, { nullable: true })
  ip!: string | null;

  @Field(() => String, { nullable: true })
  userAgent!: string | null;

  @Field(() => String, { nullable: true, description: 'For `requestTrace`.' })
  requestId!: string | null;
}

export const AuditEventConnection = connectionType('AuditEvent', () => AuditEvent);

@InputType('AuditFilter', { description: 'All that is given must fit.' })
export class AuditFilter {
  @Field(() => String, { nullable: true })
  actorKind?: string | null;

  @Field(() => ID, { nullable: true })
  actorId?: string | null;

  @Field(() => String, { nullable: true })
  action?: string | null;

  @Field(() => String, { nullable: true })
  targetKind?: string | null;

  @Field(() => String, { nullable: true })
  targetId?: string | null;

  @Field(() => ID, { nullable: true, description: 'The person it concerns.' })
  userId?: string | null;

  @Field(() => DateTime, { nullable: true, description: 'From this moment on.' })
  from?: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Before this moment.' })
  to?: Date | null;
}

export enum AuditProblem {
  LINK_MISSING = 'LINK_MISSING',
  ORDER_CHANGED = 'ORDER_CHANGED',
  EVENT_MISSING = 'EVENT_MISSING',
  EVENT_CHANGED = 'EVENT_CHANGED',
  EVENT_NOT_LINKED = 'EVENT_NOT_LINKED',
}
registerEnumType(AuditProblem, {
  name: 'AuditProblem',
  valuesConfig: {
    LINK_MISSING: { description: 'The chain has a gap at this number.' },
    ORDER_CHANGED: { description: 'The link does not follow from the one before it.' },
    EVENT_MISSING: { description: 'The row was taken away.' },
    EVENT_CHANGED: { description: 'The row is not the one that was linked.' },
    EVENT_NOT_LINKED: { description: 'The row was put in past the chain.' },
  },
});

@ObjectType('BrokenAuditLink', { simpleResolvers: true })
export class BrokenAuditLink {
  @Field(() => SafeInt, { nullable: true, description: 'Its number in the chain; null when it stands outside of it.' })
  sequence!: number | null;

  @Field(() => ID, { nullable: true })
  eventId!: string | null;

  @Field(() => AuditProblem)
  problem!: `${AuditProblem}`;
}

@ObjectType('AuditProof', { simpleResolvers: true })
export class AuditProof {
  @Field(() => Boolean)
  ok!: boolean;

  @Field(() => SafeInt, { description: 'Links found right, from the first on.' })
  checked!: number;

  @Field(() => Int, { description: 'Rows of the last moments, which have no link yet.' })
  unlinked!: number;

  @Field(() => SafeInt)
  lastSequence!: number;

  @Field(() => String, { description: 'Kept elsewhere, it proves later that nobody wrote the whole chain anew.' })
  lastHash!: string;

  @Field(() => BrokenAuditLink, { nullable: true })
  firstBroken!: BrokenAuditLink | null;
}
