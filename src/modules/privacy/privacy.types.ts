import { Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import { connectionType } from '../../core/pages.types.js';
import { DateTime, EmailAddress } from '../../core/scalars.types.js';
import { User } from '../auth/auth.types.js';

@ObjectType('DeletedUser', {
  simpleResolvers: true,
  description: 'Somebody who left, and can come back until `purgeAt`.',
})
export class DeletedUser {
  @Field(() => ID)
  userId!: string;

  @Field(() => String, { nullable: true, description: 'What it was; free for others now. Null once erased.' })
  username!: string | null;

  @Field(() => EmailAddress, { nullable: true, description: 'What it was; free for others now. Null once erased.' })
  email!: string | null;

  @Field(() => DateTime)
  deletedAt!: Date;

  @Field(() => String, { description: 'USER (they left themselves) or ADMIN.' })
  deletedByKind!: string;

  @Field(() => ID, { nullable: true })
  deletedById!: string | null;

  @Field(() => String, { nullable: true, description: 'Null once erased.' })
  reason!: string | null;

  @Field(() => DateTime, { description: 'From this moment on there is no way back.' })
  purgeAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'When everything about them was destroyed.' })
  erasedAt!: Date | null;
}

export const DeletedUserConnection = connectionType('DeletedUser', () => DeletedUser);

@ObjectType('DeleteAccountPayload', { simpleResolvers: true })
export class DeleteAccountPayload {
  @Field(() => Boolean)
  ok!: boolean;

  @Field(() => DateTime, { description: 'Until then the operators can bring the account back.' })
  purgeAt!: Date;
}

@ObjectType('DeletedUserPayload', { simpleResolvers: true })
export class DeletedUserPayload {
  @Field(() => User, { description: 'What is left in the list of people.' })
  user!: User;

  @Field(() => DeletedUser)
  deletedUser!: DeletedUser;
}

@InputType('DeleteAccountInput')
export class DeleteAccountInput {
  @Field(() => String, { nullable: true, description: 'Why, if you like to say: at most 500 characters.' })
  reason?: string | null;
}

@InputType('DeleteUserInput')
export class DeleteUserInput {
  @Field(() => ID)
  userId!: string;

  @Field(() => String, { description: '1 to 500 characters, for the audit log.' })
  reason!: string;
}

@InputType('RestoreUserInput')
export class RestoreUserInput {
  @Field(() => ID)
  userId!: string;

  @Field(() => String, { nullable: true, description: 'Instead of the one they had, which may be taken.' })
  username?: string | null;

  @Field(() => EmailAddress, {
    nullable: true,
    description: 'Instead of the one they had, which may be taken. Counts as unverified.',
  })
  email?: string | null;
}

@InputType('EraseUserInput')
export class EraseUserInput {
  @Field(() => ID)
  userId!: string;

  @Field(() => String, { description: '1 to 500 characters, for the audit log.' })
  reason!: string;
}

@ObjectType('DataKeyPayload', { simpleResolvers: true })
export class DataKeyPayload {
  @Field(() => Int, { description: 'The number of the key that seals from now on.' })
  generation!: number;
}
