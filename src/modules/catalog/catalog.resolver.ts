import { Arg, Args, Ctx, FieldResolver, ID, Int, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { type Connection, mapConnection } from '../../core/pages.js';
import { PageArgs } from '../../core/pages.types.js';
import { DateTime, SafeInt } from '../../core/scalars.types.js';
import { User } from '../auth/auth.types.js';
import { loadPrices, loadProduct } from './catalog.loaders.js';
import { toPlan, toPrice, toProduct } from './catalog.present.js';
import {
  CreatePlanInput,
  CreateProductInput,
  Plan,
  PlanConnection,
  PlanPayload,
  Price,
  Product,
  ProductConnection,
  ProductKind,
  ProductPayload,
  UpdatePlanInput,
  UpdateProductInput,
} from './catalog.types.js';
import { createPlan, getPlan, listPlans, updatePlan } from './plans.service.js';
import { archiveProduct, createProduct, getProduct, listProducts, updateProduct } from './products.service.js';

const INCLUDE_ARCHIVED = { defaultValue: false, description: 'For admins who hold catalog:manage.' };

/** A plan's fields other than its code: asking for the code alone costs no query, and the others share one. */
@Resolver(() => Plan)
export class PlanResolver {
  @Query(() => PlanConnection, { description: 'The plans that are offered, by code.' })
  async plans(
    @Ctx() { app, viewer }: Context,
    @Args(() => PageArgs) { first, after }: PageArgs,
    @Arg('includeArchived', () => Boolean, INCLUDE_ARCHIVED) includeArchived: boolean,
  ): Promise<Connection<Plan>> {
    return mapConnection(await listPlans(app, { first, after, includeArchived, viewer }), toPlan);
  }

  @Mutation(() => PlanPayload, { description: 'A new plan.' })
  async createPlan(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => CreatePlanInput) input: CreatePlanInput,
  ): Promise<PlanPayload> {
    return { plan: toPlan(await createPlan(app, { ...input, actor })) };
  }

  @Mutation(() => PlanPayload, { description: 'Changes a plan for everybody who has it, or takes it off the list.' })
  async updatePlan(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => UpdatePlanInput) input: UpdatePlanInput,
  ): Promise<PlanPayload> {
    return { plan: toPlan(await updatePlan(app, { ...input, actor })) };
  }

  @FieldResolver(() => String)
  async name(@Root() { code }: Plan, @Ctx() { app }: Context): Promise<string> {
    return (await getPlan(app, code)).name;
  }

  @FieldResolver(() => Int, { nullable: true, description: 'Null: no limit.' })
  async conversationsPerDay(@Root() { code }: Plan, @Ctx() { app }: Context): Promise<number | null> {
    return (await getPlan(app, code)).conversationsPerDay;
  }

  @FieldResolver(() => Int, { nullable: true, description: 'Null: no limit.' })
  async messagesPerDay(@Root() { code }: Plan, @Ctx() { app }: Context): Promise<number | null> {
    return (await getPlan(app, code)).messagesPerDay;
  }

  @FieldResolver(() => SafeInt, { description: 'Credits that each month brings.' })
  async monthlyCredits(@Root() { code }: Plan, @Ctx() { app }: Context): Promise<number> {
    return (await getPlan(app, code)).monthlyCredits;
  }

  @FieldResolver(() => DateTime, { nullable: true, description: 'Since when it is not offered any more.' })
  async archivedAt(@Root() { code }: Plan, @Ctx() { app }: Context): Promise<Date | null> {
    return (await getPlan(app, code)).archivedAt;
  }

  @FieldResolver(() => Product, { nullable: true, description: 'What brings the plan; null when it is not sold.' })
  async product(@Root() { code }: Plan, @Ctx() context: Context): Promise<Product | null> {
    const product = await loadProduct(context, (await getPlan(context.app, code)).productId);
    return product && toProduct(product);
  }
}

@Resolver(() => Product)
export class ProductResolver {
  @Query(() => ProductConnection, { description: 'What is sold, by code.' })
  async products(
    @Ctx() { app, viewer }: Context,
    @Args(() => PageArgs) { first, after }: PageArgs,
    @Arg('kind', () => ProductKind, { nullable: true }) kind: ProductKind | null | undefined,
    @Arg('includeArchived', () => Boolean, INCLUDE_ARCHIVED) includeArchived: boolean,
  ): Promise<Connection<Product>> {
    return mapConnection(await listProducts(app, { first, after, kind, includeArchived, viewer }), toProduct);
  }

  @Query(() => Product, { description: 'The product that is sold under this code.' })
  async product(@Ctx() { app }: Context, @Arg('code', () => String) code: string): Promise<Product> {
    return toProduct(await getProduct(app, code));
  }

  @Mutation(() => ProductPayload, { description: 'Puts something new on sale.' })
  async createProduct(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => CreateProductInput) input: CreateProductInput,
  ): Promise<ProductPayload> {
    return { product: toProduct(await createProduct(app, { ...input, actor })) };
  }

  @Mutation(() => ProductPayload, { description: 'Changes what is sold. Amounts are never edited: prices take turns.' })
  async updateProduct(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => UpdateProductInput) input: UpdateProductInput,
  ): Promise<ProductPayload> {
    return { product: toProduct(await updateProduct(app, { ...input, actor })) };
  }

  @Mutation(() => ProductPayload, { description: 'Takes a product off sale, for good.' })
  async archiveProduct(
    @Ctx() { app, actor }: Context,
    @Arg('productId', () => ID) productId: string,
  ): Promise<ProductPayload> {
    return { product: toProduct(await archiveProduct(app, { productId, actor })) };
  }

  @FieldResolver(() => [Price], { description: 'One for each currency and interval.' })
  async prices(@Root() { id }: Product, @Ctx() context: Context): Promise<Price[]> {
    return (await loadPrices(context, id)).map(toPrice);
  }
}

@Resolver(() => User)
export class UserPlanResolver {
  @FieldResolver(() => Plan)
  plan(@Root() user: User): Plan {
    return { code: user.planCode };
  }
}
