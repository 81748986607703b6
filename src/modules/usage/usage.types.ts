import { Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import { DateTime } from '../../core/scalars.types.js';

@ObjectType('UsageLimit', { simpleResolvers: true, description: 'How much of a daily limit is used.' })
export class UsageLimit {
  @Field(() => Int, { nullable: true, description: 'Null: no limit.' })
  limit!: number | null;

  @Field(() => Int)
  used!: number;

  @Field(() => Int, { nullable: true, description: 'Null: no limit.' })
  remaining!: number | null;

  @Field(() => DateTime, { description: 'The next midnight where the person is.' })
  resetsAt!: Date;
}

@ObjectType('Usage', { simpleResolvers: true, description: 'What a person has used today.' })
export class Usage {
  @Field(() => UsageLimit)
  conversations!: UsageLimit;

  @Field(() => UsageLimit, {
    description: 'Counted as they are logged; the service that answers them keeps the limit.',
  })
  messages!: UsageLimit;
}

@ObjectType('ConsumeConversationPayload', { simpleResolvers: true })
export class ConsumeConversationPayload {
  @Field(() => Boolean, { description: 'False: the limit of today is reached, and nothing was counted.' })
  allowed!: boolean;

  @Field(() => Int, { nullable: true, description: 'Null: no limit.' })
  limit!: number | null;

  @Field(() => Int)
  used!: number;

  @Field(() => Int, { nullable: true, description: 'Null: no limit.' })
  remaining!: number | null;

  @Field(() => DateTime, { description: 'The next midnight where the person is.' })
  resetsAt!: Date;

  @Field(() => Boolean, { description: 'The key was used before: this is the first answer again.' })
  replayed!: boolean;
}

@InputType('ConsumeConversationInput')
export class ConsumeConversationInput {
  @Field(() => ID)
  userId!: string;

  @Field(() => String, {
    nullable: true,
    description:
      '1 to 255 characters. A call that is sent again with its key counts once; a refused one may be sent again later.',
  })
  idempotencyKey?: string | null;
}
