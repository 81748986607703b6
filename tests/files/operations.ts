import type { Answer, Harness } from '../support/harness.js';

export function createAvatarUpload(h: Harness, token: string | undefined, contentType = 'image/png'): Promise<Answer> {
  const query = `mutation($input: CreateAvatarUploadInput!) { createAvatarUpload(input: $input) {
    uploadId url fields maxBytes expiresAt } }`;
  return h.graphql(query, { token, variables: { input: { contentType } } });
}

export function updateAvatar(h: Harness, token: string | undefined, input: object): Promise<Answer> {
  const query = `mutation($input: UpdateProfileInput!) { updateProfile(input: $input) { user { displayName avatarUrl } } }`;
  return h.graphql(query, { token, variables: { input } });
}

export interface Upload {
  uploadId: string;
  url: string;
  fields: Record<string, string>;
  maxBytes: number;
  expiresAt: string;
}

export async function openUpload(h: Harness, token: string, contentType?: string): Promise<Upload> {
  const { data, errors } = await createAvatarUpload(h, token, contentType);
  if (errors) throw new Error(JSON.stringify(errors));
  return data.createAvatarUpload;
}

export interface Sent {
  status: number;
  body: string;
}

/** Sends a form as a browser does: to our own door, or over the network to the bucket. */
export async function sendForm(h: Harness, url: string, form: FormData): Promise<Sent> {
  const { host } = new URL(h.app.config.server.publicUrl);
  if (new URL(url).host !== host) {
    const response = await fetch(url, { method: 'POST', body: form });
    return { status: response.status, body: await response.text() };
  }
  const encoded = new Response(form);
  const response = await h.fastify.inject({
    method: 'POST',
    url: new URL(url).pathname,
    headers: { 'content-type': encoded.headers.get('content-type') ?? '' },
    payload: Buffer.from(await encoded.arrayBuffer()),
  });
  return { status: response.statusCode, body: response.payload };
}

export function formOf(
  fields: Record<string, string>,
  file: Uint8Array<ArrayBuffer> | Buffer,
  type = 'image/png',
  name = 'me.png',
): FormData {
  const form = new FormData();
  for (const [field, value] of Object.entries(fields)) form.set(field, value);
  form.set('file', new Blob([Uint8Array.from(file)], { type }), name);
  return form;
}

export function send(h: Harness, upload: Upload, file: Buffer, type?: string, name?: string): Promise<Sent> {
  return sendForm(h, upload.url, formOf(upload.fields, file, type, name));
}

/** The whole way of a new avatar. Answers its address. */
export async function giveAvatar(h: Harness, token: string, file: Buffer, contentType = 'image/png'): Promise<string> {
  const upload = await openUpload(h, token, contentType);
  const sent = await send(h, upload, file, contentType);
  if (sent.status !== 204) throw new Error(`upload: ${sent.status} ${sent.body}`);
  const { data, errors } = await updateAvatar(h, token, { avatarUploadId: upload.uploadId });
  if (errors) throw new Error(JSON.stringify(errors));
  return data.updateProfile.user.avatarUrl;
}

export function look(h: Harness, url: string) {
  return h.fastify.inject({ method: 'GET', url: new URL(url).pathname });
}
