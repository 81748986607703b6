import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { Context } from '../../core/context.js';
import type { Connection } from '../../core/pages.js';
import { PageArgs } from '../../core/pages.types.js';
import {
  createService,
  disableService,
  listServiceKeys,
  listServices,
  rotateServiceKey,
  updateService,
} from './services.service.js';
import {
  CreateServiceInput,
  RotateServiceKeyInput,
  Service,
  ServiceConnection,
  ServiceKey,
  ServiceKeyPayload,
  ServicePayload,
  UpdateServiceInput,
} from './services.types.js';

@Resolver(() => Service)
export class ServicesResolver {
  @Query(() => ServiceConnection, { description: 'All services, newest first.' })
  async services(@Ctx() { app }: Context, @Args(() => PageArgs) page: PageArgs): Promise<Connection<Service>> {
    return listServices(app, page);
  }

  @Mutation(() => ServiceKeyPayload, { description: 'A new service with its first key.' })
  async createService(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => CreateServiceInput) input: CreateServiceInput,
  ): Promise<ServiceKeyPayload> {
    return createService(app, { ...input, actor });
  }

  @Mutation(() => ServiceKeyPayload, { description: 'A new key; the old ones work until the overlap ends.' })
  async rotateServiceKey(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => RotateServiceKeyInput) input: RotateServiceKeyInput,
  ): Promise<ServiceKeyPayload> {
    return rotateServiceKey(app, { ...input, actor });
  }

  @Mutation(() => ServicePayload, { description: 'Changes name or scopes.' })
  async updateService(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => UpdateServiceInput) input: UpdateServiceInput,
  ): Promise<ServicePayload> {
    return { service: await updateService(app, { ...input, actor }) };
  }

  @Mutation(() => ServicePayload, { description: 'Shuts a service out at once, with all its keys, for good.' })
  async disableService(
    @Ctx() { app, actor }: Context,
    @Arg('serviceId', () => ID) serviceId: string,
    @Arg('reason', () => String, { nullable: true }) reason?: string,
  ): Promise<ServicePayload> {
    return { service: await disableService(app, { serviceId, reason, actor }) };
  }

  @FieldResolver(() => [ServiceKey], { description: 'The keys that work now.' })
  async keys(@Root() service: Service, @Ctx() { app }: Context): Promise<ServiceKey[]> {
    return listServiceKeys(app, service.id);
  }
}
