import { Field, ID, InputType, ObjectType } from 'type-graphql';
import { DateTime, JSONObject, SafeInt } from '../../core/scalars.types.js';

@InputType('CreateAvatarUploadInput')
export class CreateAvatarUploadInput {
  @Field(() => String, { description: 'image/png, image/jpeg or image/webp: what you are going to send.' })
  contentType!: string;
}

@ObjectType('AvatarUpload', {
  simpleResolvers: true,
  description: 'Send one `multipart/form-data` to `url` by POST: every one of `fields`, and last the file as `file`.',
})
export class AvatarUpload {
  @Field(() => ID, { description: 'For `updateProfile`, once the file is there: within 15 minutes.' })
  uploadId!: string;

  @Field(() => String)
  url!: string;

  @Field(() => JSONObject, { description: 'Names and values of the form’s fields; may be none.' })
  fields!: Record<string, string>;

  @Field(() => SafeInt, { description: 'A larger file is refused, as is an empty one.' })
  maxBytes!: number;

  @Field(() => DateTime, { description: 'Until then the form is taken, once.' })
  expiresAt!: Date;
}
