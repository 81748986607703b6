import { Field, ID, ObjectType } from 'type-graphql';
import { DateTime, SafeInt } from '../../core/scalars.types.js';

@ObjectType('DataExport', {
  simpleResolvers: true,
  description: 'A file with everything that is held about you, sealed with your own key where it is stored.',
})
export class DataExport {
  @Field(() => ID)
  id!: string;

  @Field(() => DateTime)
  createdAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'Null while it is being made.' })
  readyAt!: Date | null;

  @Field(() => SafeInt, { nullable: true, description: 'As it is stored. Null while it is being made.' })
  sizeBytes!: number | null;

  @Field(() => DateTime, { description: 'Then it is deleted: a day after it was ready.' })
  expiresAt!: Date;
}

@ObjectType('DataExportPayload', { simpleResolvers: true })
export class DataExportPayload {
  @Field(() => DataExport)
  dataExport!: DataExport;
}

@ObjectType('DataExportLink', { simpleResolvers: true })
export class DataExportLink {
  @Field(() => String, { description: 'Where a browser gets the file; keep it to yourself.' })
  url!: string;

  @Field(() => DateTime, { description: 'A minute after it was made.' })
  expiresAt!: Date;
}
