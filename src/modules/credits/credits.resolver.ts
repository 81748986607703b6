import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { Context } from '../../core/context.js';
import type { Connection } from '../../core/pages.js';
import { PageArgs } from '../../core/pages.types.js';
import { User } from '../auth/auth.types.js';
import {
  AddCreditsInput,
  CaptureCreditsInput,
  CreditAccount,
  CreditCapture,
  CreditHoldChange,
  CreditMovement,
  type CreditTransaction,
  CreditTransactionConnection,
  HoldCreditsInput,
  LedgerHealth,
  RefundCreditsInput,
  ReleaseCreditsInput,
  UseCreditsInput,
} from './credits.types.js';
import { ledgerHealth } from './health.service.js';
import { creditBalance, creditTransactions } from './history.service.js';
import { captureCredits, holdCredits, releaseCredits } from './holds.service.js';
import { addCredits, refundCredits, useCredits } from './movements.service.js';

@Resolver()
export class CreditsResolver {
  @Query(() => CreditAccount, { description: 'What a person has at this moment.' })
  creditBalance(@Ctx() { app }: Context, @Arg('userId', () => ID) userId: string): Promise<CreditAccount> {
    return creditBalance(app, { userId });
  }

  @Query(() => CreditTransactionConnection, { description: 'A person’s history, newest first.' })
  creditTransactions(
    @Ctx() { app }: Context,
    @Arg('userId', () => ID) userId: string,
    @Args(() => PageArgs) page: PageArgs,
  ): Promise<Connection<CreditTransaction>> {
    return creditTransactions(app, { ...page, userId });
  }

  @Query(() => LedgerHealth, {
    description:
      'Adds up all books: each balance is the sum of its rows and the last row’s balance, versions have no gaps, what is held is the sum of live holds, nothing is negative.',
  })
  ledgerHealth(@Ctx() { app }: Context): Promise<LedgerHealth> {
    return ledgerHealth(app);
  }

  @Mutation(() => CreditMovement, { description: 'Gives credits; to suspended people, too.' })
  addCredits(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => AddCreditsInput) input: AddCreditsInput,
  ): Promise<CreditMovement> {
    return addCredits(app, { ...input, actor });
  }

  @Mutation(() => CreditMovement, { description: 'Spends credits that are there and not held; never below zero.' })
  useCredits(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => UseCreditsInput) input: UseCreditsInput,
  ): Promise<CreditMovement> {
    return useCredits(app, { ...input, actor });
  }

  @Mutation(() => CreditMovement, { description: 'Gives back what a USE or a CAPTURE took, wholly or in parts.' })
  refundCredits(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => RefundCreditsInput) input: RefundCreditsInput,
  ): Promise<CreditMovement> {
    return refundCredits(app, { ...input, actor });
  }

  @Mutation(() => CreditHoldChange, {
    description: 'Sets credits aside until they are captured, released, or the time is over.',
  })
  holdCredits(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => HoldCreditsInput) input: HoldCreditsInput,
  ): Promise<CreditHoldChange> {
    return holdCredits(app, { ...input, actor });
  }

  @Mutation(() => CreditCapture, {
    description:
      'Spends what this service held, or a part; the rest goes back. A second time answers the first result.',
  })
  captureCredits(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => CaptureCreditsInput) input: CaptureCreditsInput,
  ): Promise<CreditCapture> {
    return captureCredits(app, { ...input, actor });
  }

  @Mutation(() => CreditHoldChange, {
    description: 'Lets go of what this service held. A second time answers the first result.',
  })
  releaseCredits(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => ReleaseCreditsInput) input: ReleaseCreditsInput,
  ): Promise<CreditHoldChange> {
    return releaseCredits(app, { ...input, actor });
  }
}

@Resolver(() => CreditAccount)
export class CreditAccountResolver {
  @FieldResolver(() => CreditTransactionConnection, { description: 'The history, newest first.' })
  transactions(
    @Root() { userId }: CreditAccount,
    @Ctx() { app }: Context,
    @Args(() => PageArgs) page: PageArgs,
  ): Promise<Connection<CreditTransaction>> {
    return creditTransactions(app, { ...page, userId });
  }
}

@Resolver(() => User)
export class UserCreditsResolver {
  @FieldResolver(() => CreditAccount, { description: 'What the person has.' })
  creditAccount(@Root() { id }: User, @Ctx() { app }: Context): Promise<CreditAccount> {
    return creditBalance(app, { userId: id });
  }
}
