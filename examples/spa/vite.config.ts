import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** Where Credence runs. The browser sees one origin, here as behind a reverse proxy: no CORS, and a cookie that only we get. */
const CREDENCE = process.env.CREDENCE_URL ?? 'http://127.0.0.1:4000';
const proxy = { '/graphql': CREDENCE };

/**
 * What the server of the built files has to send with them; `vite preview` stands in for it. Not for the development
 * server, which puts scripts and styles of its own into the page.
 */
const headers = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join('; '),
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

export default defineConfig({
  root: import.meta.dirname,
  plugins: [react()],
  // Not 127.0.0.1: what is set for FRONTEND_URL is what the browser has to open.
  server: { host: 'localhost', port: 5173, strictPort: true, proxy },
  preview: { host: 'localhost', port: 5173, strictPort: true, proxy, headers },
});
