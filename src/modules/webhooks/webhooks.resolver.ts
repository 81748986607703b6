import { Arg, Args, Ctx, ID, Mutation, Query, Resolver } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { type Connection, mapConnection } from '../../core/pages.js';
import { PageArgs } from '../../core/pages.types.js';
import { listWebhookDeliveries, redeliverWebhook } from './delivery-log.service.js';
import {
  createWebhookEndpoint,
  deleteWebhookEndpoint,
  listWebhookEndpoints,
  rotateWebhookSecret,
  updateWebhookEndpoint,
} from './endpoints.service.js';
import { toWebhookDelivery, toWebhookEndpoint } from './webhooks.present.js';
import {
  CreateWebhookEndpointInput,
  RedeliverWebhookInput,
  RedeliverWebhookPayload,
  RotateWebhookSecretInput,
  UpdateWebhookEndpointInput,
  type WebhookDelivery,
  WebhookDeliveryConnection,
  WebhookDeliveryFilter,
  type WebhookEndpoint,
  WebhookEndpointConnection,
  WebhookEndpointPayload,
  WebhookSecretPayload,
} from './webhooks.types.js';

@Resolver()
export class WebhooksResolver {
  @Query(() => WebhookEndpointConnection, { description: 'Where events are posted, newest first.' })
  async webhookEndpoints(
    @Ctx() { app }: Context,
    @Args(() => PageArgs) page: PageArgs,
  ): Promise<Connection<WebhookEndpoint>> {
    return mapConnection(await listWebhookEndpoints(app, page), toWebhookEndpoint);
  }

  @Query(() => WebhookDeliveryConnection, { description: 'What was sent, or is to be, newest first.' })
  async webhookDeliveries(
    @Ctx() { app }: Context,
    @Args(() => PageArgs) page: PageArgs,
    @Arg('filter', () => WebhookDeliveryFilter, { defaultValue: {} }) filter: WebhookDeliveryFilter,
  ): Promise<Connection<WebhookDelivery>> {
    return mapConnection(await listWebhookDeliveries(app, { ...page, filter }), toWebhookDelivery);
  }

  @Mutation(() => WebhookSecretPayload, {
    description: 'A new receiver of events, told of all that happens from now on. At most fifty.',
  })
  async createWebhookEndpoint(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => CreateWebhookEndpointInput) input: CreateWebhookEndpointInput,
  ): Promise<WebhookSecretPayload> {
    const { endpoint, secret } = await createWebhookEndpoint(app, { ...input, actor });
    return { endpoint: toWebhookEndpoint(endpoint), secret };
  }

  @Mutation(() => WebhookEndpointPayload, { description: 'Changes an endpoint, or turns it off and on.' })
  async updateWebhookEndpoint(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => UpdateWebhookEndpointInput) input: UpdateWebhookEndpointInput,
  ): Promise<WebhookEndpointPayload> {
    return { endpoint: toWebhookEndpoint(await updateWebhookEndpoint(app, { ...input, actor })) };
  }

  @Mutation(() => WebhookEndpointPayload, { description: 'Takes an endpoint away, with its deliveries.' })
  async deleteWebhookEndpoint(
    @Ctx() { app, actor }: Context,
    @Arg('endpointId', () => ID) endpointId: string,
  ): Promise<WebhookEndpointPayload> {
    return { endpoint: toWebhookEndpoint(await deleteWebhookEndpoint(app, { endpointId, actor })) };
  }

  @Mutation(() => WebhookSecretPayload, {
    description: 'A new secret; the old one signs as well until the overlap ends.',
  })
  async rotateWebhookSecret(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => RotateWebhookSecretInput) input: RotateWebhookSecretInput,
  ): Promise<WebhookSecretPayload> {
    const { endpoint, secret } = await rotateWebhookSecret(app, { ...input, actor });
    return { endpoint: toWebhookEndpoint(endpoint), secret };
  }

  @Mutation(() => RedeliverWebhookPayload, {
    description: 'Sends one delivery again, or all that a receiver did not get since a moment.',
  })
  async redeliverWebhook(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => RedeliverWebhookInput) input: RedeliverWebhookInput,
  ): Promise<RedeliverWebhookPayload> {
    return { queued: await redeliverWebhook(app, { ...input, actor }) };
  }
}
