import { Arg, Ctx, ID, Mutation, Query, Resolver } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { viewerId } from '../../core/viewer.js';
import { createDataExport, createDataExportLink, dataExports } from './data-exports.service.js';
import { DataExport, DataExportLink, DataExportPayload } from './data-exports.types.js';
import { toDataExport } from './privacy.present.js';

@Resolver()
export class DataExportsResolver {
  @Query(() => [DataExport], {
    description: 'The files that you asked for and that still are there, the latest first.',
  })
  async dataExports(@Ctx() { app, viewer }: Context): Promise<DataExport[]> {
    return (await dataExports(app, viewerId(viewer))).map(toDataExport);
  }

  @Mutation(() => DataExportPayload, {
    description:
      'Asks for a file with everything that is held about you, however much; a letter says when it is there. At most three at a time.',
  })
  async createDataExport(@Ctx() { app, viewer, actor }: Context): Promise<DataExportPayload> {
    return { dataExport: toDataExport(await createDataExport(app, { userId: viewerId(viewer), actor })) };
  }

  @Mutation(() => DataExportLink, { description: 'An address from which a browser gets the file, for a minute.' })
  async createDataExportLink(
    @Ctx() { app, viewer, actor }: Context,
    @Arg('id', () => ID) id: string,
  ): Promise<DataExportLink> {
    return createDataExportLink(app, { userId: viewerId(viewer), id, actor });
  }
}
