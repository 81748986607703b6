import { Arg, Ctx, FieldResolver, Mutation, Resolver, Root } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { viewerId } from '../../core/viewer.js';
import { User } from '../auth/auth.types.js';
import { createAvatarUpload } from './avatars.service.js';
import { AvatarUpload, CreateAvatarUploadInput } from './files.types.js';

@Resolver(() => User)
export class FilesResolver {
  @Mutation(() => AvatarUpload, {
    description: 'Where to send a new avatar. It becomes yours by `updateProfile(input: { avatarUploadId })`.',
  })
  async createAvatarUpload(
    @Ctx() { app, viewer }: Context,
    @Arg('input', () => CreateAvatarUploadInput) { contentType }: CreateAvatarUploadInput,
  ): Promise<AvatarUpload> {
    return createAvatarUpload(app, { userId: viewerId(viewer), contentType });
  }

  @FieldResolver(() => String, { nullable: true, description: 'Changes with the picture, so that it may be kept.' })
  avatarUrl(@Root() { avatarUrl }: User, @Ctx() { app }: Context): string | null {
    return avatarUrl?.startsWith('/') ? `${app.config.server.publicUrl}${avatarUrl}` : avatarUrl;
  }
}
