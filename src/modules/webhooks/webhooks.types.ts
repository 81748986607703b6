import { Field, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import { KeyOverlap } from '../../core/key-overlap.types.js';
import { connectionType } from '../../core/pages.types.js';
import { DateTime, JSONObject } from '../../core/scalars.types.js';

enum WebhookDisabledReason {
  ADMIN = 'ADMIN',
  GONE = 'GONE',
  FAILURES = 'FAILURES',
}
registerEnumType(WebhookDisabledReason, {
  name: 'WebhookDisabledReason',
  valuesConfig: {
    ADMIN: { description: 'An admin turned it off.' },
    GONE: { description: 'It answered 410.' },
    FAILURES: { description: 'It took nothing for three days and at least ten attempts.' },
  },
});

enum EventTarget {
  WEBHOOK = 'WEBHOOK',
  SNS = 'SNS',
  SQS = 'SQS',
}
registerEnumType(EventTarget, { name: 'EventTarget', description: 'Where an event goes.' });

enum EventBus {
  SNS = 'SNS',
  SQS = 'SQS',
}
registerEnumType(EventBus, { name: 'EventBus', description: 'The topic or queue of the settings.' });

enum WebhookDeliveryStatus {
  QUEUED = 'QUEUED',
  SENT = 'SENT',
  FAILED = 'FAILED',
}
registerEnumType(WebhookDeliveryStatus, {
  name: 'WebhookDeliveryStatus',
  valuesConfig: {
    QUEUED: { description: 'Waits for its first or next attempt.' },
    FAILED: { description: 'Given up after ten attempts, or because the receiver is gone.' },
  },
});

@ObjectType('WebhookEndpoint', {
  simpleResolvers: true,
  description: 'Where events are posted, with headers and signature of Standard Webhooks.',
})
export class WebhookEndpoint {
  @Field(() => ID)
  id!: string;

  @Field(() => String)
  url!: string;

  @Field(() => [String], { description: 'Of which it is told; empty: all, those of later versions too.' })
  kinds!: string[];

  @Field(() => String, { nullable: true })
  description!: string | null;

  @Field(() => Boolean)
  enabled!: boolean;

  @Field(() => DateTime, { nullable: true })
  disabledAt!: Date | null;

  @Field(() => WebhookDisabledReason, { nullable: true })
  disabledReason!: keyof typeof WebhookDisabledReason | null;

  @Field(() => Int, { description: 'Attempts that failed since the last that was taken.' })
  failuresInARow!: number;

  @Field(() => DateTime, { nullable: true })
  failingSince!: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Until then the secret before signs as well.' })
  previousSecretEndsAt!: Date | null;

  @Field(() => DateTime)
  createdAt!: Date;
}

export const WebhookEndpointConnection = connectionType('WebhookEndpoint', () => WebhookEndpoint);

@ObjectType('WebhookAttempt', { simpleResolvers: true })
export class WebhookAttempt {
  @Field(() => DateTime)
  at!: Date;

  @Field(() => Int)
  durationMs!: number;

  @Field(() => Int, { nullable: true, description: 'Of the answer, when there was one.' })
  statusCode!: number | null;

  @Field(() => String, {
    nullable: true,
    description: 'Why there was none, such as ETIMEDOUT, ECONNREFUSED or EADDRNOTALLOWED (a private address).',
  })
  error!: string | null;
}

@ObjectType('WebhookDelivery', { simpleResolvers: true, description: 'One event for one receiver.' })
export class WebhookDelivery {
  @Field(() => ID)
  id!: string;

  @Field(() => ID, { description: 'What the receiver knows it by.' })
  eventId!: string;

  @Field(() => String)
  kind!: string;

  @Field(() => EventTarget)
  target!: keyof typeof EventTarget;

  @Field(() => ID, { nullable: true })
  endpointId!: string | null;

  @Field(() => WebhookDeliveryStatus)
  status!: keyof typeof WebhookDeliveryStatus;

  @Field(() => JSONObject, { description: 'What the receiver gets as `data`.' })
  data!: Record<string, unknown>;

  @Field(() => Int, { description: 'Of ten; from 0 again when it is redelivered.' })
  attempts!: number;

  @Field(() => [WebhookAttempt], { description: 'The last twenty, the newest last.' })
  attemptLog!: WebhookAttempt[];

  @Field(() => DateTime, { nullable: true, description: 'While it is queued.' })
  nextAttemptAt!: Date | null;

  @Field(() => DateTime)
  createdAt!: Date;

  @Field(() => DateTime, { nullable: true })
  sentAt!: Date | null;
}

export const WebhookDeliveryConnection = connectionType('WebhookDelivery', () => WebhookDelivery);

@InputType('WebhookDeliveryFilter', { description: 'All that is given must fit.' })
export class WebhookDeliveryFilter {
  @Field(() => ID, { nullable: true })
  endpointId?: string | null;

  @Field(() => EventTarget, { nullable: true })
  target?: keyof typeof EventTarget | null;

  @Field(() => WebhookDeliveryStatus, { nullable: true })
  status?: keyof typeof WebhookDeliveryStatus | null;

  @Field(() => ID, { nullable: true })
  eventId?: string | null;
}

@ObjectType('WebhookEndpointPayload', { simpleResolvers: true })
export class WebhookEndpointPayload {
  @Field(() => WebhookEndpoint)
  endpoint!: WebhookEndpoint;
}

@ObjectType('WebhookSecretPayload', { simpleResolvers: true })
export class WebhookSecretPayload {
  @Field(() => WebhookEndpoint)
  endpoint!: WebhookEndpoint;

  @Field(() => String, { description: 'whsec_…: shown now and never again. Receivers verify signatures with it.' })
  secret!: string;
}

@ObjectType('RedeliverWebhookPayload', { simpleResolvers: true })
export class RedeliverWebhookPayload {
  @Field(() => Int, { description: 'How many deliveries go out again. At 10,000, ask once more.' })
  queued!: number;
}

@InputType('CreateWebhookEndpointInput')
export class CreateWebhookEndpointInput {
  @Field(() => String, { description: 'An https address that leads to a public host.' })
  url!: string;

  @Field(() => [String], { defaultValue: [], description: 'Such as user.registered; empty: all.' })
  kinds!: string[];

  @Field(() => String, { nullable: true, description: 'Up to 200 characters.' })
  description?: string | null;
}

@InputType('UpdateWebhookEndpointInput', { description: 'What is left out stays.' })
export class UpdateWebhookEndpointInput {
  @Field(() => ID)
  endpointId!: string;

  @Field(() => String, { nullable: true })
  url?: string | null;

  @Field(() => [String], { nullable: true, description: 'Replaces the kinds; empty: all.' })
  kinds?: string[] | null;

  @Field(() => String, { nullable: true, description: 'Null clears it.' })
  description?: string | null;

  @Field(() => Boolean, { nullable: true, description: 'False: nothing is sent, and nothing new is queued for it.' })
  enabled?: boolean | null;
}

@InputType('RotateWebhookSecretInput')
export class RotateWebhookSecretInput {
  @Field(() => ID)
  endpointId!: string;

  @Field(() => KeyOverlap, { description: 'How long the old secret signs as well.' })
  overlap!: KeyOverlap;
}

@InputType('RedeliverWebhookInput', {
  description: 'One of deliveryId, endpointId and target; with the latter two, since.',
})
export class RedeliverWebhookInput {
  @Field(() => ID, { nullable: true, description: 'This one, also when it was taken before.' })
  deliveryId?: string | null;

  @Field(() => ID, { nullable: true, description: 'All that failed, or happened while the endpoint was off.' })
  endpointId?: string | null;

  @Field(() => EventBus, { nullable: true, description: 'All that failed.' })
  target?: keyof typeof EventBus | null;

  @Field(() => DateTime, { nullable: true, description: 'From this moment on.' })
  since?: Date | null;
}
