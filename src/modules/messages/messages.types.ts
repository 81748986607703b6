import { Field, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import { connectionType } from '../../core/pages.types.js';
import { DateTime } from '../../core/scalars.types.js';

export enum MessageRejectionCode {
  NOT_FOUND = 'NOT_FOUND',
  BAD_USER_INPUT = 'BAD_USER_INPUT',
}
registerEnumType(MessageRejectionCode, {
  name: 'MessageRejectionCode',
  description: 'Why an entry was not logged.',
  valuesConfig: {
    NOT_FOUND: { description: 'Nobody has this id, or not any more.' },
    BAD_USER_INPUT: { description: 'Something of it is empty, too long, negative, or too far from now.' },
  },
});

@ObjectType('LoggedMessage', { simpleResolvers: true })
export class LoggedMessage {
  @Field(() => String)
  role!: string;

  @Field(() => String)
  content!: string;
}

@ObjectType('MessageLog', {
  simpleResolvers: true,
  description: 'One exchange with a model, as a service reported it.',
})
export class MessageLog {
  @Field(() => ID)
  id!: string;

  @Field(() => ID)
  userId!: string;

  @Field(() => String, { nullable: true, description: 'As the service calls it.' })
  conversationId!: string | null;

  @Field(() => String)
  model!: string;

  @Field(() => [LoggedMessage], {
    nullable: true,
    description: 'For the person it belongs to. Staff read it through `messageLogs`, which asks why; null elsewhere.',
  })
  messages!: LoggedMessage[] | null;

  @Field(() => Int)
  messageCount!: number;

  @Field(() => Int)
  inputTokens!: number;

  @Field(() => Int)
  outputTokens!: number;

  @Field(() => DateTime)
  occurredAt!: Date;
}

export const MessageLogConnection = connectionType('MessageLog', () => MessageLog);

@ObjectType('RejectedMessageLog', { simpleResolvers: true })
export class RejectedMessageLog {
  @Field(() => Int, { description: 'Its place in the batch, from 0.' })
  index!: number;

  @Field(() => MessageRejectionCode)
  code!: MessageRejectionCode;
}

@ObjectType('LogMessagesPayload', { simpleResolvers: true })
export class LogMessagesPayload {
  @Field(() => Int, { description: 'Committed by now.' })
  accepted!: number;

  @Field(() => [RejectedMessageLog], { description: 'Those that were not written; all others were.' })
  rejected!: RejectedMessageLog[];

  @Field(() => Boolean, { description: 'The key was used before: this is the first answer again.' })
  replayed!: boolean;
}

@InputType('LoggedMessageInput')
export class LoggedMessageInput {
  @Field(() => String, { description: 'user, assistant, system or whatever the model calls it; 1 to 255 characters.' })
  role!: string;

  @Field(() => String)
  content!: string;
}

@InputType('MessageLogInput')
export class MessageLogInput {
  @Field(() => ID)
  userId!: string;

  @Field(() => String, { nullable: true, description: '1 to 255 characters.' })
  conversationId?: string | null;

  @Field(() => String, { description: '1 to 255 characters.' })
  model!: string;

  @Field(() => [LoggedMessageInput], {
    description: '1 to 1,000. Each counts as one of the person’s messages of the day.',
  })
  messages!: LoggedMessageInput[];

  @Field(() => Int, { defaultValue: 0 })
  inputTokens!: number;

  @Field(() => Int, { defaultValue: 0 })
  outputTokens!: number;

  @Field(() => DateTime, {
    nullable: true,
    description: 'Now, when left out; not in the future and not longer ago than messages are kept.',
  })
  occurredAt?: Date | null;
}

@InputType('LogMessagesInput')
export class LogMessagesInput {
  @Field(() => [MessageLogInput], { description: '1 to 1,000 entries.' })
  batch!: MessageLogInput[];

  @Field(() => String, {
    nullable: true,
    description: '1 to 255 characters. A call that is sent again with its key is written once.',
  })
  idempotencyKey?: string | null;
}

@InputType('MessageLogFilter')
export class MessageLogFilter {
  @Field(() => ID)
  userId!: string;

  @Field(() => String, { nullable: true })
  model?: string | null;

  @Field(() => DateTime, { nullable: true, description: 'At this moment or later.' })
  from?: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Before this moment.' })
  to?: Date | null;
}
