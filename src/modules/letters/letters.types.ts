import { Field, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import { connectionType } from '../../core/pages.types.js';
import { DateTime, EmailAddress } from '../../core/scalars.types.js';

@ObjectType('EmailTemplateSubject', { simpleResolvers: true })
export class EmailTemplateSubject {
  @Field(() => String, { description: 'The first subtag of the locales that get it.' })
  language!: string;

  @Field(() => String)
  subject!: string;
}

@ObjectType('EmailTemplate', { simpleResolvers: true, description: 'One kind of letter.' })
export class EmailTemplate {
  @Field(() => String)
  kind!: string;

  @Field(() => [String], { description: 'What a letter of this kind is told.' })
  variables!: string[];

  @Field(() => [EmailTemplateSubject], { description: 'In every language; English is for everybody else.' })
  subjects!: EmailTemplateSubject[];
}

export const EmailTemplateConnection = connectionType('EmailTemplate', () => EmailTemplate);

@ObjectType('EmailTemplatePreview', { simpleResolvers: true, description: 'A letter with sample data.' })
export class EmailTemplatePreview {
  @Field(() => String)
  subject!: string;

  @Field(() => String)
  html!: string;

  @Field(() => String)
  text!: string;
}

@ObjectType('TestEmailPayload', { simpleResolvers: true })
export class TestEmailPayload {
  @Field(() => EmailAddress, { description: 'Your own address.' })
  sentTo!: string;

  @Field(() => String)
  subject!: string;
}

enum EmailDeliveryStatus {
  QUEUED = 'QUEUED',
  SENT = 'SENT',
  DEAD = 'DEAD',
}
registerEnumType(EmailDeliveryStatus, {
  name: 'EmailDeliveryStatus',
  valuesConfig: {
    QUEUED: { description: 'Waits, or is being sent.' },
    SENT: { description: 'The mail server or provider took it.' },
    DEAD: { description: 'Given up: refused three times for good, or not taken within 24 hours.' },
  },
});

@ObjectType('EmailDelivery', { simpleResolvers: true, description: 'What became of a letter, without its words.' })
export class EmailDelivery {
  @Field(() => ID)
  id!: string;

  @Field(() => String)
  kind!: string;

  @Field(() => String, { description: 'The address, masked.' })
  recipient!: string;

  @Field(() => String)
  locale!: string;

  @Field(() => ID, { nullable: true, description: 'The user it is about.' })
  userId!: string | null;

  @Field(() => EmailDeliveryStatus)
  status!: keyof typeof EmailDeliveryStatus;

  @Field(() => Int)
  attempts!: number;

  @Field(() => String, { nullable: true, description: 'The code of the last refusal, such as EENVELOPE_550.' })
  lastError!: string | null;

  @Field(() => DateTime, { nullable: true, description: 'When it is tried next, while it waits.' })
  nextAttemptAt!: Date | null;

  @Field(() => String, { nullable: true, description: 'The request that caused it, for requestTrace.' })
  requestId!: string | null;

  @Field(() => DateTime)
  createdAt!: Date;

  @Field(() => DateTime, { nullable: true })
  sentAt!: Date | null;
}

export const EmailDeliveryConnection = connectionType('EmailDelivery', () => EmailDelivery);

@InputType('EmailDeliveryFilter')
export class EmailDeliveryFilter {
  @Field(() => EmailDeliveryStatus, { nullable: true })
  status?: keyof typeof EmailDeliveryStatus | null;

  @Field(() => String, { nullable: true, description: 'One of those that emailTemplates lists.' })
  kind?: string | null;

  @Field(() => ID, { nullable: true })
  userId?: string | null;
}

@ObjectType('EmailDeliveryPayload', { simpleResolvers: true })
export class EmailDeliveryPayload {
  @Field(() => EmailDelivery)
  delivery!: EmailDelivery;
}
