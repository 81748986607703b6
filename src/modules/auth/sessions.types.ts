import { Field, ID, Int, ObjectType, registerEnumType } from 'type-graphql';
import { connectionType } from '../../core/pages.types.js';
import { DateTime } from '../../core/scalars.types.js';
import type { TokenKind } from '../../core/tokens.js';

export enum SessionMethod {
  PASSWORD = 'PASSWORD',
  GOOGLE = 'GOOGLE',
  RECOVERY = 'RECOVERY',
  IMPERSONATION = 'IMPERSONATION',
  REGISTRATION = 'REGISTRATION',
}
registerEnumType(SessionMethod, { name: 'SessionMethod', description: 'How the session was opened.' });

@ObjectType('Impersonation', {
  simpleResolvers: true,
  description: 'An admin who acts in the name of a person: 15 minutes, never more.',
})
export class Impersonation {
  @Field(() => String)
  reason!: string;

  @Field(() => Boolean, { description: 'Nothing may be changed.' })
  readOnly!: boolean;
}

@ObjectType('Session', { simpleResolvers: true, description: 'One sign-in on one device.' })
export class Session {
  @Field(() => ID)
  id!: string;

  @Field(() => DateTime)
  createdAt!: Date;

  @Field(() => DateTime, { description: 'When it last got a new access token.' })
  lastUsedAt!: Date;

  @Field(() => DateTime, { description: 'When it last proved a password; fresh for ten minutes after. 1970: never.' })
  authenticatedAt!: Date;

  @Field(() => DateTime, { description: 'When it ends if it is not used; use moves it on, up to a limit.' })
  expiresAt!: Date;

  @Field(() => String, { nullable: true })
  ip!: string | null;

  @Field(() => String, { nullable: true })
  userAgent!: string | null;

  @Field(() => SessionMethod)
  method!: SessionMethod;

  @Field(() => Boolean, { description: 'Whether this request was made with it.' })
  current!: boolean;

  @Field(() => Impersonation, {
    nullable: true,
    description: 'Set when it is not the person but an admin in their name: show it.',
  })
  impersonation!: Impersonation | null;

  /** Not fields: whose it is, for `user` and its like. */
  accountKind!: TokenKind;
  accountId!: string;
}

export const SessionConnection = connectionType('Session', () => Session);

@ObjectType('SessionPayload', { simpleResolvers: true })
export class SessionPayload {
  @Field(() => Session)
  session!: Session;
}

@ObjectType('EndedSessionsPayload', { simpleResolvers: true })
export class EndedSessionsPayload {
  @Field(() => Int, { description: 'How many sessions were ended.' })
  endedSessions!: number;
}

@ObjectType('RefreshPayload', { simpleResolvers: true, description: 'The next pair of tokens of a session.' })
export class RefreshPayload {
  @Field(() => String, { description: 'Send as `Authorization: Bearer …`.' })
  accessToken!: string;

  @Field(() => DateTime)
  accessTokenExpiresAt!: Date;

  @Field(() => String, { nullable: true, description: 'Null in cookie mode, where it travels in a cookie.' })
  refreshToken!: string | null;

  /** Not fields: whose session it is, for `user` and its like. */
  accountKind!: TokenKind;
  accountId!: string;
}
