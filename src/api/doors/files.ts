import type { FastifyInstance } from 'fastify';
import type { App } from '../../core/context.js';
import { badInput } from '../../core/errors.js';
import { AVATAR_BYTES, openAvatar, readUploadToken, receiveAvatarUpload } from '../../modules/files/avatars.service.js';
import { openDataExport } from '../../modules/privacy/data-exports.service.js';

/** What the form around the file may take. */
const FORM_BYTES = 16 * 1024;

/** Whatever a file is, a browser that opens it by itself runs nothing of it (B2). */
const LOCKED = "default-src 'none'; sandbox; frame-ancestors 'none'";

/** A day, not for ever: of somebody who was erased, caches forget the picture by then. It never changes before. */
const AVATAR_CACHE = 'public, max-age=86400, immutable';

/** Uploads to this server's own disk, and the files that it shows. */
export function mountFiles(server: FastifyInstance, app: App): void {
  if (!app.storage.presignUpload) mountUploads(server, app);

  server.get<{ Params: { name: string } }>('/avatars/:name', async (request, reply) => {
    const { stream, sizeBytes, contentType } = await openAvatar(app, request.params.name);
    return reply
      .header('content-security-policy', LOCKED)
      .header('content-disposition', 'attachment')
      .header('cross-origin-resource-policy', 'cross-origin') // pages of any origin may show it
      .header('cache-control', AVATAR_CACHE)
      .header('content-length', sizeBytes)
      .type(contentType)
      .send(stream);
  });

  server.get<{ Params: { token: string } }>('/exports/:token', async (request, reply) => {
    const { stream, name } = await openDataExport(app, request.params.token);
    return reply
      .header('content-security-policy', LOCKED)
      .header('content-disposition', `attachment; filename="${name}"`)
      .type('application/json; charset=utf-8')
      .send(stream);
  });
}

/** `POST /uploads/:token` answers 204, as S3 does. The token is looked at before a byte of the body is read. */
function mountUploads(server: FastifyInstance, app: App): void {
  server.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    // Forms with files are read here and nowhere else (B4).
    scope.addContentTypeParser('multipart/form-data', { parseAs: 'buffer' }, (_request, body, done) =>
      done(null, body),
    );
    scope.post<{ Params: { token: string } }>(
      '/uploads/:token',
      {
        bodyLimit: AVATAR_BYTES + FORM_BYTES,
        onRequest: async (request) => {
          readUploadToken(app, request.params.token);
        },
      },
      async (request, reply) => {
        const uploadId = readUploadToken(app, request.params.token);
        const file = await fileOf(request.body, request.headers['content-type']);
        await receiveAvatarUpload(app, { uploadId, file });
        return reply.code(204).send();
      },
    );
  });
}

/** The one file of a form, read by the parser that Node itself brings. @throws BAD_USER_INPUT */
async function fileOf(body: unknown, contentType = ''): Promise<Buffer> {
  const form = await new Response(body as Buffer, { headers: { 'content-type': contentType } })
    .formData()
    .catch(() => undefined);
  const files = form?.getAll('file') ?? [];
  const [file] = files;
  if (files.length !== 1 || !(file instanceof Blob)) throw badInput({ file: 'must be the one file of a form' });
  return Buffer.from(await file.arrayBuffer());
}
