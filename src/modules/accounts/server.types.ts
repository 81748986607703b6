import { Field, Int, ObjectType } from 'type-graphql';

@ObjectType('ServiceFeatures', { simpleResolvers: true, description: 'What is switched on.' })
export class ServiceFeatures {
  @Field(() => Boolean)
  registration!: boolean;

  @Field(() => Boolean, { description: 'Whether `register` answers without tokens, which come after verification.' })
  confirmFirst!: boolean;

  @Field(() => Boolean)
  google!: boolean;

  @Field(() => Boolean)
  billing!: boolean;

  @Field(() => Boolean)
  playground!: boolean;
}

@ObjectType('ServiceInfo', { simpleResolvers: true })
export class ServiceInfo {
  @Field(() => String)
  name!: string;

  @Field(() => String)
  version!: string;

  @Field(() => ServiceFeatures)
  features!: ServiceFeatures;
}

@ObjectType('PasswordPolicy', { simpleResolvers: true, description: 'What a sign-up form needs to know.' })
export class PasswordPolicy {
  @Field(() => Int, { description: 'Characters (Unicode code points).' })
  minLength!: number;

  @Field(() => Int)
  maxLength!: number;

  @Field(() => Boolean, { description: 'Whether common and guessable passwords are refused.' })
  refusesCommon!: boolean;

  @Field(() => Boolean, { description: 'Whether passwords made of the user name or the email address are refused.' })
  refusesPersonal!: boolean;
}
