import { Field, InputType, ObjectType, registerEnumType } from 'type-graphql';
import { connectionType } from '../../core/pages.types.js';
import { DateTime } from '../../core/scalars.types.js';

enum SigningKeyState {
  NEXT = 'NEXT',
  CURRENT = 'CURRENT',
  PREVIOUS = 'PREVIOUS',
  RETIRED = 'RETIRED',
}
registerEnumType(SigningKeyState, {
  name: 'SigningKeyState',
  valuesConfig: {
    NEXT: { description: 'Published; signs after the next rotation.' },
    CURRENT: { description: 'Signs.' },
    PREVIOUS: { description: 'Signs no more, verifies until `retiredAt`.' },
    RETIRED: { description: 'Tokens under it are refused.' },
  },
});

@ObjectType('SigningKey', { simpleResolvers: true, description: 'A key that signs access tokens.' })
export class SigningKey {
  @Field(() => String, { description: 'RFC 7638 thumbprint; the `kid` of its tokens.' })
  kid!: string;

  @Field(() => String)
  algorithm!: string;

  @Field(() => SigningKeyState)
  state!: keyof typeof SigningKeyState;

  @Field(() => DateTime)
  createdAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'When it stopped to verify, or will.' })
  retiredAt!: Date | null;
}

export const SigningKeyConnection = connectionType('SigningKey', () => SigningKey);

@InputType('RotateSigningKeyInput')
export class RotateSigningKeyInput {
  @Field(() => Boolean, {
    nullable: true,
    description: 'For a key that leaked: tokens under the former keys are refused at once, and everybody refreshes.',
  })
  immediately?: boolean | null;
}

@ObjectType('RotateSigningKeyPayload', { simpleResolvers: true })
export class RotateSigningKeyPayload {
  @Field(() => SigningKey)
  current!: SigningKey;

  @Field(() => SigningKey)
  next!: SigningKey;
}
