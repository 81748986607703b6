// The front end of the test: what an app does to change an avatar.

/** Draws a picture, sends it, and makes it the avatar. Answers its address. */
globalThis.drawAndSend = async ({ api, token, type }) => {
  async function call(query, input) {
    const response = await fetch(`${api}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query, variables: { input } }),
    });
    const { data, errors } = await response.json();
    if (errors) throw new Error(JSON.stringify(errors));
    return data;
  }
  const canvas = document.createElement('canvas');
  canvas.width = 320;
  canvas.height = 200;
  canvas.getContext('2d').fillRect(10, 10, 100, 50);
  const file = await new Promise((done) => {
    canvas.toBlob(done, type);
  });
  if (file.type !== type) throw new Error(`This browser makes no ${type}`);

  const { createAvatarUpload: upload } = await call(
    'mutation($input: CreateAvatarUploadInput!) { createAvatarUpload(input: $input) { uploadId url fields } }',
    { contentType: type },
  );
  const form = new FormData();
  for (const [name, value] of Object.entries(upload.fields)) form.append(name, value);
  form.append('file', file);
  const sent = await fetch(upload.url, { method: 'POST', body: form });
  if (sent.status !== 204) throw new Error(`${sent.status} ${await sent.text()}`);
  const { updateProfile } = await call(
    'mutation($input: UpdateProfileInput!) { updateProfile(input: $input) { user { avatarUrl } } }',
    { avatarUploadId: upload.uploadId },
  );
  return updateProfile.user.avatarUrl;
};

globalThis.sizeOfImage = async (url) => {
  const image = new Image();
  image.src = url;
  await image.decode();
  return `${image.naturalWidth}x${image.naturalHeight}`;
};
