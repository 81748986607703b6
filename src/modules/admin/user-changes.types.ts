import { Field, ID, InputType } from 'type-graphql';
import { EmailAddress } from '../../core/scalars.types.js';

@InputType('CreateUserInput')
export class CreateUserInput {
  @Field(() => String, { description: '3 to 32 ASCII letters, digits, dots, hyphens or underscores.' })
  username!: string;

  @Field(() => EmailAddress, { description: 'Gets the invitation, with which the person sets a password.' })
  email!: string;

  @Field(() => String, { nullable: true, description: 'The plan of every sign-up when left out.' })
  planCode?: string | null;
}

@InputType('UpdateUserInput', { description: 'What is left out stays.' })
export class UpdateUserInput {
  @Field(() => ID)
  userId!: string;

  @Field(() => String, { nullable: true })
  username?: string | null;

  @Field(() => EmailAddress, {
    nullable: true,
    description: 'Has to be verified anew; all sessions end, and the old address is told.',
  })
  email?: string | null;

  @Field(() => String, { nullable: true, description: 'null takes it away.' })
  displayName?: string | null;

  @Field(() => String, { nullable: true, description: 'BCP 47; null: en.' })
  locale?: string | null;

  @Field(() => String, { nullable: true, description: 'IANA; null: UTC.' })
  timeZone?: string | null;
}
