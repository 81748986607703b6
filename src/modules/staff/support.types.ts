import { Field, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import { connectionType } from '../../core/pages.types.js';
import { DateTime, SafeInt } from '../../core/scalars.types.js';
import { UserFilter } from '../admin/users.types.js';

export enum NoteAuthorKind {
  STAFF = 'STAFF',
  ADMIN = 'ADMIN',
}
registerEnumType(NoteAuthorKind, { name: 'NoteAuthorKind' });

@ObjectType('UserNote', { simpleResolvers: true, description: 'What operators tell each other about a person.' })
export class UserNote {
  @Field(() => ID)
  id!: string;

  @Field(() => String)
  text!: string;

  @Field(() => NoteAuthorKind)
  authorKind!: NoteAuthorKind;

  @Field(() => ID)
  authorId!: string;

  @Field(() => DateTime)
  createdAt!: Date;
}

export const UserNoteConnection = connectionType('UserNote', () => UserNote);

@ObjectType('UserNotePayload', { simpleResolvers: true })
export class UserNotePayload {
  @Field(() => UserNote)
  note!: UserNote;
}

@ObjectType('RevokedSessionsPayload', { simpleResolvers: true })
export class RevokedSessionsPayload {
  @Field(() => Int, { description: 'How many sessions were ended.' })
  endedSessions!: number;

  @Field(() => Int, { description: 'Of how many people.' })
  people!: number;
}

@InputType('AddUserNoteInput')
export class AddUserNoteInput {
  @Field(() => ID)
  userId!: string;

  @Field(() => String, { description: '1 to 2,000 characters. The person never sees it here, but gets it on request.' })
  text!: string;
}

@InputType('RevokeUserSessionsInput', { description: 'Either one person, or all who fit a filter.' })
export class RevokeUserSessionsInput {
  @Field(() => ID, { nullable: true })
  userId?: string | null;

  @Field(() => UserFilter, { nullable: true, description: 'Everybody who fits, as in `users`. For admins only.' })
  filter?: UserFilter | null;

  @Field(() => String, { nullable: true, description: '1 to 500 characters. Shown in their security history.' })
  reason?: string | null;
}

@InputType('AdjustCreditsInput')
export class AdjustCreditsInput {
  @Field(() => ID)
  userId!: string;

  @Field(() => SafeInt, { description: 'Up (positive) or down (negative); never 0, and never below what is there.' })
  amount!: number;

  @Field(() => String, { description: '1 to 500 characters. The person reads it in their history.' })
  reason!: string;

  @Field(() => String, { description: '1 to 255 characters. The same key and input again give the first answer.' })
  idempotencyKey!: string;
}
