import { Field, ID, InputType, ObjectType } from 'type-graphql';
import { DateTime } from '../../core/scalars.types.js';
import { User } from '../auth/auth.types.js';

@InputType('ImpersonateUserInput')
export class ImpersonateUserInput {
  @Field(() => ID)
  userId!: string;

  @Field(() => String, { description: '3 to 500 characters. The person reads it in a letter.' })
  reason!: string;

  @Field(() => Boolean, { defaultValue: true, description: 'Look only. Otherwise the profile may be changed, too.' })
  readOnly!: boolean;
}

@ObjectType('ImpersonationPayload', {
  simpleResolvers: true,
  description: 'A session in the name of a person. It cannot be refreshed: there is no refresh token.',
})
export class ImpersonationPayload {
  @Field(() => String, { description: 'Send as `Authorization: Bearer …`; says who acts in its `act` claim.' })
  accessToken!: string;

  @Field(() => DateTime, { description: 'When it ends, for good.' })
  accessTokenExpiresAt!: Date;

  @Field(() => User)
  user!: User;
}
