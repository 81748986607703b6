import { Field, ID, InputType, Int } from 'type-graphql';

@InputType('SetUserPlanInput')
export class SetUserPlanInput {
  @Field(() => ID)
  userId!: string;

  @Field(() => String)
  planCode!: string;
}

@InputType('SetUserLimitsInput', {
  description: 'What is left out stays as it is; null gives back what the plan says.',
})
export class SetUserLimitsInput {
  @Field(() => ID)
  userId!: string;

  @Field(() => Int, { nullable: true, description: 'At least 0.' })
  conversationsPerDay?: number | null;

  @Field(() => Int, { nullable: true, description: 'At least 0.' })
  messagesPerDay?: number | null;
}
