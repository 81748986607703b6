import { Field, ObjectType } from 'type-graphql';

@ObjectType('Plan', { simpleResolvers: true, description: 'What a person may use.' })
export class Plan {
  @Field(() => String)
  code!: string;
}
