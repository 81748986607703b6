import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Resolver, Root } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { loadNestedPage } from '../../core/nested-pages.js';
import { type Connection, mapConnection } from '../../core/pages.js';
import { PageArgs } from '../../core/pages.types.js';
import { viewerId } from '../../core/viewer.js';
import { OkPayload, User } from '../auth/auth.types.js';
import { toApiKey, toApiKeyPayload } from './accounts.present.js';
import { apiKeysOfUsers, createApiKey, revokeApiKey, rotateApiKey } from './api-keys.service.js';
import {
  type ApiKey,
  ApiKeyConnection,
  ApiKeyPayload,
  CreateApiKeyInput,
  RotateApiKeyInput,
} from './api-keys.types.js';

@Resolver(() => User)
export class ApiKeysResolver {
  @Mutation(() => ApiKeyPayload, {
    description: 'A key of your own for scripts, which only reads. Its text is shown this once.',
  })
  async createApiKey(
    @Ctx() { app, viewer, actor }: Context,
    @Arg('input', () => CreateApiKeyInput) { name, scopes, expiresInDays, ipAllowList }: CreateApiKeyInput,
  ): Promise<ApiKeyPayload> {
    const owner = { userId: viewerId(viewer), actor };
    return toApiKeyPayload(await createApiKey(app, { ...owner, name, scopes, expiresInDays, ipAllowList }));
  }

  @Mutation(() => ApiKeyPayload, {
    description: 'A new key with the same name, scopes and addresses takes over; the old one ends after the overlap.',
  })
  async rotateApiKey(
    @Ctx() { app, viewer, actor }: Context,
    @Arg('input', () => RotateApiKeyInput) { id, overlap }: RotateApiKeyInput,
  ): Promise<ApiKeyPayload> {
    return toApiKeyPayload(await rotateApiKey(app, { userId: viewerId(viewer), id, overlap, actor }));
  }

  @Mutation(() => OkPayload, { description: 'Ends a key at once.' })
  async revokeApiKey(@Ctx() { app, viewer, actor }: Context, @Arg('id', () => ID) id: string): Promise<OkPayload> {
    await revokeApiKey(app, { userId: viewerId(viewer), id, actor });
    return { ok: true };
  }

  @FieldResolver(() => ApiKeyConnection, { description: 'Keys that were not revoked, newest first.' })
  async apiKeys(
    @Root() { id }: User,
    @Ctx() context: Context,
    @Args(() => PageArgs) page: PageArgs,
  ): Promise<Connection<ApiKey>> {
    return mapConnection(await loadNestedPage(context, { list: apiKeysOfUsers, parentId: id, page }), toApiKey);
  }
}
