import { Field, ID, InputType, registerEnumType } from 'type-graphql';
import { connectionType } from '../../core/pages.types.js';
import { DateTime } from '../../core/scalars.types.js';
import { User, UserStatus } from '../auth/auth.types.js';

export enum UserSort {
  CREATED_AT_DESC = 'CREATED_AT_DESC',
  CREATED_AT_ASC = 'CREATED_AT_ASC',
  USERNAME_ASC = 'USERNAME_ASC',
}
registerEnumType(UserSort, { name: 'UserSort' });

export const UserConnection = connectionType('User', () => User);

@InputType('UserFilter', { description: 'Everything given has to fit.' })
export class UserFilter {
  @Field(() => String, {
    nullable: true,
    description:
      '3 to 100 characters: any part of user name, address or display name in any case, or the beginning (8 characters or more) of an id. Staff of level 1 do not search addresses.',
  })
  search?: string | null;

  @Field(() => UserStatus, { nullable: true })
  status?: UserStatus | null;

  @Field(() => Boolean, { nullable: true })
  emailVerified?: boolean | null;

  @Field(() => DateTime, { nullable: true, description: 'At this moment or later.' })
  createdAfter?: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Before this moment.' })
  createdBefore?: Date | null;
}

@InputType('SuspendUserInput')
export class SuspendUserInput {
  @Field(() => ID)
  userId!: string;

  @Field(() => String, { description: '1 to 500 characters. The person reads it in a letter.' })
  reason!: string;

  @Field(() => DateTime, { nullable: true, description: 'When it lifts itself; null: not by itself.' })
  until?: Date | null;
}

@InputType('UnsuspendUserInput')
export class UnsuspendUserInput {
  @Field(() => ID)
  userId!: string;

  @Field(() => String, { nullable: true, description: '1 to 500 characters.' })
  reason?: string | null;
}
